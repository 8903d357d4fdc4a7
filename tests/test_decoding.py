"""Long sequences: segments side by side give the path of one pass from left to right."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import reference as ref
from generators import left_right, near_deterministic, periodic, random_log_lik, random_rows, simulate, sticky
from numpy.testing import assert_array_equal

from hmmem import decoding, survivors
from hmmem.chain import MarkovChain
from hmmem.emissions import Categorical, Gaussian
from hmmem.hmm import HiddenMarkovModel
from hmmem.parallel import thread_map
from hmmem.sequences import Sequences


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units of some hundreds of frames."""
    monkeypatch.setattr(survivors, "BLOCK_SIZE", 512)
    monkeypatch.setattr(survivors, "OVERLAPS", (12, 40))
    monkeypatch.setattr(survivors, "LEAST_UNIT", 10)


def same(frames: Any) -> Any:
    return frames


def cut(log_lik: np.ndarray, step: int = 200) -> list[np.ndarray]:
    return [log_lik[i : i + step] for i in range(0, len(log_lik), step)]


def in_one_pass(chain: Any, log_lik: np.ndarray) -> tuple[np.ndarray, float]:
    return decoding.decode_strip(chain, cut(log_lik), same)


def in_segments(chain: Any, log_lik: np.ndarray, map: Callable[..., Iterable[Any]] = map) -> tuple[np.ndarray, float]:
    return decoding.decode_strip(chain, cut(log_lik), same, log_lik, same, map)


def count_done(chain: Any, log_lik: np.ndarray) -> int:
    return survivors.decode(chain, log_lik, same, map, np.empty(len(log_lik), np.int64))[0]


def check(chain: Any, log_lik: np.ndarray, exactly: bool = False) -> None:
    (path, log_prob), (expected, best) = in_segments(chain, log_lik), in_one_pass(chain, log_lik)
    if best == -math.inf:
        assert log_prob == -math.inf
        assert_array_equal(path, -1)
        return
    end = chain.log_endprob if chain.log_endprob.size else np.zeros(log_lik.shape[1])
    worth = ref._path_log_prob(path.tolist(), chain.log_startprob, chain.log_transmat, log_lik, end)
    assert log_prob == pytest.approx(worth, rel=1e-14, abs=1e-12)
    if exactly or not np.array_equal(path, expected):
        assert worth == pytest.approx(best, rel=1e-12)
    if exactly:
        assert_array_equal(path, expected)


def uniform(rng: np.random.Generator, K: int, T: int) -> Any:
    trans = np.full((K, K), 1 / K)
    return trans[0], trans, random_log_lik(rng, rng.integers(K, size=T), K)


def dense(rng: np.random.Generator, K: int, T: int) -> Any:
    start, trans = random_rows(rng, 1, K)[0], random_rows(rng, K, K, 0.2)
    return start, trans, random_log_lik(rng, simulate(rng, start, trans, T), K, 0.1, gap=3.0)


