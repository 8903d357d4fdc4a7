"""Multivariate Gaussian emissions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hmmem.emissions.covariance import SHAPES, Covariance
from hmmem.emissions.protocol import starved_notes
from hmmem.emissions.scale import Scale
from hmmem.probabilities import STARVED, column_sums
from hmmem.report import Note
from hmmem.statistics import Statistics


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Rows of Gaussian densities, log N(x; mean_k, covariance_k); a value.

    Parameters
    ----------
    means : ndarray of shape (R, D)
        Means, in units of the data.
    covariance : Covariance
        ``Spherical``, ``Diag``, ``Tied`` or ``Full``, in squared units of the data; see :meth:`of`.
    scale : Scale
        Centre and variances of the training data, and the floor in those units.
    fixed : frozenset of str
        Groups (``means``, ``covars``) that :meth:`maximise` leaves alone.

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

    means: np.ndarray
    covariance: Covariance
    scale: Scale
    fixed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, means: Any, covars: Any, covariance_type: str, scale: Scale | None = None) -> Gaussian:
        """Return the value for means (R, D) and compact covariances of the given type."""
        means = np.array(means, dtype=np.float64)
        R, D = means.shape
        covariance = SHAPES[covariance_type](np.array(covars, dtype=np.float64), R, D)
        if scale is None:
            scale = Scale(means.mean(axis=0), covariance.sd().max(axis=0) ** 2 + means.var(axis=0), 0.0)
        return cls(means, covariance, scale)

    @property
    def n_rows(self) -> int:
        """Number of rows R."""
        return self.means.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.means.shape[1]

    @property
    def n_free_parameters(self) -> int:
        """Number of free means and distinct covariance entries."""
        means = 0 if "means" in self.fixed else self.means.size
        return means + (0 if "covars" in self.fixed else self.covariance.n_parameters)

    def log_lik(self, X: np.ndarray, work: Any = None, out: np.ndarray | None = None) -> np.ndarray:
        """Return log N(x_t; mean_k, covariance_k), (N, R) in nats; time N R D, or N R D^2 for full and tied."""
        out = np.empty((len(X), self.n_rows)) if out is None else out
        with np.errstate(over="ignore"):  # a square beyond 1e308 is a log density of -inf
            self.covariance.log_lik(X, self.means, out)
        return out

    def statistics(self, X: np.ndarray, gamma: np.ndarray, work: Any = None) -> Statistics:
        """Return weight (R,), first (R, D) and second moments about an origin near each mean."""
        origin = self.scale.origin(self.means, self.covariance.sd())
        first, second = self.covariance.moments(X, origin, gamma)
        return Statistics(origin, weight=column_sums(gamma), first=first, second=second)

    def maximise(self, statistics: Statistics) -> Gaussian:
        """Return the maximum of Q under the floor; rows without data stay as they are.

        Raises
        ------
        SingularModelError
            If a variance reaches zero and the floor is 0.
        """
        weight, origin = statistics.weight, statistics.origin
        fed = weight > STARVED * weight.sum()
        shift = statistics.first / np.where(fed, weight, 1.0)[:, None]
        assert origin is not None
        means = self.means if "means" in self.fixed else np.where(fed[:, None], origin + shift, self.means)
        if "covars" in self.fixed:
            return replace(self, means=means)
        # for free means the offset is the shift itself, not its rounded detour over the origin
        offset = means - origin if "means" in self.fixed else shift
        covariance = self.covariance.maximise(weight, shift, offset, statistics.second, fed, self.scale)
        return replace(self, means=means, covariance=covariance)

    def inside(self) -> tuple[Gaussian, list[Note]]:
        """Return the value with its covariances moved inside the floor, and a note if they were not."""
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
        means = float(np.max(np.abs(self.means - other.means) / other.covariance.sd()))
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
        return replace(self, means=self.means[order], covariance=self.covariance.permute(order))

    def sample(self, rows: np.ndarray, rng: np.random.Generator, inputs: Any = None) -> np.ndarray:
        """Return one draw (N, D) for each entry of ``rows``."""
        noise = rng.standard_normal((len(rows), self.n_features))
        return self.means[rows] + self.covariance.draw(rows, noise)
