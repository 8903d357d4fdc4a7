"""MarkovChain: maximisation, fixed groups, ends, starved rows, counting of parameters."""

from __future__ import annotations

import numpy as np
import pytest
import reference as ref
from generators import random_rows
from numpy.testing import assert_allclose, assert_array_equal

from hmmem.chain import MarkovChain
from hmmem.statistics import Statistics

START, TRANS = np.array([0.2, 0.8]), np.array([[0.9, 0.1], [0.4, 0.6]])
END = np.array([0.1, 0.5])
COUNTS = Statistics(
    start=np.array([3.0, 1.0]), transitions=np.array([[6.0, 2.0], [1.0, 3.0]]), end=np.array([2.0, 2.0])
)


def test_maximise_normalises_the_counts() -> None:
    after = MarkovChain(START, TRANS).maximise(COUNTS)
    assert after.startprob.tolist() == [0.75, 0.25]
    assert after.transmat.tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert after.endprob is None


def test_maximise_learns_the_end_as_one_more_target() -> None:
    after = MarkovChain(START, TRANS * (1 - END)[:, None], END).maximise(COUNTS)
    assert_allclose(after.transmat, [[0.6, 0.2], [1 / 6, 3 / 6]], rtol=1e-15)
    assert_allclose(after.endprob, [0.2, 2 / 6], rtol=1e-15)


@pytest.mark.parametrize("learned", [False, True])
def test_maximise_matches_the_twin(learned: bool) -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        start, trans, end = random_rows(rng, 1, 3, 0.3)[0], random_rows(rng, 3, 3, 0.3), rng.uniform(0, 0.5, 3)
        trans = trans * (1 - end)[:, None]
        counts = Statistics(
            start=rng.random(3) * (start > 0), transitions=rng.random((3, 3)) * (trans > 0), end=rng.random(3)
        )
        e = ref.Expectations(0.0, np.empty(0), counts.start, counts.end, counts.transitions)
        expected = ref.maximise_chain(e, start, trans, end, learned)
        after = MarkovChain(start, trans, end, fixed=frozenset() if learned else frozenset({"endprob"})).maximise(
            counts
        )
        for found, wanted in zip((after.startprob, after.transmat, after.endprob), expected, strict=True):
            assert_allclose(found, wanted, rtol=1e-13)


@pytest.mark.parametrize("fixed", [{"startprob"}, {"transmat"}, {"startprob", "transmat"}])
def test_maximise_leaves_fixed_groups_alone(fixed: set[str]) -> None:
    chain = MarkovChain(START, TRANS, fixed=frozenset(fixed))
    after = chain.maximise(COUNTS)
    for name in ("startprob", "transmat"):
        assert np.array_equal(getattr(after, name), getattr(chain, name)) == (name in fixed)


def test_maximise_keeps_fixed_transitions_with_an_end() -> None:
    chain = MarkovChain(START, TRANS * (1 - END)[:, None], END, fixed=frozenset({"transmat", "endprob"}))
    after = chain.maximise(COUNTS)
    assert_array_equal(after.transmat, chain.transmat)
    assert_array_equal(after.endprob, END)


def test_starved_rows_keep_their_probabilities_and_are_named() -> None:
    counts = Statistics(start=np.array([4.0, 0.0]), transitions=np.array([[8.0, 0.0], [0.0, 0.0]]))
    chain = MarkovChain(START, TRANS)
    after = chain.maximise(counts)
    assert after.transmat.tolist() == [[1.0, 0.0], [0.4, 0.6]]
    assert [note.text for note in chain.describe(counts)] == ["state 1 was never left; its row of transmat was kept"]
    tiny = Statistics(start=np.array([4.0, 0.0]), transitions=np.array([[8.0, 0.0], [1e-101, 1e-102]]))
    assert chain.maximise(tiny).transmat[1].tolist() == [0.4, 0.6]


