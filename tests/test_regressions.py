"""Defects that users of other libraries met, each named after what it did to them; none may happen here."""

from __future__ import annotations

import copy
import math
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import hmmem
from hmmem.kernels import emitting, expecting, lanes, logspace, messages, moments, packing, scaled

LEFT_RIGHT = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
TYPES = ("spherical", "diag", "tied", "full")


def blobs(rng, n=200, D=2, K=3):
    return rng.normal(size=(n, D)) + 4.0 * rng.integers(K, size=n)[:, None]


def assert_valid(model):
    for name in ("startprob_", "transmat_", "means_", "covars_"):
        assert np.isfinite(getattr(model, name)).all(), name
    assert_allclose(model.transmat_.sum(axis=1), 1.0, rtol=1e-12)
    assert_allclose(model.startprob_.sum(), 1.0, rtol=1e-12)
    assert model.transmat_.min() >= 0.0


# ---- parameters -----------------------------------------------------------------------------------------------------


def left_right(**arguments):
    start = np.array([1.0, 0.0, 0.0])
    return hmmem.GaussianHMM(3, startprob_init=start, transmat_init=LEFT_RIGHT, random_state=0, **arguments)


def test_left_right_data_that_end_in_the_absorbing_state_left_a_row_of_zeros():
    rng = np.random.default_rng(0)
    # the absorbing state is entered in the last frame alone, so no transition out of it is ever counted
    sequences = [np.concatenate([rng.normal(0, 1, (5, 1)), rng.normal(9, 1, (5, 1)), [[50.0]]]) for _ in range(20)]
    with pytest.warns(hmmem.StarvedStateWarning, match="state 2 was never left; its row of transmat was kept"):
        model = left_right().fit(sequences)
    assert_valid(model)
    assert_array_equal(model.transmat_[2], [0.0, 0.0, 1.0])
    assert math.isfinite(model.score(sequences))
    assert model.fit_report_.starved == ["state 2 was never left; its row of transmat was kept"]
    assert_array_equal(model.predict(sequences)[0], [0] * 5 + [1] * 5 + [2])


def test_the_documented_left_right_model_kept_valid_rows_whatever_it_was_fed():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        sequences = [np.sort(rng.normal(size=(int(n), 1)), axis=0) for n in rng.integers(1, 12, size=15)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", hmmem.StarvedStateWarning)
            model = left_right(n_iter=30, tol=None).fit(sequences)
        assert_valid(model)
        assert np.all(model.transmat_[LEFT_RIGHT == 0] == 0)
        assert_array_equal(model.startprob_, [1.0, 0.0, 0.0])
        assert math.isfinite(model.score(sequences))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_floor_of_the_variance_was_no_floor(covariance_type):
    rng = np.random.default_rng(1)
    X = blobs(rng)
    X[:40] = X[0] + 1e-6 * rng.normal(size=(40, 2))  # a cluster of almost one point
    X[:40, 0] += np.linspace(0, 1e-6, 40)
    model = hmmem.GaussianHMM(3, covariance_type, variance_floor=0.05, random_state=2).fit(X)
    unit = X.var(axis=0)
    if covariance_type == "diag":
        least = (model.covars_ / unit).min()
    elif covariance_type == "spherical":
        least = (model.covars_ / unit.mean()).min()
    else:
        least = np.linalg.eigvalsh(model.covars_ / np.sqrt(np.outer(unit, unit))).min()
    assert least >= 0.05 * (1 - 1e-12)
    if covariance_type != "tied":
        assert least == pytest.approx(0.05, rel=1e-9)
        assert any("is at the variance floor" in text for text in model.fit_report_.floors)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_a_constant_column_gave_variance_1000_or_a_crash(covariance_type):
    X = blobs(np.random.default_rng(2))
    X[:, 1] = 7.0
    with pytest.warns(hmmem.ConstantFeatureWarning, match="feature 1 does not vary over the training data") as caught:
        model = hmmem.GaussianHMM(2, covariance_type, random_state=0).fit(X)
    assert len(caught) == 1
    assert_valid(model)
    assert_allclose(model.means_[:, 1], 7.0, rtol=1e-12)
    if covariance_type == "diag":
        assert_allclose(model.covars_[:, 1], 1e-3, rtol=1e-12)  # the floor in units of 1
    assert np.max(model.covars_) < 100.0
    assert model.fit_report_.about("constant") == [
        "feature 1 does not vary over the training data; its variance floor is in units of 1"
    ]


@pytest.mark.parametrize("D", [1, 2])
def test_too_little_data_gave_nan_start_probabilities(D):
    for n in (1, 2, 3):
        X = np.random.default_rng(n).normal(size=(n, D))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", hmmem.HmmemWarning)
            model = hmmem.GaussianHMM(3, random_state=0).fit(X)
        assert_valid(model)
        assert math.isfinite(model.score(X))


def test_identical_frames_gave_nan_means():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hmmem.HmmemWarning)
        model = hmmem.GaussianHMM(3, random_state=0).fit(np.ones((30, 2)))
    assert_valid(model)
    assert_array_equal(model.means_, np.ones((3, 2)))


