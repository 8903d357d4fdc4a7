"""The kernels over blocks of several sequences, in both spaces, against the slow twins."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import reference as ref
from generators import MODELS, Model, random_endprob, random_hmm, random_rows, with_end
from numpy.testing import assert_allclose, assert_array_equal

from hmmem import decoding, recursions
from hmmem.chain import MarkovChain
from hmmem.kernels import scaled as kernels
from hmmem.kernels.scaled import IMPOSSIBLE, LIFT, LIFTED, SURE, UNSURE

SPACES = {"scaled": recursions.ScaledSpace, "log": recursions.LogSpace}


def block(
    rng: np.random.Generator, K: int, lengths: list[int], impossible: int = -1
) -> tuple[Model, np.ndarray, np.ndarray]:
    """One chain, frames of several sequences, offsets."""
    first = random_hmm(rng, K, lengths[0])
    parts = []
    for i, T in enumerate(lengths):
        model = random_hmm(rng, K, T, neg_inf=0.0)
        parts.append(np.full((T, K), -np.inf) if i == impossible else model.log_lik)
    return first, np.concatenate(parts), np.concatenate([[0], np.cumsum(lengths)])


def scattered_log_lik(rng: np.random.Generator, T: int, K: int, D: int) -> np.ndarray:
    """(T, K) log densities of unit Gaussians in many dimensions, whose gaps are hundreds of nats."""
    means = rng.normal(0.0, 4.0, (K, D))
    path = np.repeat(rng.integers(K, size=T // 10 + 1), 10)[:T]
    X = means[path] + rng.normal(size=(T, D))
    return -0.5 * ((X[:, None, :] - means) ** 2).sum(axis=2)


@pytest.mark.parametrize("space", list(SPACES))
@pytest.mark.parametrize("seed", range(20))
def test_each_sequence_of_a_block_matches_enumeration(space: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    K = 1 + seed % 3
    lengths = rng.integers(1, 5, 6).tolist()
    model, log_lik, offsets = block(rng, K, lengths)
    end = random_endprob(rng, model, 0.0) if seed % 2 else None
    chain = MarkovChain(model.startprob, model.transmat, end).arrays
    weights = rng.exponential(size=len(lengths))
    found = SPACES[space](chain)
    f = found.forward(log_lik, offsets, None, True)
    s = found.backward(f, log_lik, offsets, None, weights)
    counts = np.zeros((K, K))
    for i, weight in enumerate(weights):
        rows = slice(offsets[i], offsets[i + 1])
        expected = ref.enumerate_paths(model.startprob, model.transmat, log_lik[rows], end)
        counts += weight * expected.counts
        assert_allclose(f.log_c[rows].sum(), expected.log_likelihood, rtol=1e-9)
        assert_allclose(s.gamma[rows], expected.gamma, rtol=1e-9, atol=1e-12)
    assert_allclose(s.counts, counts, rtol=1e-9, atol=1e-12)


def test_a_sequence_does_not_depend_on_its_neighbours_in_the_block() -> None:
    rng = np.random.default_rng(1)
    model, log_lik, offsets = block(rng, 3, [4, 1, 7, 2])
    chain = MarkovChain(model.startprob, model.transmat).arrays
    together = recursions.smooth_block(chain, log_lik, offsets, None)
    for i in range(4):
        rows = slice(offsets[i], offsets[i + 1])
        alone = recursions.smooth_block(chain, log_lik[rows], np.array([0, rows.stop - rows.start]), None)
        assert_array_equal(together.gamma[rows], alone.gamma)
        assert together.log_likelihood[i] == alone.log_likelihood[0]


def test_impossible_sequence_leaves_its_neighbours_alone() -> None:
    rng = np.random.default_rng(2)
    model, log_lik, offsets = block(rng, 3, [4, 5, 3], impossible=1)
    chain = MarkovChain(model.startprob, model.transmat).arrays
    p = recursions.smooth_block(chain, log_lik, offsets, np.array([1.0, 7.0, 2.0]))
    assert p.status.tolist() == [SURE, IMPOSSIBLE, SURE]
    assert p.log_likelihood[1] == -np.inf
    assert_array_equal(p.gamma[4:9], 0.0)
    expected = [ref.log_forward_backward(model.startprob, model.transmat, log_lik[a:b]) for a, b in ((0, 4), (9, 12))]
    assert_allclose(p.counts, expected[0].counts + 2.0 * expected[1].counts, rtol=1e-9, atol=1e-12)
    path, log_prob = decoding.decode_block(chain, log_lik, offsets)
    assert_array_equal(path[4:9], -1)
    assert log_prob[1] == -np.inf
    assert np.isfinite(log_prob[[0, 2]]).all()


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("seed", range(8))
def test_log_space_agrees_with_scaled_space_or_is_asked_to_take_over(name: str, seed: int) -> None:
    model = MODELS[name](np.random.default_rng(seed), 3, 12)
    chain, offsets = MarkovChain(model.startprob, model.transmat).arrays, np.array([0, 12])
    scaled, exact = recursions.ScaledSpace(chain), recursions.LogSpace(chain)
    f, g = scaled.forward(model.log_lik, offsets, None, True), exact.forward(model.log_lik, offsets, None, True)
    s = scaled.backward(f, model.log_lik, offsets, None, None)
    assert g.status[0] == SURE
    if f.status[0] == UNSURE:
        assert_array_equal(s.gamma, 0.0)
        return
    noise = 1e-12 + 1e-15 * np.abs(model.log_lik[np.isfinite(model.log_lik)]).max()
    h = exact.backward(g, model.log_lik, offsets, None, None)
    assert_allclose(f.log_c.sum(), g.log_c.sum(), rtol=1e-12)
    assert_allclose(s.gamma, h.gamma, rtol=1e-9, atol=noise)
    assert_allclose(s.counts, h.counts, rtol=1e-9, atol=12 * noise)


def test_lifted_states_are_kept_and_marked() -> None:
    """-744: the share is subnormal, neither zero nor sound; a check for zeros alone would miss it."""
    chain = MarkovChain(np.array([0.5, 0.5]), np.eye(2)).arrays
    f = recursions.ScaledSpace(chain).forward(np.array([[-744.0, 0.0], [0.0, 0.0]]), np.array([0, 2]), None, True)
    assert f.status[0] == LIFTED
    assert f.alpha[0, 0] == LIFT


def test_many_dimensions_do_not_ask_for_log_space() -> None:
    """Large gaps alone are harmless: no sequence of 39-dimensional frames is run again."""
    rng = np.random.default_rng(3)
    for _ in range(60):
        K = int(rng.integers(2, 9))
        log_lik = scattered_log_lik(rng, 40, K, 39)
        chain, offsets = MarkovChain(random_rows(rng, 1, K)[0], random_rows(rng, K, K)).arrays, np.array([0, 40])
        space = recursions.ScaledSpace(chain)
        f = space.forward(log_lik, offsets, None, True)
        space.certify(f, offsets, None, True)
        assert f.status[0] == LIFTED  # shares below 2^-500 do occur
        s = space.backward(f, log_lik, offsets, None, None)
        assert f.status[0] == LIFTED  # and carry no weight
        expected = ref.log_forward_backward(chain.startprob, chain.transmat, log_lik)
        assert_allclose(f.log_c.sum(), expected.log_likelihood, rtol=1e-12)
        assert_allclose(s.gamma, expected.gamma, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("with_endprob", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_viterbi_ties_go_to_the_lowest_state(seed: int, with_endprob: bool) -> None:
    """Logarithms that are multiples of 1/4 add up exactly, so that ties are ties."""
    rng = np.random.default_rng(seed)
    K, T = 3, 4
    logs = rng.integers(-3, 1, (K + 2, K)) / 4
    logs[rng.random(logs.shape) < 0.2] = -np.inf
    start, trans, end = logs[0], logs[1:-1], logs[-1]
    log_lik = rng.integers(-2, 1, (T, K)) / 4
    chain = SimpleNamespace(
        log_startprob=start,
        log_transmat=np.ascontiguousarray(trans),
        log_transposed=np.ascontiguousarray(trans.T),
        log_endprob=end if with_endprob else np.empty(0),
    )
    path, log_prob = decoding.decode_block(chain, log_lik, np.array([0, T]))
    expected = ref.enumerate_paths(np.exp(start), np.exp(trans), log_lik, np.exp(end) if with_endprob else None)
    if expected.path is None:
        assert log_prob[0] == -np.inf
        assert_array_equal(path, -1)
    else:
        assert_array_equal(path, expected.path)
        assert_allclose(log_prob[0], expected.log_prob, rtol=1e-12, atol=1e-12)


def test_joint_log_prob_is_summed_without_loss() -> None:
    rng = np.random.default_rng(4)
    model = random_hmm(rng, 2, 50_000, zeros=0.0, neg_inf=0.0, gap=1e4)
    chain = MarkovChain(model.startprob, model.transmat).arrays
    path = rng.integers(2, size=50_000)
    found = decoding.path_log_prob(chain, model.log_lik, np.array([0, 50_000]), path)
    assert_allclose(found[0], ref.joint_log_prob(path.tolist(), *model), rtol=2e-16)


def test_end_vector_that_weighs_only_and_one_that_is_part_of_the_rows() -> None:
    rng = np.random.default_rng(5)
    model = random_hmm(rng, 3, 4)
    end = random_endprob(rng, model)
    for trans in (model.transmat, with_end(model.transmat, end)):
        expected = ref.enumerate_paths(model.startprob, trans, model.log_lik, end)
        p = recursions.smooth_block(
            MarkovChain(model.startprob, trans, end).arrays, model.log_lik, np.array([0, 4]), None
        )
        if expected.path is None:
            assert p.status[0] == IMPOSSIBLE
        else:
            assert_allclose(p.log_likelihood[0], expected.log_likelihood, rtol=1e-12)
            assert_allclose(p.gamma, expected.gamma, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("K", [8, 9, 33, 40, 77, 130, 141])
def test_times_is_the_product_with_a_matrix(K):
    rng = np.random.default_rng(K)
    x, matrix = rng.random(K), rng.random((K, K))
    padded = np.pad(matrix, ((0, 0), (0, -K % 8)))
    out = np.empty(padded.shape[1])
    kernels.times(x, padded.reshape(-1), out)
    assert_allclose(out[:K], x @ matrix, rtol=1e-13)
