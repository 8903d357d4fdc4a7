"""Categorical emissions: several columns, unknown symbols, structure of zeros."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import reference as ref
from generators import random_categorical
from numpy.testing import assert_allclose, assert_array_equal

from hmmem.emissions import Categorical


def test_log_lik_adds_over_columns() -> None:
    rng = np.random.default_rng(0)
    tables = [random_categorical(rng, 3, V, 0.2) for V in (4, 2, 6)]
    X = np.column_stack([rng.integers(0, V, 40) for V in (4, 2, 6)])
    expected = ref.categorical_log_lik(X, tables)
    assert_allclose(Categorical(tuple(tables)).log_lik(X), expected, rtol=1e-12, atol=1e-15)
    assert (expected == -np.inf).any()


def test_code_minus_one_says_nothing() -> None:
    rng = np.random.default_rng(1)
    tables = tuple(random_categorical(rng, 2, V) for V in (3, 4))
    rows = Categorical(tables)
    found = rows.log_lik(np.array([[-1, -1], [2, -1], [-1, 3]]))
    assert_allclose(found, [[0.0, 0.0], np.log(tables[0][:, 2]), np.log(tables[1][:, 3])], rtol=1e-14)
    counts = rows.statistics(np.array([[-1, -1], [2, -1]]), np.ones((2, 2)))
    assert counts.weight.tolist() == [2.0, 2.0]
    assert counts.counts[0].tolist() == [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    assert_array_equal(counts.counts[1], 0.0)


def test_extra_symbol_has_its_probability_and_the_others_share_the_rest() -> None:
    table = np.array([[0.2, 0.8], [0.6, 0.4]])
    rows = Categorical((table,), unknown_prob=0.1)
    found = np.exp(rows.log_lik(np.array([[0], [1], [2]])))
    assert_allclose(found, np.vstack([0.9 * table.T, [0.1, 0.1]]), rtol=1e-14)
    assert_allclose(found.sum(axis=0), 1.0, rtol=1e-14)
    none = Categorical((table,))
    assert none.log_lik(np.array([[2]])).tolist() == [[-np.inf, -np.inf]]


def test_extra_symbol_is_not_learned_but_keeps_its_share() -> None:
    table = np.array([[0.5, 0.5]])
    rows = Categorical((table,), unknown_prob=0.1)
    after = rows.maximise(rows.statistics(np.array([[0], [2], [2], [1], [1], [1]]), np.ones((6, 1))))
    assert after.tables[0].tolist() == [[0.25, 0.75]]
    assert after.unknown_prob == 0.1


def test_maximise_matches_the_twin_and_keeps_zeros_and_starved_rows() -> None:
    rng = np.random.default_rng(2)
    tables = [random_categorical(rng, 3, V, 0.4) for V in (4, 3)]
    X = np.column_stack([rng.integers(0, V, 40) for V in (4, 3)])
    rows = Categorical(tuple(tables))
    gamma = rng.dirichlet([1.0, 1.0, 1.0], 40) * np.isfinite(rows.log_lik(X))
    gamma[:, 1] = 0.0
    after = rows.maximise(rows.statistics(X, gamma))
    for found, expected, before in zip(after.tables, ref.maximise_categorical(X, gamma, tables), tables, strict=True):
        assert_allclose(found, expected, rtol=1e-12)
        assert_array_equal(found[1], before[1])
        assert (found[before == 0] == 0).all()


def test_free_parameters_leave_out_specified_zeros_and_count_found_ones() -> None:
    table = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    rows = Categorical((table,))
    assert rows.n_free_parameters == 1 + 2
    after = rows.maximise(rows.statistics(np.array([[0], [0]]), np.ones((2, 2))))
    assert after.tables[0].tolist() == [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    assert after.n_free_parameters == 3
    assert replace(rows, fixed=frozenset({"emissionprob"})).n_free_parameters == 0


def test_sample_never_draws_an_impossible_symbol() -> None:
    table = np.array([[0.3, 0.0, 0.7, 0.0], [0.0, 1.0, 0.0, 0.0]])
    X = Categorical((table, table[::-1])).sample(np.repeat([0, 1], 10_000), np.random.default_rng(3))
    assert set(X[:10_000, 0]) == {0, 2}
    assert set(X[10_000:, 0]) == {1}
    assert set(X[:10_000, 1]) == {1}
    assert abs((X[:10_000, 0] == 2).mean() - 0.7) < 0.02
