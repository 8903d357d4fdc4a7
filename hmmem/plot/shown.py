"""What a figure shows: the frames, where they lie, their states, thinned if they are many."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hmmem import inputs

__all__ = ["MOST_BINS", "Shown", "places", "show_data"]

#: Columns of a figure that can be told apart; more frames than these are drawn as bins.
MOST_BINS = 1000


@dataclass(frozen=True, eq=False)
class Shown:
    """Frames with their states along an axis.

    Attributes
    ----------
    X : ndarray of shape (N, D)
        Frames, those of one sequence together.
    offsets : ndarray of shape (n + 1,)
        Where the sequences lie.
    path : ndarray of shape (N,)
        The state of each frame.
    gamma : ndarray of shape (N, K)
        The probabilities of the states.
    at : ndarray of shape (N,)
        The place of each frame on the axis: its number, or its time.
    """

    X: np.ndarray
    offsets: np.ndarray
    path: np.ndarray
    gamma: np.ndarray
    at: np.ndarray

    @cached_property
    def edges(self) -> np.ndarray:
        """Where frames begin and end on the axis, (N + 1,): half way between them."""
        if len(self.at) == 1:
            return np.array([self.at[0] - 0.5, self.at[0] + 0.5])
        middle = (self.at[1:] + self.at[:-1]) / 2
        return np.concatenate([[2 * self.at[0] - middle[0]], middle, [2 * self.at[-1] - middle[-1]]])

    @cached_property
    def bins(self) -> np.ndarray:
        """First frames of the bins that are drawn, with N at the end: single frames, unless there are too many."""
        N = len(self.at)
        firsts = np.arange(0, N, max(1, -(-N // MOST_BINS)))
        if len(self.offsets) < MOST_BINS:
            firsts = np.unique(np.concatenate([firsts, self.offsets[:-1]]))
        return np.append(firsts, N)

    @cached_property
    def bin_gamma(self) -> np.ndarray:
        """Mean probabilities of each bin, (bins, K)."""
        return np.add.reduceat(self.gamma, self.bins[:-1]) / np.diff(self.bins)[:, None]

    @cached_property
    def runs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Begin and end on the axis and state of each run of bins; the state of a bin is its most frequent one."""
        K = self.gamma.shape[1]
        counts = np.add.reduceat((self.path[:, None] == np.arange(K)).astype(np.int64), self.bins[:-1])
        states = counts.argmax(axis=1)
        cut = np.concatenate([[True], states[1:] != states[:-1]])
        cut |= np.isin(self.bins[:-1], self.offsets[:-1])
        first = np.flatnonzero(cut)
        begin = self.edges[self.bins[first]]
        return begin, np.append(begin[1:], self.edges[-1]), states[first]

    @property
    def shares(self) -> np.ndarray:
        """Share of the frames that each state has, (K,)."""
        shares: np.ndarray = np.bincount(self.path, minlength=self.gamma.shape[1]) / len(self.path)
        return shares

    def line(self, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the curve of feature d: each frame, or lowest and highest of each bin; nan between sequences."""
        values = self.X[:, d].astype(np.float64)
        if len(self.bins) - 1 == len(values):
            rows = np.arange(len(values))
        else:
            spans = list(zip(self.bins[:-1], self.bins[1:], strict=True))
            ends = [(a + values[a:b].argmin(), a + values[a:b].argmax()) for a, b in spans]
            rows = np.unique(np.array(ends))
        gaps = np.searchsorted(rows, self.offsets[1:-1])
        return np.insert(self.at[rows], gaps, np.nan), np.insert(values[rows], gaps, np.nan)


def show_data(estimator: Any, X: Any, lengths: Any, sequence_id: Any, index: Any) -> Shown:
    """Return the data as a figure shows them, decoded by the estimator."""
    data, layout = inputs.read(X, lengths, sequence_id, _frames)
    frames = data.frames
    with warnings.catch_warnings():
        # the frames come from the very table whose column names are missed
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        if hasattr(estimator, "transmat_"):
            gamma = estimator.predict_proba(frames, lengths=data.lengths)
            path = estimator.predict(frames, lengths=data.lengths)
        else:
            gamma = estimator.predict_proba(frames)
            path = gamma.argmax(axis=1)
    at = np.arange(len(frames), dtype=np.float64)
    if index is not None:
        index = np.asarray(index)
        if index.shape != (len(frames),):
            raise ValueError(f"index must have one entry per frame, {len(frames)}; got shape {index.shape}")
        if len(data) == 1:
            at = places(layout.gather(index))
    return Shown(frames, data.offsets, np.asarray(path), gamma, at)


def _frames(X: Any) -> np.ndarray:
    frames = np.asarray(X)
    if frames.ndim != 2:
        raise ValueError(
            f"X must have the shape (frames, features); got {frames.shape}; reshape(-1, 1) makes one feature"
        )
    return frames


def places(index: np.ndarray) -> np.ndarray:
    """Return times as numbers on an axis; they must increase, otherwise frames would cover each other."""
    if index.dtype.kind == "M":
        from matplotlib.dates import date2num

        index = date2num(index)  # type: ignore[no-untyped-call]
    try:
        places = index.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"index must hold numbers or datetime64; got {index.dtype}") from None
    if not np.isfinite(places).all() or (np.diff(places) <= 0).any():
        raise ValueError("index must increase from frame to frame; sort the frames by time")
    return places
