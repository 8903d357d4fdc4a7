"""Viterbi of blocks, side by side and one after the other, against a twin that keeps every back-pointer."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import reference as ref
from generators import MODELS, random_endprob, random_hmm, random_log_lik, random_rows
from numpy.testing import assert_allclose, assert_array_equal

from hmmem import decoding, survivors
from hmmem.chain import MarkovChain
from hmmem.kernels import decoding_lanes
from hmmem.lanes import Lanes, room

WAYS = ("side by side", "one after the other")


def logs(start: Any, trans: Any, end: Any = None) -> Any:
    """A chain given by its logarithms, which need not be those of probabilities."""
    return SimpleNamespace(
        log_startprob=np.asarray(start, float),
        log_transmat=np.ascontiguousarray(trans, float),
        log_transposed=np.ascontiguousarray(np.transpose(trans), float),
        log_endprob=np.empty(0) if end is None else np.asarray(end, float),
    )


def decode(way: str, chain: Any, log_lik: np.ndarray, offsets: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    offsets = np.asarray(offsets)
    if way == "side by side":
        lanes = Lanes.of_runs(offsets[:-1], np.diff(offsets))
        return decoding.decode_lanes(chain, lanes.pack(log_lik), lanes, offsets)
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "LANE_STATES", 0)
        return decoding.decode_block(chain, log_lik, offsets)


def twin(chain: Any, log_lik: np.ndarray) -> tuple[np.ndarray, float]:
    """The textbook's recursion; the peak of the reachable states goes first, so that an outlier costs no digits."""
    T, K = log_lik.shape
    delta, origins = chain.log_startprob, np.zeros((T, K), int)
    for t in range(T):
        if t > 0:
            arrivals = delta[:, None] + chain.log_transmat
            origins[t], delta = arrivals.argmax(axis=0), arrivals.max(axis=0)
        reachable = delta > -np.inf
        peak = log_lik[t, reachable].max(initial=-np.inf)
        if peak == -np.inf:
            return np.full(T, -1), -np.inf
        delta = np.where(reachable, delta + np.where(reachable, log_lik[t] - peak, 0.0), -np.inf)
        delta = delta - delta.max()
    if chain.log_endprob.size:
        delta = delta + chain.log_endprob
    if delta.max() == -np.inf:
        return np.full(T, -1), -np.inf
    path = [int(delta.argmax())]
    for t in range(T - 1, 0, -1):
        path.append(int(origins[t, path[-1]]))
    found = np.array(path[::-1])
    return found, joint(chain, log_lik, found)


def joint(chain: Any, log_lik: np.ndarray, path: np.ndarray) -> float:
    end = chain.log_endprob if chain.log_endprob.size else np.zeros(log_lik.shape[1])
    return ref._path_log_prob(path.tolist(), chain.log_startprob, chain.log_transmat, log_lik, end)


def check(chain: Any, log_lik: np.ndarray, offsets: Any, path: np.ndarray, log_prob: np.ndarray) -> None:
    """Each sequence has the twin's path, or another that is worth the same."""
    for (first, last), value in zip(pairwise(offsets), log_prob, strict=True):
        expected, best = twin(chain, log_lik[first:last])
        if best == -np.inf:
            assert value == -np.inf
            assert_array_equal(path[first:last], -1)
            continue
        assert value == pytest.approx(joint(chain, log_lik[first:last], path[first:last]), rel=1e-15, abs=1e-13)
        if not np.array_equal(path[first:last], expected):
            assert value == pytest.approx(best, rel=1e-12, abs=1e-12)