def test_permute_reorders_everything() -> None:
    chain = MarkovChain(START, TRANS * (1 - END)[:, None], END, pdf=np.array([5, 7]))
    after = chain.permute(np.array([1, 0]))
    assert after.startprob.tolist() == [0.8, 0.2]
    assert_array_equal(after.transmat, chain.transmat[::-1, ::-1])
    assert after.endprob.tolist() == [0.5, 0.1]
    assert after.pdf.tolist() == [7, 5]


def test_distance_is_the_largest_change() -> None:
    chain = MarkovChain(START, TRANS)
    assert chain.distance(chain) == 0.0
    other = MarkovChain(np.array([0.3, 0.7]), np.array([[0.7, 0.3], [0.4, 0.6]]))
    assert chain.distance(other) == pytest.approx(0.2)
    ends = MarkovChain(START, TRANS, np.array([0.1, 0.5])), MarkovChain(START, TRANS, np.array([0.1, 0.1]))
    assert ends[0].distance(ends[1]) == pytest.approx(0.4)


def test_free_parameters_leave_out_zeros_sums_and_what_is_fixed() -> None:
    left_right = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    start = np.array([1.0, 0.0, 0.0])
    assert MarkovChain(start, left_right).n_free_parameters == 2
    assert MarkovChain(START, TRANS).n_free_parameters == 3
    assert MarkovChain(START, TRANS, fixed=frozenset({"transmat"})).n_free_parameters == 1
    assert MarkovChain(START, TRANS * (1 - END)[:, None], END).n_free_parameters == 5


def test_free_parameters_count_an_estimate_that_ran_into_zero() -> None:
    after = MarkovChain(START, TRANS).maximise(
        Statistics(start=np.array([1.0, 0.0]), transitions=np.array([[1.0, 0.0], [0.0, 1.0]]))
    )
    assert after.startprob.tolist() == [1.0, 0.0]
    assert after.n_free_parameters == 3


def test_sample_never_takes_an_impossible_step() -> None:
    rng = np.random.default_rng(0)
    chain = MarkovChain(random_rows(rng, 1, 4, 0.5)[0], random_rows(rng, 4, 4, 0.5))
    path = chain.sample([5000, 5000], rng)
    assert (chain.startprob[path[[0, 5000]]] > 0).all()
    inner = np.arange(1, 10_000) != 5000
    assert (chain.transmat[path[:-1], path[1:]][inner] > 0).all()
    counts = np.zeros((4, 4))
    np.add.at(counts, (path[:-1][inner], path[1:][inner]), 1)
    seen = counts.sum(axis=1) > 500
    assert_allclose((counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))[seen], chain.transmat[seen], atol=0.07)


def test_arrays_are_copied_into_the_form_of_the_kernels() -> None:
    trans = np.asfortranarray(TRANS)
    chain = MarkovChain([0, 1], trans)
    assert chain.startprob.dtype == np.float64
    assert chain.transmat.flags.c_contiguous
    assert_array_equal(chain.arrays.transposed, TRANS.T)
    assert chain.arrays.log_startprob.tolist() == [-np.inf, 0.0]
    assert not chain.arrays.tiny
    assert MarkovChain(START, np.array([[1.0, 1e-200], [0.5, 0.5]])).arrays.tiny


def test_starved_rows_keep_their_probabilities_beside_a_fixed_end() -> None:
    """Such a row was scaled by what the end leaves once more in every update."""
    chain = MarkovChain(START, TRANS * (1 - END)[:, None], END, fixed=frozenset({"endprob"}))
    counts = Statistics(start=np.array([1.0, 1.0]), transitions=np.array([[3.0, 1.0], [0.0, 0.0]]), end=np.ones(2))
    after = chain.maximise(counts)
    assert_array_equal(after.transmat[1], chain.transmat[1])
    assert_allclose(after.transmat[0], 0.9 * np.array([0.75, 0.25]), rtol=1e-15)
