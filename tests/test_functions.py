"""The array functions against enumeration of all paths and the log-space twins."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
import reference as ref
from generators import (
    MODELS,
    Model,
    left_right,
    make_impossible,
    random_endprob,
    random_hmm,
    random_rows,
    reachable,
    small_hmms,
    small_hmms_with_end,
    vanishing_survivor,
    with_end,
)
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

import hmmem
from hmmem.kernels.scaled import LIFT

SIZES = [(1, 1), (1, 4), (3, 1), (2, 6), (3, 5)]
kinds = pytest.mark.parametrize("name", list(MODELS))
sizes = pytest.mark.parametrize(("K", "T"), SIZES)
TINY_BLOCKS = ((3, 1), (4, 1), (10, 1))


def noise(log_lik: np.ndarray) -> float:
    """What double precision leaves of a probability that comes from sums of such terms, in twin and library alike."""
    finite = np.abs(log_lik[np.isfinite(log_lik)])
    return 1e-12 + 1e-15 * len(log_lik) * (finite.max() if finite.size else 0.0)


def check_against_enumeration(model: Model, end: np.ndarray | None) -> None:
    paths = ref.enumerate_paths(*model, end)
    tol = noise(model.log_lik)
    found = hmmem.forward_backward(*model, end)
    log_likelihood, alpha = hmmem.forward(*model, end)
    beta = hmmem.backward(*model, end)
    path, log_prob = hmmem.viterbi(*model, end)
    if paths.path is None:
        assert found.log_likelihood == log_likelihood == log_prob == -math.inf
        assert_array_equal(found.gamma, 0.0)
        assert_array_equal(found.counts, 0.0)
        assert_array_equal(beta, 0.0)
        assert_array_equal(path, -1)
        return
    assert_allclose([found.log_likelihood, log_likelihood], paths.log_likelihood, rtol=1e-9, atol=1e-12)
    assert_allclose(found.gamma, paths.gamma, rtol=1e-9, atol=tol)
    assert_allclose(found.counts, paths.counts, rtol=1e-9, atol=len(model.log_lik) * tol)
    assert_allclose(found.gamma.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert_allclose(alpha.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert_allclose(alpha * beta, paths.gamma, rtol=1e-9, atol=tol)
    filtered = ref.log_forward(*model)
    filtered = np.exp(filtered - logsumexp(filtered, axis=1, keepdims=True))
    assert_allclose(alpha, filtered, rtol=1e-9, atol=tol)
    assert_array_equal(alpha > 0, reachable(*model))
    assert tuple(path.tolist()) in paths.optimal_paths
    assert_allclose(log_prob, paths.log_prob, rtol=1e-12, atol=1e-12)
    assert hmmem.joint_log_prob(*model, path, end) == pytest.approx(log_prob, rel=1e-14, abs=1e-14)


@kinds
@sizes
def test_functions_match_enumeration(name: str, K: int, T: int) -> None:
    for seed in range(4):
        rng = np.random.default_rng([seed, K, T])
        model = MODELS[name](rng, K, T)
        check_against_enumeration(model, None)
        end = random_endprob(rng, model)
        check_against_enumeration(model, end)
        check_against_enumeration(model._replace(transmat=with_end(model.transmat, end)), end)


@sizes
def test_functions_match_enumeration_on_impossible_sequences(K: int, T: int) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        check_against_enumeration(make_impossible(rng, random_hmm(rng, K, T)), None)


def test_end_that_no_path_reaches_is_impossible() -> None:
    model = Model(np.array([1.0, 0.0]), np.eye(2), np.zeros((3, 2)))
    check_against_enumeration(model, np.array([0.0, 1.0]))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(small_hmms())
def test_functions_match_enumeration_on_any_small_model(model: Model) -> None:
    check_against_enumeration(model, None)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(small_hmms_with_end())
def test_functions_match_enumeration_on_any_small_model_with_end(drawn: tuple[Model, np.ndarray]) -> None:
    check_against_enumeration(*drawn)


@kinds
@pytest.mark.parametrize("K", [1, 4, 9])
def test_functions_match_log_space_twin_on_longer_sequences(name: str, K: int) -> None:
    rng = np.random.default_rng(K)
    model = MODELS[name](rng, K, 120)
    for end in (None, random_endprob(rng, model)):
        expected = ref.log_forward_backward(*model, end)
        found = hmmem.forward_backward(*model, end)
        assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-9)
        assert_allclose(found.gamma, expected.gamma, rtol=1e-9, atol=noise(model.log_lik))
        assert_allclose(found.counts, expected.counts, rtol=1e-9, atol=120 * noise(model.log_lik))
        assert_allclose(found.counts.sum(), 119.0, rtol=1e-12)
        assert_allclose(hmmem.forward(*model, end)[0], expected.log_likelihood, rtol=1e-9)
        alpha = hmmem.forward(*model, end)[1]
        assert_allclose(alpha * hmmem.backward(*model, end), found.gamma, rtol=1e-9, atol=noise(model.log_lik))
        path, log_prob = hmmem.viterbi(*model, end)
        assert_allclose(log_prob, ref.log_viterbi(*model, end)[1], rtol=1e-12)
        assert_allclose(ref.joint_log_prob(path.tolist(), *model, end), log_prob, rtol=1e-12)


@kinds
def test_strips_give_the_same_as_one_block(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        model = MODELS[name](rng, 3, 17)
        end = random_endprob(rng, model)
        found, filtered = hmmem.forward_backward(*model, end), hmmem.forward(*model, end)
        path, log_prob = hmmem.viterbi(*model, end)
        for size, _ in TINY_BLOCKS:
            with monkeypatch.context() as patch:
                patch.setattr("hmmem.functions.BLOCK_SIZE", size)
                again, cut = hmmem.forward_backward(*model, end), hmmem.forward(*model, end)
                assert_allclose(again.log_likelihood, found.log_likelihood, rtol=1e-12)
                assert_allclose(again.gamma, found.gamma, rtol=1e-9, atol=noise(model.log_lik))
                assert_allclose(again.counts, found.counts, rtol=1e-9, atol=17 * noise(model.log_lik))
                assert_allclose(cut[0], filtered[0], rtol=1e-12)
                assert_allclose(cut[1], filtered[1], rtol=1e-9, atol=noise(model.log_lik))
                assert_array_equal(hmmem.viterbi(*model, end)[0], path)
                assert_allclose(hmmem.viterbi(*model, end)[1], log_prob, rtol=1e-14)


# ---- the rescue -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [300.0, 340.0, 346.6, 400.0, 700.0, 744.0, 745.2, 1500.0, 1e4, 1e8])
@pytest.mark.parametrize("size", [10**6, 2])
def test_sole_survivor_that_underflows_is_kept(gap: float, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """NUMERICS: K 2, identity transitions, [[-744, 0], [0, -inf]]; the right value is log(1/2) - 744."""
    monkeypatch.setattr("hmmem.functions.BLOCK_SIZE", size)
    model = [0.5, 0.5], np.eye(2), np.array([[-gap, 0.0], [0.0, -np.inf]])
    expected = math.log(0.5) - gap
    assert_allclose(hmmem.forward_backward(*model).log_likelihood, expected, rtol=1e-14)
    assert_allclose(hmmem.forward(*model)[0], expected, rtol=1e-14)
    assert_array_equal(hmmem.forward_backward(*model).gamma, [[1.0, 0.0], [1.0, 0.0]])
    assert_allclose(hmmem.forward(*model)[1][0], [max(math.exp(-gap), LIFT), 1.0], rtol=1e-12)
    assert hmmem.viterbi(*model)[0].tolist() == [0, 0]


@pytest.mark.parametrize("size", [10**6, 4, 12])
@pytest.mark.parametrize("K", [2, 4])
def test_left_right_chain_keeps_its_only_survivor(K: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state that lags behind is the only one that explains the end; a recursion that drops it gives no error."""
    monkeypatch.setattr("hmmem.functions.BLOCK_SIZE", size)
    transmat = 0.5 * (np.eye(K) + np.eye(K, k=1))
    transmat[-1, -1] = 1.0
    log_lik = np.zeros((12, K))
    log_lik[:5, 0] = -300.0
    log_lik[5:, 1:] = -np.inf
    model = np.eye(K)[0], transmat, log_lik
    expected = ref.log_forward_backward(*model)
    assert_allclose(expected.log_likelihood, -1500.0 + 11 * math.log(0.5), rtol=1e-14)
    found = hmmem.forward_backward(*model)
    assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-14)
    assert_allclose(found.gamma, expected.gamma, rtol=1e-9, atol=1e-12)
    assert_allclose(found.counts, expected.counts, rtol=1e-9, atol=1e-12)
    assert_allclose(hmmem.forward(*model)[0], expected.log_likelihood, rtol=1e-14)


