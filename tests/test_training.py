"""Viterbi training: monotone in log p(x, path), and equal to a calculation by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import reference as ref
from generators import random_categorical, random_endprob, random_hmm, random_rows, with_end
from numpy.testing import assert_allclose, assert_array_equal

import hmmem
from hmmem.chain import MarkovChain
from hmmem.em import fit_em
from hmmem.emissions import Categorical, Gaussian, Poisson
from hmmem.emissions.scale import Scale
from hmmem.hmm import HiddenMarkovModel
from hmmem.sequences import Sequences
from hmmem.training import ViterbiTraining


def test_update_equals_a_calculation_by_hand() -> None:
    """Two rates far apart: the best path of 1 2 | 9 is 0 0 | 1, and of 8 1 | it is 1 0."""
    X = np.array([[1.0], [2.0], [9.0], [8.0], [1.0]])
    data = Sequences.from_lengths(X, [3, 2])
    chain = MarkovChain(np.array([0.5, 0.5]), np.array([[0.5, 0.5], [0.5, 0.5]]))
    model = HiddenMarkovModel(chain, Poisson(np.array([[1.5], [8.0]])))
    statistics = ViterbiTraining(model).expect(data)
    log_lik = ref.poisson_log_lik(X, model.emission.lambdas)
    best = log_lik[[0, 1, 2, 3, 4], [0, 0, 1, 1, 0]].sum() + 5 * np.log(0.5)
    assert_allclose(statistics.log_likelihood, best, rtol=1e-14)
    after = ViterbiTraining(model).maximise(statistics).model
    assert after.chain.startprob.tolist() == [0.5, 0.5]
    assert_allclose(after.chain.transmat, [[0.5, 0.5], [1.0, 0.0]], rtol=1e-15)
    assert_allclose(after.emission.lambdas.ravel(), [4 / 3, 8.5], rtol=1e-15)


@pytest.mark.parametrize("size", [None, 4])
@pytest.mark.parametrize("seed", range(6))
def test_update_matches_hard_counts_of_the_twin(seed: int, size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if size is not None:
        monkeypatch.setattr("hmmem.sequences.BLOCK_SIZE", size)
        monkeypatch.setattr("hmmem.sequences.LONG", 1)
    rng = np.random.default_rng(seed)
    K, lengths = 3, rng.integers(1, 9, 6)
    end = random_endprob(rng, random_hmm(rng, K, 2), 0.0) if seed % 2 else None
    trans = random_rows(rng, K, K, 0.3)
    trans = trans if end is None else with_end(trans, end)
    start, table, weights = random_rows(rng, 1, K)[0], random_categorical(rng, K, 4), rng.exponential(size=6)
    X = rng.integers(0, 4, (lengths.sum(), 1))
    model = HiddenMarkovModel(MarkovChain(start, trans, end), Categorical((table,)))
    data = replace(Sequences.from_lengths(X, lengths, np.int64), per_sequence={"weight": weights})

    starts, ends, counts = np.zeros(K), np.zeros(K), np.zeros((K, K))
    symbols, objective = np.zeros((K, 4)), 0.0
    for i, weight in enumerate(weights):
        x = X[data.offsets[i] : data.offsets[i + 1], 0]
        path, log_prob = ref.log_viterbi(start, trans, np.log(table[:, x].T), end)
        assert path is not None
        objective += weight * log_prob
        starts[path[0]] += weight
        ends[path[-1]] += weight
        np.add.at(counts, (path[:-1], path[1:]), weight)
        np.add.at(symbols, (path, x), weight)
    found = ViterbiTraining(model).expect(data)
    assert_allclose(found.log_likelihood, objective, rtol=1e-12)
    assert_allclose(found.chain.start, starts, rtol=1e-12)
    assert_allclose(found.chain.transitions, counts, rtol=1e-12)
    assert_allclose(found.emission.counts[0], symbols, rtol=1e-12)
    if end is not None:
        assert_allclose(found.chain.end, ends, rtol=1e-12)


def test_training_is_monotone_and_ends_in_a_fixed_point() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        data = Sequences.from_lengths(rng.normal(size=(80, 2)) + 2 * rng.integers(0, 3, (80, 1)), [30, 1, 49])
        K = 2 + seed % 3
        rows = Gaussian.of(data.X[rng.integers(80, size=K)], np.ones((K, 2)), "diag", Scale.of(data, 1e-3))
        start = HiddenMarkovModel(MarkovChain(random_rows(rng, 1, K)[0], random_rows(rng, K, K)), rows)
        trained, report = fit_em(ViterbiTraining(start), data, n_iter=100, tol=0.0)
        assert np.all(np.diff(report.history) >= -1e-9 * 80)
        path, log_prob = trained.model.decode(data)
        assert_allclose(log_prob.sum(), report.history[-1], rtol=1e-13)
        again = trained.maximise(trained.expect(data)).model
        assert_array_equal(again.decode(data)[0], path)


def test_impossible_sequences_are_left_out_and_counted() -> None:
    table = np.array([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0]])
    model = HiddenMarkovModel(MarkovChain(np.array([0.5, 0.5]), np.full((2, 2), 0.5)), Categorical((table,)))
    X = np.array([0, 1, 2, 1, 0])[:, None]
    data = Sequences.from_lengths(X, [2, 2, 1], np.int64)
    found, without = ViterbiTraining(model).expect(data), ViterbiTraining(model).expect(data[[0, 2]])
    assert (found.n_impossible, found.weight) == (1, 3.0)
    assert_allclose(found.log_likelihood, without.log_likelihood, rtol=1e-14)
    assert_array_equal(found.emission.counts[0], without.emission.counts[0])
    assert_array_equal(found.chain.transitions, without.chain.transitions)


def test_estimator_reports_the_log_prob_of_its_paths() -> None:
    X = hmmem.load_dataset("earthquakes").X
    model = hmmem.PoissonHMM(2, training="viterbi", random_state=0).fit(X)
    assert_allclose(model.fit_report_.history[-1], model.decode(X)[0], rtol=1e-13)
    assert np.all(np.diff(model.fit_report_.history) >= -1e-9 * len(X))
    assert model.fit_report_.history[-1] < model.score(X)
