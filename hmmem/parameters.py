"""The one place where arguments and parameters are checked, whether they come from a user, a fit or a file."""

from __future__ import annotations

import copy
import math
import numbers
from typing import Any

import numpy as np

#: More than this no computer can count or hold.
LARGEST = 2**48
#: How far the sum of a row of probabilities may be from 1.
SUM_TOLERANCE = 1e-8


def check_count(name: str, value: Any, least: int = 1, most: int = LARGEST) -> int:
    """Return an integer argument from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer of at least {least}; got {value!r} of type {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}; got {value}")
    if int(value) > most:
        raise ValueError(f"{name} must be at most {most}; got a number of {int(value).bit_length()} bits")
    return int(value)


def check_number(name: str, value: Any, least: float = 0.0, optional: bool = False) -> float | None:
    """Return a finite number of at least ``least``; None if that is allowed."""
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        what = " or None" if optional else ""
        raise TypeError(f"{name} must be a number{what}; got {value!r} of type {type(value).__name__}")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        finite = False
    if not finite or value < least:
        raise ValueError(f"{name} must be a finite number of at least {least:g}; got {value}")
    return float(value)


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return a string argument out of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return value


def check_letters(name: str, value: Any, letters: str) -> str:
    """Return a string made of the given letters, as hmmlearn's ``params`` and ``init_params``."""
    if not isinstance(value, str) or not set(value) <= set(letters):
        raise ValueError(f"{name} must be a string of the letters {', '.join(letters)}; got {value!r}")
    return value


def check_array(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a finite float64 array of exactly this shape; a copy."""
    try:
        if np.iscomplexobj(value):
            raise TypeError
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be an array of numbers of shape {shape}; got {value!r}") from None
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite; {name}{list(where)} is {array[where]}")
    return array


def check_probabilities(name: str, value: Any, shape: tuple[int, ...], total: np.ndarray | float = 1.0) -> np.ndarray:
    """Return probabilities whose last axis sums to ``total`` within 1e-8."""
    array = check_array(name, value, shape)
    if np.any(array < 0):
        where = tuple(int(i) for i in np.argwhere(array < 0)[0])
        raise ValueError(f"{name} must not be negative; {name}{list(where)} is {array[where]}")
    sums = array.sum(axis=-1)
    off = np.abs(sums - total) > SUM_TOLERANCE
    if np.any(off):
        if array.ndim == 1:
            raise ValueError(f"{name} must sum to {float(np.mean(total)):g}; it sums to {float(sums):.10g}")
        row = int(np.argmax(off))
        raise ValueError(
            f"{name} rows must sum to {float(np.broadcast_to(total, off.shape)[row]):g};"
            f" row {row} sums to {float(sums[row]):.10g}"
        )
    return array


def check_positive(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of positive numbers."""
    array = check_array(name, value, shape)
    if np.any(array <= 0):
        where = tuple(int(i) for i in np.argwhere(array <= 0)[0])
        raise ValueError(f"{name} must be positive; {name}{list(where)} is {array[where]}")
    return array


def check_not_negative(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array without negative numbers."""
    array = check_array(name, value, shape)
    if np.any(array < 0):
        where = tuple(int(i) for i in np.argwhere(array < 0)[0])
        raise ValueError(f"{name} must not be negative; {name}{list(where)} is {array[where]}")
    return array


def check_support(name: str, value: Any, probabilities: np.ndarray) -> np.ndarray:
    """Return which probabilities are allowed to be positive: booleans of their shape, true where they are."""
    array = np.array(value)
    if array.dtype != bool or array.shape != probabilities.shape:
        raise ValueError(
            f"{name} must be booleans of shape {probabilities.shape}; got {array.dtype} of shape {array.shape}"
        )
    if np.any((probabilities > 0) & ~array):
        raise ValueError(f"{name} must be true wherever a probability is positive")
    return array


def check_covars(name: str, value: Any, covariance_type: str, K: int, D: int) -> np.ndarray:
    """Return compact covariances: (K,) spherical, (K, D) diag, (D, D) tied, (K, D, D) full; positive definite."""
    shapes = {"spherical": (K,), "diag": (K, D), "tied": (D, D), "full": (K, D, D)}
    shape = shapes[covariance_type]
    if covariance_type in {"spherical", "diag"}:
        return check_positive(name, value, shape)
    array = check_array(name, value, shape)
    for k, matrix in enumerate(array.reshape(-1, D, D)):
        where = name if array.ndim == 2 else f"{name}[{k}]"
        sd = np.sqrt(np.maximum(np.diag(matrix), 0))
        scale = np.where(sd > 0, sd, 1.0)
        if np.max(np.abs(matrix - matrix.T) / np.outer(scale, scale)) > 1e-8:
            raise ValueError(f"{where} must be symmetric; {where}.T differs from it")
        try:
            np.linalg.cholesky(matrix / np.outer(scale, scale))
        except np.linalg.LinAlgError:
            least = float(np.linalg.eigvalsh(matrix)[0])
            raise ValueError(f"{where} must be positive definite; its smallest eigenvalue is {least:.6g}") from None
    return array


def generator(random_state: Any) -> np.random.Generator:
    """Return a generator for a seed, a Generator, a RandomState or None; what is passed stays as it is."""
    if isinstance(random_state, np.random.Generator):
        return copy.deepcopy(random_state)
    if isinstance(random_state, np.random.RandomState):
        # a RandomState cannot spawn children, so the draws of a copy seed a generator that can
        return np.random.default_rng(copy.deepcopy(random_state).randint(2**32, size=4, dtype=np.uint64))
    if random_state is not None:
        random_state = check_count("random_state", random_state, 0, 2**256)
    return np.random.default_rng(random_state)
