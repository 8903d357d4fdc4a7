"""Lanes: runs of frames side by side, eight at a time, in the layout that the kernels read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hmmem.kernels import packing


@dataclass(frozen=True, eq=False)
class Lanes:
    """Which run of frames stands in which lane; see :mod:`hmmem.kernels.packing`.

    Parameters
    ----------
    starts, lengths : ndarray of shape (8 G,), int64
        First frame and number of frames of what each lane holds; a lane for which there is no run holds another one's.
    rows : ndarray of shape (G + 1,), int64
        Group g has the rows ``rows[g]`` to ``rows[g + 1]``, as many as its longest run has frames.
    run : ndarray of shape (8 G,), int64
        Number of the run in each lane; -1 where there is none.
    """

    starts: np.ndarray
    lengths: np.ndarray
    rows: np.ndarray
    run: np.ndarray

    @classmethod
    def of_runs(cls, starts: np.ndarray, lengths: np.ndarray) -> Lanes:
        """Return lanes for m runs (m,), runs of like length side by side."""
        m, longest = len(lengths), int(lengths.max())
        if int(lengths.min()) == longest:
            order = np.arange(m)
        else:  # short integers are sorted in linear time
            order = np.argsort(-lengths.astype(np.int16) if longest < 2**15 else -lengths, kind="stable")
        if m % 8 == 0:
            run = held = order
        else:
            run = np.full(m + -m % 8, -1)
            run[:m] = order
            held = np.where(run < 0, run[len(run) - 8], run)
        held_lengths = lengths[held]
        rows = np.zeros(len(held) // 8 + 1, np.int64)
        np.cumsum(held_lengths[::8], out=rows[1:])
        return cls(starts[held], held_lengths, rows, run)

    @classmethod
    def of_frames(cls, n: int) -> Lanes:
        """Return lanes for n independent frames: eight runs of one length, the last one shorter."""
        starts = np.arange(0, n, -(-n // 8))
        return cls.of_runs(starts, np.diff(np.append(starts, n)))

    def from_frame(self, first: int) -> Lanes:
        """Return the same lanes for frames of which the first ones were cut off."""
        return replace(self, starts=self.starts - first)

    @property
    def n_rows(self) -> int:
        """Number of rows of all groups."""
        return int(self.rows[-1])

    @property
    def n_runs(self) -> int:
        """Number of runs m."""
        return len(self.run) if self.run[-1] >= 0 else int(np.count_nonzero(self.run >= 0))

    @property
    def fill(self) -> float:
        """Share of the lanes' frames that belong to a run."""
        held = self.lengths if self.run[-1] >= 0 else self.lengths[self.run >= 0]
        return float(held.sum() / (8 * self.n_rows))

    def pack(self, X: np.ndarray, repeat: bool = True) -> np.ndarray:
        """Return frames (N, C) as lanes (rows, C, 8); behind a run's end its first frame again, or zeros."""
        lanes = room(self.n_rows, X.shape[1], 8).view(X.dtype)
        # eight bytes are eight bytes: symbols travel as if they were doubles
        flat = np.ascontiguousarray(X).reshape(-1).view(np.float64)
        out = lanes.reshape(-1).view(np.float64)
        packing.pack(flat, X.shape[1], self.starts, self.lengths, self.rows, repeat, out)
        if not repeat and self.run[-1] < 0:
            lanes[self.rows[-2] :, :, self.run[-8:] < 0] = 0
        return lanes

    def unpack(self, lanes: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Write lanes (rows, C, 8) back to frames, out (N, C)."""
        packing.unpack(lanes, self.starts, np.where(self.run < 0, 0, self.lengths), self.rows, out)
        return out


def room(*shape: int) -> np.ndarray:
    """Make room for numbers that begins at a line of the cache: vectors that straddle two lines take twice the time."""
    n = math.prod(shape)
    space = np.empty(n + 8)
    skipped = -space.ctypes.data // 8 % 8
    return space[skipped : skipped + n].reshape(shape)


def fitting(X: np.ndarray, width: int, dtype: Any = np.float64) -> np.ndarray:
    """Return frames (N, width), or lanes of them, as ``dtype``; kernels do not look where they read.

    Raises
    ------
    ValueError
        If there are not ``width`` columns, or symbols are no integers.
    """
    if X.ndim not in {2, 3} or X.shape[1] != width:
        raise ValueError(f"X must have the {width} columns that the emission has, shape (N, {width}); got {X.shape}")
    if X.dtype == dtype:
        return X
    if dtype == np.int64 and X.dtype.kind not in "iub":
        raise ValueError(f"X must hold the codes of symbols, integers; got dtype {X.dtype}")
    return X.astype(dtype)


def by_lanes(
    function: Callable[[np.ndarray, np.ndarray], object], X: np.ndarray, columns: int, out: np.ndarray | None
) -> np.ndarray:
    """Return what ``function(X, out)`` writes for lanes X (rows, D, 8), out (rows, columns, 8).

    Frames X (N, D) go through lanes, too, and come back as (N, columns).
    """
    if X.ndim == 3:
        out = room(len(X), columns, 8) if out is None else out
        function(X, out)
        return out
    out = np.empty((len(X), columns)) if out is None else out
    if len(X) == 0:
        return out
    lanes = Lanes.of_frames(len(X))
    inner = room(lanes.n_rows, columns, 8)
    function(lanes.pack(X), inner)
    return lanes.unpack(inner, out)


def both_in_lanes(X: np.ndarray, gamma: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return frames (N, D) and their weights (N, rows) as lanes; lanes as they are."""
    if gamma.shape != (len(X), rows, *X.shape[2:]):
        raise ValueError(f"gamma must have a row for each of {len(X)} frames, and {rows} columns; got {gamma.shape}")
    if X.ndim == 3:
        return X, gamma
    lanes = Lanes.of_frames(len(X))
    return lanes.pack(X), lanes.pack(np.ascontiguousarray(gamma, dtype=np.float64), repeat=False)


def as_frames(lanes: np.ndarray) -> np.ndarray:
    """Return lanes (n, C, 8) as frames (8 n, C), those behind a run's end included."""
    return np.ascontiguousarray(lanes.transpose(0, 2, 1)).reshape(-1, lanes.shape[1])


def as_lanes(frames: np.ndarray) -> np.ndarray:
    """Return what :func:`as_frames` made of lanes as lanes again."""
    return np.ascontiguousarray(frames.reshape(-1, 8, frames.shape[1]).transpose(0, 2, 1))


def log_lik_of(emission: Any, X: np.ndarray) -> np.ndarray:
    """Return an emission's log_lik of frames or lanes, in the form of X, whatever the emission itself takes."""
    lanes = X.ndim == 3 and not getattr(emission, "takes_lanes", False)
    frames = as_frames(X) if lanes else X
    log_lik = np.ascontiguousarray(emission.log_lik(frames), dtype=np.float64)
    if log_lik.shape != (len(frames), emission.n_rows, *frames.shape[2:]):
        raise ValueError(
            f"log_lik of {type(emission).__name__} must have a row for each frame and a column for each of its"
            f" {emission.n_rows} rows of parameters; for X of shape {frames.shape} it has shape {log_lik.shape}"
        )
    return as_lanes(log_lik) if lanes else log_lik


def statistics_of(emission: Any, X: np.ndarray, gamma: np.ndarray) -> Any:
    """Return an emission's statistics of frames or lanes, whatever the emission itself takes."""
    if X.ndim == 2 or getattr(emission, "takes_lanes", False):
        return emission.statistics(X, gamma)
    return emission.statistics(as_frames(X), as_frames(gamma))
