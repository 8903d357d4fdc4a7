"""What an adversary found, one test for each: named after what it did to the user."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import hmmem
from hmmem import em, parallel
from hmmem.parameters import check_array, check_number

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2)) + 5.0 * (np.arange(60) % 12 < 6)[:, None]


@pytest.mark.parametrize("lengths", [np.array([2**62] * 4 + [5]), np.array([2**63, 2**63, 5], dtype=np.uint64)])
def test_lengths_whose_sum_wraps_around_crashed_the_process(lengths):
    data = RNG.normal(size=(5, 1))
    with pytest.raises(ValueError, match="lengths must add up to the frames of X"):
        hmmem.GaussianHMM(2).fit(data, lengths=lengths)
    with pytest.raises(ValueError, match=r"y has .* integers and X 5 rows"):
        hmmem.GaussianHMM(2).fit(data, lengths[:3])


def test_states_for_init_were_scrambled_by_ids_that_are_not_adjacent():
    data = np.concatenate([RNG.normal(size=(50, 1)), 10 + RNG.normal(size=(50, 1))])
    states = (data[:, 0] > 5).astype(int)
    model = hmmem.GaussianHMM(2, init=states, n_iter=0, tol=None).fit(data, sequence_id=np.tile([0, 1], 50))
    assert_allclose(model.means_.ravel(), [0, 10], atol=0.5)


@pytest.mark.parametrize("outlier", [0.0, 1e4, 1e6, 1e8, 1e10])
def test_one_outlier_blunted_the_decoding_of_the_rest_of_the_sequence(outlier):
    model = hmmem.GaussianHMM(2)
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.1, 0.9]])
    model.means_, model.covars_ = np.array([[0.0], [1.5]]), np.ones((2, 1))
    tail = RNG.normal(size=(300, 1)) + 1.5 * (np.arange(300) % 40 < 20)[:, None]
    # after a frame that says state 1 for certain, the rest is decoded as if it started there
    model.startprob_ = np.array([0.0, 1.0])
    path = model.predict(np.concatenate([[[outlier]], tail]))
    model.startprob_ = model.transmat_[1]
    assert_array_equal(path[1:], model.predict(tail))


@pytest.mark.parametrize("far", [1e7, 1e8, 3e8, 1e12])
def test_weights_of_equal_components_vanished_beside_an_outlier(far):
    model = hmmem.GaussianMixture(2, covariance_type="diag")
    model.weights_, model.means_, model.covariances_ = np.array([0.9, 0.1]), np.zeros((2, 1)), np.ones((2, 1))
    assert_allclose(model.predict_proba([[far]]), [[0.9, 0.1]], rtol=1e-12)


@pytest.mark.parametrize("offset", [0.0, -1e10, -5e15, 5e15])
def test_posteriors_were_wrong_after_a_rescue_at_large_common_offsets(offset):
    log_lik = np.array([[offset, offset], [-1000.0, 0.0], [0.0, -1000.0]])
    result = hmmem.forward_backward([0.9, 0.1], np.eye(2), log_lik)
    assert_allclose(result.gamma, np.tile([0.9, 0.1], (3, 1)), rtol=1e-9)
    assert_allclose(result.log_likelihood, offset - 1000.0, rtol=1e-12)


@pytest.mark.parametrize("kind", [hmmem.GaussianHMM, hmmem.GaussianMixture])
def test_floors_too_small_for_a_matrix_let_the_objective_fall(kind):
    for shape in ("full", "tied"):
        with pytest.raises(ValueError, match=r"variance_floor must be 0 or at least 1e-06 for covariance_type='"):
            kind(2, covariance_type=shape, variance_floor=1e-10).fit(X)
    kind(2, covariance_type="diag", variance_floor=1e-10, random_state=0).fit(X)


def test_save_wrote_files_that_load_refuses(tmp_path):
    model = hmmem.GaussianHMM(2, random_state=0).fit(X)
    model.save(tmp_path / "m.hmmem")
    good = (tmp_path / "m.hmmem").read_bytes()
    for change in ({"n_components": 3}, {"n_components": 2, "covariance_type": "full"}):
        model.set_params(**change)
        with pytest.raises(ValueError, match="must have shape"):
            model.save(tmp_path / "m.hmmem")
        with pytest.raises(ValueError, match="must have shape"):
            model.predict(X)
        assert (tmp_path / "m.hmmem").read_bytes() == good


def test_sequences_put_together_by_hand_read_out_of_bounds():
    model = hmmem.GaussianHMM(2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="lengths must be positive and add up to the 60 frames"):
        hmmem.Sequences.from_lengths(X, [3, 10**7])
    for offsets in ([0, 3, 2, 60], [0, 70], [1, 60], [0.0, 60.0]):
        with pytest.raises(ValueError, match="the offsets of Sequences must run from 0"):
            model.predict(hmmem.Sequences(X, np.array(offsets)))
    for weight in ([np.nan, 1.0], [-1.0, 1.0], [1.0]):
        data = hmmem.Sequences(X, np.array([0, 30, 60]), per_sequence={"weight": np.array(weight)})
        with pytest.raises(ValueError, match="the weights of Sequences must be 2 finite numbers"):
            model.fit(data)
    data = hmmem.Sequences(X, np.array([0, 30, 60]), per_sequence={"weight": np.array([0.0, 1.0])})
    with pytest.raises(ValueError, match="X has weights, which a mixture does not take yet"):
        hmmem.GaussianMixture(2).fit(data)


def test_fits_in_several_threads_switched_all_warnings_off():
    before = list(warnings.filters)
    threads = [
        threading.Thread(
            target=lambda: [hmmem.GaussianHMM(2, random_state=0, n_iter=2, tol=None).fit(X) for _ in "12345"]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_fixed_covariances_were_raised_to_the_floor():
    model = hmmem.GaussianHMM(2, params="stm", init_params="stm", random_state=0, n_iter=2, tol=None)
    model.covars_ = np.full((2, 2), 1e-4)
    assert_array_equal(model.fit(X).covars_, np.full((2, 2), 1e-4))


@pytest.mark.parametrize(
    "frames",
    [
        np.array([["2001-01-01"], ["NaT"], ["2001-02-01"]], dtype="M8[D]"),
        np.array([[1], [2], [3]], dtype="m8[s]"),
        np.array([[b"1"], [b"2"]]),
        np.ma.array([[1.0], [2.0], [3.0]], mask=[[0], [1], [0]]),
        np.array([[10**400], [1], [2]], dtype=object),
    ],
    ids=["dates", "durations", "bytes", "masked", "huge"],
)
def test_dates_masks_and_huge_integers_were_taken_for_numbers(frames):
    with pytest.raises(ValueError, match=r"X (must hold numbers|is masked|holds integers beyond)"):
        hmmem.GaussianHMM(1).fit(frames)


def test_huge_numbers_as_arguments_escaped_as_overflow_errors():
    with pytest.raises(ValueError, match="tol must be a finite number"):
        check_number("tol", 10**400)
    with pytest.raises(ValueError, match="means_ must be an array of numbers"):
        check_array("means_", [10**400], (1,))
    model = hmmem.GaussianHMM(2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="n_samples must be at most"):
        model.sample(10**23)
    with pytest.raises(ValueError, match="startprob_init must be an array of numbers"):
        hmmem.GaussianHMM(2, startprob_init=np.array([0.5 + 1j, 0.5])).fit(X)


def test_ctrl_c_between_two_assignments_returned_half_an_update(monkeypatch):
    seen = []

    def objective(model, statistics):
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(float(statistics.log_likelihood))
        return seen[-1]

    monkeypatch.setattr(em, "_objective", objective)
    model = hmmem.GaussianHMM(2, random_state=0, init="random").fit(X)
    assert model.fit_report_.stop_reason == "interrupted"
    assert_allclose(model.score(X), model.fit_report_.history[-1], rtol=1e-12)


def test_an_interrupt_on_the_way_in_left_blas_unlimited_for_good():
    guard = parallel._BlasGuard()

    class Broken:
        def limit(self, **_):
            raise KeyboardInterrupt

    guard.controller = Broken()
    with pytest.raises(KeyboardInterrupt):
        guard.enter()
    assert guard.users == 0


def test_starts_given_as_data_frames_could_not_be_saved(tmp_path):
    pd = pytest.importorskip("pandas")
    model = hmmem.GaussianHMM(2, means_init=pd.DataFrame([[0.0, 0.0], [5.0, 5.0]])).fit(X)
    model.save(tmp_path / "m.hmmem")
    assert_array_equal(hmmem.load(tmp_path / "m.hmmem").means_init, [[0.0, 0.0], [5.0, 5.0]])


def test_log_likelihoods_too_large_to_add_up_are_refused():
    with pytest.raises(ValueError, match="log_lik must be -inf or a number between"):
        hmmem.forward([0.5, 0.5], np.eye(2), np.full((3, 2), -1e308))
