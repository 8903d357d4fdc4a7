"""Mixture: weights and an emission, no chain; frames are independent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from hmmem.emissions.protocol import Emission
from hmmem.kernels import emitting
from hmmem.lanes import Lanes, log_lik_of, room, statistics_of
from hmmem.parallel import Map, unit_of_work
from hmmem.probabilities import lane_sums, log, normalise
from hmmem.report import Note
from hmmem.sequences import Sequences
from hmmem.statistics import Statistics


@dataclass(frozen=True, eq=False)
class Mixture:
    """A finite mixture; an immutable value.

    Parameters
    ----------
    weights : ndarray of shape (K,)
        ``weights[k] = p(component k)``. Zeros are structure and stay.
    emission : Emission
        K rows of parameters: the same families as in hidden Markov models.
    fixed : frozenset of str
        ``{"weights"}`` to leave the weights alone.
    support : dict of str to ndarray of bool, optional
        Which weights were allowed when the mixture was specified; by default those that are positive now.
    """

    weights: np.ndarray
    emission: Emission
    fixed: frozenset[str] = frozenset()
    support: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if np.shape(self.weights) != (self.emission.n_rows,):
            raise ValueError(
                f"weights must have one entry for each of the emission's {self.emission.n_rows} rows; got shape"
                f" {np.shape(self.weights)}"
            )
        self.support.setdefault("weights", self.weights > 0)

    def expect(self, data: Sequences, map: Map = map) -> Statistics:
        """Return the expected statistics: ``log_likelihood``, ``weight``, ``n_impossible``, ``counts``, ``emission``.

        Every frame counts for itself; boundaries of sequences play no part. Impossible frames are left out.
        """
        return Statistics.total(map(partial(_expect_piece, self), data.pieces(self.width)))

    def maximise(self, statistics: Statistics) -> Mixture:
        """Return the mixture that maximises the expected complete-data log-likelihood."""
        weights = self.weights
        if "weights" not in self.fixed:
            weights = normalise(statistics.counts, weights, float(statistics.weight))
        return replace(self, weights=weights, emission=self.emission.maximise(statistics.emission))

    def log_prior(self) -> float:
        """Return the log density of the parameters."""
        return self.emission.log_prior()

    def distance(self, other: Mixture) -> float:
        """Return the largest change of a parameter on a scale-free metric."""
        return max(float(np.abs(self.weights - other.weights).max()), self.emission.distance(other.emission))

    def describe(self, statistics: Statistics) -> list[Note]:
        """Return notes for the report."""
        return [
            Note(note.kind, note.text.replace("state ", "component "))
            for note in self.emission.describe(statistics.emission)
        ]

    def permute(self, order: np.ndarray) -> Mixture:
        """Return the mixture whose component ``k`` is this one's component ``order[k]``."""
        support = {name: mask[order] for name, mask in self.support.items()}
        return replace(self, weights=self.weights[order], emission=self.emission.permute(order), support=support)

    @property
    def n_free_parameters(self) -> int:
        """Number of free parameters."""
        weights = 0 if "weights" in self.fixed else int(self.support["weights"].sum()) - 1
        return weights + self.emission.n_free_parameters

    @property
    def width(self) -> int:
        """Numbers per frame that decide the size of a block."""
        return max(len(self.weights), self.emission.n_features)

    def score_frames(self, data: Sequences, map: Map = map) -> np.ndarray:
        """Return log p(x_t), (N,) in nats."""
        return np.concatenate([log_c for log_c, _ in map(partial(_responsibilities, self), data.pieces(self.width))])

    def posteriors(self, data: Sequences, map: Map = map) -> np.ndarray:
        """Return p(component | x_t), (N, K); zeros for an impossible frame."""
        return np.concatenate([gamma for _, gamma in map(partial(_responsibilities, self), data.pieces(self.width))])

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return n frames (n, D) and the components (n,) that they come from."""
        components = rng.choice(len(self.weights), size=n, p=self.weights)
        return self.emission.sample(components, rng), components


def _side_by_side(model: Mixture, piece: Sequences) -> tuple[Lanes, np.ndarray, np.ndarray, np.ndarray]:
    """The frames' lanes, the frames, weighted posteriors and log p(x_t) in them."""
    lanes = Lanes.of_frames(piece.n_frames)
    X = lanes.pack(piece.X)
    weights: Any = piece.per_frame.get("weight")
    weights = lanes.pack(np.ones((piece.n_frames, 1)) if weights is None else weights[:, None], repeat=False)
    gamma, log_c = log_lik_of(model.emission, X), room(lanes.n_rows, 1, 8)
    emitting.responsibilities(
        gamma.reshape(-1), lanes.n_rows, log(model.weights), weights.reshape(-1), log_c.reshape(-1)
    )
    return lanes, X, gamma, log_c


def _responsibilities(model: Mixture, piece: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Log p(x_t) (N,) and p(component | x_t) (N, K)."""
    lanes, _, gamma, log_c = _side_by_side(model, replace(piece, per_frame={}))
    N = piece.n_frames
    return lanes.unpack(log_c, np.empty((N, 1)))[:, 0], lanes.unpack(gamma, np.empty((N, len(model.weights))))


@unit_of_work
def _expect_piece(model: Mixture, piece: Sequences) -> Statistics:
    lanes, X, gamma, log_c = _side_by_side(model, piece)
    weights: Any = piece.per_frame.get("weight")
    log_c = lanes.unpack(log_c, np.empty((piece.n_frames, 1)))[:, 0]
    possible = log_c > -np.inf
    shares = possible.astype(np.float64)
    if weights is not None:
        shares *= weights
    if not possible.all():
        log_c = np.where(possible, log_c, 0.0)
    return Statistics(
        log_likelihood=float((shares * log_c).sum()),
        weight=float(shares.sum()),
        n_impossible=int(len(possible) - possible.sum()),
        counts=lane_sums(gamma),
        emission=statistics_of(model.emission, X, gamma),
    )