def test_means_held_fixed_gave_a_wrong_variance():
    """hmmlearn counts no first moments unless means are updated, and its likelihood then falls."""
    X = blobs(np.random.default_rng(3))
    model = hmmem.GaussianHMM(2, params="c", init_params="stc", means_init=None, variance_floor=0.0, n_iter=5, tol=None)
    model.means_ = np.array([[0.0, 0.0], [6.0, 6.0]])
    model.fit(X)
    assert np.all(np.diff(model.fit_report_.history) >= -1e-9)
    gamma = model.predict_proba(X)
    expected = (gamma[:, :, None] * (X[:, None] - model.means_) ** 2).sum(axis=0) / gamma.sum(axis=0)[:, None]
    again = hmmem.GaussianHMM(2, params="c", init_params="", variance_floor=0.0, n_iter=1, tol=None)
    for name in ("startprob_", "transmat_", "means_", "covars_"):
        setattr(again, name, getattr(model, name))
    assert_allclose(again.fit(X).covars_, expected, rtol=1e-9)


# ---- the course of a fit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", TYPES)
def test_the_likelihood_fell_while_training(covariance_type):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(60, 2)) * rng.gamma(1.0, size=(60, 1))
        model = hmmem.GaussianHMM(4, covariance_type, random_state=seed, n_iter=40, tol=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", hmmem.StarvedStateWarning)
            model.fit(X)
        history = np.array(model.fit_report_.history)
        assert np.all(np.diff(history) >= -1e-9 * np.maximum(np.abs(history[1:]), 60)), seed
        assert model.fit_report_.fall == 0.0


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("n_iter", [0, 1, 7])
def test_the_last_value_of_the_history_belonged_to_the_model_before(covariance_type, n_iter):
    X = blobs(np.random.default_rng(5))
    model = hmmem.GaussianHMM(3, covariance_type, n_iter=n_iter, tol=None, random_state=1).fit(X, lengths=[150, 50])
    report = model.fit_report_
    assert len(report.history) == model.n_iter_ + 1 == n_iter + 1
    assert report.history[-1] == pytest.approx(model.score(X, lengths=[150, 50]), rel=1e-13)
    assert report.objective == report.history[-1]


def test_running_out_of_iterations_counted_as_convergence():
    X = blobs(np.random.default_rng(6))
    with pytest.warns(hmmem.ConvergenceWarning, match="stopped by n_iter=2 before a stopping rule was met"):
        model = hmmem.GaussianHMM(3, n_iter=2, tol=1e-12, random_state=0).fit(X)
    assert model.converged_ is False
    assert model.fit_report_.stop_reason == "max_iter"
    model = hmmem.GaussianHMM(3, random_state=0).fit(X)
    assert model.converged_ is True
    assert model.fit_report_.stop_reason == "loglik"


def test_restarts_of_the_clustering_ignored_where_sequences_end():
    rng = np.random.default_rng(7)
    X = np.repeat([0.0, 9.0], 50)[:, None] + rng.normal(size=(100, 1))
    model = hmmem.GaussianHMM(2, n_iter=0, tol=None, random_state=0).fit([X[:50], X[50:]])
    low, high = np.argsort(model.means_[:, 0])
    assert model.transmat_[low, high] == pytest.approx(1 / 51)  # one for every allowed entry, none across sequences
    assert_allclose(model.startprob_, 0.5)


# ---- answers --------------------------------------------------------------------------------------------------------


def test_decoding_by_map_returned_a_sum_of_posteriors_as_log_probability():
    rng = np.random.default_rng(8)
    model = hmmem.GaussianHMM(3, random_state=0).fit(blobs(rng))
    X = rng.normal(2.0, 4.0, size=(50, 2))
    log_prob, path = model.decode(X, algorithm="map")
    assert_array_equal(path, model.predict_proba(X).argmax(axis=1))
    log_lik = np.stack(
        [
            -0.5 * (((X - m) ** 2 / v).sum(axis=1) + np.log(2 * np.pi * v).sum())
            for m, v in zip(model.means_, model.covars_, strict=True)
        ],
        axis=1,
    )
    by_hand = hmmem.joint_log_prob(model.startprob_, model.transmat_, log_lik, path)
    assert log_prob == pytest.approx(by_hand, rel=1e-12)
    best = model.decode(X, algorithm="viterbi")[0]
    assert log_prob <= best + 1e-9
    assert best <= model.score(X)


def test_information_criteria_counted_parameters_that_were_fixed():
    X = blobs(np.random.default_rng(9))
    free = hmmem.GaussianHMM(3, random_state=0, n_iter=3, tol=None).fit(X)
    fixed = hmmem.GaussianHMM(3, random_state=0, n_iter=3, tol=None, params="m").fit(X)

    def parameters(model):
        return (model.aic(X) + 2 * model.score(X)) / 2

    assert parameters(free) == pytest.approx(2 + 6 + 6 + 6)
    assert parameters(fixed) == pytest.approx(6)
    assert fixed.bic(X) + 2 * fixed.score(X) == pytest.approx(6 * math.log(200))
    chain = left_right(n_iter=3, tol=None).fit(X)
    assert parameters(chain) == pytest.approx(0 + 2 + 6 + 6)  # zeros that were asked for are not free


def test_symbols_that_training_had_not_seen_gave_an_index_error():
    model = hmmem.CategoricalHMM(2, random_state=0).fit(np.array([0, 1, 2, 1, 0, 2, 2, 1])[:, None])
    with pytest.raises(ValueError, match="symbols that the model does not know: 5 "):
        model.score([[0], [5]])
    assert math.isfinite(model.set_params(unknown="ignore").score([[0], [5]]))


def test_a_list_of_arrays_was_an_inhomogeneous_shape():
    rng = np.random.default_rng(10)
    sequences = [rng.normal(size=(n, 2)) for n in (5, 9, 2, 30)]
    model = hmmem.GaussianHMM(2, random_state=0, n_iter=4, tol=None).fit(sequences)
    flat = np.concatenate(sequences)
    assert model.score(sequences) == model.score(flat, lengths=[5, 9, 2, 30])
    assert [len(path) for path in model.predict(sequences)] == [5, 9, 2, 30]


# ---- seeds and arguments --------------------------------------------------------------------------------------------


def test_a_seed_was_replaced_by_a_generator_so_that_a_second_fit_differed():
    X = np.random.default_rng(11).integers(3, size=(80, 1))
    model = hmmem.CategoricalHMM(3, random_state=0, n_iter=5, tol=None).fit(X)
    first = copy.deepcopy(model)
    assert model.get_params()["random_state"] == 0
    model.fit(X)
    assert model.emissionprob_.tobytes() == first.emissionprob_.tobytes()
    assert model.fit_report_.history == first.fit_report_.history


def test_set_params_after_construction_was_ignored():
    X = blobs(np.random.default_rng(12))
    model = hmmem.GaussianHMM(3, n_iter=10, tol=1e-2, random_state=0).set_params(n_iter=25, tol=None)
    assert model.fit(X).n_iter_ == 25


# ---- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", TYPES)
def test_data_near_1e8_lost_their_variance(covariance_type):
    rng = np.random.default_rng(13)
    near = np.round(blobs(rng) * 2**20) / 2**20
    far = near + 2.0**27
    models = [hmmem.GaussianHMM(2, covariance_type, random_state=0, n_iter=10, tol=None).fit(x) for x in (near, far)]
    # a mean near 1e8 is itself known to 1.5e-8 only
    assert_allclose(models[1].covars_, models[0].covars_, rtol=1e-7)
    assert_allclose(models[1].means_ - 2.0**27, models[0].means_, atol=1e-7)
    assert_allclose(models[1].score(far), models[0].score(near), rtol=1e-9)


def test_one_state_far_from_zero_gave_variance_zero_or_four():
    X = 1e8 + np.random.default_rng(14).normal(size=(500, 1))
    exact = float(np.mean((X - X.mean()) ** 2))
    assert hmmem.GaussianHMM(1).fit(X).covars_[0, 0] == pytest.approx(exact, rel=1e-7)
    assert hmmem.GaussianMixture(1).fit(X).covariances_[0, 0, 0] == pytest.approx(exact, rel=1e-7)


def test_single_precision_lost_states_and_went_negative():
    rng = np.random.default_rng(15)
    single = (1000.0 + blobs(rng)).astype(np.float32)
    wide = single.astype(np.float64)
    for covariance_type in TYPES:
        a = hmmem.GaussianHMM(3, covariance_type, random_state=0, n_iter=10, tol=None).fit(single)
        b = hmmem.GaussianHMM(3, covariance_type, random_state=0, n_iter=10, tol=None).fit(wide)
        assert a.means_.dtype == np.float64
        assert a.covars_.tobytes() == b.covars_.tobytes()
        assert a.score(single) == b.score(wide)


def test_scaling_lost_the_only_path_that_survives():
    """hmmlearn 0.3.3 returns -1700.96 with implementation="scaling" and -1258.96 with "log", without an error."""
    model = hmmem.GaussianHMM(2, "diag")
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.eye(2)
    model.means_, model.covars_ = np.array([[0.0], [26.0]]), np.array([[1.0], [1.0]])
    X = np.array([25.0] * 4 + [0.0] * 5).reshape(-1, 1)  # state 0 falls to exp(-1248), and is right in the end
    log_normal = -0.5 * math.log(2 * math.pi)
    paths = [math.log(0.5) + 9 * log_normal - 0.5 * ((X - mean) ** 2).sum() for mean in (0.0, 26.0)]
    assert max(paths) == pytest.approx(-1258.9635939794, rel=1e-12)
    assert model.score(X) == pytest.approx(max(paths), rel=1e-12)
    assert_allclose(model.predict_proba(X), np.tile([1.0, 0.0], (9, 1)), atol=1e-12)


# ---- cost -----------------------------------------------------------------------------------------------------------


def kernel_calls(monkeypatch, K, lengths, D=1):
    """Number of kernel calls of one update, start included."""
    calls = []
    hmmem.warmup()  # a kernel that calls others must know them before they are replaced

    def counting(module, name):
        kernel = getattr(module, name)

        def call(*arguments):
            calls.append(name)
            return kernel(*arguments)

        monkeypatch.setattr(module, name, call)

    X = np.random.default_rng(0).normal(size=(sum(lengths), D)) + 4.0 * (np.arange(sum(lengths)) % 7 < 3)[:, None]
    model = hmmem.GaussianHMM(K, n_iter=1, tol=None, n_jobs=1, init_params="")
    model.startprob_, model.transmat_ = np.full(K, 1 / K), np.full((K, K), 1 / K)
    model.means_, model.covars_ = np.linspace(0, 4, K)[:, None] * np.ones(D), np.ones((K, D))
    with monkeypatch.context() as patch:
        monkeypatch = patch
        for module in (scaled, lanes, logspace, emitting, expecting, messages, moments, packing):
            for name, value in list(vars(module).items()):
                if hasattr(value, "py_func"):
                    counting(module, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", hmmem.StarvedStateWarning)  # sequences of one frame have no transitions
            model.fit(X, lengths=lengths)
    return len(calls)


@pytest.mark.parametrize("K", [1, 2, 3, 4, 8, 20])
def test_many_short_sequences_cost_twelve_times_one_long_sequence(monkeypatch, K):
    short, long = kernel_calls(monkeypatch, K, [10] * 2000), kernel_calls(monkeypatch, K, [20_000])
    assert long >= 2  # once for each of two models
    assert short <= 2 * long + 4  # blocks of frames, not sequences


def test_the_number_of_sequences_does_not_enter_the_number_of_kernel_calls(monkeypatch):
    counts = [kernel_calls(monkeypatch, 8, [20_000 // n] * n) for n in (5, 200, 2000, 20_000)]
    assert max(counts) <= 2 * min(counts)