def draw(rng: np.random.Generator, K: int, lengths: list[int], kind: str) -> tuple[Any, np.ndarray]:
    """A chain and frames of several sequences; some of them may be impossible."""
    zeros, neg_inf = (0.4, 0.2) if kind == "zeros" else (0.0, 0.0)
    start, trans = random_rows(rng, 1, K, zeros)[0], random_rows(rng, K, K, zeros)
    gap = {"flat": 0.0, "wide": 1e6, "huge": 1e300, "tiny": 1e-100}.get(kind, 5.0)
    log_lik = random_log_lik(rng, rng.integers(K, size=sum(lengths)), K, neg_inf, gap)
    if kind == "huge":
        log_lik *= rng.choice([1.0, 1e-300], size=len(log_lik))[:, None]
    if kind == "tiny":
        log_lik *= 1e-100
    if kind == "outliers":
        log_lik[rng.random(len(log_lik)) < 0.1] -= 1e15
    end = rng.random(K) * (rng.random(K) < 0.7) if rng.random() < 0.5 else None
    return MarkovChain(start, trans, end).arrays, log_lik


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["plain", "zeros", "flat", "wide", "huge", "tiny", "outliers"])
def test_every_sequence_of_random_blocks_has_its_best_path(
    way: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(len(kind))
    for K in [*range(1, 20), 23, 31, 32] if way == "side by side" else [*range(1, 20), 31, 32, 33, 40, 64, 71]:
        m = int(rng.integers(1, 20))
        lengths = rng.integers(1, [3, 9, 40][K % 3], m).tolist()
        chain, log_lik = draw(rng, K, lengths, kind)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        check(chain, log_lik, offsets, *decode(way, chain, log_lik, offsets, monkeypatch))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", list(MODELS))
def test_chains_that_break_recursions_are_decoded(way: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        models = [MODELS[name](rng, 4, 30) for _ in range(3)]
        end = random_endprob(rng, models[0]) if seed % 2 else None
        chain = MarkovChain(models[0].startprob, models[0].transmat, end).arrays
        log_lik, offsets = np.concatenate([model.log_lik for model in models]), [0, 30, 60, 90]
        check(chain, log_lik, offsets, *decode(way, chain, log_lik, offsets, monkeypatch))


@pytest.mark.parametrize("way", WAYS)
def test_best_paths_match_enumeration(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        model = random_hmm(rng, 1 + seed % 3, 1 + seed % 5, possible=seed % 7 > 0)
        end = random_endprob(rng, model) if seed % 2 else None
        chain = MarkovChain(model.startprob, model.transmat, end).arrays
        path, log_prob = decode(way, chain, model.log_lik, [0, len(model.log_lik)], monkeypatch)
        expected = ref.enumerate_paths(*model, end)
        if expected.path is None:
            assert log_prob[0] == -np.inf
            assert_array_equal(path, -1)
        else:
            assert tuple(path.tolist()) in expected.optimal_paths
            assert_allclose(log_prob[0], expected.log_prob, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("m", range(1, 18))
def test_every_number_of_sequences_fills_its_lanes(way: str, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(m)
    lengths = rng.permutation(np.arange(m) * 3 % 20 + 1).tolist()
    chain, log_lik = draw(rng, 5, lengths, "plain")
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    check(chain, log_lik, offsets, *decode(way, chain, log_lik, offsets, monkeypatch))


@pytest.mark.parametrize("way", WAYS)
def test_sums_that_are_exact_tie_exactly_and_ties_go_to_the_lowest_state(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        K, lengths = int(rng.integers(1, 21)), rng.integers(1, 60, int(rng.integers(1, 12)))
        steps = rng.integers(-3, 1, (K + 2, K)) / 4
        steps[rng.random(steps.shape) < 0.2] = -np.inf
        chain = logs(steps[0], steps[1:-1], steps[-1] if seed % 2 else None)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        log_lik = rng.integers(-2, 1, (int(offsets[-1]), K)) / 4 - rng.integers(0, 2000, (int(offsets[-1]), 1))
        path, _ = decode(way, chain, log_lik, offsets, monkeypatch)
        for first, last in pairwise(offsets):
            assert_array_equal(path[first:last], twin(chain, log_lik[first:last])[0])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("K", [1, 2, 7, 16, 24])
def test_where_all_paths_are_alike_the_lowest_state_is_kept(way: str, K: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = MarkovChain(np.full(K, 1 / K), np.full((K, K), 1 / K)).arrays
    path, _ = decode(way, chain, np.zeros((100, K)), [0, 40, 100], monkeypatch)
    assert_array_equal(path, 0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("outlier", [-1e15, 1e15, -1e300])
def test_an_outlier_costs_the_rest_of_a_sequence_no_digits(
    way: str, outlier: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second outlier is one of the reachable state alone: the frame's peak belongs to a state out of reach."""
    rng = np.random.default_rng(0)
    chain = MarkovChain(np.array([0.5, 0.5, 0.0]), np.array([[0.6, 0.4, 0.0], [0.3, 0.7, 0.0], [0.0, 0.0, 1.0]])).arrays
    log_lik = rng.normal(size=(40, 3))
    calm = log_lik.copy()
    calm[[11, 25]] = [0.0, 0.0, -np.inf]
    log_lik[11], log_lik[25] = outlier, [outlier, outlier, 0.0]
    both, offsets = np.concatenate([calm, log_lik, calm]), [0, 40, 80, 120]
    path, log_prob = decode(way, chain, both, offsets, monkeypatch)
    expected, value = twin(chain, calm)
    for i in range(3):
        assert_array_equal(path[40 * i : 40 * i + 40], expected)
    assert_allclose(log_prob[[0, 2]], value, rtol=1e-14)


def test_a_sequence_gives_the_same_bits_in_any_company() -> None:
    rng = np.random.default_rng(3)
    chain = MarkovChain(random_rows(rng, 1, 6)[0], random_rows(rng, 6, 6, 0.3)).arrays
    own = random_log_lik(rng, rng.integers(6, size=23), 6)
    results = []
    for others in ([], [11, 23, 40], [40] * 7, [30] * 12):
        company = [random_log_lik(rng, rng.integers(6, size=T), 6, gap=10.0 ** rng.integers(0, 16)) for T in others]
        offsets = np.concatenate([[0], np.cumsum([23, *others])])
        lanes = Lanes.of_runs(offsets[:-1], np.diff(offsets))
        path, log_prob = decoding.decode_lanes(chain, lanes.pack(np.concatenate([own, *company])), lanes, offsets)
        results.append((path[:23].tobytes(), log_prob[0]))
    assert all(result == results[0] for result in results)


def test_frames_done_again_with_care_change_no_bit_in_other_lanes() -> None:
    """A neighbour's outliers, in a state out of reach, are no reason to round differently."""
    rng = np.random.default_rng(4)
    K, T = 3, 21
    trans = np.log(random_rows(rng, K, K))
    trans[:2, 2] = -np.inf
    b = rng.normal(size=(T, K, 8))
    wild = b.copy()
    wild[::3, 2, 5] = 1e15
    enter = np.repeat([-1.0, -1.0, -np.inf], 8)
    finals = []
    for lanes in (b, wild):
        final, steps = np.empty(K * 8), np.repeat(trans.reshape(-1), 8)
        ends, d, arrows = np.full(8, T), np.empty(9 * K * 8), np.empty(T * 8)
        decoding_lanes.forward(steps, 1.0, enter, ends, T, K, lanes.reshape(-1), 0, d, final, arrows)
        finals.append(final.reshape(K, 8))
    others = np.arange(8) != 5
    assert_array_equal(finals[0][:, others], finals[1][:, others])
    assert_allclose(finals[0][1, 5] - finals[0][0, 5], finals[1][1, 5] - finals[1][0, 5], rtol=1e-12)


def test_an_impossible_sequence_leaves_its_neighbours_alone() -> None:
    chain = MarkovChain(np.array([0.5, 0.5]), np.eye(2), np.array([0.0, 1.0])).arrays
    fine, blocked, ends_wrong = np.zeros((3, 2)), np.full((3, 2), -np.inf), np.array([[0.0, -np.inf]] * 3)
    log_lik, offsets = np.concatenate([fine, blocked, ends_wrong, fine]), np.array([0, 3, 6, 9, 12])
    path, log_prob = decoding.decode_block(chain, log_lik, offsets)
    assert_array_equal(path, [1] * 3 + [-1] * 6 + [1] * 3)
    assert_allclose(log_prob, [np.log(0.5), -np.inf, -np.inf, np.log(0.5)], rtol=1e-15)


def test_lanes_are_left_to_few_states_and_like_lengths() -> None:
    few, many = (MarkovChain(np.full(K, 1 / K), np.full((K, K), 1 / K)).arrays for K in (2, survivors.LANE_STATES + 1))
    assert decoding.lanes_of(few, np.arange(9) * 5) is not None
    assert decoding.lanes_of(few, np.array([0, 100])) is None
    assert decoding.lanes_of(few, np.array([0, 100, 101, 102])) is None
    assert decoding.lanes_of(many, np.arange(9) * 5) is None


def test_room_begins_where_a_line_of_the_cache_begins() -> None:
    for n in (1, 7, 100, 70_000):
        found = room(n)
        assert found.shape == (n,)
        assert found.ctypes.data % 64 == 0
