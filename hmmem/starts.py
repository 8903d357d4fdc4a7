"""Where EM starts: emissions from seeds or segmentations, chains from the segmentation these imply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hmmem.chain import MarkovChain
from hmmem.em import fit_em
from hmmem.emissions.protocol import Emission
from hmmem.exceptions import ImpossibleSequenceError, SingularModelError
from hmmem.mixture import Mixture
from hmmem.sequences import Sequences

#: Frames that seeds are drawn from.
SAMPLE = 20_000
#: Updates of the mixture that refines seeds.
REFINEMENT = 20

#: The states (N,) of a piece's frames.
Labels = Callable[[Sequences], np.ndarray]
#: Labels for one pass over the data, from its first piece to its last.
Segmentation = Callable[[], Labels]


def in_order(points: np.ndarray) -> np.ndarray:
    """Return points (K, D) sorted by their first feature, then the next: states then keep their order between seeds."""
    return points[np.lexsort(points.T[::-1])]


def draw(data: Sequences, rng: np.random.Generator) -> Sequences:
    """Return at most 20,000 frames, drawn without replacement, in their order, as one sequence."""
    N = data.n_frames
    if N <= SAMPLE:
        return Sequences(data.frames, np.array([0, N]), dtype=data.dtype)
    rows = np.sort(rng.choice(N, SAMPLE, replace=False))
    return Sequences(np.asarray(data.frames[rows]), np.array([0, SAMPLE]), dtype=data.dtype)


def distinct_frames(X: np.ndarray, K: int, rng: np.random.Generator) -> np.ndarray:
    """Return K frames (K, D) drawn at random, distinct as far as there are distinct ones."""
    order = rng.permutation(len(X))
    _, first = np.unique(X[order], axis=0, return_index=True)
    rows = order[np.sort(first)]
    return in_order(X[np.resize(rows, K)])


def seeds(X: np.ndarray, K: int, rng: np.random.Generator) -> np.ndarray:
    """Return K frames (K, D) far from each other, by k-means++ (Arthur and Vassilvitskii 2007) in standard units."""
    from sklearn.cluster import kmeans_plusplus

    if len(X) < K:
        return distinct_frames(X, K, rng)
    sd = X.std(axis=0)
    units = (X - X.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    _, rows = kmeans_plusplus(units, K, random_state=int(rng.integers(2**31)))
    return in_order(X[rows])


def refine(start: Emission, sample: Sequences, target: Emission) -> Any:
    """Return ``target`` maximised for the clusters that a mixture finds in the sample from ``start``."""
    K = start.n_rows
    try:
        mixture, _ = fit_em(Mixture(np.full(K, 1 / K), start), sample, n_iter=REFINEMENT, tol=1e-3)
    except ImpossibleSequenceError:  # no seed explains any frame: the seeds are the better start
        return target
    try:
        return target.maximise(mixture.expect(sample).emission)
    except SingularModelError:  # a cluster without extent and no floor: the last emission before it collapses
        return mixture.emission


def of_labels(target: Emission, data: Sequences, labels: Labels) -> Any:
    """Return ``target`` maximised for a hard segmentation; ``labels(piece)`` gives the states (N,) of its frames."""
    total = None
    for block in data.blocks(max(target.n_rows, target.n_features)):
        for piece in block.pieces(max(target.n_rows, target.n_features)):
            gamma = (labels(piece)[:, None] == np.arange(target.n_rows)).astype(np.float64)
            part = target.statistics(piece.X, gamma)
            total = part if total is None else total + part
    assert total is not None
    try:
        return target.maximise(total)
    except SingularModelError:  # a segment without extent and no floor: EM shall meet it, not the start
        return target


def occupancy(data: Sequences, K: int, labels: Labels) -> np.ndarray:
    """Return the number of frames in each state of a segmentation, (K,)."""
    pieces = (piece for block in data.blocks(K) for piece in block.pieces(K))
    return np.sum([np.bincount(labels(piece), minlength=K) for piece in pieces], axis=0)


def segments(data: Sequences, K: int) -> Segmentation:
    """Return the segmentation that cuts each sequence evenly over 0 .. K - 1, in order; short sequences skip some."""
    offsets = data.offsets - data.offsets[0]

    def states(start: int, stop: int) -> np.ndarray:
        frames = np.arange(start, stop)
        sequence = np.searchsorted(offsets, frames, side="right") - 1
        length = offsets[sequence + 1] - offsets[sequence]
        return (2 * (frames - offsets[sequence]) + 1) * K // (2 * length)

    return lambda: _pass(states)


def given(labels: np.ndarray) -> Segmentation:
    """Return the segmentation of an array of states (N,)."""
    return lambda: _pass(lambda start, stop: labels[start:stop])


def _pass(states: Callable[[int, int], np.ndarray]) -> Labels:
    """Labels for pieces that come in the order of the data, once."""
    position = 0

    def labels(piece: Sequences) -> np.ndarray:
        nonlocal position
        position += piece.n_frames
        return states(position - piece.n_frames, position)

    return labels


def chain(data: Sequences, K: int, labels: Labels) -> MarkovChain:
    """Return the chain with probabilities in proportion to the counts of a segmentation plus one."""
    start, trans = np.ones(K), np.ones((K, K))
    for block in data.blocks(K):
        before, position = -1, 0
        for piece in block.pieces(K):
            states = labels(piece)
            inside = np.searchsorted(block.offsets[:-1], [position, position + len(states)])
            firsts = block.offsets[inside[0] : inside[1]] - position
            inner = np.ones(len(states), dtype=bool)
            inner[firsts] = False
            previous = np.concatenate([[before], states[:-1]])
            trans += np.bincount(previous[inner] * K + states[inner], minlength=K * K).reshape(K, K)
            start += np.bincount(states[firsts], minlength=K)
            before, position = int(states[-1]), position + len(states)
    return MarkovChain(start / start.sum(), trans / trans.sum(axis=1, keepdims=True))


def most_likely(emission: Emission) -> Labels:
    """Return labels by the state that explains each frame best."""
    return lambda piece: emission.log_lik(piece.X).argmax(axis=1)
