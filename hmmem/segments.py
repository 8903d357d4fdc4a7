"""One long sequence as segments that run side by side, each with messages from both sides.

A message comes from a *warm-up*: all K unit vectors are taken through the frames before a segment (behind it, going
left); where their images have come within a Hilbert distance of 1e-12 of each other, every message from beyond arrives
there, whatever it is, because non-negative matrices never expand that metric (Birkhoff 1957). That is a certificate: it
needs no neighbour, and does not add up over segments. Where it fails the sequence is run as a strip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hmmem.chain import ChainArrays
from hmmem.lanes import Lanes
from hmmem.recursions import Edges
from hmmem.sequences import BLOCK_SIZE, Sequences

#: Shortest segment: the warm-up costs K^3 per frame, and is at most an eighth of a segment from each side.
SHORTEST = 512
#: Frames of the first warm-up; where they do not do, four times as many are tried, up to an eighth of the segment.
FEW = 32
#: Most groups of eight segments in a stretch, and least number of stretches if there are so many groups.
MOST, PARTS = 4, 12


@dataclass(frozen=True, eq=False)
class Stretch:
    """Neighbouring segments of one sequence, a multiple of eight.

    Parameters
    ----------
    frames : Sequences
        The segments, and the frames on both sides that a warm-up may need, as one sequence.
    bounds : ndarray of shape (8 G + 1,), int64
        Segment i is ``frames.frames[bounds[i]:bounds[i + 1]]``.
    begins, ends : bool
        Whether the sequence begins with the first segment, and ends with the last one.
    weight : float
        Weight of the sequence.
    """

    frames: Sequences
    bounds: np.ndarray
    begins: bool
    ends: bool
    weight: float = 1.0

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        return len(self.bounds) - 1

    @property
    def n_frames(self) -> int:
        """Number of frames of the segments."""
        return int(self.bounds[-1] - self.bounds[0])

    @property
    def margin(self) -> int:
        """Frames that a warm-up may take."""
        return self.n_frames // self.n_segments // 8 - 1

    @property
    def lanes(self) -> Lanes:
        """The segments side by side."""
        m, lengths = self.n_segments, self.bounds[1:] - self.bounds[:-1]
        rows = np.zeros(m // 8 + 1, np.int64)
        np.cumsum(lengths.reshape(-1, 8).max(axis=1), out=rows[1:])
        return Lanes(self.bounds[:-1], lengths, rows, np.arange(m))

    def windows(self, steps: int) -> Lanes:
        """The frames before eight segments, then those behind them, then those before the next eight."""
        m = self.n_segments
        places = np.empty((m // 8, 2, 8), np.int64)
        places[:, 0], places[:, 1] = (self.bounds[:-1] - (steps + 1)).reshape(-1, 8), self.bounds[1:].reshape(-1, 8)
        if self.begins:
            places[0, 0, 0] = places[0, 0, 1]  # nothing comes from there; the lane is filled with something
        if self.ends:
            places[-1, 1, 7] = places[-1, 1, 6]
        rows = np.arange(m // 4 + 1) * (steps + 1)
        return Lanes(places.reshape(-1), np.full(2 * m, steps + 1), rows, np.arange(2 * m))

    def edges(self, chain: ChainArrays) -> Edges:
        """Room for the messages into the segments."""
        m, K = self.n_segments, len(chain.startprob)
        own = np.arange(1, m + 1)
        edges = Edges(np.empty((m + 1, K)), np.empty((m + 1, K)), np.empty((m + 1, K)), own, own.copy())
        edges.starts[0], edges.ends[0] = chain.startprob, chain.endprob if chain.endprob.size else 1.0
        if self.begins:
            edges.start_of[0] = 0
        if self.ends:
            edges.end_of[-1] = 0
        return edges


def stretches(chain: ChainArrays, block: Sequences) -> Iterator[Stretch]:
    """Cut a block that is one sequence; nothing where one block, or another way, is better."""
    N = block.n_frames
    if len(block) > 1 or not chain.fits_segments or N < 8 * SHORTEST:
        return
    K = len(chain.startprob)
    # a warm-up of W frames costs W K^3, a segment of L frames 3 L K^2
    length = max(BLOCK_SIZE // (8 * K), 256 + 8 * K * K)
    groups = max(1, round(N / (8 * length)))
    n = -(-groups // min(MOST, max(1, groups // PARTS)))
    if n > 4:  # as many for each of two threads, or of four
        n -= n % 4
    groups = n * max(1, round(groups / n))
    bounds = np.arange(8 * groups + 1) * N // (8 * groups)
    margin = N // (8 * groups) // 8 + 1
    for i in range(n):
        own = bounds[8 * groups // n * i : 8 * groups // n * (i + 1) + 1]
        low, high = max(0, int(own[0]) - margin), min(N, int(own[-1]) + margin)
        frames = Sequences(
            block.frames[low:high],
            np.array([0, high - low]),
            {name: values[low:high] for name, values in block.per_frame.items()},
            dtype=block.dtype,
        )
        yield Stretch(frames, own - low, i == 0, i == n - 1, float(block.weights[0]))


def tries(margin: int) -> list[int]:
    """Return how many frames warm-ups take, one after the other, until one does."""
    steps = [FEW]
    while steps[-1] < margin:
        steps.append(4 * steps[-1])
    steps[-1] = margin
    return steps
