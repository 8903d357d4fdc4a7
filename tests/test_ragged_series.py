"""A list of series of different lengths is answered by the mend, not by NumPy's "inhomogeneous shape"."""

from __future__ import annotations

import numpy as np
import pytest

import hmmem


@pytest.mark.parametrize(
    "X", [[np.arange(4.0), np.arange(6.0)], [[0.0, 1.0, 2.0], [3.0, 4.0]]], ids=["arrays", "nested lists"]
)
def test_fit_of_series_of_different_lengths_says_how_to_reshape_them(X):
    with pytest.raises(ValueError, match=r"every item must be 2-D, .* item 0 has shape \(\d,\); reshape\(-1, 1\)"):
        hmmem.GaussianHMM(2).fit(X)


def test_fit_of_reshaped_series_works():
    series = [np.arange(4.0), np.arange(6.0)]
    model = hmmem.GaussianHMM(1, variance_floor=0).fit([part.reshape(-1, 1) for part in series])
    assert model.means_[0, 0] == pytest.approx(np.concatenate(series).mean())
