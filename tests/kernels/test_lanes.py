from __future__ import annotations

import numpy as np
import pytest
from generators import MODELS, random_endprob, with_end
from numpy.testing import assert_allclose, assert_array_equal

from hmmem import recursions
from hmmem.chain import LANE_PROBABILITY, MarkovChain
from hmmem.kernels.scaled import UNSURE
from hmmem.lanes import Lanes
from hmmem.recursions import smooth_block


def one_after_the_other(chain, log_lik, offsets, weights):
    """The scaled recursions, never lanes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recursions, "lanes_of", lambda chain, offsets: None)
        return smooth_block(chain, log_lik, offsets, weights)


def side_by_side(chain, log_lik, offsets, weights):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recursions, "LEAST_FILL", 0.0)
        return smooth_block(chain, log_lik, offsets, weights)


def draw(rng, name, with_an_end):
    """A random chain and log-likelihoods of up to 20 ragged sequences, with gaps of up to 10^4 nats."""
    K = int(rng.integers(1, 12))
    model = MODELS[name](rng, K, int(rng.integers(1, 30)))
    startprob, transmat, _ = model
    parts = []
    for _ in range(int(rng.integers(1, 20))):
        T = int(rng.integers(1, 40))
        x = -(10.0 ** rng.uniform(-1, 4)) * rng.random((T, K))
        x[rng.random((T, K)) < rng.choice([0, 0.1])] = -np.inf
        parts.append(x)
    end = random_endprob(rng, model) if with_an_end else None
    chain = MarkovChain(startprob, transmat if end is None else with_end(transmat, end), endprob=end).arrays
    return chain, np.concatenate(parts), np.concatenate([[0], np.cumsum([len(x) for x in parts])])


@pytest.mark.parametrize("with_an_end", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_lanes_match_one_after_the_other(name, with_an_end):
    rng = np.random.default_rng([0, with_an_end, list(MODELS).index(name)])
    for _ in range(15):
        chain, log_lik, offsets = draw(rng, name, with_an_end)
        weights = rng.random(len(offsets) - 1)
        expected, found = (run(chain, log_lik, offsets, weights) for run in (one_after_the_other, side_by_side))
        assert_array_equal(found.status >= UNSURE, expected.status >= UNSURE)
        assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-12, atol=1e-10)
        assert_allclose(found.gamma, expected.gamma, atol=2e-12)
        assert_allclose(found.counts, expected.counts, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("m", range(1, 18))
def test_every_number_of_sequences_fills_its_lanes(m):
    rng = np.random.default_rng(m)
    chain = MarkovChain(rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5), 5)).arrays
    lengths = rng.integers(1, 9, m)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    log_lik = -5 * rng.random((int(offsets[-1]), 5))
    expected, found = (run(chain, log_lik, offsets, None) for run in (one_after_the_other, side_by_side))
    assert_allclose(found.gamma, expected.gamma, atol=1e-14)
    assert_allclose(found.counts, expected.counts, atol=1e-12)
    assert_allclose(found.counts.sum(), (lengths - 1).sum(), rtol=1e-13)


def test_a_sequence_gives_the_same_bits_whatever_its_neighbours():
    rng = np.random.default_rng(3)
    chain, *_ = draw(rng, "left-right", False)
    K = len(chain.startprob)
    own = -3 * rng.random((23, K))
    for gap in (1.0, 1e3, 1e5):
        results = []
        for others in ([], [11, 23, 40], [40] * 7, [30] * 12):
            neighbours = [-gap * rng.random((T, K)) for T in others]
            log_lik = np.concatenate([own, *neighbours])
            offsets = np.concatenate([[0], np.cumsum([23, *others])])
            found = side_by_side(chain, log_lik, offsets, None)
            results.append((found.gamma[:23].tobytes(), found.log_likelihood[0]))
        assert all(result == results[0] for result in results)


def test_impossible_and_rescued_sequences_leave_their_neighbours_alone():
    chain = MarkovChain(np.array([0.5, 0.5]), np.eye(2)).arrays
    fine, lost = np.zeros((2, 2)), np.array([[-1500.0, 0.0], [0.0, -np.inf]])
    impossible = np.full((2, 2), -np.inf)
    log_lik = np.concatenate([fine, lost, impossible, fine])
    found = side_by_side(chain, log_lik, np.array([0, 2, 4, 6, 8]), None)
    assert_allclose(found.log_likelihood, [0.0, np.log(0.5) - 1500.0, -np.inf, 0.0], atol=1e-12)
    assert_allclose(found.gamma, [[0.5, 0.5]] * 2 + [[1, 0]] * 2 + [[0, 0]] * 2 + [[0.5, 0.5]] * 2, atol=1e-12)
    assert_allclose(found.counts, [[2.0, 0.0], [0.0, 1.0]], atol=1e-12)


def test_lanes_are_left_to_chains_that_cannot_underflow_in_them():
    tiny = np.array([[1.0 - LANE_PROBABILITY / 2, LANE_PROBABILITY / 2], [0.5, 0.5]])
    assert not MarkovChain(np.array([0.5, 0.5]), tiny).arrays.fits_lanes
    assert MarkovChain(np.array([0.5, 0.5]), np.eye(2)).arrays.fits_lanes
    assert not MarkovChain(np.full(200, 0.005), np.full((200, 200), 0.005)).arrays.fits_lanes


def test_fill_is_the_share_of_frames_that_are_not_padding():
    assert Lanes.of_runs(np.array([0]), np.array([10])).fill == 1 / 8
    assert Lanes.of_runs(np.arange(8) * 5, np.full(8, 5)).fill == 1.0
    assert Lanes.of_runs(np.array([0, 4]), np.array([4, 2])).fill == 6 / 32
