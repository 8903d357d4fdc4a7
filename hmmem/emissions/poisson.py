"""Poisson emissions: independent counts in every feature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy.special import gammaln

from hmmem.emissions.protocol import starved_notes
from hmmem.kernels import emitting, expecting, moments
from hmmem.lanes import both_in_lanes, by_lanes, fitting
from hmmem.probabilities import STARVED
from hmmem.report import Note
from hmmem.statistics import Statistics

#: Counts beyond this lose digits in x log lambda - lambda - log x!, terms that all but cancel.
LARGE = 1e5
LOG_FACTORIALS = gammaln(np.arange(1.0, 257.0))


@dataclass(frozen=True, eq=False)
class Poisson:
    """Rows of products of Poisson distributions; a value.

    Parameters
    ----------
    lambdas : ndarray of shape (R, D)
        Rates, in counts per frame. A rate of 0 allows the count 0 alone.
    fixed : frozenset of str
        ``{"lambdas"}`` to leave the rates alone.

    Notes
    -----
    Maximisation: lambda_k = sum gamma x / sum gamma. The likelihood is bounded, so there is nothing to guard against.

    Examples
    --------
    >>> Poisson(np.array([[1.0], [4.0]])).log_lik(np.array([[2.0]])).round(4).tolist()
    [[-1.6931, -1.9206]]
    """

    lambdas: np.ndarray
    fixed: frozenset[str] = frozenset()

    takes_lanes: ClassVar[bool] = True

    @property
    def n_rows(self) -> int:
        """Number of rows R."""
        return self.lambdas.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.lambdas.shape[1]

    @property
    def n_free_parameters(self) -> int:
        """Number of free rates."""
        return 0 if "lambdas" in self.fixed else self.lambdas.size

    def log_lik(self, X: np.ndarray, work: Any = None, out: np.ndarray | None = None) -> np.ndarray:
        """Return sum_d x_d log lambda_kd - lambda_kd - log x_d!, (N, R) in nats; time N R D."""

        def write(lanes: np.ndarray, out: np.ndarray) -> None:
            emitting.poisson_log_lik(
                lanes.reshape(-1), len(lanes), self.lambdas, self._logs, LOG_FACTORIALS, LARGE, out.reshape(-1)
            )

        return by_lanes(write, fitting(X, self.n_features), self.n_rows, out)

    def statistics(self, X: np.ndarray, gamma: np.ndarray, work: Any = None) -> Statistics:
        """Return weight (R,) and first moments (R, D)."""
        X, gamma = both_in_lanes(fitting(X, self.n_features), gamma, self.n_rows)
        sums = np.empty((self.n_rows, 1 + 2 * self.n_features))
        zero = np.zeros(self.n_features)
        moments.shared_moments(
            X.reshape(-1), len(X), self.n_features, zero, zero, False, gamma.reshape(-1), self.n_rows, sums
        )
        return Statistics(weight=sums[:, 0], first=sums[:, 1 : 1 + self.n_features])

    @cached_property
    def _logs(self) -> np.ndarray:
        return np.log(np.where(self.lambdas > 0, self.lambdas, 1.0))

    def expect_runs(self, X: np.ndarray, runs: Any) -> tuple[int, Statistics]:
        """Take runs of frames (N, D) through the E-step in one call; see :meth:`Gaussian.expect_runs`."""
        sums = np.empty((self.n_rows, 1 + 2 * self.n_features))
        unsure = expecting.expect_poisson(
            *runs.arguments(fitting(X, self.n_features)), self.lambdas, self._logs, LOG_FACTORIALS, LARGE, sums
        )
        return unsure, Statistics(weight=sums[:, 0], first=sums[:, 1 : 1 + self.n_features])

    def maximise(self, statistics: Statistics) -> Poisson:
        """Return the rates that maximise Q; rows without data stay as they are."""
        if "lambdas" in self.fixed:
            return self
        weight = statistics.weight
        fed = (weight > STARVED * weight.sum())[:, None]
        rates = statistics.first / np.where(fed, weight[:, None], 1.0)
        return replace(self, lambdas=np.where(fed, rates, self.lambdas))

    def inside(self) -> tuple[Poisson, list[Note]]:
        """Return the value itself: there are no bounds."""
        return self, []

    def log_prior(self) -> float:
        """Return 0.0: maximum likelihood."""
        return 0.0

    def distance(self, other: Poisson) -> float:
        """Return the largest relative change of a rate."""
        larger = np.maximum(self.lambdas, other.lambdas)
        return float(np.max(np.abs(self.lambdas - other.lambdas) / np.where(larger > 0, larger, 1.0)))

    def describe(self, statistics: Statistics) -> list[Note]:
        """Return notes on rows without data."""
        return starved_notes(statistics.weight)

    def permute(self, order: np.ndarray) -> Poisson:
        """Return the rows in another order."""
        return replace(self, lambdas=self.lambdas[order])

    def sample(self, rows: np.ndarray, rng: np.random.Generator, inputs: Any = None) -> np.ndarray:
        """Return one draw (N, D) for each entry of ``rows``."""
        return rng.poisson(self.lambdas[rows]).astype(np.float64)
