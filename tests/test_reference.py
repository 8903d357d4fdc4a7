"""The slow twins agree with each other, with hmmlearn, scikit-learn and SciPy, and with what textbooks print."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import reference as ref
from generators import (
    MODELS,
    Model,
    categorical_frames,
    gaussian_frames,
    poisson_frames,
    random_categorical,
    random_endprob,
    random_gaussian,
    random_hmm,
    random_poisson,
    random_rows,
    reachable,
    simulate,
    small_hmms_with_end,
    with_end,
)
from hmmlearn import _hmmc, hmm
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.mixture import GaussianMixture

SIZES = [(1, 1), (1, 4), (3, 1), (2, 6), (3, 5)]


def check_twins_agree(model: Model, endprob: np.ndarray | None) -> None:
    paths = ref.enumerate_paths(*model, endprob)
    found = ref.log_forward_backward(*model, endprob)
    path, log_prob = ref.log_viterbi(*model, endprob)
    assert_allclose(found.log_likelihood, paths.log_likelihood, rtol=1e-12, atol=1e-12)
    # The posterior of a difference of numbers near 1e4 cannot be better than their rounding, 1e4 * 2e-16, a few times.
    assert_allclose(found.gamma, paths.gamma, rtol=0, atol=1e-10)
    assert_allclose(found.counts, paths.counts, rtol=0, atol=1e-10)
    assert_allclose(found.log_predictive.sum(), paths.log_likelihood, rtol=1e-12, atol=1e-11)
    assert_allclose(log_prob, paths.log_prob, rtol=1e-13, atol=1e-13)
    if paths.path is None:
        assert path is None
    else:
        assert tuple(path) in paths.optimal_paths
        assert_allclose(ref.joint_log_prob(path, *model, endprob), paths.log_prob, rtol=1e-13, atol=1e-13)


# ---- the twins agree with each other --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", MODELS)
def test_recursions_match_enumeration(kind: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    model = MODELS[kind](rng, *size)
    check_twins_agree(model, None)
    check_twins_agree(model, random_endprob(rng, model))


@settings(max_examples=60, deadline=None)
@given(small_hmms_with_end())
def test_recursions_match_enumeration_for_any_small_model(drawn: tuple[Model, np.ndarray]) -> None:
    check_twins_agree(*drawn)


def test_enumeration_marginals_are_consistent() -> None:
    model = random_hmm(np.random.default_rng(3), 3, 5)
    paths = ref.enumerate_paths(*model)
    assert_allclose(paths.gamma.sum(axis=1), 1.0, rtol=1e-14)
    assert_allclose(paths.xi.sum(axis=2), paths.gamma[:-1], atol=1e-15)
    assert_allclose(paths.xi.sum(axis=1), paths.gamma[1:], atol=1e-15)
    assert_allclose(paths.counts.sum(), 4.0, rtol=1e-14)


def test_enumeration_matches_sum_of_products() -> None:
    startprob, transmat, log_lik = random_hmm(np.random.default_rng(5), 2, 4)
    lik = np.exp(log_lik)
    endprob = np.array([0.25, 0.75])
    total, last_one = 0.0, 0.0
    for path in itertools.product(range(2), repeat=4):
        p = startprob[path[0]] * lik[0, path[0]] * endprob[path[-1]]
        for t in range(1, 4):
            p *= transmat[path[t - 1], path[t]] * lik[t, path[t]]
        total += p
        last_one += p * (path[-1] == 1)
    paths = ref.enumerate_paths(startprob, transmat, log_lik, endprob)
    assert_allclose(paths.log_likelihood, math.log(total), rtol=1e-13)
    assert_allclose(paths.gamma[-1, 1], last_one / total, rtol=1e-13)


@pytest.mark.parametrize("name", ["healthy-fever", "healthy-fever-end", "weather", "umbrella"])
def test_enumeration_matches_exact_fractions(name: str) -> None:
    example = ref.EXAMPLES[name]
    start, trans, tables, end = (
        np.vectorize(lambda p: Fraction(str(p)), otypes=[object])(array)
        for array in (
            example.startprob,
            example.transmat,
            example.tables,
            [1] if example.endprob is None else example.endprob,
        )
    )
    n_states, x = len(start), example.symbols
    end = np.broadcast_to(end, n_states)
    total, first = Fraction(0), [Fraction(0)] * n_states
    for path in itertools.product(range(n_states), repeat=len(x)):
        p = start[path[0]] * end[path[-1]]
        p *= math.prod(trans[i, j] for i, j in itertools.pairwise(path))
        p *= math.prod(tables[k, symbol] for k, symbol in zip(path, x, strict=True))
        total += p
        first[path[0]] += p
    paths = ref.enumerate_paths(example.startprob, example.transmat, example.log_lik, example.endprob)
    assert_allclose(paths.log_likelihood, math.log(total), rtol=1e-15)
    assert_allclose(paths.gamma[0], [float(p / total) for p in first], rtol=1e-14)


def test_ties_go_to_the_lowest_state_from_the_end() -> None:
    model = Model(np.array([0.5, 0.5]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros((2, 2)))
    paths = ref.enumerate_paths(*model)
    assert paths.optimal_paths == {(0, 1), (1, 0)}
    assert_array_equal(paths.path, [1, 0])
    assert_array_equal(ref.log_viterbi(*model)[0], [1, 0])
    uniform = ref.enumerate_paths([0.5, 0.5], np.full((2, 2), 0.5), np.zeros((4, 2)))
    assert len(uniform.optimal_paths) == 16
    assert_array_equal(uniform.path, [0, 0, 0, 0])


@pytest.mark.parametrize("seed", range(5))
def test_impossible_sequence_has_no_path_and_no_posterior(seed: int) -> None:
    model = random_hmm(np.random.default_rng(seed), 3, 4, zeros=0.5, possible=False)
    paths, found = ref.enumerate_paths(*model), ref.log_forward_backward(*model)
    assert paths.log_likelihood == found.log_likelihood == -math.inf
    assert paths.path is None
    assert not paths.optimal_paths
    assert ref.log_viterbi(*model) == (None, -math.inf)
    for zeros in (paths.gamma, paths.counts, paths.xi, found.gamma, found.counts):
        assert_array_equal(zeros, np.zeros_like(zeros))
    first = int(np.argmin(reachable(*model).any(axis=1)))
    assert_array_equal(np.isneginf(found.log_predictive), np.arange(4) >= first)


@pytest.mark.parametrize("seed", range(20))
def test_random_hmm_is_possible_and_stays_so_with_an_end(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_hmm(rng, 4, 6, zeros=0.6, neg_inf=0.5)
    endprob = random_endprob(rng, model, zeros=0.8)
    assert ref.log_forward_backward(*model, endprob).log_likelihood > -math.inf
    assert_allclose(model.transmat.sum(axis=1), 1.0, rtol=1e-15)
    assert_allclose((with_end(model.transmat, endprob).sum(axis=1) + endprob), 1.0, rtol=1e-14)


def test_forward_backward_finds_the_survivor_that_scaling_loses() -> None:
    # One state explains the last frame, and it is 744 nats behind after the first: log(exp(-744) / 2).
    model = Model(np.full(2, 0.5), np.eye(2), np.array([[-744.0, 0.0], [0.0, -np.inf]]))
    found = ref.log_forward_backward(*model)
    assert_allclose(found.log_likelihood, -744.0 + math.log(0.5), rtol=1e-15)
    assert_array_equal(found.gamma, [[1.0, 0.0], [1.0, 0.0]])


@pytest.mark.parametrize("K", [1, 2, 5])
def test_stationary_is_the_limit_of_powers(K: int) -> None:
    transmat = random_rows(np.random.default_rng(K), K, K)
    assert_allclose(ref.stationary(transmat), np.linalg.matrix_power(transmat, 200)[0], rtol=1e-12)


# ---- worked examples ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["healthy-fever", "weather"])
def test_viterbi_gives_the_published_path(name: str) -> None:
    example = ref.EXAMPLES[name]
    path, log_prob = ref.log_viterbi(example.startprob, example.transmat, example.log_lik)
    assert_array_equal(path, example.published["path"])
    assert_allclose(math.exp(log_prob), example.published["probability"], rtol=1e-13)


@pytest.mark.parametrize(("name", "atol"), [("healthy-fever-end", 1e-15), ("weather", 1e-6)])
def test_forward_backward_gives_the_published_posteriors(name: str, atol: float) -> None:
    example = ref.EXAMPLES[name]
    found = ref.log_forward_backward(example.startprob, example.transmat, example.log_lik, example.endprob)
    assert_allclose(found.gamma, example.published["gamma"], rtol=0, atol=atol)


def test_umbrella_gives_the_published_filter_and_smoother() -> None:
    example = ref.UMBRELLA
    log_alpha = ref.log_forward(example.startprob, example.transmat, example.log_lik)
    filtered = np.exp(log_alpha - np.logaddexp.reduce(log_alpha, axis=1, keepdims=True))
    assert_allclose(filtered[:, 0], example.published["filtered_rain"], atol=5e-5)
    smoothed = ref.log_forward_backward(example.startprob, example.transmat, example.log_lik).gamma
    assert_allclose(smoothed[:, 0], example.published["smoothed_rain"], atol=5e-5)
    day_before = np.vstack([np.zeros(2), example.log_lik])
    smoothed = ref.log_forward_backward(example.startprob, example.transmat, day_before).gamma
    assert_allclose(smoothed[0, 0], example.published["before"], atol=5e-5)


def test_ice_cream_gives_the_published_forward_values() -> None:
    example = ref.ICE_CREAM
    assert len(example.symbols) == 33
    alpha = np.exp(ref.log_forward(example.startprob, example.transmat, example.log_lik))
    assert_allclose(alpha[:3], example.published["alpha"], rtol=1e-13)


def test_ice_cream_gives_the_published_parameters_after_two_updates() -> None:
    example = ref.ICE_CREAM_EM
    startprob, transmat, endprob, tables = example.startprob, example.transmat, example.endprob, example.tables
    for _ in range(2):
        startprob, transmat, endprob, (tables,), _ = ref.em_update_categorical(
            example.symbols, None, startprob, transmat, tables, endprob=endprob, learn_end=True
        )
    found = {"startprob": startprob, "transmat": transmat, "endprob": endprob, "tables": tables}
    for name, value in found.items():
        assert_allclose(value, example.published[name], rtol=0, atol=1e-14, err_msg=name)


def test_stationary_gives_the_known_distributions() -> None:
    village = ref.stationary(ref.HEALTHY_FEVER.transmat)
    assert_allclose(village, ref.HEALTHY_FEVER.published["stationary"], atol=5e-3)
    assert_allclose(village, [4 / 7, 3 / 7], rtol=1e-14)
    assert_allclose(ref.stationary(ref.CASINO.transmat), [2 / 3, 1 / 3], rtol=1e-14)


# ---- densities agree with SciPy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("D", [1, 3])
@pytest.mark.parametrize("covariance_type", ref.COVARIANCE_TYPES)
def test_gaussian_log_lik_matches_multivariate_normal(covariance_type: str, D: int) -> None:
    rng = np.random.default_rng(D)
    means, covars = random_gaussian(rng, 2, D, covariance_type)
    X = rng.normal(size=(6, D))
    found = ref.gaussian_log_lik(X, means, covars, covariance_type)
    matrices = ref.covariance_matrices(covars, covariance_type, 2, D)
    for n, k in np.ndindex(6, 2):
        expected = stats.multivariate_normal.logpdf(X[n], means[k], matrices[k])
        assert_allclose(found[n, k], expected, rtol=1e-12)


def test_poisson_log_lik_matches_the_formula() -> None:
    found = ref.poisson_log_lik([[3, 0]], [[2.0, 0.0], [0.5, 1.5]])
    expected = [3 * math.log(2) - 2 - math.log(6), 3 * math.log(0.5) - 0.5 - math.log(6) - 1.5]
    assert_allclose(found, [expected], rtol=1e-14)
    assert ref.poisson_log_lik([[1]], [[0.0]])[0, 0] == -math.inf


def test_categorical_log_lik_adds_independent_columns() -> None:
    tables = [np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])]
    found = ref.categorical_log_lik([[0, 2], [1, 0]], tables)
    assert_allclose(found, [[math.log(0.25), math.log(0.8)], [math.log(0.1), -math.inf]], rtol=1e-14)
    assert_array_equal(ref.categorical_log_lik([0, 1], tables[0]), ref.categorical_log_lik([[0], [1]], [tables[0]]))


# ---- agreement with hmmlearn and scikit-learn -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_recursions_match_hmmlearn(seed: int) -> None:
    startprob, transmat, log_lik = random_hmm(np.random.default_rng(seed), 3, 40, zeros=0.0, neg_inf=0.0, gap=20.0)
    log_likelihood, log_alpha = _hmmc.forward_log(startprob, transmat, log_lik)
    log_beta = _hmmc.backward_log(startprob, transmat, log_lik)
    log_counts = _hmmc.compute_log_xi_sum(log_alpha, transmat, log_beta, log_lik)
    log_prob, path = _hmmc.viterbi(startprob, transmat, log_lik)
    found = ref.log_forward_backward(startprob, transmat, log_lik)
    assert_allclose(found.log_likelihood, log_likelihood, rtol=1e-13)
    assert_allclose(ref.log_forward(startprob, transmat, log_lik), log_alpha, rtol=1e-12, atol=1e-12)
    assert_allclose(ref.log_backward(transmat, log_lik), log_beta, rtol=1e-12, atol=1e-12)
    assert_allclose(found.counts, np.exp(log_counts), rtol=1e-10)
    found_path, found_log_prob = ref.log_viterbi(startprob, transmat, log_lik)
    assert_array_equal(found_path, path)
    assert_allclose(found_log_prob, log_prob, rtol=1e-13)


def one_hmmlearn_update(model: hmm.BaseHMM, X: np.ndarray, lengths: list[int], **start: np.ndarray) -> None:
    for name, value in start.items():
        setattr(model, name, value)
    model.set_params(n_components=len(start["startprob_"]), implementation="log", n_iter=1, init_params="")
    model.fit(X, lengths)


def check_chain(model: hmm.BaseHMM, update: ref.Update) -> None:
    assert_allclose(update.startprob, model.startprob_, rtol=1e-10)
    assert_allclose(update.transmat, model.transmat_, rtol=1e-10)
    assert_allclose(update.log_likelihood, model.monitor_.history[0], rtol=1e-12)


@pytest.mark.parametrize("covariance_type", ref.COVARIANCE_TYPES)
def test_em_update_gaussian_matches_hmmlearn(covariance_type: str) -> None:
    rng = np.random.default_rng(2)
    lengths = [20, 1, 30]
    startprob, transmat = random_rows(rng, 1, 2)[0], random_rows(rng, 2, 2)
    means, covars = random_gaussian(rng, 2, 2, covariance_type)
    X = gaussian_frames(rng, simulate(rng, startprob, transmat, sum(lengths)), means, covars, covariance_type)
    X += rng.normal(size=X.shape)
    # The defaults of hmmlearn are a prior on the covariances; zero and one switch it off.
    model = hmm.GaussianHMM(covariance_type=covariance_type, covars_prior=0.0, covars_weight=1.0)
    start = {"startprob_": startprob, "transmat_": transmat, "means_": means}
    model.n_components = 2
    model.covars_ = covars
    one_hmmlearn_update(model, X, lengths, **start)
    update = ref.em_update_gaussian(X, lengths, startprob, transmat, means, covars, covariance_type)
    check_chain(model, update)
    assert_allclose(update.parameters[0], model.means_, rtol=1e-10)
    found = ref.covariance_matrices(update.parameters[1], covariance_type, 2, 2)
    if covariance_type == "spherical":
        expected = np.stack([variance * np.eye(2) for variance in model._covars_[:, 0]])  # covars_ gives K * D matrices
    else:
        expected = model.covars_
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_em_update_poisson_matches_hmmlearn() -> None:
    rng = np.random.default_rng(3)
    lengths = [25, 15]
    startprob, transmat, lambdas = random_rows(rng, 1, 2)[0], random_rows(rng, 2, 2), random_poisson(rng, 2, 2)
    X = poisson_frames(rng, simulate(rng, startprob, transmat, sum(lengths)), lambdas + 1.0)
    model = hmm.PoissonHMM()
    one_hmmlearn_update(model, X, lengths, startprob_=startprob, transmat_=transmat, lambdas_=lambdas)
    update = ref.em_update_poisson(X, lengths, startprob, transmat, lambdas)
    check_chain(model, update)
    assert_allclose(update.parameters[0], model.lambdas_, rtol=1e-10)


def test_em_update_categorical_matches_hmmlearn() -> None:
    rng = np.random.default_rng(4)
    lengths = [30, 10]
    startprob, transmat, table = random_rows(rng, 1, 3)[0], random_rows(rng, 3, 3), random_categorical(rng, 3, 4)
    X = categorical_frames(rng, simulate(rng, startprob, transmat, sum(lengths)), random_categorical(rng, 3, 4))
    model = hmm.CategoricalHMM(n_features=4)
    one_hmmlearn_update(model, X[:, None], lengths, startprob_=startprob, transmat_=transmat, emissionprob_=table)
    update = ref.em_update_categorical(X, lengths, startprob, transmat, table)
    check_chain(model, update)
    assert_allclose(update.parameters[0], model.emissionprob_, rtol=1e-10)


@pytest.mark.parametrize("covariance_type", ref.COVARIANCE_TYPES)
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_em_update_mixture_matches_sklearn(covariance_type: str) -> None:
    rng = np.random.default_rng(6)
    weights, X = np.array([0.3, 0.7]), rng.normal(size=(40, 2)) * [1.0, 3.0]
    means, covars = random_gaussian(rng, 2, 2, covariance_type)
    precisions = 1.0 / covars if covariance_type in ("spherical", "diag") else np.linalg.inv(covars)
    model = GaussianMixture(
        2, covariance_type=covariance_type, reg_covar=0.0, max_iter=1, tol=0.0,
        weights_init=weights, means_init=means, precisions_init=precisions,
    ).fit(X)  # fmt: skip
    update = ref.em_update_gaussian_mixture(X, weights, means, covars, covariance_type)
    assert_allclose(update.weights, model.weights_, rtol=1e-10)
    assert_allclose(update.parameters[0], model.means_, rtol=1e-10)
    assert_allclose(update.parameters[1], model.covariances_, rtol=1e-9, atol=1e-12)


# ---- properties of the EM updates -----------------------------------------------------------------------------------


def small_poisson_problem(seed: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.poisson(6.0, (12, 1))
    return X, random_rows(rng, 1, 2)[0], random_rows(rng, 2, 2), random_poisson(rng, 2)


def check_same(a: ref.Update, b: ref.Update) -> None:
    assert_allclose(a.startprob, b.startprob, rtol=1e-12)
    assert_allclose(a.transmat, b.transmat, rtol=1e-12)
    for one, other in zip(a.parameters, b.parameters, strict=True):
        assert_allclose(one, other, rtol=1e-12)
    assert_allclose(a.log_likelihood, b.log_likelihood, rtol=1e-13)


def test_em_update_is_the_same_with_enumerated_posteriors() -> None:
    X, *start = small_poisson_problem()
    endprob = np.array([0.2, 0.9])
    recursive = ref.em_update_poisson(X, [5, 1, 6], *start, endprob=endprob)
    check_same(recursive, ref.em_update_poisson(X, [5, 1, 6], *start, endprob=endprob, posteriors=ref.enumerate_paths))


def test_em_update_weights_equal_repetition_and_absence() -> None:
    X, *start = small_poisson_problem()
    weighted = ref.em_update_poisson(X, [5, 1, 6], *start, weights=[2, 1, 0])
    check_same(weighted, ref.em_update_poisson(np.vstack([X[:5], X[:5], X[5:6]]), [5, 5, 1], *start))


def test_em_update_leaves_impossible_sequences_out() -> None:
    table = np.array([[0.5, 0.5, 0.0], [0.3, 0.7, 0.0]])
    chain = np.array([0.5, 0.5]), np.array([[0.8, 0.2], [0.3, 0.7]])
    with_impossible = ref.em_update_categorical([0, 1, 1, 2, 0], [3, 2], *chain, table)
    check_same(with_impossible, ref.em_update_categorical([0, 1, 1], [3], *chain, table))


@pytest.mark.parametrize("covariance_type", ref.COVARIANCE_TYPES)
def test_em_update_keeps_rows_without_weight(covariance_type: str) -> None:
    rng = np.random.default_rng(9)
    X = rng.normal(size=(10, 2))
    means, covars = random_gaussian(rng, 2, 2, covariance_type)
    startprob, transmat = np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.4, 0.6]])
    update = ref.em_update_gaussian(X, None, startprob, transmat, means, covars, covariance_type)
    assert_array_equal(update.startprob, startprob)
    assert_array_equal(update.transmat, transmat)
    assert_array_equal(update.parameters[0][1], means[1])
    if covariance_type != "tied":
        assert_array_equal(update.parameters[1][1], covars[1])
    expected = ref.covariance_matrices(update.parameters[1], covariance_type, 2, 2)[0]
    assert_allclose(np.trace(expected), X.var(axis=0).sum(), rtol=1e-12)


def test_em_update_with_end_keeps_or_learns_it() -> None:
    X, startprob, transmat, lambdas = small_poisson_problem()
    endprob = np.array([0.1, 0.3])
    transmat = with_end(transmat, endprob)
    kept = ref.em_update_poisson(X, [6, 6], startprob, transmat, lambdas, endprob=endprob)
    assert_array_equal(kept.endprob, endprob)
    assert_allclose(kept.transmat.sum(axis=1), 1.0 - endprob, rtol=1e-14)
    learned = ref.em_update_poisson(X, [6, 6], startprob, transmat, lambdas, endprob=endprob, learn_end=True)
    assert_allclose(learned.transmat.sum(axis=1) + learned.endprob, 1.0, rtol=1e-14)
    # Two sequences end once each: the expected ends, the learned end times the visits of each state, are two.
    log_lik = ref.poisson_log_lik(X, lambdas)
    visits = ref.expectations(log_lik, [6, 6], startprob, transmat, endprob=endprob).gamma.sum(axis=0)
    assert_allclose(learned.endprob @ visits, 2.0, rtol=1e-13)


@pytest.mark.parametrize("floor", [0.0, 0.3])
@pytest.mark.parametrize("covariance_type", ref.COVARIANCE_TYPES)
def test_em_updates_never_lower_the_log_likelihood(covariance_type: str, floor: float) -> None:
    rng = np.random.default_rng(10)
    X = rng.normal(size=(30, 2)) * [1.0, 5.0]
    means, covars = X[[0, 15]], ref.maximise_gaussian(X, np.ones((30, 2)), X[:2], random_gaussian(
        rng, 2, 2, covariance_type)[1], covariance_type)[1]  # fmt: skip
    chain = random_rows(rng, 1, 2)[0], random_rows(rng, 2, 2)
    history = []
    for _ in range(8):
        update = ref.em_update_gaussian(
            X, [10, 20], *chain, means, covars, covariance_type, floor=floor, unit_variances=X.var(axis=0)
        )
        chain, (means, covars) = (update.startprob, update.transmat), update.parameters
        history.append(update.log_likelihood)
    assert np.diff(history).min() >= -1e-10
    assert history[-1] > history[0] + 0.1


def test_mixture_is_an_hmm_over_sequences_of_one_frame() -> None:
    X, weights, transmat, lambdas = small_poisson_problem()
    update = ref.em_update_poisson(X, [1] * 12, weights, transmat, lambdas, weights=np.arange(12))
    mixture = ref.em_update_mixture(
        ref.poisson_log_lik(X, lambdas), weights, lambda r: (ref.maximise_poisson(X, r, lambdas),), np.arange(12)
    )
    assert_allclose(mixture.weights, update.startprob, rtol=1e-13)
    assert_allclose(mixture.parameters[0], update.parameters[0], rtol=1e-13)
    assert_allclose(mixture.log_likelihood, update.log_likelihood, rtol=1e-13)
    assert_array_equal(update.transmat, transmat)


# ---- the floor of a covariance is a constrained maximum -------------------------------------------------------------


@pytest.mark.parametrize("D", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_floored_covariance_is_the_constrained_maximum(seed: int, D: int) -> None:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(D, D)) * rng.uniform(0.05, 2.0, D)
    S, units = factor @ factor.T, rng.uniform(0.2, 5.0, D)
    closed = ref.floored_covariance(S, units, 0.3)
    assert_allclose(ref.constrained_covariance(S, units, 0.3), closed, atol=1e-7 * np.trace(closed))
    relative = np.linalg.eigvalsh(closed / np.sqrt(np.outer(units, units)))
    assert relative.min() >= 0.3 * (1 - 1e-12)


def test_floored_covariance_leaves_what_is_inside() -> None:
    S = np.array([[2.0, 0.5], [0.5, 1.0]])
    assert_allclose(ref.floored_covariance(S, [1.0, 1.0], 1e-3), S, rtol=1e-14)


def test_spherical_floor_is_the_constrained_maximum() -> None:
    # One variance v for all features, v >= the mean of the floors: the objective -(log v + s / v) has one peak at s.
    X = np.array([[0.0, 0.0], [0.2, 0.1]])
    units, floor = np.array([1.0, 3.0]), 0.1
    _, covars = ref.maximise_gaussian(X, np.ones((2, 1)), X[:1], np.ones(1), "spherical", floor, units)
    s = X.var(axis=0).mean()
    candidates = np.linspace(floor * units.mean(), 2.0, 2001)
    assert_allclose(covars[0], candidates[np.argmax(-(np.log(candidates) + s / candidates))], rtol=1e-12)