@pytest.mark.parametrize("size", [10**6, 6])
def test_random_left_right_chains_with_gaps_match_the_twin(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hmmem.functions.BLOCK_SIZE", size)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        model = left_right(rng, 4, 14, gap=10 ** rng.uniform(2, 4))
        end = np.eye(4)[3] if reachable(*model)[-1, 3] else None
        expected = ref.log_forward_backward(*model, end)
        found = hmmem.forward_backward(*model, end)
        assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-12)
        assert_allclose(found.gamma, expected.gamma, rtol=1e-9, atol=noise(model.log_lik))


@pytest.mark.parametrize("gap", [200.0, 350.0, 500.0, 1000.0])
@pytest.mark.parametrize("size", [10**6, 2])
def test_prefixes_are_certified_as_well(gap: float, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lifted state matters for p(x_2 | x_1) and for alpha, but for no posterior given the whole sequence."""
    monkeypatch.setattr("hmmem.functions.BLOCK_SIZE", size)
    model = Model(np.array([0.5, 0.5]), np.eye(2), np.array([[-gap, 0.0], [0.0, -gap], [-np.inf, 0.0]]))
    log_alpha = ref.log_forward(*model)
    expected = np.exp(log_alpha - logsumexp(log_alpha, axis=1, keepdims=True))
    log_likelihood, alpha = hmmem.forward(*model)
    assert_allclose(alpha[1:], expected[1:], rtol=1e-9)
    assert_allclose(log_likelihood, ref.log_forward_backward(*model).log_likelihood, rtol=1e-12)


@pytest.mark.parametrize("size", [10**6, 2])
def test_end_that_only_a_lifted_state_reaches_is_certified_as_well(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lifted path has a share of 1e-13 before the end and all of it after: forward was 390 nats too high."""
    monkeypatch.setattr("hmmem.functions.BLOCK_SIZE", size)
    rise = 500 * math.log(2.0) - 30.0  # from the smallest share to exp(-30)
    model = np.array([0.5, 0.5]), np.eye(2), np.array([[-800.0, 0.0], [0.0, -rise], [0.0, 0.0]])
    end = [0.5, 0.0]
    expected = ref.log_forward_backward(*model, end).log_likelihood
    assert_allclose(expected, math.log(0.25) - 800.0, rtol=1e-14)
    assert_allclose(hmmem.forward(*model, end)[0], expected, rtol=1e-12)
    assert_allclose(hmmem.forward_backward(*model, end).log_likelihood, expected, rtol=1e-12)


def test_vanishing_survivor_of_any_depth() -> None:
    for drop in (100.0, 345.0, 700.0, 745.0, 2000.0, 1e6):
        for K, T in ((2, 2), (3, 7), (5, 1)):
            model = vanishing_survivor(K, T, drop)
            expected = ref.log_forward_backward(*model).log_likelihood
            assert_allclose(hmmem.forward_backward(*model).log_likelihood, expected, rtol=1e-13)
            assert_allclose(hmmem.forward(*model)[0], expected, rtol=1e-13)


# ---- precision ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deviations", [1e2, 1e8, 1e150])
def test_posteriors_sum_to_one_with_outliers(deviations: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=300)
    X[[0, 77, 150, 299]] = deviations * np.array([1.0, -1.0, 1.0, 1.0])
    log_lik = -0.5 * (X[:, None] - [0.0, 1.0, -2.0]) ** 2
    model = random_rows(rng, 1, 3)[0], random_rows(rng, 3, 3), log_lik
    found = hmmem.forward_backward(*model)
    assert_allclose(found.gamma.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert_allclose(found.counts.sum(), 299.0, rtol=1e-12)
    assert_allclose(hmmem.forward(*model)[1].sum(axis=1), 1.0, rtol=0, atol=1e-12)


def test_a_million_frames_lose_nothing() -> None:
    """A chain without memory has the closed form sum_t log sum_k p_k f_tk, here summed without rounding."""
    rng = np.random.default_rng(1)
    startprob = np.array([0.3, 0.7])
    log_lik = rng.normal(-40.0, 1.0, (10**6, 2))
    expected = math.fsum(np.log(np.exp(log_lik + 40.0) @ startprob) - 40.0)
    model = startprob, np.tile(startprob, (2, 1)), log_lik
    assert_allclose(hmmem.forward(*model)[0], expected, rtol=1e-14)
    found = hmmem.forward_backward(*model)
    assert_allclose(found.log_likelihood, expected, rtol=1e-14)
    gamma = np.exp(log_lik + 40.0) * startprob
    gamma /= gamma.sum(axis=1, keepdims=True)
    assert np.abs(found.gamma - gamma).max() < 1e-12
    assert_allclose(found.counts, gamma[:-1].T @ gamma[1:], rtol=1e-11)


def test_memory_does_not_grow_with_the_square_of_the_states() -> None:
    rng = np.random.default_rng(2)
    K, T = 24, 4000
    model = random_hmm(rng, K, T)
    hmmem.forward_backward(*model)
    tracemalloc.start()
    hmmem.forward_backward(*model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * T * K * 8


# ---- single functions -----------------------------------------------------------------------------------------------


def test_joint_log_prob_matches_reference_and_refuses_what_is_no_path() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        model = random_hmm(rng, 3, 5)
        end = random_endprob(rng, model)
        path = rng.integers(3, size=5)
        expected = ref.joint_log_prob(path.tolist(), *model, end)
        assert hmmem.joint_log_prob(*model, path, end) == pytest.approx(expected, rel=1e-14, abs=1e-14)
    with pytest.raises(ValueError, match="5 integer states"):
        hmmem.joint_log_prob(*model, path[:4])
    with pytest.raises(ValueError, match="states 0 to 2"):
        hmmem.joint_log_prob(*model, path + 3)


@pytest.mark.parametrize("seed", range(10))
def test_stationary_distribution_matches_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    transmat = random_rows(rng, 5, 5, zeros=0.3) * 0.9 + np.roll(np.eye(5), 1, axis=1) * 0.1
    pi = hmmem.stationary_distribution(transmat)
    assert_allclose(pi, ref.stationary(transmat), rtol=1e-9, atol=1e-12)
    assert_allclose(pi @ transmat, pi, rtol=1e-13)
    order = rng.permutation(5)
    assert_allclose(hmmem.stationary_distribution(transmat[np.ix_(order, order)]), pi[order], rtol=1e-12)


def test_stationary_distribution_keeps_tiny_entries_and_zeros() -> None:
    p, q = 1e-200, 0.5
    assert_allclose(hmmem.stationary_distribution([[1 - p, p], [q, 1 - q]]), [1.0, p / q], rtol=1e-14)
    assert hmmem.stationary_distribution([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]).tolist() == [
        0.0,
        1.0,
        0.0,
    ]
    assert_allclose(hmmem.stationary_distribution(np.roll(np.eye(4), 1, axis=1)), np.full(4, 0.25))
    assert hmmem.stationary_distribution([[1.0]]).tolist() == [1.0]


def test_stationary_distribution_names_several_recurrent_classes() -> None:
    transmat = [[1.0, 0.0, 0.0, 0.0], [0.2, 0.3, 0.5, 0.0], [0.0, 0.0, 0.4, 0.6], [0.0, 0.0, 1.0, 0.0]]
    with pytest.raises(ValueError, match=r"2 recurrent classes of states, \{0\}, \{2, 3\}"):
        hmmem.stationary_distribution(transmat)


@pytest.mark.parametrize(
    ("startprob", "transmat", "log_lik", "endprob", "message"),
    [
        ([0.5, 0.6], np.eye(2), np.zeros((2, 2)), None, "startprob must sum to 1; it sums to 1.1"),
        ([0.5, 0.5], [[0.9, 0.1], [0.5, 0.47]], np.zeros((2, 2)), None, "row 1 sums to 0.97"),
        ([1.5, -0.5], np.eye(2), np.zeros((2, 2)), None, "startprob must not be negative"),
        ([0.5, 0.5], np.eye(3), np.zeros((2, 2)), None, r"transmat must have shape \(2, 2\)"),
        ([0.5, 0.5], np.eye(2), np.zeros((0, 2)), None, r"log_lik must have shape \(T, K\)"),
        ([0.5, 0.5], np.eye(2), np.zeros(2), None, r"log_lik must have shape \(T, K\)"),
        ([0.5, 0.5], np.eye(2), [[0.0, np.nan]], None, r"log_lik\[0, 1\] is nan"),
        ([0.5, 0.5], np.eye(2), [[0.0, 0.0], [np.inf, 0.0]], None, r"log_lik\[1, 0\] is inf"),
        ([0.5, 0.5], np.eye(2), np.zeros((2, 2)), [0.5, 1.5], "endprob must lie between 0 and 1"),
        ([0.5, 0.5], 0.7 * np.eye(2), np.zeros((2, 2)), [0.2, 0.3], "row 0 sums to 0.7"),
    ],
)
def test_wrong_input_is_refused_by_name(startprob, transmat, log_lik, endprob, message: str) -> None:
    for function in (hmmem.forward, hmmem.backward, hmmem.forward_backward, hmmem.viterbi):
        with pytest.raises(ValueError, match=message):
            function(startprob, transmat, log_lik, endprob)


def test_complex_log_lik_is_refused() -> None:
    with pytest.raises(TypeError, match="log_lik must be an array of real numbers"):
        hmmem.forward([1.0], [[1.0]], np.zeros((2, 1), dtype=complex))


def test_any_layout_of_the_input_works_and_stays_as_it_is() -> None:
    rng = np.random.default_rng(4)
    model = random_hmm(rng, 3, 6, zeros=0.0, neg_inf=0.0)
    expected = hmmem.forward_backward(*model)
    wide = np.zeros((12, 6))
    wide[::2, ::2] = model.log_lik
    read_only = model.log_lik.copy()
    read_only.flags.writeable = False
    for log_lik in (
        np.asfortranarray(model.log_lik),
        wide[::2, ::2],
        read_only,
        model.log_lik.astype(">f8"),
        model.log_lik.tolist(),
    ):
        before = np.array(log_lik)
        assert_array_equal(
            hmmem.forward_backward(model.startprob.tolist(), model.transmat, log_lik).gamma, expected.gamma
        )
        assert_array_equal(np.array(log_lik), before)
