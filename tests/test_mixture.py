"""Mixture: updates against the twin, weights, zeros, impossible frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import reference as ref
from generators import random_categorical, random_gaussian, random_poisson, random_rows
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from hmmem.em import fit_em
from hmmem.emissions import Categorical, Gaussian, Poisson
from hmmem.emissions.covariance import SHAPES
from hmmem.mixture import Mixture
from hmmem.sequences import Sequences


def data_of(X: np.ndarray, weights: np.ndarray | None = None) -> Sequences:
    data = Sequences.from_lengths(X, [len(X)], X.dtype)
    return data if weights is None else replace(data, per_frame={"weight": weights})


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("weighted", [False, True])
def test_gaussian_update_matches_the_twin(shape: str, weighted: bool) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        K, X = 1 + seed, rng.normal(size=(40, 2)) * [1.0, 5.0]
        means, covars = random_gaussian(rng, K, 2, shape)
        pi, sample_weight = random_rows(rng, 1, K)[0], rng.exponential(size=40) if weighted else None
        model, data = Mixture(pi, Gaussian.of(means, covars, shape)), data_of(X, sample_weight)
        expected = ref.em_update_gaussian_mixture(X, pi, means, covars, shape, sample_weight)
        statistics = model.expect(data)
        found = model.maximise(statistics)
        assert_allclose(statistics.log_likelihood, expected.log_likelihood, rtol=1e-12)
        assert_allclose(found.weights, expected.weights, rtol=1e-9)
        assert_allclose(found.emission.means, expected.parameters[0], rtol=1e-9, atol=1e-9)
        assert_allclose(found.emission.covariance.values, expected.parameters[1], rtol=1e-9, atol=1e-10)


def test_poisson_and_categorical_updates_match_the_twin() -> None:
    rng = np.random.default_rng(1)
    pi, rates, table = random_rows(rng, 1, 3)[0], random_poisson(rng, 3, 2), random_categorical(rng, 3, 5)
    X = rng.poisson(6.0, (50, 2)).astype(float)
    expected = ref.em_update_mixture(ref.poisson_log_lik(X, rates), pi, lambda r: (ref.maximise_poisson(X, r, rates),))
    model = Mixture(pi, Poisson(rates))
    found = model.maximise(model.expect(data_of(X)))
    assert_allclose(found.weights, expected.weights, rtol=1e-9)
    assert_allclose(found.emission.lambdas, expected.parameters[0], rtol=1e-9)

    symbols = rng.integers(0, 5, (50, 1))
    expected = ref.em_update_mixture(
        ref.categorical_log_lik(symbols[:, 0], table),
        pi,
        lambda r: (ref.maximise_categorical(symbols[:, 0], r, table),),
    )
    model = Mixture(pi, Categorical((table,)))
    found = model.maximise(model.expect(data_of(symbols)))
    assert_allclose(found.weights, expected.weights, rtol=1e-9)
    assert_allclose(found.emission.tables[0], expected.parameters[0], rtol=1e-9)


def test_boundaries_of_sequences_play_no_part() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 2))
    model = Mixture(np.array([0.3, 0.7]), Gaussian.of(X[:2], np.ones((2, 2)), "diag"))
    one, many = Sequences.from_lengths(X, [30]), Sequences.from_lengths(X, [1, 20, 9])
    assert model.expect(one).log_likelihood == model.expect(many).log_likelihood
    assert_array_equal(model.score_frames(one), model.score_frames(many))


def test_scores_and_posteriors_match_the_densities() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 2)) * 10
    means, covars = random_gaussian(rng, 3, 2, "full")
    pi = np.array([0.5, 0.0, 0.5])
    model, data = Mixture(pi, Gaussian.of(means, covars, "full")), data_of(X)
    with np.errstate(divide="ignore"):
        joint = ref.gaussian_log_lik(X, means, covars, "full") + np.log(pi)
    log_c = logsumexp(joint, axis=1)
    assert_allclose(model.score_frames(data), log_c, rtol=1e-12)
    assert_allclose(model.posteriors(data), np.exp(joint - log_c[:, None]), rtol=1e-9, atol=1e-12)
    assert_array_equal(model.posteriors(data)[:, 1], 0.0)
    assert_allclose(model.posteriors(data).sum(axis=1), 1.0, rtol=0, atol=1e-12)


def test_impossible_frames_are_left_out_and_counted() -> None:
    model = Mixture(np.array([0.4, 0.6]), Categorical((np.array([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0]]),)))
    X = np.array([[0], [2], [1], [2], [0]])
    found, without = model.expect(data_of(X)), model.expect(data_of(X[[0, 2, 4]]))
    assert (found.n_impossible, found.weight) == (2, 3.0)
    assert found.log_likelihood == without.log_likelihood
    assert_array_equal(found.counts, without.counts)
    assert model.score_frames(data_of(X))[1] == -np.inf
    assert_array_equal(model.posteriors(data_of(X))[1], 0.0)


def test_fixed_weights_stay_and_do_not_count() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(50, 1))
    emission = Gaussian.of([[-1.0], [1.0]], [1.0, 1.0], "spherical")
    free = Mixture(np.array([0.25, 0.75]), emission)
    fixed = replace(free, fixed=frozenset({"weights"}))
    after, _ = fit_em(fixed, data_of(X), n_iter=5, tol=None)
    assert after.weights.tolist() == [0.25, 0.75]
    assert (free.n_free_parameters, fixed.n_free_parameters) == (1 + 2 + 2, 2 + 2)
    assert (
        Mixture(np.array([0.5, 0.5, 0.0]), Gaussian.of(np.zeros((3, 1)), np.ones(3), "spherical")).n_free_parameters
        == 7
    )


def test_sample_has_the_weights_of_the_components() -> None:
    model = Mixture(np.array([0.2, 0.0, 0.8]), Gaussian.of([[0.0], [5.0], [100.0]], [1.0, 1.0, 4.0], "spherical"))
    X, components = model.sample(20_000, np.random.default_rng(0))
    assert abs((components == 2).mean() - 0.8) < 0.01
    assert not (components == 1).any()
    assert abs(X[components == 2].mean() - 100.0) < 0.1
    assert abs(X[components == 2].std() - 2.0) < 0.05


def test_describe_speaks_of_components() -> None:
    model = Mixture(np.array([1.0, 0.0]), Gaussian.of([[0.0], [5.0]], [1.0, 1.0], "spherical"))
    notes = model.describe(model.expect(data_of(np.zeros((3, 1)))))
    assert [note.text for note in notes if note.kind == "starved"] == [
        "component 1 got no data; its emission parameters were kept"
    ]
