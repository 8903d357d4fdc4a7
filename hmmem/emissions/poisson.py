"""Poisson emissions: independent counts in every feature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy

from hmmem.emissions.protocol import starved_notes
from hmmem.probabilities import STARVED, column_sums, log
from hmmem.report import Note
from hmmem.statistics import Statistics

#: Counts beyond this lose digits in x log lambda - lambda - log x!, terms that all but cancel.
LARGE = 1e5


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
        logs = log(self.lambdas)
        allowed = np.isfinite(logs)
        lik = X @ np.where(allowed, logs, 0.0).T
        lik -= self.lambdas.sum(axis=1)
        lik -= gammaln(X + 1).sum(axis=1)[:, None]
        large = (X > LARGE).any(axis=1)
        if large.any():
            lik[large] = _log_lik_large(X[large], self.lambdas)
        if not allowed.all():
            lik[(X > 0).astype(np.float64) @ (~allowed).T.astype(np.float64) > 0] = -np.inf
        if out is None:
            return lik
        out[...] = lik
        return out

    def statistics(self, X: np.ndarray, gamma: np.ndarray, work: Any = None) -> Statistics:
        """Return weight (R,) and first moments (R, D)."""
        return Statistics(weight=column_sums(gamma), first=gamma.T @ X)

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


def _log_lik_large(X: np.ndarray, lambdas: np.ndarray) -> np.ndarray:
    """Return the log-likelihoods (N, R) of frames with large counts, by the deviance (Loader 2000).

    log p(x) = x (log(1 + u) - u) - log(2 pi x) / 2 - 1 / (12 x) with u = lambda / x - 1; the next term of Stirling's
    series is below 1e-17 for these counts.
    """
    x, rate = X[:, None, :], lambdas[None]
    some = np.maximum(x, 1.0)
    with np.errstate(divide="ignore"):
        u = (rate - some) / some
        logs = np.where(np.abs(u) < 0.5, np.log1p(u), np.log(rate) - np.log(some))
        saddle = some * (logs - u) - 0.5 * np.log(2 * np.pi * some) - 1 / (12 * some)
        plain = xlogy(x, rate) - rate - gammaln(x + 1)
    terms: np.ndarray = np.where(x > LARGE, saddle, plain)
    return terms.sum(axis=2)
