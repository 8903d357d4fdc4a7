"""Where EM starts: emissions from seeds or segmentations, chains from the segmentation these imply."""

from __future__ import annotations

import math
import warnings
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

Labels = Callable[[Sequences], np.ndarray]


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct frames than seeds is an ordinary case here
        _, rows = kmeans_plusplus(
            (X - X.mean(axis=0)) / np.where(sd > 0, sd, 1.0), K, random_state=int(rng.integers(2**31))
        )
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
    return target.maximise(total)


def segments(data: Sequences, K: int) -> np.ndarray:
    """Return states (N,) that cut each sequence evenly over 0 .. K - 1, in order; short sequences skip some."""
    lengths = data.lengths
    position = np.arange(data.n_frames) - np.repeat(data.offsets[:-1] - data.offsets[0], lengths)
    return (2 * position + 1) * K // (2 * np.repeat(lengths, lengths))


def chain(data: Sequences, K: int, labels: Labels) -> MarkovChain:
    """Return the chain with probabilities in proportion to the counts of a segmentation plus one."""
    start, trans = np.ones(K), np.ones((K, K))
    for block in data.blocks(K):
        before, remaining = -1, iter(block.offsets[:-1].tolist())
        edge, position = next(remaining), 0
        for piece in block.pieces(K):
            states = labels(piece)
            firsts = []
            while position <= edge < position + len(states):
                firsts.append(edge - position)
                edge = next(remaining, math.inf)
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
