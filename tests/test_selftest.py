"""The check of an installation passes here, and fails where a kernel is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hmmem
from hmmem.kernels import decoding, emitting, lanes, logspace, messages, moments, sampling, scaled


def test_selftest_passes_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    hmmem.selftest()
    assert capsys.readouterr() == ("", "")


def spoil(kernel: Any, position: int, change: Any) -> Any:
    """A kernel that is wrong in one of its outputs."""

    def wrong(*arguments: Any) -> Any:
        result = kernel(*arguments)
        change(arguments[position])
        return result

    return wrong


def scale_up(out: np.ndarray) -> None:
    out *= 1.0 + 1e-6


def flip(out: np.ndarray) -> None:
    out[...] = 1 - out


def tilt(out: np.ndarray) -> None:
    out[1:, 0] *= 1.0 + 1e-3


@pytest.mark.parametrize(
    ("module", "name", "output", "change", "told"),
    [
        (scaled, "shift", -1, scale_up, "recursions"),
        (scaled, "forward", 10, scale_up, "recursions"),
        (scaled, "backward", -1, scale_up, "recursions"),
        (lanes, "smooth", -2, scale_up, "lanes"),
        (lanes, "smooth", -5, scale_up, "lanes"),
        (lanes, "smooth", -6, scale_up, "lanes"),
        (messages, "warm_up", -1, tilt, "segments"),
        (messages, "warm_up", -2, tilt, "segments"),
        (messages, "warm_up", -3, tilt, "segments"),
        (logspace, "forward", -3, scale_up, "log space"),
        (logspace, "backward", -1, scale_up, "log space"),
        (decoding, "viterbi_back", -1, flip, "decoding"),
        (decoding, "joint_log_prob", -1, scale_up, "decoding"),
        (emitting, "diag_log_lik", -1, scale_up, "emissions"),
        (emitting, "full_log_lik", -1, scale_up, "emissions"),
        (emitting, "poisson_log_lik", -1, scale_up, "emissions"),
        (emitting, "gather", -1, scale_up, "emissions"),
        (moments, "shared_moments", -1, scale_up, "emissions"),
        (moments, "diag_moments", -1, scale_up, "emissions"),
        (moments, "diag_moments", -2, scale_up, "emissions"),
        (moments, "full_moments", -1, scale_up, "emissions"),
        (moments, "scatter", -1, scale_up, "emissions"),
        (emitting, "responsibilities", -1, scale_up, "emissions"),
        (sampling, "sample_path", -1, flip, "sampling"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_selftest_fails_when_a_kernel_is_wrong(
    module: Any, name: str, output: int, change: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, spoil(getattr(module, name), output, change))
    with pytest.raises(
        RuntimeError, match=f"hmmem's {told} differ from NumPy on this installation; check the versions"
    ):
        hmmem.selftest()
