"""Poisson emissions: densities, rates of zero, maximisation."""

from __future__ import annotations

import numpy as np
import reference as ref
from generators import random_poisson
from numpy.testing import assert_allclose, assert_array_equal

from hmmem.emissions import Poisson


def test_log_lik_matches_scipy() -> None:
    """To 1e-12 of the largest term, x log lambda or log x!."""
    rng = np.random.default_rng(0)
    for rates in (random_poisson(rng, 4, 2), np.array([[1e-12, 3.0], [1e5, 1e-3]])):
        X = rng.poisson(rates[rng.integers(len(rates), size=50)]).astype(float)
        X[0] = 100_000.0
        expected = ref.poisson_log_lik(X, rates)
        terms = np.maximum(np.abs(expected), np.max(X * np.abs(np.log(np.maximum(X, 2))), axis=1)[:, None])
        assert (np.abs(Poisson(rates).log_lik(X) - expected) <= 1e-12 * np.maximum(terms, 1.0)).all()


def test_rate_of_zero_allows_the_count_zero_alone() -> None:
    rows = Poisson(np.array([[0.0, 2.0], [1.0, 1.0]]))
    found = rows.log_lik(np.array([[0.0, 1.0], [3.0, 1.0]]))
    assert_allclose(found, [[np.log(2.0) - 2.0, -2.0], [-np.inf, -2.0 - np.log(6.0)]], rtol=1e-14)


def test_maximise_matches_the_twin_and_keeps_starved_rows() -> None:
    rng = np.random.default_rng(1)
    rates, X = random_poisson(rng, 3, 2), rng.poisson(5.0, (40, 2)).astype(float)
    gamma = rng.dirichlet([1.0, 1.0, 1.0], 40)
    gamma[:, 2] = 0.0
    rows = Poisson(rates)
    after = rows.maximise(rows.statistics(X, gamma))
    assert_allclose(after.lambdas, ref.maximise_poisson(X, gamma, rates), rtol=1e-12)
    assert_array_equal(after.lambdas[2], rates[2])
    assert [note.kind for note in rows.describe(rows.statistics(X, gamma))] == ["starved"]


def test_fixed_rates_stay_and_do_not_count() -> None:
    rates = np.array([[1.0], [2.0]])
    rows = Poisson(rates, frozenset({"lambdas"}))
    assert rows.maximise(rows.statistics(np.array([[7.0]]), np.ones((1, 2)))) is rows
    assert (rows.n_free_parameters, Poisson(rates).n_free_parameters) == (0, 2)


def test_distance_is_relative_and_handles_zeros() -> None:
    a, b = Poisson(np.array([[1.0], [0.0]])), Poisson(np.array([[2.0], [0.0]]))
    assert a.distance(b) == b.distance(a) == 0.5
    assert a.distance(Poisson(np.array([[1.0], [3.0]]))) == 1.0
