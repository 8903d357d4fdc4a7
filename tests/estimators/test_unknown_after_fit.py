"""What an unknown symbol does may be decided after the fit."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hmmem


def test_set_params_of_unknown_after_fit_gives_the_floor_its_probability():
    """The model kept the probability 0 that it was fitted with, and every sequence with a new symbol scored -inf."""
    words = np.array(["sun", "rain", "sun", "fog", "rain", "sun"]).reshape(-1, 1)
    model = hmmem.CategoricalHMM(1, random_state=0).fit(words)
    model.set_params(unknown="floor", unknown_prob=1e-3)
    expected = math.log(0.5 * (1 - 1e-3)) + math.log(1e-3)
    assert model.score([["sun"], ["hail"]]) == pytest.approx(expected, rel=1e-12)
    model.set_params(unknown="ignore")
    assert model.score([["sun"], ["hail"]]) == pytest.approx(math.log(0.5), rel=1e-12)
    model.set_params(unknown="error")
    with pytest.raises(ValueError, match="'hail'"):
        model.score([["sun"], ["hail"]])
