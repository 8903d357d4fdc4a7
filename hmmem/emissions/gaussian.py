"""Multivariate Gaussian emissions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hmmem.emissions.covariance import PAIRS, SHAPES, Covariance
from hmmem.emissions.protocol import starved_notes
from hmmem.emissions.scale import Scale
from hmmem.kernels import expecting
from hmmem.lanes import both_in_lanes, by_lanes, fitting
from hmmem.probabilities import STARVED
from hmmem.report import Note
from hmmem.statistics import Statistics


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Rows of Gaussian densities, log N(x; mean_k, covariance_k); a value.

    Parameters
    ----------
    offsets : ndarray of shape (R, D)
        Means minus ``scale.centre``. Frames are centred first, too: so data far from zero lose nothing, and a shift of
        the data shifts the means and nothing else.
    covariance : Covariance
        ``Spherical``, ``Diag``, ``Tied`` or ``Full``, in squared units of the data; see :meth:`of`.
    scale : Scale
        Centre and variances of the training data, and the floor in those units.
    fixed : frozenset of str
        Groups (``means``, ``covars``) that :meth:`maximise` leaves alone.
    exact : ndarray of shape (R, D), optional
        The means bit by bit: where they were given rather than learnt, centre plus offset can be one rounding off.

    Notes
    -----
    Maximisation: mean_k = sum gamma x / sum gamma; covariance_k = sum gamma (x - mean_k)(x - mean_k)' / sum gamma
    (Bilmes 1998, eqs. 13 to 15), pooled over rows for ``tied``, its diagonal or that one's mean for ``diag`` and
    ``spherical``; then, where it lies below the floor, the maximum under the constraint.

    Examples
    --------
    >>> rows = Gaussian.of([[0.0], [3.0]], [[1.0], [4.0]], "diag")
    >>> rows.log_lik(np.array([[0.0]])).round(4).tolist()
    [[-0.9189, -2.7371]]
    """

    offsets: np.ndarray
    covariance: Covariance
    scale: Scale
    fixed: frozenset[str] = frozenset()
    exact: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.exact is None:
            object.__setattr__(self, "exact", self.scale.centre + self.offsets)

    @classmethod
    def of(cls, means: Any, covars: Any, covariance_type: str, scale: Scale | None = None) -> Gaussian:
        """Return the value for means (R, D) and compact covariances of the given type.

        Without the ``scale`` of training data there is no floor, and the centre is 0.
        """
        means = np.array(means, dtype=np.float64)
        R, D = means.shape
        covariance = SHAPES[covariance_type](np.array(covars, dtype=np.float64), R, D)
        if scale is None:
            scale = Scale(np.zeros(D), covariance.sd().max(axis=0) ** 2 + means.var(axis=0), 0.0)
        return cls(means - scale.centre, covariance, scale, exact=means)

    def with_means(self, means: np.ndarray) -> Gaussian:
        """Return the value with other means (R, D)."""
        return replace(self, offsets=means - self.scale.centre, exact=means)

    def with_scale(self, scale: Scale) -> Gaussian:
        """Return the same densities on the scale of other data."""
        offsets = self.offsets + (self.scale.centre - scale.centre)
        return replace(self, offsets=offsets, scale=scale, exact=self.means)

    @property
    def means(self) -> np.ndarray:
        """Means (R, D), in units of the data."""
        assert self.exact is not None
        return self.exact

    takes_lanes: ClassVar[bool] = True

    @property
    def n_rows(self) -> int:
        """Number of rows R."""
        return self.offsets.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.offsets.shape[1]

    @property
    def n_free_parameters(self) -> int:
        """Number of free means and distinct covariance entries."""
        means = 0 if "means" in self.fixed else self.offsets.size
        return means + (0 if "covars" in self.fixed else self.covariance.n_parameters)

    def log_lik(self, X: np.ndarray, work: Any = None, out: np.ndarray | None = None) -> np.ndarray:
        """Return log N(x_t; mean_k, covariance_k), (N, R) in nats; time N R D, or N R D^2 for full and tied."""

        def write(lanes: np.ndarray, out: np.ndarray) -> None:
            self.covariance.log_lik(lanes, self.scale.centre, self.offsets, out)

        X = fitting(X, self.n_features)
        with np.errstate(over="ignore"):  # a square beyond 1e308 is a log density of -inf
            return by_lanes(write, X, self.n_rows, out)

    @cached_property
    def _origin(self) -> tuple[np.ndarray, np.ndarray]:
        """The origin of the moments, and below the centre: statistics about different centres must not be added."""
        origin = self.scale.origin(self.offsets, self.covariance.sd())
        return origin, np.vstack([self.scale.centre, origin])

    def statistics(self, X: np.ndarray, gamma: np.ndarray, work: Any = None) -> Statistics:
        """Return weight (R,), first (R, D) and second moments about an origin near each mean."""
        origin, points = self._origin
        X, gamma = both_in_lanes(fitting(X, self.n_features), gamma, self.n_rows)
        weight, first, second = self.covariance.moments(X, self.scale.centre, origin, gamma)
        return Statistics(points, weight=weight, first=first, second=second)

    def expect_runs(self, X: np.ndarray, runs: Any) -> tuple[int, Statistics] | None:
        """Take runs of frames (N, D) through the E-step in one call; None where that is no help.

        ``runs``, a :class:`hmmem.recursions.Runs`, knows the rest. Returns how many are unsure, and the statistics.
        """
        origin, points = self._origin
        pairs, factors, constant = self.covariance.factors
        D, X = self.n_features, fitting(X, self.n_features)
        if len(origin) > 1 or (pairs and D > PAIRS):  # the moments are a task of their own
            return None
        sums = np.empty((self.n_rows, 1 + D + (D * (D + 1) // 2 if pairs else D)))
        unsure = expecting.expect_gaussian(
            *runs.arguments(X), pairs, self.scale.centre, self.offsets, factors, constant, origin[0], sums
        )
        weight, first, second = self.covariance.unfold(sums, D)
        return unsure, Statistics(points, weight=weight, first=first, second=second)

    def maximise(self, statistics: Statistics) -> Gaussian:
        """Return the maximum of Q under the floor; rows without data stay as they are.

        Raises
        ------
        SingularModelError
            If a variance reaches zero and the floor is 0.
        """
        assert statistics.origin is not None
        weight, origin = statistics.weight, statistics.origin[1:]
        fed = weight > STARVED * weight.sum()
        shift = statistics.first / np.where(fed, weight, 1.0)[:, None]
        offsets, exact = self.offsets, self.exact
        if "means" not in self.fixed:
            offsets = np.where(fed[:, None], origin + shift, self.offsets)
            exact = np.where(fed[:, None], self.scale.centre + offsets, self.means)
        if "covars" in self.fixed:
            return replace(self, offsets=offsets, exact=exact)
        # for free means the move is the shift itself, not its rounded detour over the origin
        moved = offsets - origin if "means" in self.fixed else shift
        covariance = self.covariance.maximise(weight, shift, moved, statistics.second, fed, self.scale)
        return replace(self, offsets=offsets, covariance=covariance, exact=exact)

    def inside(self) -> tuple[Gaussian, list[Note]]:
        """Return the value with its covariances moved inside the floor, and a note if they were not."""
        if "covars" in self.fixed:
            return self, []
        moved = self.covariance.floored(self.scale)
        if np.array_equal(moved.values, self.covariance.values):
            return self, []
        return replace(self, covariance=moved), [
            Note("start", "the start's covariances were raised to the variance floor")
        ]

    def log_prior(self) -> float:
        """Return 0.0: maximum likelihood."""
        return 0.0

    def distance(self, other: Gaussian) -> float:
        """Return the largest change of a mean over its standard deviation, or relative change of a covariance."""
        moved = self.offsets - other.offsets + (self.scale.centre - other.scale.centre)
        means = float(np.max(np.abs(moved) / other.covariance.sd()))
        return max(means, self.covariance.distance(other.covariance))

    def describe(self, statistics: Statistics) -> list[Note]:
        """Return notes on rows without data and on variances that the floor holds up."""
        notes = starved_notes(statistics.weight)
        weight = statistics.weight
        notes += [
            Note(
                "floor",
                f"state {k} (weight {weight[k]:.4g}, share {weight[k] / weight.sum():.3g}) is at the variance floor",
            )
            for k in ([] if "covars" in self.fixed else self.covariance.at_floor(self.scale))
        ]
        return notes

    def permute(self, order: np.ndarray) -> Gaussian:
        """Return the rows in another order."""
        covariance = self.covariance.permute(order)
        return replace(self, offsets=self.offsets[order], covariance=covariance, exact=self.means[order])

    def sample(self, rows: np.ndarray, rng: np.random.Generator, inputs: Any = None) -> np.ndarray:
        """Return one draw (N, D) for each entry of ``rows``."""
        noise = rng.standard_normal((len(rows), self.n_features))
        return self.means[rows] + self.covariance.draw(rows, noise)
