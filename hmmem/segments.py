"""One long sequence as segments that run side by side, each with messages from both sides.

A message comes from a *warm-up*: all K unit vectors are taken through the frames before a segment (behind it, going
left); where their images have come within a Hilbert distance of 1e-12 of each other, every message from beyond arrives
there, whatever it is, because non-negative matrices never expand that metric (Birkhoff 1957). That is a certificate: it
needs no neighbour, and does not add up over segments. Where it fails the sequence is run as a strip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hmmem.chain import ChainArrays
from hmmem.kernels import messages
from hmmem.lanes import Lanes
from hmmem.recursions import Edges
from hmmem.sequences import BLOCK_SIZE, Sequences

#: Shortest segment: the warm-up costs K^3 per frame, and is at most an eighth of a segment from each side.
SHORTEST = 512
#: Frames of the first warm-up; where they do not do, four times as many are tried, up to an eighth of the segment.
FEW = 32


@dataclass(frozen=True, eq=False)
class Stretch:
    """Eight neighbouring segments of one sequence.

    Parameters
    ----------
    frames : Sequences
        The segments, and the frames on both sides that a warm-up may need, as one sequence.
    bounds : ndarray of shape (9,), int64
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
    def n_frames(self) -> int:
        """Number of frames of the segments."""
        return int(self.bounds[-1] - self.bounds[0])

    @property
    def margin(self) -> int:
        """Frames that a warm-up may take."""
        return self.n_frames // 64 - 1

    @property
    def lanes(self) -> Lanes:
        """The segments side by side."""
        lengths = self.bounds[1:] - self.bounds[:-1]
        return Lanes(self.bounds[:-1], lengths, np.array([0, lengths.max()]), np.arange(8))


def stretches(chain: ChainArrays, block: Sequences) -> Iterator[Stretch]:
    """Cut a block that is one sequence; nothing where one block, or another way, is better."""
    N = block.n_frames
    if len(block) > 1 or not chain.fits_segments or N < 8 * SHORTEST:
        return
    K = len(chain.startprob)
    # a warm-up of W frames costs W K^3, a segment of L frames 3 L K^2
    length = max(BLOCK_SIZE // (8 * K), 256 + 8 * K * K)
    n = max(1, round(N / (8 * length)))
    bounds = np.arange(8 * n + 1) * N // (8 * n)
    margin = N // (8 * n) // 8 + 1
    for i in range(n):
        own = bounds[8 * i : 8 * i + 9]
        low, high = max(0, int(own[0]) - margin), min(N, int(own[-1]) + margin)
        frames = Sequences(
            block.frames[low:high],
            np.array([0, high - low]),
            {name: values[low:high] for name, values in block.per_frame.items()},
            dtype=block.dtype,
        )
        yield Stretch(frames, own - low, i == 0, i == n - 1, float(block.weights[0]))


def warm_up(
    chain: ChainArrays, log_lik_of: Callable[[np.ndarray], np.ndarray], X: np.ndarray, stretch: Stretch
) -> Edges | None:
    """Return the messages into the segments of a stretch with frames X; None without a certificate.

    ``log_lik_of`` gives log_lik (n, K, 8) for lanes (n, D, 8).
    """
    K, bounds = len(chain.startprob), stretch.bounds
    edges = Edges(np.empty((9, K)), np.empty((9, K)), np.empty((9, K)), np.arange(1, 9), np.arange(1, 9))
    edges.starts[0], edges.ends[0] = chain.startprob, chain.endprob if chain.endprob.size else 1.0
    if stretch.begins:
        edges.start_of[0] = 0
    if stretch.ends:
        edges.end_of[7] = 0
    for steps in tries(stretch.margin):
        places = np.empty(16, np.int64)
        places[:8], places[8:] = bounds[:8] - (steps + 1), bounds[1:]
        if stretch.begins:
            places[0] = places[1]  # nothing comes from there; the lane is filled with something
        if stretch.ends:
            places[15] = places[14]
        windows = Lanes(places, np.full(16, steps + 1), np.array([0, steps + 1, 2 * (steps + 1)]), np.arange(16))
        log_lik = log_lik_of(windows.pack(X)).reshape(-1)
        taken = messages.warm_up(
            chain.transmat.reshape(-1), chain.transposed.reshape(-1), log_lik, K, steps,
            edges.starts, edges.ends, edges.ahead,
        )  # fmt: skip
        if taken >= 0:
            return edges
    return None


def tries(margin: int) -> list[int]:
    """Return how many frames warm-ups take, one after the other, until one does."""
    steps = [FEW]
    while steps[-1] < margin:
        steps.append(4 * steps[-1])
    steps[-1] = margin
    return steps
