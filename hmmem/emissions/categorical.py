"""Categorical emissions: symbols, in one or several independent columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hmmem.emissions.protocol import starved_notes
from hmmem.kernels import emitting, expecting, moments
from hmmem.lanes import both_in_lanes, by_lanes, fitting
from hmmem.probabilities import lane_sums, log, normalise
from hmmem.report import Note
from hmmem.statistics import Statistics

#: The code of a symbol that says nothing about the state.
NO_INFORMATION = -1


@dataclass(frozen=True, eq=False)
class Categorical:
    """Rows of products of categorical distributions over C columns of symbol codes; a value.

    Parameters
    ----------
    tables : tuple of ndarray of shape (R, V_c)
        ``tables[c][k, v] = p(x_c = v | row k)``, one table for each column.
    unknown_prob : float
        Probability of one extra symbol, code ``V_c``, in every row; the others share ``1 - unknown_prob``. 0: none.
    fixed : frozenset of str
        ``{"emissionprob"}`` to leave the tables alone.

    Notes
    -----
    Codes are int64: ``0 .. V_c - 1``, ``V_c`` for the extra symbol, -1 for no information (log-likelihood 0).
    Maximisation: rows proportional to the expected counts of the known symbols. Zeros are structure and stay.
    ``support`` remembers which entries were allowed when the tables were specified.

    Examples
    --------
    >>> rows = Categorical((np.array([[0.25, 0.75], [0.5, 0.5]]),))
    >>> np.exp(rows.log_lik(np.array([[1], [-1]]))).round(2).tolist()
    [[0.75, 0.5], [1.0, 1.0]]
    """

    tables: tuple[np.ndarray, ...]
    unknown_prob: float = 0.0
    fixed: frozenset[str] = frozenset()
    support: tuple[np.ndarray, ...] | None = None

    def __post_init__(self) -> None:
        if self.support is None:
            object.__setattr__(self, "support", tuple(table > 0 for table in self.tables))

    takes_lanes: ClassVar[bool] = True

    @property
    def n_rows(self) -> int:
        """Number of rows R."""
        return self.tables[0].shape[0]

    @property
    def n_features(self) -> int:
        """Number of columns C."""
        return len(self.tables)

    @property
    def sizes(self) -> np.ndarray:
        """Rows of the stacked table for each column: its symbols and the extra one."""
        return np.array([table.shape[1] + 1 for table in self.tables])

    @property
    def n_free_parameters(self) -> int:
        """Number of free probabilities, after sums to one and zeros that were specified."""
        assert self.support is not None
        if "emissionprob" in self.fixed:
            return 0
        return sum(int(np.maximum(allowed.sum(axis=1) - 1, 0).sum()) for allowed in self.support)

    @cached_property
    def _stacked(self) -> np.ndarray:
        """Log p: the columns' tables below one another, and zeros at the end, as the kernels want them."""
        stacked = np.zeros((int(self.sizes.sum()) + 1, self.n_rows + -self.n_rows % 8))
        row = 0
        for table, size in zip(self.tables, self.sizes, strict=True):
            stacked[row : row + size - 1, : self.n_rows] = log(table.T) + np.log1p(-self.unknown_prob)
            stacked[row + size - 1, : self.n_rows] = log(np.array(self.unknown_prob))
            row += size
        return stacked

    def _fitting(self, X: np.ndarray) -> np.ndarray:
        """Codes that are in the tables: a kernel does not look where it reads."""
        X = fitting(X, self.n_features, np.int64)
        columns = X if self.n_features == 1 else X.swapaxes(0, 1)
        for c, size in enumerate(self.sizes if X.size else ()):
            largest = int((columns if self.n_features == 1 else columns[c]).max())
            if largest >= size:
                raise ValueError(
                    f"X must hold codes up to {size - 1} (column {c}: {size - 1} symbols and the unknown one); got"
                    f" {largest}"
                )
        return X

    def _codes(self, X: np.ndarray) -> np.ndarray:
        """Codes into the stacked table; no information stays negative."""
        if self.n_features == 1:
            return X
        shift = np.cumsum(np.concatenate([[0], self.sizes[:-1]]))[:, None]
        return np.where(X < 0, NO_INFORMATION, X + shift)

    def log_lik(self, X: np.ndarray, work: Any = None, out: np.ndarray | None = None) -> np.ndarray:
        """Return sum_c log p(x_c | row k), (N, R) in nats, for codes X (N, C) int64; time N R C."""

        def write(lanes: np.ndarray, out: np.ndarray) -> None:
            codes = self._codes(lanes).reshape(-1)
            emitting.gather(self._stacked.reshape(-1), codes, len(lanes), self.n_features, self.n_rows, out.reshape(-1))

        return by_lanes(write, self._fitting(X), self.n_rows, out)

    def statistics(self, X: np.ndarray, gamma: np.ndarray, work: Any = None) -> Statistics:
        """Return weight (R,) and, for each column, the counts of its known symbols (R, V_c)."""
        X, gamma = both_in_lanes(self._fitting(X), gamma, self.n_rows)
        stacked = np.zeros(self._stacked.shape)
        codes = self._codes(X).reshape(-1)
        moments.scatter(codes, len(X), self.n_features, gamma.reshape(-1), self.n_rows, stacked.reshape(-1))
        return self._counted(lane_sums(gamma), stacked)

    def expect_runs(self, X: np.ndarray, runs: Any) -> tuple[int, Statistics]:
        """Take runs of codes (N, C) through the E-step in one call; see :meth:`Gaussian.expect_runs`."""
        stacked, weight = np.zeros(self._stacked.shape), np.empty(self.n_rows)
        X, shift = self._fitting(X), np.cumsum([0, *self.sizes[:-1]])
        codes = X if self.n_features == 1 else np.where(X < 0, NO_INFORMATION, X + shift)
        table, counts = self._stacked.reshape(-1), stacked.reshape(-1)
        unsure = expecting.expect_categorical(*runs.arguments(codes), table, counts, weight)
        return unsure, self._counted(weight, stacked)

    def _counted(self, weight: np.ndarray, stacked: np.ndarray) -> Statistics:
        ends, known = np.cumsum(self.sizes), stacked[:, : self.n_rows]
        counts = tuple(known[end - size : end - 1].T for end, size in zip(ends, self.sizes, strict=True))
        return Statistics(weight=weight, counts=counts)

    def maximise(self, statistics: Statistics) -> Categorical:
        """Return the tables that maximise Q; rows without data stay as they are."""
        if "emissionprob" in self.fixed:
            return self
        total = float(statistics.weight.sum())
        tables = zip(statistics.counts, self.tables, strict=True)
        return replace(self, tables=tuple(normalise(counts, table, total) for counts, table in tables))

    def inside(self) -> tuple[Categorical, list[Note]]:
        """Return the value itself: there are no bounds."""
        return self, []

    def log_prior(self) -> float:
        """Return 0.0: maximum likelihood."""
        return 0.0

    def distance(self, other: Categorical) -> float:
        """Return the largest change of a probability."""
        return max(float(np.abs(a - b).max()) for a, b in zip(self.tables, other.tables, strict=True))

    def describe(self, statistics: Statistics) -> list[Note]:
        """Return notes on rows without data."""
        return starved_notes(statistics.weight)

    def permute(self, order: np.ndarray) -> Categorical:
        """Return the rows in another order."""
        assert self.support is not None
        tables = tuple(table[order] for table in self.tables)
        return replace(self, tables=tables, support=tuple(allowed[order] for allowed in self.support))

    def sample(self, rows: np.ndarray, rng: np.random.Generator, inputs: Any = None) -> np.ndarray:
        """Return codes (N, C), one row for each entry of ``rows``; the extra symbol is never drawn."""
        columns = []
        for table in self.tables:
            cdf = np.cumsum(table, axis=1)
            last = table.shape[1] - 1 - np.argmax(table[:, ::-1] > 0, axis=1)
            cdf[np.arange(len(cdf)), last] = 2.0
            uniform = rng.random(len(rows))
            column = np.empty(len(rows), dtype=np.int64)
            for k in np.unique(rows):
                column[rows == k] = np.searchsorted(cdf[k], uniform[rows == k], side="right")
            columns.append(column)
        return np.column_stack(columns)
