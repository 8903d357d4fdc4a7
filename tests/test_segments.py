"""Long sequences in segments, against the sequential recursions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hmmem import hmm, recursions, segments
from hmmem.chain import MarkovChain
from hmmem.emissions import Categorical, Gaussian
from hmmem.hmm import HiddenMarkovModel
from hmmem.sequences import Sequences


def sticky(K: int, stay: float) -> np.ndarray:
    return np.full((K, K), (1 - stay) / (K - 1)) + np.eye(K) * (stay - (1 - stay) / (K - 1))


def gaussian(transmat: np.ndarray, T: int, seed: int = 0, spread: float = 2.0) -> tuple[HiddenMarkovModel, Sequences]:
    rng = np.random.default_rng(seed)
    K = len(transmat)
    emission = Gaussian.of(rng.normal(size=(K, 1)) * spread, rng.uniform(0.5, 2.0, (K, 1)), "diag")
    model = HiddenMarkovModel(MarkovChain(rng.dirichlet(np.ones(K)), transmat), emission)
    X, _ = model.sample([T], rng)
    return model, Sequences.from_lengths(X, [T])


def sequential(model, data, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(hmm, "stretches", lambda chain, block: iter(()))
        return model.expect(data)


def in_segments(model, data, monkeypatch):
    """The statistics, and whether segments did it."""
    blocks = []
    strip, block = hmm._expect_strip, recursions.smooth_block
    with monkeypatch.context() as patch:
        patch.setattr(hmm, "_expect_strip", lambda *a: blocks.append(1) or strip(*a))
        patch.setattr(recursions, "smooth_block", lambda *a: blocks.append(1) or block(*a))
        return model.expect(data), not blocks


def assert_same(found, expected, tol=1e-11):
    """To ``tol`` of the number of frames: what sums over frames is made of."""
    scale = tol * expected.weight
    assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=tol)
    assert found.weight == expected.weight
    assert found.n_impossible == expected.n_impossible
    assert_allclose(found.chain.transitions, expected.chain.transitions, rtol=0, atol=scale)
    assert_allclose(found.chain.start, expected.chain.start, rtol=0, atol=tol)
    assert_allclose(found.emission.weight, expected.emission.weight, rtol=0, atol=scale)


@pytest.mark.parametrize("T", [4096, 20_011, 150_000])
@pytest.mark.parametrize("stay", [0.3, 0.5, 0.9, 0.99])
def test_segments_match_the_sequential_pass_on_sticky_chains(stay, T, monkeypatch):
    model, data = gaussian(sticky(4, stay), T)
    found, cut = in_segments(model, data, monkeypatch)
    assert_same(found, sequential(model, data, monkeypatch))
    assert cut or stay == 0.99 or (stay, T) == (0.9, 4096)


@pytest.mark.parametrize("K", [1, 2, 3, 5, 9, 20])
def test_segments_match_the_sequential_pass_for_any_number_of_states(K, monkeypatch):
    model, data = gaussian(np.random.default_rng(K).dirichlet(np.ones(K), K), 30_000, K)
    found, cut = in_segments(model, data, monkeypatch)
    assert cut
    expected = sequential(model, data, monkeypatch)
    assert_same(found, expected)
    assert_allclose(found.emission.first, expected.emission.first, rtol=1e-9, atol=1e-6)
    assert_allclose(found.chain.transitions.sum(), 29_999, rtol=1e-13)


@pytest.mark.parametrize("transmat", [
    np.roll(np.eye(3), 1, axis=1),
    np.array([[0.9, 0.1, 0.0], [0.0, 0.9, 0.1], [0.1, 0.0, 0.9]]),
    np.array([[0.9, 0.1, 0.0], [0.0, 0.999, 0.001], [0.0, 0.0, 1.0]]),
    sticky(3, 1 - 1e-9),
    sticky(3, 1 - 1e-30),
], ids=["periodic", "cyclic", "left-right", "near-deterministic", "tiny"])  # fmt: skip
def test_chains_that_never_forget_are_run_sequentially(transmat, monkeypatch):
    model, data = gaussian(transmat, 20_000, spread=0.01)
    found, cut = in_segments(model, data, monkeypatch)
    assert not cut
    assert_same(found, sequential(model, data, monkeypatch), tol=1e-15)


def test_near_deterministic_chains_with_telling_data_are_cut(monkeypatch):
    model, data = gaussian(sticky(3, 0.9999), 20_000, spread=30.0)
    found, cut = in_segments(model, data, monkeypatch)
    assert cut
    assert_same(found, sequential(model, data, monkeypatch))


def test_one_stretch_that_does_not_forget_sends_the_whole_sequence_the_other_way(monkeypatch):
    model, data = gaussian(sticky(2, 0.999), 300_000, spread=30.0)
    mean = float(model.emission.means.mean())
    data.frames[200_000:210_000] = mean  # nothing tells the states apart there
    means = np.array([[mean - 20.0], [mean + 20.0]])
    model = HiddenMarkovModel(model.chain, Gaussian.of(means, np.ones((2, 1)), "diag"))
    found, cut = in_segments(model, data, monkeypatch)
    assert not cut
    assert_same(found, sequential(model, data, monkeypatch), tol=1e-15)


def test_end_probabilities_and_weights_reach_segments(monkeypatch):
    rng = np.random.default_rng(5)
    transmat, end = rng.dirichlet(np.ones(4), 3), np.array([0.1, 0.2, 1e-3])
    rows = transmat[:, :3] / transmat[:, :3].sum(axis=1, keepdims=True) * (1 - end)[:, None]
    chain = MarkovChain(rng.dirichlet(np.ones(3)), rows, endprob=end)
    model = HiddenMarkovModel(chain, Gaussian.of([[0.0], [2.0], [4.0]], np.ones((3, 1)), "diag"))
    X = rng.normal(size=(12_000, 1)) * 2
    data = Sequences.from_lengths(X, [12_000])
    found, cut = in_segments(model, data, monkeypatch)
    expected = sequential(model, data, monkeypatch)
    assert cut
    assert_same(found, expected)
    assert_allclose(found.chain.end, expected.chain.end, atol=1e-11)
    weighted = Sequences(X, data.offsets, per_sequence={"weight": np.array([2.5])})
    twice, _ = in_segments(model, weighted, monkeypatch)
    assert_same(twice, expected * 2.5)


def test_an_impossible_frame_in_the_middle_is_found(monkeypatch):
    rng = np.random.default_rng(6)
    table = np.array([[0.5, 0.5, 0.0], [0.2, 0.8, 0.0]])
    model = HiddenMarkovModel(MarkovChain(np.array([0.5, 0.5]), sticky(2, 0.8)), Categorical((table,)))
    X = rng.integers(0, 2, (20_000, 1))
    whole = Sequences.from_lengths(X, [20_000], dtype=np.int64)
    assert model.expect(whole).n_impossible == 0
    X[11_111] = 2
    found = model.expect(whole)
    assert (found.n_impossible, found.weight, found.log_likelihood) == (1, 0.0, 0.0)


def test_long_and_short_sequences_go_together(monkeypatch):
    model, data = gaussian(sticky(4, 0.6), 60_000)
    lengths = [100, 40_000, 7, 8, 9000, 10_885]
    data = Sequences.from_lengths(data.frames, lengths)
    found = model.expect(data)
    assert_same(found, sequential(model, data, monkeypatch))
    assert_allclose(found.chain.start.sum(), 6.0, rtol=1e-12)


def test_messages_are_those_of_the_sequential_filter():
    model, data = gaussian(sticky(4, 0.8), 16_384)
    chain = model.chain.arrays
    (stretch,) = segments.stretches(chain, data)
    edges = stretch.edges(chain)
    assert recursions.hear(chain, model.log_lik, stretch.frames.X, stretch.windows(stretch.margin), edges)
    alpha = model.filter(data)
    assert stretch.begins
    assert stretch.ends
    assert edges.start_of.tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert edges.end_of.tolist() == [1, 2, 3, 4, 5, 6, 7, 0]
    assert_allclose(edges.starts[2:], alpha[stretch.bounds[1:8] - 1] @ chain.transmat, rtol=1e-11)


def test_stretches_cover_a_sequence_once_with_margins():
    model, data = gaussian(sticky(4, 0.8), 100_003)
    found = list(segments.stretches(model.chain.arrays, data))
    frames = [s.frames.frames[s.bounds[0] : s.bounds[-1]] for s in found]
    assert np.array_equal(np.concatenate(frames), data.frames)
    assert [s.begins for s in found] == [True] + [False] * (len(found) - 1)
    assert [s.ends for s in found] == [False] * (len(found) - 1) + [True]
    for s in found[1:]:
        assert s.bounds[0] > s.margin


def test_warm_ups_are_tried_from_few_frames_to_the_margin():
    assert segments.tries(1000) == [32, 128, 512, 1000]
    assert segments.tries(32) == [32]
    assert segments.tries(63) == [32, 63]


@pytest.mark.parametrize("T", [4096, 70_001])
def test_posteriors_of_long_sequences_match_the_sequential_pass(T, monkeypatch):
    model, data = gaussian(sticky(3, 0.5), T)
    found = model.smooth(data)
    monkeypatch.setattr(hmm, "stretches", lambda chain, block: iter(()))
    for ours, theirs in zip(found, model.smooth(data), strict=True):
        assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)
