"""Sequences: frames and offsets, the one form that every accepted input becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Numbers in one (frames x states) array of a block: 512 KiB of float64. A constant of the library, never read from
#: the machine, so that the order of every sum is the same everywhere.
BLOCK_SIZE = 65536
#: A sequence longer than this many blocks is cut into pieces of one block.
LONG = 2


@dataclass(frozen=True, eq=False)
class Sequences:
    """Frames of one or more sequences, one behind the other.

    Parameters
    ----------
    frames : ndarray of shape (N, D)
        All frames. They are not copied; :attr:`X` gives them as ``dtype``, so that a memory-mapped or single-precision
        file is cast block by block.
    offsets : ndarray of shape (n + 1,), int64
        Sequence ``i`` is ``frames[offsets[i]:offsets[i + 1]]``.
    per_frame : mapping of str to ndarray of shape (N, ...)
        Named side data of every frame; cut together with the frames.
    per_sequence : mapping of str to ndarray of shape (n, ...)
        Named side data of every sequence; ``"weight"`` multiplies what the sequence adds to all statistics.
    dtype : numpy dtype
        What computations see: float64, or int64 for symbols.

    Notes
    -----
    ``data[i]`` is the array of sequence ``i``; ``data[[0, 2]]`` and ``data[:3]`` are ``Sequences`` again, so that
    scikit-learn's splitters treat one sequence as one sample.

    Examples
    --------
    >>> data = Sequences.from_lengths(np.arange(10.0).reshape(5, 2), [2, 3])
    >>> len(data), data.n_frames, data[1].shape
    (2, 5, (3, 2))
    """

    frames: np.ndarray
    offsets: np.ndarray
    per_frame: Mapping[str, np.ndarray] = field(default_factory=dict)
    per_sequence: Mapping[str, np.ndarray] = field(default_factory=dict)
    dtype: Any = np.float64

    @classmethod
    def from_lengths(cls, frames: np.ndarray, lengths: Any, dtype: Any = np.float64) -> Sequences:
        """Return sequences of the given lengths (n,), which add up to the number of frames."""
        offsets = np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])
        if offsets[-1] != len(frames) or np.any(np.diff(offsets) <= 0):
            raise ValueError(
                f"lengths must be positive and add up to the {len(frames)} frames; they add up to {offsets[-1]}"
            )
        return cls(frames, offsets, dtype=dtype)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_frames(self) -> int:
        """Number of frames N."""
        return int(self.offsets[-1] - self.offsets[0])

    @property
    def lengths(self) -> np.ndarray:
        """Number of frames of each sequence, (n,)."""
        return np.diff(self.offsets)

    @property
    def X(self) -> np.ndarray:
        """The frames, (N, D), C-contiguous and of type ``dtype``; a copy only if they are not so already."""
        return np.ascontiguousarray(self.frames, dtype=self.dtype)

    @property
    def weights(self) -> np.ndarray:
        """Weight of each sequence, (n,); ones if none were given."""
        weights = self.per_sequence.get("weight")
        return np.ones(len(self)) if weights is None else weights

    @property
    def weight(self) -> float:
        """The number of frames, each counted with the weight of its sequence."""
        return float(self.weights @ self.lengths) if "weight" in self.per_sequence else float(self.n_frames)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, (int, np.integer)):
            i = range(len(self))[key]
            return self.frames[self.offsets[i] : self.offsets[i + 1]]
        picked = np.arange(len(self))[key]
        if len(picked) and np.array_equal(picked, np.arange(picked[0], picked[0] + len(picked))):
            return self._slice(int(picked[0]), int(picked[0] + len(picked)))
        lengths = self.lengths[picked]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[picked] - offsets[:-1], lengths)
        return Sequences(
            self.frames[rows],
            offsets,
            {name: values[rows] for name, values in self.per_frame.items()},
            {name: values[picked] for name, values in self.per_sequence.items()},
            self.dtype,
        )

    def _slice(self, first: int, last: int) -> Sequences:
        start, stop = self.offsets[first], self.offsets[last]
        return Sequences(
            self.frames[start:stop],
            self.offsets[first : last + 1] - start,
            {name: values[start:stop] for name, values in self.per_frame.items()},
            {name: values[first:last] for name, values in self.per_sequence.items()},
            self.dtype,
        )

    def blocks(self, width: int) -> Iterator[Sequences]:
        """Cut into blocks of whole sequences that hold about ``LONG * BLOCK_SIZE`` numbers at ``width`` per frame.

        A sequence of more than ``BLOCK_SIZE / 2`` numbers stands alone. Others go together, at least eight if they are
        to be had, and in multiples of eight: that many go side by side. Two blocks, or any multiple of four, are of
        like size, so that they can be shared out evenly.
        """
        alone = np.append(np.flatnonzero(self.lengths * width > BLOCK_SIZE // 2), len(self))
        count = -(-self.n_frames * width // (LONG * BLOCK_SIZE))
        count += -count % (4 if count > 2 else 1)
        limit = -(-self.n_frames // count)
        first = following = 0
        while first < len(self):
            fits = int(np.searchsorted(self.offsets, self.offsets[first] + limit, side="right")) - 1 - first
            fits = max(8, fits - fits % 8 if fits < 64 else fits + -fits % 8)
            following += int(alone[following] < first)
            last = max(first + 1, min(first + fits, int(alone[following])))
            yield self._slice(first, last)
            first = last

    def is_long(self, width: int) -> bool:
        """Whether this is a single sequence that is to be cut into :meth:`pieces`."""
        return len(self) == 1 and self.n_frames * width > LONG * BLOCK_SIZE

    def pieces(self, width: int) -> list[Sequences]:
        """Cut the rows, across sequences, into pieces of ``BLOCK_SIZE`` numbers; for one sequence or for mixtures."""
        limit = max(1, BLOCK_SIZE // width)
        bounds = range(0, self.n_frames, limit)
        return [
            Sequences(
                self.frames[start : start + limit],
                np.array([0, min(limit, self.n_frames - start)]),
                {name: values[start : start + limit] for name, values in self.per_frame.items()},
                dtype=self.dtype,
            )
            for start in bounds
        ]