KINDS = {
    "dense": dense,
    "uniform": uniform,
    "sticky": lambda rng, K, T: sticky(rng, K, T, leave=1e-3),
    "stickier": sticky,
    "left-right": left_right,
    "near-deterministic": near_deterministic,
    "periodic": periodic,
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_segments_give_the_path_of_one_pass(kind: str) -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        K, T = int(rng.integers(1, 9)), int(rng.integers(200, 2500))
        start, trans, log_lik = KINDS[kind](rng, K, T)
        end = rng.uniform(0.0, 1.0, K) * (rng.random(K) < 0.7) if seed % 3 == 0 else None
        check(MarkovChain(start, trans, end).arrays, log_lik)


def test_chains_that_forget_are_decoded_in_segments_throughout() -> None:
    for kind in ("dense", "uniform"):
        rng = np.random.default_rng(1)
        start, trans, log_lik = KINDS[kind](rng, 4, 4000)
        assert count_done(MarkovChain(start, trans).arrays, log_lik) == 4000


def test_chains_that_never_forget_are_left_to_one_pass() -> None:
    """A cycle remembers its phase for ever, and where all paths tie nothing can be told apart."""
    rng = np.random.default_rng(2)
    start, trans, _ = periodic(rng, 4, 10)
    chain, alike = MarkovChain(start, trans).arrays, np.zeros((3000, 4))
    assert count_done(chain, alike) == 0
    check(chain, alike, exactly=True)


def test_the_rest_is_one_pass_where_the_cuts_stop_holding() -> None:
    """Half of the frames say nothing about a chain that is never left: no survivors meet there."""
    rng = np.random.default_rng(3)
    start, trans = np.full(3, 1 / 3), (1 - 1e-9) * np.eye(3) + 1e-9 / 3
    path = np.repeat(rng.integers(3, size=40), 100)
    log_lik = random_log_lik(rng, path, 3) + 3.0 * (path[:, None] == np.arange(3))
    log_lik[2000:3500] = 0.0
    chain = MarkovChain(start, trans).arrays
    assert 0 < count_done(chain, log_lik) < 2100
    check(chain, log_lik)


def test_a_longer_overlap_is_taken_where_survivors_meet_late() -> None:
    rng = np.random.default_rng(4)
    start, trans = np.full(2, 0.5), np.array([[1 - 1e-4, 1e-4], [1e-4, 1 - 1e-4]])
    path = np.repeat(rng.integers(2, size=40), 100)
    log_lik = rng.normal(size=(4000, 2)) + 1.0 * (path[:, None] == np.arange(2))
    chain = MarkovChain(start, trans).arrays
    found = [0, 0]
    for i, overlaps in enumerate([(12,), (12, 40)]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(survivors, "OVERLAPS", overlaps)
            found[i] = count_done(chain, log_lik)
            check(chain, log_lik)
    assert found[0] < found[1]


def test_a_run_that_begins_with_another_state_than_its_neighbour_ends_is_not_taken() -> None:
    """What came long before decides at the cut: a run that begins near it cannot know, and survivors all agree."""
    chain = MarkovChain(np.full(2, 0.5), np.array([[1 - 1e-6, 1e-6], [1e-6, 1 - 1e-6]])).arrays
    for border in (384, 1024):  # within a unit of eight segments, and between two
        log_lik = np.zeros((2048, 2))
        log_lik[:, 1] = -1.0
        assert count_done(chain, log_lik) == 2048
        log_lik[border - 30 : border - 15] = [-3.0, 0.0]
        log_lik[border - 15 : border + 5] = [-0.1, 0.0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(survivors, "OVERLAPS", (12,))
            assert count_done(chain, log_lik) < 2048
            check(chain, log_lik, exactly=True)
        check(chain, log_lik, exactly=True)


@pytest.mark.parametrize("with_end", [False, True])
def test_ties_of_exact_sums_are_those_of_one_pass(with_end: bool) -> None:
    """Logarithms that are multiples of 1/4 add up exactly; segments have to choose as the whole does."""
    done = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        K, T = int(rng.integers(2, 7)), int(rng.integers(200, 1500))
        steps = rng.integers(-3, 1, (K + 2, K)) / 4
        steps[rng.random(steps.shape) < 0.2] = -np.inf
        np.fill_diagonal(steps[1:-1], -0.25)
        log_lik = rng.integers(-3, 1, (T, K)) / 4
        chain: Any = SimpleNamespace(
            log_startprob=np.where(np.isneginf(steps[0]), -1.0, steps[0]),
            log_transmat=np.ascontiguousarray(steps[1:-1]),
            log_transposed=np.ascontiguousarray(steps[1:-1].T),
            log_endprob=np.where(np.isneginf(steps[-1]), -1.0, steps[-1]) if with_end else np.empty(0),
        )
        done += count_done(chain, log_lik) > 0
        check(chain, log_lik, exactly=True)
    assert done > 20  # segments had their say


def test_an_impossible_frame_makes_a_long_sequence_impossible() -> None:
    rng = np.random.default_rng(5)
    start, trans, log_lik = dense(rng, 3, 3000)
    chain = MarkovChain(start, trans).arrays
    for t in (0, 1234, 2999):
        blocked = log_lik.copy()
        blocked[t] = -np.inf
        path, log_prob = in_segments(chain, blocked)
        assert log_prob == -math.inf
        assert_array_equal(path, -1)


def test_outliers_cost_a_long_sequence_no_digits() -> None:
    rng = np.random.default_rng(6)
    start, trans, log_lik = dense(rng, 3, 3000)
    chain, outliers = MarkovChain(start, trans).arrays, log_lik.copy()
    rows = rng.integers(3000, size=20)
    log_lik[rows] = 0.0
    outliers[rows] = -1e15
    assert_array_equal(in_segments(chain, outliers)[0], in_segments(chain, log_lik)[0])


def test_segments_may_be_decoded_by_threads_and_by_other_processes() -> None:
    rng = np.random.default_rng(7)
    start, trans, log_lik = dense(rng, 4, 5000)
    chain = MarkovChain(start, trans).arrays
    expected, best = in_segments(chain, log_lik)

    def elsewhere(function: Any, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            there, task = pickle.loads(pickle.dumps((function, item)))
            yield pickle.loads(pickle.dumps(there(task)))

    with thread_map(3) as threads:
        for run in (threads, elsewhere):
            path, log_prob = in_segments(chain, log_lik, run)
            assert_array_equal(path, expected)
            assert log_prob == best


def test_frames_of_any_layout_are_decoded_as_those_of_one_array() -> None:
    rng = np.random.default_rng(8)
    chain = MarkovChain(np.full(3, 1 / 3), random_rows(rng, 3, 3))
    X = rng.normal(size=(3000, 1)).astype(np.float32) + 3 * rng.integers(3, size=(3000, 1)).astype(np.float32)
    model = HiddenMarkovModel(chain, Gaussian.of([[0.0], [3.0], [6.0]], [[1.0], [1.0], [2.0]], "diag"))
    log_lik = model.log_lik(X.astype(float))
    expected, best = in_one_pass(chain.arrays, log_lik)
    for frames in (X, np.asfortranarray(X), X[::-1][::-1], X.astype(float)):
        data = Sequences.from_lengths(frames, [3000])
        path, log_prob = decoding.decode_strip(
            chain.arrays, data.pieces(100), lambda piece: model.log_lik(piece.X), data, model.log_lik
        )
        assert_array_equal(path, expected)
        assert log_prob == pytest.approx(best, rel=1e-13)
    symbols = Sequences.from_lengths(rng.integers(4, size=(3000, 1)), [3000], dtype=np.int64)
    model = HiddenMarkovModel(chain, Categorical((random_rows(rng, 3, 4),)))
    path, log_prob = decoding.decode_strip(
        chain.arrays, symbols.pieces(100), lambda piece: model.log_lik(piece.X), symbols, model.log_lik
    )
    log_lik = model.log_lik(symbols.X)
    worth = decoding.path_log_prob(chain.arrays, log_lik, np.array([0, 3000]), path)[0]
    assert log_prob == pytest.approx(worth, rel=1e-14)
    # the same terms in another order: which of two such paths is the larger is decided by rounding
    assert worth == pytest.approx(in_one_pass(chain.arrays, log_lik)[1], rel=1e-14)


def test_one_pass_may_begin_anywhere_in_a_piece() -> None:
    rng = np.random.default_rng(9)
    start, trans, log_lik = dense(rng, 4, 700)
    chain = MarkovChain(start, trans).arrays
    pieces = cut(log_lik)
    edges = np.cumsum([0, *map(len, pieces)])
    expected, best = in_one_pass(chain, log_lik)
    for done in (1, 199, 200, 201, 699):
        path = expected.copy()
        path[done:] = -7
        log_prob = decoding._decode_in_pieces(chain, pieces, edges, same, done, int(expected[done]), path)
        assert_array_equal(path, expected)
        before = decoding.path_log_prob(chain, log_lik[:done], np.array([0, done]), path[:done], goes_on=True)[0]
        step = chain.log_transmat[path[done - 1], path[done]]
        assert before + step + log_prob == pytest.approx(best, rel=1e-12)


def test_a_unit_that_nobody_waits_for_does_not_write_into_the_path() -> None:
    """Helpers finished late and overwrote frames of a path that had been returned."""
    K, N = 8, 150_000
    rng = np.random.default_rng(0)
    chain = MarkovChain(np.full(K, 1 / K), rng.dirichlet(np.ones(K), K)).arrays
    log_lik = -2 * rng.random((N, K))
    handed_out = []

    def watched(function, units):
        for unit in units:
            part = function(unit)
            handed_out.append(part.path)
            yield part

    path, _ = decoding.decode_strip(chain, [log_lik[:75_000], log_lik[75_000:]], np.copy, log_lik, np.copy, watched)
    assert handed_out
    assert not any(np.may_share_memory(path, part) for part in handed_out)
