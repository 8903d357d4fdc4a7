"""Fitting and its report, starts, and what a fitted model answers."""

from __future__ import annotations

import itertools
import math
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pytest
import reference as ref
from generators import gaussian_frames, random_gaussian, random_rows, simulate
from numpy.testing import assert_allclose, assert_array_equal

import hmmem

TYPES = ("spherical", "diag", "tied", "full")
LETTERS = {"s": "startprob_", "t": "transmat_", "m": "means_", "c": "covars_"}


def blobs(seed=0, n=240, K=3, D=2):
    """Frames of K well separated states that last 8 frames each."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, D)) + 6.0 * ((np.arange(n) // 8) % K)[:, None]


def noise(seed=0, n=200, D=2):
    """Frames without states: EM has a long way to go."""
    return np.random.default_rng(seed).normal(size=(n, D))


def by_hand(K=3, D=2, seed=0, covariance_type="diag", zeros=0.0, **arguments):
    rng = np.random.default_rng(seed)
    model = hmmem.GaussianHMM(K, covariance_type, **arguments)
    model.startprob_, model.transmat_ = random_rows(rng, 1, K, zeros)[0], random_rows(rng, K, K, zeros)
    model.means_, model.covars_ = random_gaussian(rng, K, D, covariance_type)
    return model


def log_lik(model, X):
    return ref.gaussian_log_lik(X, model.means_, model.covars_, model.covariance_type)


def coin(**arguments):
    """Two states that emit one symbol each and alternate."""
    model = hmmem.CategoricalHMM(2, **arguments)
    model.startprob_, model.transmat_ = np.array([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    model.emissionprob_ = np.eye(2)
    return model


# ---- why a fit stops ------------------------------------------------------------------------------------------------


def test_stop_reason_loglik_means_the_last_gain_was_below_tol():
    report = hmmem.GaussianHMM(3, random_state=0, tol=1e-5).fit(blobs()).fit_report_
    gains = np.diff(report.history) / 240
    assert (report.stop_reason, report.converged, report.weight) == ("loglik", True, 240.0)
    assert gains[-1] < 1e-5
    assert np.all(gains[:-1] >= 1e-5)


def test_stop_reason_params_means_nothing_moved_by_param_tol():
    models = []
    model = hmmem.GaussianHMM(
        2, random_state=0, tol=None, param_tol=1e-3, callback=lambda i, objective, m: models.append(m)
    ).fit(noise())
    assert model.fit_report_.stop_reason == "params"
    assert model.converged_
    moved = [b.distance(a) for a, b in itertools.pairwise(models)]
    assert moved[-1] < 1e-3
    assert min(moved[:-1]) >= 1e-3


def test_param_tol_is_free_of_the_units_of_the_data():
    X = noise()
    fits = [
        hmmem.GaussianHMM(2, random_state=0, tol=None, param_tol=1e-2).fit(X * scale) for scale in (1.0, 2.0**40, 0.125)
    ]
    assert len({fit.n_iter_ for fit in fits}) == 1


@pytest.mark.parametrize("n_iter", [0, 1, 12])
@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.GaussianMixture])
def test_without_rules_exactly_n_iter_updates_are_done(cls, n_iter):
    limit = "max_iter" if cls is hmmem.GaussianMixture else "n_iter"
    model = cls(3, random_state=0, tol=None, param_tol=None, **{limit: n_iter}).fit(blobs())  # no warning either
    assert model.n_iter_ == n_iter
    assert model.fit_report_.stop_reason == "max_iter"
    assert model.converged_ is False


def test_tol_zero_runs_until_nothing_is_gained():
    report = hmmem.GaussianHMM(2, random_state=0, tol=0.0, n_iter=5000).fit(blobs(K=2)).fit_report_
    assert report.stop_reason == "loglik"
    assert report.history[-1] - report.history[-2] < 0.0 or report.n_iter < 5000


@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.GaussianMixture])
def test_stop_reason_time_keeps_the_last_whole_update(cls):
    with pytest.warns(hmmem.ConvergenceWarning, match="stopped by max_time=0.0 before a stopping rule was met"):
        model = cls(3, random_state=0, max_time=0.0).fit(noise())
    assert model.fit_report_.stop_reason == "time"
    assert model.n_iter_ == 1
    assert not model.converged_


@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.GaussianMixture])
def test_stop_reason_callback_and_what_it_is_told(cls):
    told = []

    def callback(iteration, objective, model):
        told.append((iteration, objective, model))
        return iteration == 4

    model = cls(3, random_state=0, callback=callback).fit(noise())
    assert model.fit_report_.stop_reason == "callback"
    assert not model.converged_
    assert model.n_iter_ == 4
    assert [iteration for iteration, _, _ in told] == [0, 1, 2, 3, 4]
    assert [objective for _, objective, _ in told] == model.fit_report_.history
    assert_array_equal(told[-1][2].emission.means, model.means_)


def test_a_callback_stops_only_by_true():
    model = hmmem.GaussianHMM(2, random_state=0, n_iter=3, tol=None, callback=lambda *_: "yes").fit(noise())
    assert model.n_iter_ == 3
    stopped = hmmem.GaussianHMM(2, random_state=0, callback=lambda *_: True).fit(noise())
    assert (stopped.n_iter_, stopped.fit_report_.stop_reason) == (0, "callback")
    stopped = hmmem.GaussianHMM(2, random_state=0, callback=lambda *_: np.True_).fit(noise())
    assert stopped.fit_report_.stop_reason == "callback"


@pytest.mark.parametrize("covariance_type", TYPES)
def test_stop_reason_singular_keeps_the_last_valid_model(covariance_type):
    X = np.repeat([[0.0, 0.0], [5.0, 5.0]], 20, axis=0)
    X[20:] += np.random.default_rng(0).normal(size=(20, 2))
    model = hmmem.GaussianHMM(2, covariance_type, variance_floor=0.0, init_params="st", random_state=0)
    model.means_ = np.array([[0.0, 0.0], [5.0, 5.0]])
    model.covars_ = {
        "spherical": np.ones(2),
        "diag": np.ones((2, 2)),
        "tied": np.eye(2),
        "full": np.tile(np.eye(2), (2, 1, 1)),
    }[covariance_type]
    if covariance_type == "tied":  # one covariance for all collapses only with all data
        X = np.repeat([[0.0, 0.0], [5.0, 5.0]], 20, axis=0)
    with pytest.warns(hmmem.SingularWarning, match="a variance reached zero and variance_floor=0"):
        model.fit(X)
    assert model.fit_report_.stop_reason == "singular"
    assert not model.converged_
    assert np.isfinite(model.score(X))
    floored = hmmem.GaussianHMM(2, covariance_type, init_params="st", random_state=0)
    floored.means_, floored.covars_ = model.means_, model.covars_
    assert floored.fit(X).converged_


# ---- interruption ---------------------------------------------------------------------------------------------------


def interrupting(at):
    def callback(iteration, objective, model):
        if iteration == at:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.GaussianMixture])
def test_interrupt_returns_the_last_whole_model(cls):
    limit = "max_iter" if cls is hmmem.GaussianMixture else "n_iter"
    model = cls(3, random_state=0, tol=None, callback=interrupting(3)).fit(noise())
    plain = cls(3, random_state=0, tol=None, **{limit: 3}).fit(noise())
    assert model.fit_report_.stop_reason == "interrupted"
    assert not model.converged_
    assert model.means_.tobytes() == plain.means_.tobytes()
    assert model.fit_report_.history == plain.fit_report_.history


def test_interrupt_before_the_first_whole_model_leaves_the_estimator_as_it_was(monkeypatch):
    model = hmmem.GaussianHMM(3, random_state=0).fit(blobs())
    before = dict(model.__dict__)
    monkeypatch.setattr(hmmem.HiddenMarkovModel, "expect", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(noise())
    assert all(model.__dict__[key] is value for key, value in before.items())
    assert model.__dict__.keys() == before.keys()


def test_an_error_in_a_callback_leaves_the_estimator_as_it_was():
    model = hmmem.GaussianHMM(3, random_state=0).fit(blobs())
    before = {key: value for key, value in model.__dict__.items() if key != "callback"}

    def callback(iteration, objective, model):
        if iteration == 2:
            raise RuntimeError("from the callback")

    with pytest.raises(RuntimeError, match="from the callback"):
        model.set_params(callback=callback).fit(noise())
    assert all(model.__dict__[key] is value for key, value in before.items())


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_real_interrupt_returns_a_whole_model(n_jobs, tmp_path):
    script = f"""
        import sys, numpy as np, hmmem
        X = np.random.default_rng(0).normal(size=(20000, 2))
        def tell(i, objective, model):
            if i == 2:
                print("running", flush=True)
        model = hmmem.GaussianHMM(6, random_state=0, n_iter=10**6, tol=None, n_jobs={n_jobs}, callback=tell)
        model.fit(X, lengths=[100] * 200)
        report = model.fit_report_
        print(report.stop_reason, model.n_iter_ == len(report.history) - 1, model.converged_)
        print(abs(model.score(X, lengths=[100] * 200) - report.history[-1]) < 1e-9 * abs(report.history[-1]))
        """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=os.path.dirname(os.path.dirname(hmmem.__file__)),
    )
    assert process.stdout.readline() == "running\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == "interrupted True False\nTrue\n", err


# ---- the report -----------------------------------------------------------------------------------------------------


def test_report_of_restarts_is_a_table_of_all_optima():
    X = noise(3)
    report = hmmem.GaussianHMM(3, n_init=6, random_state=1, init="random").fit(X).fit_report_
    assert [row.number for row in report.restarts] == list(range(6))
    assert sum(row.polished for row in report.restarts) == 2
    assert {row.stop_reason for row in report.restarts if not row.polished} <= {"short", "loglik"}
    for row in report.restarts:
        assert row.start <= row.short <= row.objective
        assert row.n_iter == 10 if row.stop_reason == "short" else row.n_iter >= 1
        if not row.polished:
            assert row.objective == row.short
    best = max(report.restarts, key=lambda row: row.objective)
    assert report.history[-1] == best.objective
    assert report.history[0] == best.start
    assert report.n_iter == best.n_iter
    shorts = sorted((row.short for row in report.restarts), reverse=True)
    assert {row.short for row in report.restarts if row.polished} == set(shorts[:2])
    text = str(report)
    assert "restart      start      short        end  updates  stopped by" in text
    assert text.count("\n") >= 7


def test_more_starts_are_never_worse():
    X = noise(4)
    objectives = [
        hmmem.GaussianHMM(3, n_init=n, random_state=2, init="random").fit(X).fit_report_.objective for n in (1, 9)
    ]
    assert objectives[1] >= objectives[0]


def test_report_says_when_the_best_optimum_was_found_once():
    text = "the best optimum .* was found once in 2 polished restarts; a larger n_init may find a better one"
    once = hmmem.GaussianHMM(4, n_init=6, random_state=0, init="data").fit(noise(6)).fit_report_
    ends = sorted((row.objective for row in once.restarts if row.polished), reverse=True)
    assert ends[0] - ends[1] > 0.5
    (found,) = once.about("restarts")
    assert re.fullmatch(text, found)
    often = hmmem.GaussianHMM(2, n_init=6, random_state=0).fit(blobs(K=2)).fit_report_
    assert often.about("restarts") == []


def test_a_singular_restart_is_never_returned():
    X = np.concatenate([np.random.default_rng(0).normal(size=60), np.full(8, 2.0)])[:, None]
    model = hmmem.GaussianMixture(2, n_init=12, init_params="random", variance_floor=0.0, random_state=1).fit(X)
    report = model.fit_report_
    collapsed = [row for row in report.restarts if row.stop_reason == "singular"]
    sound = [row for row in report.restarts if row.stop_reason == "loglik"]
    assert (len(collapsed), len(sound)) == (9, 3)
    assert max(row.objective for row in collapsed) > report.objective  # a collapse has no largest likelihood
    assert report.objective == max(row.objective for row in sound)
    assert report.stop_reason == "loglik"
    assert model.covariances_.min() > 0.01


def test_a_start_that_collapses_by_itself_is_singular():
    X = np.concatenate([noise(n=30), [[50.0, 50.0]]])  # k-means gives the outlier a cluster of one point
    model = quiet(hmmem.GaussianHMM(2, variance_floor=0.0, random_state=0), X)
    assert model.fit_report_.stop_reason == "singular"
    assert np.isfinite(model.score(X))
    X[:2] = 0.0
    states = (np.arange(31) < 2).astype(int)
    model = quiet(hmmem.GaussianHMM(2, variance_floor=0.0, init=states), X)
    assert model.fit_report_.stop_reason == "singular"
    assert np.isfinite(model.score(X))
    assert quiet(hmmem.GaussianHMM(2, init=states), X).converged_


def test_report_names_starved_states():
    model = by_hand(2, init_params="", n_iter=3, tol=None)
    model.startprob_, model.transmat_ = np.array([1.0, 0.0]), np.array([[1.0, 0.0], [0.5, 0.5]])
    before = model.means_[1].copy(), model.covars_[1].copy()
    with pytest.warns(hmmem.StarvedStateWarning, match="state 1 .*kept") as caught:
        model.fit(noise())
    assert len(caught) == 1
    assert "state 1 was never left; its row of transmat was kept" in model.fit_report_.starved
    assert len(model.fit_report_.starved) == 2
    assert_array_equal(model.means_[1], before[0])
    assert_array_equal(model.covars_[1], before[1])
    assert_array_equal(model.transmat_[1], [0.5, 0.5])


def test_report_names_components_at_the_floor_with_their_weight():
    X = np.concatenate([blobs(K=1, n=98), [[60.0, 60.0], [60.0, 60.0]]])
    report = hmmem.GaussianMixture(2, random_state=0).fit(X).fit_report_
    (text,) = report.floors
    assert "(weight 2, share 0.02) is at the variance floor" in text
    assert text.startswith("component ")


def test_report_says_when_the_start_was_moved_inside_the_floor():
    model = by_hand(init_params="", n_iter=2, tol=None, variance_floor=0.01)
    model.covars_ = np.full((3, 2), 1e-9)
    report = model.fit(blobs()).fit_report_
    assert report.about("start") == ["the start's covariances were raised to the variance floor"]
    assert by_hand(init_params="", n_iter=2, tol=None).fit(blobs()).fit_report_.about("start") == []


@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.GaussianMixture])
def test_report_names_constant_features_once(cls):
    X = np.column_stack([blobs(), np.ones((240, 2))])
    with pytest.warns(hmmem.ConstantFeatureWarning, match="features 2, 3 do not vary") as caught:
        model = cls(2, n_init=3, random_state=0).fit(X)
    assert [warning.category for warning in caught] == [hmmem.ConstantFeatureWarning]
    assert len(model.fit_report_.about("constant")) == 1


def test_report_names_impossible_sequences_by_their_number():
    sequences = [[[0], [1], [0]], [[1], [0]], [[0], [1]], [[0], [0]]]
    model = coin(init_params="", n_iter=2, tol=None)
    with pytest.warns(hmmem.ImpossibleSequenceWarning, match="2 sequences have probability zero .*: 1, 3") as caught:
        model.fit([np.array(x) for x in sequences])
    assert len(caught) == 1
    report = model.fit_report_
    assert (report.n_impossible, report.impossible_sequences) == (2, [1, 3])
    assert report.weight == 5.0  # frames that took part
    assert report.history[-1] == 0.0
    assert model.score([np.array(x) for x in sequences]) == -math.inf
    scores = model.score_sequences([np.array(x) for x in sequences])
    assert_array_equal(scores, [0.0, -math.inf, 0.0, -math.inf])


def test_fit_on_impossible_data_alone_is_an_error_and_changes_nothing():
    model = coin(init_params="")
    before = dict(model.__dict__)
    with pytest.raises(hmmem.ImpossibleSequenceError, match="all 1 sequences have probability zero under the model"):
        model.fit([[1], [1]])
    assert model.__dict__ == before


def test_warnings_are_classes_and_at_most_one_of_each_is_issued():
    X = [np.array(x) for x in ([[0], [1]], [[1], [0]], [[1], [1]], [[0], [1], [0]])]
    model = hmmem.CategoricalHMM(3, init_params="", n_iter=1, n_init=4, n_features=2)
    model.startprob_ = np.array([1.0, 0.0, 0.0])
    model.transmat_ = np.array([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    model.emissionprob_ = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X)
    classes = [warning.category for warning in caught]
    assert sorted(c.__name__ for c in classes) == [
        "ConvergenceWarning",
        "ImpossibleSequenceWarning",
        "StarvedStateWarning",
    ]
    assert all(issubclass(c, hmmem.HmmemWarning) and issubclass(c, UserWarning) for c in classes)
    assert all(warning.filename == __file__ for warning in caught)  # they point at the user's line


def test_report_reads_well():
    text = str(hmmem.GaussianHMM(3, random_state=0).fit(blobs()).fit_report_)
    assert text.startswith("objective -")
    assert "stopped by loglik" in text
    assert "per frame" in text


def test_verbose_tells_of_every_update_on_standard_error(capsys):
    hmmem.GaussianHMM(2, random_state=0, n_iter=4, tol=None, verbose=True).fit(noise())
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.strip().splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("update 0  objective -")
    assert lines[4].startswith("update 4  objective -")
    hmmem.GaussianMixture(2, random_state=0, max_iter=2, n_init=2, tol=None, verbose=True).fit(noise())
    out, err = capsys.readouterr()
    assert out == ""
    assert "start 1/2  update 0" in err
    assert "start 2/2  update 2" in err
    hmmem.GaussianHMM(2, random_state=0).fit(blobs(K=2))
    assert capsys.readouterr() == ("", "")


# ---- starts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("init", ["kmeans", "random", "data", "segments"])
@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.PoissonHMM])
def test_every_start_finds_states_that_are_plain(cls, init):
    X = blobs() if cls is hmmem.GaussianHMM else np.random.default_rng(0).poisson(1 + 20 * (blobs() > 3))
    model = cls(2, init=init, n_init=8, random_state=0).fit(X)
    best = cls(2, n_init=20, random_state=1).fit(X)
    assert model.fit_report_.objective == pytest.approx(best.fit_report_.objective, abs=0.05)
    assert np.all(np.isfinite(model.transmat_))


@pytest.mark.parametrize("init", ["random", "data"])
def test_seeded_starts_differ_between_restarts(init):
    report = hmmem.GaussianHMM(3, init=init, n_init=4, random_state=0, n_iter=0, tol=None).fit(noise()).fit_report_
    assert len({row.start for row in report.restarts}) == 4


def test_segments_cut_each_sequence_evenly():
    X = np.concatenate([np.repeat([0.0, 10.0, 20.0], n) for n in (4, 2, 5)])[:, None] + noise(1, 33, 1) * 0.01
    model = hmmem.GaussianHMM(3, init="segments", n_iter=0, tol=None).fit(X, lengths=[12, 6, 15])
    assert_allclose(model.means_[:, 0], [0, 10, 20], atol=0.05)
    assert_allclose(model.startprob_, np.array([4, 1, 1]) / 6)
    inside = 3 + 1 + 4  # transitions within a segment of the three sequences
    expected = np.array([[inside + 1, 4, 1], [1, inside + 1, 4], [1, 1, inside + 1]], dtype=float)
    assert_allclose(model.transmat_, expected / expected.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("as_list", [False, True])
def test_states_given_by_the_user_are_the_start(as_list):
    X = noise(n=10)
    states = np.array([0, 0, 1, 1, 1, 2, 2, 0, 0, 2])
    init = states.tolist() if as_list else states
    model = hmmem.GaussianHMM(3, init=init, n_iter=0, tol=None, variance_floor=0.0).fit(X, lengths=[7, 3])
    for k in range(3):
        assert_allclose(model.means_[k], X[states == k].mean(axis=0), rtol=1e-12)
        assert_allclose(model.covars_[k], X[states == k].var(axis=0), rtol=1e-10)
    assert_allclose(model.startprob_, [3 / 5, 1 / 5, 1 / 5])
    counts = np.array([[2, 1, 1], [0, 2, 1], [0, 0, 1]]) + 1.0
    assert_allclose(model.transmat_, counts / counts.sum(axis=1, keepdims=True))


def test_states_given_by_the_user_are_the_start_of_symbols_and_counts():
    states = np.array([0, 0, 1, 1, 1, 0])
    X = np.array([0, 0, 1, 1, 2, 1])[:, None]
    model = hmmem.CategoricalHMM(2, init=states, n_iter=0, tol=None).fit(X)
    assert_allclose(model.emissionprob_, [[3 / 6, 2 / 6, 1 / 6], [1 / 6, 3 / 6, 2 / 6]])  # counts plus one
    model = hmmem.PoissonHMM(2, init=states, n_iter=0, tol=None).fit(X)
    assert_allclose(model.lambdas_, [[1 / 3], [4 / 3]])


def test_symbol_starts_are_random_rows_around_the_frequencies():
    X = np.repeat([0, 1, 2], [70, 20, 10])[:, None]
    rows = np.concatenate(
        [hmmem.CategoricalHMM(4, random_state=seed, n_iter=0, tol=None).fit(X).emissionprob_ for seed in range(300)]
    )
    assert np.all(rows > 0)
    assert_allclose(rows.mean(axis=0), np.array([71, 21, 11]) / 103, atol=0.03)
    assert np.unique(rows, axis=0).shape == rows.shape


@pytest.mark.parametrize("letter", "stmc")
def test_init_params_takes_the_rest_from_attributes_set_by_hand(letter):
    X = blobs()
    rest = "stmc".replace(letter, "")
    model = hmmem.GaussianHMM(3, init_params=rest, n_iter=0, tol=None, random_state=0, variance_floor=0.0)
    given = {name: getattr(by_hand(), name) for name in LETTERS.values()}
    setattr(model, LETTERS[letter], given[LETTERS[letter]].copy())
    model.fit(X)
    for other, name in LETTERS.items():
        assert np.array_equal(getattr(model, name), given[name]) == (other == letter)


def test_attributes_set_by_hand_that_the_start_does_not_take_are_named():
    message = "startprob_, means_ .*set by hand, but init_params='stmc' started from data instead.*init_params='tc'"
    model = hmmem.GaussianHMM(3, random_state=0)
    model.startprob_, model.means_ = by_hand().startprob_, by_hand().means_
    with pytest.warns(hmmem.StartIgnoredWarning, match=message) as caught:
        model.fit(blobs())
    assert len(caught) == 1
    model.fit(blobs())  # what the fit itself left behind is no surprise


@pytest.mark.parametrize("shift", [0.0, 5.0, 1e8])
def test_means_that_are_not_trained_stay_the_same_bits(shift):
    for covariance_type in TYPES:
        model = by_hand(init_params="", params="stc", n_iter=3, tol=None, covariance_type=covariance_type)
        model.means_ = model.means_ + shift + 1 / 3
        before = model.means_.copy()
        assert_array_equal(quiet(model, noise() + shift).means_, before)


@pytest.mark.parametrize("letter", "stmc")
def test_start_arguments_give_the_start_and_survive_clone(letter):
    from sklearn.base import clone

    name = LETTERS[letter]
    value = getattr(by_hand(), name)
    model = clone(
        hmmem.GaussianHMM(3, n_iter=0, tol=None, random_state=0, variance_floor=0.0, **{f"{name}init": value})
    )
    assert_array_equal(getattr(model.fit(blobs()), name), value)


def test_params_leaves_the_rest_as_it_starts():
    X = blobs()
    for params in ("", "s", "t", "m", "c", "sm", "tc"):
        model = by_hand(init_params="", params=params, n_iter=4, tol=None)
        before = {name: getattr(model, name).copy() for name in LETTERS.values()}
        model.fit(X)
        for letter, name in LETTERS.items():
            assert np.array_equal(getattr(model, name), before[name]) == (letter not in params), (params, name)


def test_zeros_of_the_start_stay_zeros():
    transmat = np.array([[0.6, 0.4, 0.0], [0.0, 0.6, 0.4], [0.0, 0.0, 1.0]])
    model = hmmem.GaussianHMM(3, startprob_init=[1, 0, 0], transmat_init=transmat, random_state=0, n_iter=50, tol=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hmmem.StarvedStateWarning)
        model.fit(np.sort(noise(), axis=0), lengths=[100, 100])
    assert np.all(model.transmat_[transmat == 0] == 0.0)
    assert_array_equal(model.startprob_, [1.0, 0.0, 0.0])
    assert np.all(np.diff(model.predict(np.sort(noise(), axis=0), [100, 100])[:100]) >= 0)


def test_a_left_right_chain_starts_by_segments():
    transmat = np.array([[0.6, 0.4, 0.0], [0.0, 0.6, 0.4], [0.0, 0.0, 1.0]])
    X = blobs(n=24)
    arguments = {"startprob_init": [1, 0, 0], "transmat_init": transmat, "n_iter": 0, "tol": None}
    model = hmmem.GaussianHMM(3, **arguments).fit(X)
    assert_array_equal(model.means_, hmmem.GaussianHMM(3, init="segments", **arguments).fit(X).means_)
    assert_allclose(model.means_[1], X[8:16].mean(axis=0), rtol=1e-12)
    symbols = np.repeat([0, 1, 2], 8)[:, None]
    discrete = hmmem.CategoricalHMM(3, **arguments).fit(symbols)
    assert_array_equal(discrete.emissionprob_.argmax(axis=1), [0, 1, 2])
    assert_allclose(discrete.emissionprob_.max(axis=1), 9 / 11)


def test_warm_start_goes_on_where_the_last_fit_ended():
    X = noise()
    whole = hmmem.GaussianHMM(3, random_state=0, n_iter=8, tol=None).fit(X)
    half = hmmem.GaussianHMM(3, random_state=0, n_iter=4, tol=None, warm_start=True).fit(X)
    first = list(half.fit_report_.history)
    half.fit(X)
    assert half.means_.tobytes() == whole.means_.tobytes()
    assert first + half.fit_report_.history[1:] == whole.fit_report_.history
    mixture = hmmem.GaussianMixture(3, random_state=0, max_iter=4, tol=None, warm_start=True).fit(X).fit(X)
    again = hmmem.GaussianMixture(3, random_state=0, max_iter=8, tol=None).fit(X)
    assert mixture.means_.tobytes() == again.means_.tobytes()


def test_warm_start_works_for_symbols_and_counts():
    X = np.random.default_rng(0).integers(4, size=(80, 1))
    for cls in (hmmem.CategoricalHMM, hmmem.PoissonHMM):
        whole = cls(2, random_state=0, n_iter=6, tol=None).fit(X)
        half = cls(2, random_state=0, n_iter=3, tol=None, warm_start=True).fit(X).fit(X)
        assert half.transmat_.tobytes() == whole.transmat_.tobytes()


def test_warm_start_of_another_shape_is_refused_by_name():
    model = hmmem.GaussianHMM(2, random_state=0, warm_start=True).fit(blobs())
    with pytest.raises(ValueError, match=r"startprob_ must have shape \(3,\); got \(2,\)"):
        model.set_params(n_components=3).fit(blobs())
    with pytest.raises(ValueError, match=r"means_ must have shape \(2, 1\); got \(2, 2\)"):
        model.set_params(n_components=2).fit(blobs()[:, :1])


def test_viterbi_training_raises_the_probability_of_data_and_path():
    X = noise(5)
    model = hmmem.GaussianHMM(3, training="viterbi", random_state=0).fit(X, lengths=[120, 80])
    history = np.array(model.fit_report_.history)
    assert np.all(np.diff(history) >= -1e-9 * np.abs(history[1:]))
    assert model.converged_
    assert history[-1] == pytest.approx(model.decode(X, [120, 80])[0], rel=1e-12)
    # at the end the parameters are those of the best path
    path = model.predict(X, [120, 80])
    for k in range(3):
        assert_allclose(model.means_[k], X[path == k].mean(axis=0), rtol=1e-6)
    assert_allclose(model.startprob_, np.bincount(path[[0, 120]], minlength=3) / 2, atol=1e-12)


# ---- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("seed", range(3))
def test_answers_match_the_reference(covariance_type, seed):
    rng = np.random.default_rng(seed)
    model = by_hand(seed=seed, covariance_type=covariance_type, zeros=0.3)
    lengths = [7, 1, 12]
    X = gaussian_frames(
        rng,
        np.concatenate([simulate(rng, model.startprob_, model.transmat_, n) for n in lengths]),
        model.means_,
        model.covars_,
        covariance_type,
    )
    parts = np.split(X, np.cumsum(lengths)[:-1])
    posts = [ref.log_forward_backward(model.startprob_, model.transmat_, log_lik(model, part)) for part in parts]
    best = [ref.log_viterbi(model.startprob_, model.transmat_, log_lik(model, part)) for part in parts]
    assert model.score(X, lengths=lengths) == pytest.approx(sum(p.log_likelihood for p in posts), rel=1e-10)
    assert_allclose(model.score_sequences(X, lengths), [p.log_likelihood for p in posts], rtol=1e-10)
    assert_allclose(model.predict_proba(X, lengths), np.concatenate([p.gamma for p in posts]), atol=1e-12)
    assert_allclose(model.expected_counts(X, lengths), sum(p.counts for p in posts), rtol=1e-9, atol=1e-12)
    log_prob, path = model.decode(X, lengths)
    assert log_prob == pytest.approx(sum(value for _, value in best), rel=1e-10)
    assert_array_equal(path, np.concatenate([states for states, _ in best]))
    total, gamma = model.score_samples(X, lengths)
    assert total == pytest.approx(model.score(X, lengths=lengths), rel=1e-13)
    assert_array_equal(gamma, model.predict_proba(X, lengths))


def test_score_frames_are_predictions_that_add_up_to_the_score():
    model, X, lengths = by_hand(zeros=0.2), noise(), [100, 1, 99]
    frames = model.score_frames(X, lengths)
    assert math.fsum(frames) == pytest.approx(model.score(X, lengths=lengths), rel=1e-13)
    assert_allclose(np.add.reduceat(frames, [0, 100, 101]), model.score_sequences(X, lengths), rtol=1e-12)
    for t in (0, 1, 50):
        expected = model.score(X[: t + 1]) - (model.score(X[:t]) if t else 0.0)
        assert frames[t] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_score_sequences_per_frame_divides_by_the_length():
    model, X, lengths = by_hand(), noise(), [150, 1, 49]
    assert_allclose(
        model.score_sequences(X, lengths, per_frame=True), model.score_sequences(X, lengths) / lengths, rtol=1e-15
    )


def test_decode_by_map_scores_the_path_that_it_returns():
    model, X, lengths = by_hand(zeros=0.3), noise(2), [120, 80]
    log_prob, path = model.decode(X, lengths, algorithm="map")
    parts, states = np.split(X, [120]), np.split(path, [120])
    by_parts = [
        hmmem.joint_log_prob(model.startprob_, model.transmat_, log_lik(model, part), s)
        for part, s in zip(parts, states, strict=True)
    ]
    assert log_prob == pytest.approx(sum(by_parts), rel=1e-12)
    assert_array_equal(model.set_params(algorithm="map").predict(X, lengths), path)
    assert model.decode(X, lengths)[0] == log_prob


def test_decode_by_map_of_an_impossible_path_is_minus_infinity():
    model = hmmem.CategoricalHMM(3)
    model.startprob_ = np.array([0.4, 0.6, 0.0])
    model.transmat_ = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    model.emissionprob_ = np.array([[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    log_prob, path = model.decode([[0], [0]], algorithm="map")
    assert path.tolist() == [1, 0]  # 0.6 against 0.4, then 0.4 against twice 0.3: no such path exists
    assert log_prob == -math.inf


def test_segments_are_the_runs_of_the_path():
    model, lengths = hmmem.GaussianHMM(3, random_state=0).fit(blobs()), [100, 1, 139]
    X = blobs()
    path, gamma = model.predict(X, lengths), model.predict_proba(X, lengths)
    runs = model.segments(X, lengths)
    assert runs.dtype.names == ("sequence", "start", "end", "state", "posterior")
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rebuilt = np.full(240, -1)
    for run in runs:
        inside = slice(offsets[run["sequence"]] + run["start"], offsets[run["sequence"]] + run["end"])
        assert 0 <= run["start"] < run["end"] <= lengths[run["sequence"]]
        rebuilt[inside] = run["state"]
        assert run["posterior"] == pytest.approx(gamma[inside, run["state"]].mean(), rel=1e-12)
    assert_array_equal(rebuilt, path)
    same = (runs["state"][1:] == runs["state"][:-1]) & (runs["sequence"][1:] == runs["sequence"][:-1])
    assert not same.any()
    assert_array_equal(model.segments([X[:100], X[100:101], X[101:]]), runs)


def test_segments_follow_the_algorithm():
    model, X = by_hand(zeros=0.2, algorithm="map"), noise(3)
    runs = model.segments(X)
    assert_array_equal(np.repeat(runs["state"], runs["end"] - runs["start"]), model.decode(X)[1])


def test_expected_durations_are_geometric():
    model = by_hand(2)
    model.transmat_ = np.array([[0.9, 0.1], [0.0, 1.0]])
    assert_allclose(model.expected_durations(), [10.0, math.inf], rtol=1e-14)


def test_stationary_distribution_is_left_alone_by_the_chain():
    model = by_hand(4)
    pi = model.get_stationary_distribution()
    assert_allclose(pi @ model.transmat_, pi, rtol=1e-13)
    assert pi.sum() == pytest.approx(1.0, abs=1e-15)
    model.transmat_ = np.eye(4)
    with pytest.raises(ValueError, match=r"4 recurrent classes of states, .0., .1., .2., .3., and so no single"):
        model.get_stationary_distribution()


@pytest.mark.parametrize("covariance_type", TYPES)
def test_sample_has_the_moments_of_the_model(covariance_type):
    model = by_hand(2, covariance_type=covariance_type)
    X, states = model.sample(40_000, random_state=0)
    assert (X.shape, states.shape) == ((40_000, 2), (40_000,))
    full = ref.covariance_matrices(model.covars_, covariance_type, 2, 2)
    for k in range(2):
        mine = X[states == k]
        assert_allclose(mine.mean(axis=0), model.means_[k], atol=0.05)
        assert_allclose(np.cov(mine.T), full[k], atol=0.12)
    counts = np.zeros((2, 2))
    np.add.at(counts, (states[:-1], states[1:]), 1)
    assert_allclose(counts / counts.sum(axis=1, keepdims=True), model.transmat_, atol=0.02)


def test_sample_of_counts_and_symbols_has_their_moments():
    poisson = hmmem.PoissonHMM(1)
    poisson.startprob_, poisson.transmat_, poisson.lambdas_ = np.ones(1), np.ones((1, 1)), np.array([[2.0, 30.0]])
    X, _ = poisson.sample(20_000, random_state=0)
    assert_allclose(X.mean(axis=0), [2.0, 30.0], rtol=0.02)
    assert_allclose(X.var(axis=0), [2.0, 30.0], rtol=0.05)
    symbols = hmmem.CategoricalHMM(1)
    symbols.startprob_, symbols.transmat_ = np.ones(1), np.ones((1, 1))
    symbols.emissionprob_ = np.array([[0.2, 0.0, 0.8]])
    X, _ = symbols.sample(20_000, random_state=0)
    assert_allclose(np.bincount(X[:, 0], minlength=3) / 20_000, [0.2, 0.0, 0.8], atol=0.01)


def test_sample_is_reproducible_and_takes_its_seed_from_the_constructor():
    model = by_hand(random_state=4)
    X, states = model.sample(50)
    assert_array_equal(model.sample(50)[0], X)
    assert_array_equal(model.sample(50, random_state=4)[1], states)
    assert not np.array_equal(model.sample(50, random_state=5)[0], X)
    mixture = hmmem.GaussianMixture(2, random_state=4).fit(blobs())
    assert_array_equal(mixture.sample(9)[0], mixture.sample(9, random_state=4)[0])


def test_sample_of_several_sequences_starts_each_anew():
    model = by_hand(2)
    model.startprob_, model.transmat_ = np.array([0.0, 1.0]), np.array([[1.0, 0.0], [1.0, 0.0]])
    X, states = model.sample(lengths=[3, 1, 4], random_state=0)
    assert X.shape == (8, 2)
    assert states.tolist() == [1, 0, 0, 1, 1, 0, 0, 0]
    assert model.sample(3, currstate=0, random_state=0)[1].tolist() == [0, 0, 0]
    assert model.sample(lengths=[2, 2], currstate=0)[1].tolist() == [0, 0, 0, 0]


def test_sample_then_fit_recovers_the_parameters():
    model = hmmem.PoissonHMM(2)
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.array([[0.95, 0.05], [0.1, 0.9]])
    model.lambdas_ = np.array([[3.0], [15.0]])
    X, _ = model.sample(5000, random_state=1)
    found = hmmem.PoissonHMM(2, random_state=0).fit(X)
    order = np.argsort(found.lambdas_[:, 0])
    assert_allclose(found.lambdas_[order], model.lambdas_, rtol=0.05)
    assert_allclose(found.transmat_[np.ix_(order, order)], model.transmat_, atol=0.02)


def test_information_criteria_follow_their_formulas():
    X, lengths = blobs(), [100, 140]
    parameters = {"spherical": 3, "diag": 6, "tied": 3, "full": 9}
    for covariance_type, covariances in parameters.items():
        model = hmmem.GaussianHMM(3, covariance_type, random_state=0).fit(X, lengths=lengths)
        p = 2 + 6 + 6 + covariances
        score = model.score(X, lengths=lengths)
        assert model.aic(X, lengths) == pytest.approx(-2 * score + 2 * p, rel=1e-14)
        assert model.bic(X, lengths) == pytest.approx(-2 * score + p * math.log(240), rel=1e-14)
        mixture = hmmem.GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(X)
        p = 2 + 6 + covariances
        assert mixture.aic(X) == pytest.approx(-2 * 240 * mixture.score(X) + 2 * p, rel=1e-12)
        assert mixture.bic(X) == pytest.approx(-2 * 240 * mixture.score(X) + p * math.log(240), rel=1e-12)


def test_attributes_are_copies_and_changing_them_changes_the_model():
    X, model = blobs(), hmmem.GaussianHMM(3, random_state=0).fit(blobs())
    before = model.score(X)
    model.means_ += 1.0  # in place
    shifted = model.score(X)
    assert shifted < before
    model.means_ -= 1.0
    assert model.score(X) == pytest.approx(before, rel=1e-12)


def test_models_set_by_hand_work_without_fit_and_learn_nothing_from_what_they_are_asked():
    import pandas as pd

    model, X = by_hand(), noise()
    before = dict(model.__dict__)
    for method in ("score", "predict", "predict_proba", "decode", "segments", "score_frames", "bic", "aic"):
        getattr(model, method)(X)
        getattr(model, method)(pd.DataFrame(X, columns=["a", "b"]))
    assert model.__dict__ == before
    with pytest.raises(ValueError, match="X has 1 features, but GaussianHMM is expecting 2"):
        model.predict(X[:, :1])
    mixture = hmmem.GaussianMixture(2, covariance_type="diag")
    mixture.weights_, mixture.means_, mixture.covariances_ = np.array([0.5, 0.5]), np.zeros((2, 2)), np.ones((2, 2))
    before = dict(mixture.__dict__)
    assert mixture.score(X) == pytest.approx(mixture.score(pd.DataFrame(X, columns=["a", "b"])), rel=1e-15)
    assert mixture.__dict__ == before


def test_mixture_by_hand_takes_precision_factors_as_scikit_learn_users_set_them():
    import sklearn.mixture

    X = blobs()
    for covariance_type in TYPES:
        theirs = sklearn.mixture.GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(X)
        ours = hmmem.GaussianMixture(2, covariance_type=covariance_type)
        ours.weights_, ours.means_ = theirs.weights_, theirs.means_
        ours.precisions_cholesky_ = theirs.precisions_cholesky_
        assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-9)
        assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-9, atol=1e-12)


# ---- impossible data ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", ["decode", "predict", "predict_proba", "score_samples", "segments", "expected_counts"]
)
def test_impossible_sequences_are_an_error_that_names_sequence_and_frame(method):
    sequences = [np.array([[0], [1]]), np.array([[0], [1], [1], [0]])]
    message = "sequence 1 of X has probability zero under the model: no allowed path explains its frame 2 after the"
    with pytest.raises(hmmem.ImpossibleSequenceError, match=message):
        getattr(coin(), method)(sequences)
    with pytest.raises(hmmem.ImpossibleSequenceError, match=r"sequence 0 .* frame 0"):
        getattr(coin(), method)(np.array([[1], [0]]))


def test_scores_of_impossible_sequences_are_minus_infinity():
    model, X = coin(), np.array([[0], [1], [1], [0]])
    assert model.score(X) == -math.inf
    assert_array_equal(model.score_frames(X), [0.0, 0.0, -math.inf, -math.inf])
    assert_array_equal(model.score_sequences(X, [2, 2]), [0.0, -math.inf])
    assert model.aic(X) == math.inf


def test_an_impossible_frame_of_a_mixture_is_named():
    model = hmmem.GaussianMixture(1, covariance_type="diag")
    model.weights_, model.means_, model.covariances_ = np.ones(1), np.zeros((1, 1)), np.full((1, 1), 1e-300)
    X = np.array([[0.0], [1e10]])
    assert model.score_samples(X)[1] == -math.inf
    for method in ("predict", "predict_proba"):
        with pytest.raises(hmmem.ImpossibleSequenceError, match="frame 1 of X has probability zero under every"):
            getattr(model, method)(X)


# ---- extremes -------------------------------------------------------------------------------------------------------


def quiet(model, X, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hmmem.HmmemWarning)
        return model.fit(X, **how)


def assert_sound(model, X, **how):
    for name in type(model)._parameters:
        assert np.isfinite(np.asarray(getattr(model, name))).all(), name
    if hasattr(model, "transmat_"):
        assert_allclose(model.transmat_.sum(axis=1), 1.0, rtol=1e-12)
        assert_allclose(model.startprob_.sum(), 1.0, rtol=1e-12)
    assert math.isfinite(model.score(X, **how))
    history = np.array(model.fit_report_.history)
    assert np.all(np.diff(history) >= -1e-9 * np.maximum(np.abs(history[1:]), model.fit_report_.weight))
    gamma = model.predict_proba(X, **how)
    assert_allclose(gamma.sum(axis=-1), 1.0, atol=1e-12)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("K", [1, 3])
@pytest.mark.parametrize(
    "X",
    [
        np.array([[2.0, 3.0]]),
        np.full((20, 2), 4.0),
        np.repeat([[0.0, 1.0], [2.0, 5.0]], 10, axis=0),
        np.column_stack([np.arange(20.0), np.ones(20)]),
        1e-100 * np.random.default_rng(0).normal(size=(40, 2)),
        1e100 * np.random.default_rng(0).normal(size=(40, 2)),
        np.random.default_rng(0).normal(size=(40, 2)) * [1e-100, 1e100],
        np.concatenate([noise(n=39), [[1e8, -1e8]]]),
    ],
    ids=["one frame", "one value", "two values", "constant feature", "1e-100", "1e100", "both", "outlier"],
)
def test_extreme_frames_are_ordinary(X, K, covariance_type):
    assert_sound(quiet(hmmem.GaussianHMM(K, covariance_type, random_state=0), X), X)
    if len(X) >= K:
        assert_sound(quiet(hmmem.GaussianMixture(K, covariance_type=covariance_type, random_state=0), X), X)


@pytest.mark.parametrize("init", ["kmeans", "random", "data", "segments"])
def test_more_states_than_frames_start_anyhow(init):
    for X in (noise(n=2), np.zeros((3, 1))):
        assert_sound(quiet(hmmem.GaussianHMM(5, init=init, random_state=0), X), X)
        assert_sound(quiet(hmmem.PoissonHMM(5, init=init, random_state=0), np.round(np.abs(X))), np.round(np.abs(X)))


@pytest.mark.parametrize("scale", [2.0**-330, 2.0**330])
def test_the_unit_of_the_data_changes_nothing_but_the_unit(scale):
    for covariance_type in TYPES:
        one = hmmem.GaussianHMM(2, covariance_type, random_state=0, n_iter=5, tol=None).fit(noise())
        two = hmmem.GaussianHMM(2, covariance_type, random_state=0, n_iter=5, tol=None).fit(noise() * scale)
        assert_allclose(two.means_ / scale, one.means_, rtol=1e-9)
        assert_allclose(two.covars_ / scale / scale, one.covars_, rtol=1e-9)
        assert_allclose(two.transmat_, one.transmat_, rtol=1e-9)


def test_zero_counts_and_zero_rates_are_ordinary():
    X = np.zeros((30, 2))
    model = quiet(hmmem.PoissonHMM(3, random_state=0), X)
    assert_array_equal(model.lambdas_, np.zeros((3, 2)))
    assert model.score(X) == pytest.approx(0.0, abs=1e-12)
    assert model.score(X + 1) == -math.inf
    big = np.random.default_rng(0).poisson(1e12, size=(50, 1)).astype(float)
    assert_sound(quiet(hmmem.PoissonHMM(2, random_state=0), big), big)


@pytest.mark.parametrize("count", [0.0, 1.0, 9.0, 99_999.0, 100_001.0, 1e8, 1e12, 1e15])
@pytest.mark.parametrize("ratio", [1e-3, 0.5, 0.999, 1.0, 1.0 + 1e-7, 1.3, 40.0])
def test_large_counts_are_scored_to_nine_digits(count, ratio):
    import mpmath

    rate = (count or 1.0) * ratio
    model = hmmem.PoissonHMM(1)
    model.startprob_, model.transmat_, model.lambdas_ = np.ones(1), np.ones((1, 1)), np.array([[rate]])
    with mpmath.workdps(60):
        x, lam = mpmath.mpf(count), mpmath.mpf(rate)
        expected = float(x * mpmath.log(lam) - lam - mpmath.loggamma(x + 1))
    assert model.score([[count]]) == pytest.approx(expected, rel=1e-9)


def test_one_symbol_is_ordinary():
    X = np.zeros((20, 1), dtype=int)
    model = quiet(hmmem.CategoricalHMM(2, random_state=0), X)
    assert_array_equal(model.emissionprob_, np.ones((2, 1)))
    assert model.score(X) == pytest.approx(0.0, abs=1e-12)


def test_transitions_of_probability_one_are_ordinary():
    cycle = np.roll(np.eye(3), 1, axis=1)
    X = np.tile([[0.0], [5.0], [10.0]], (20, 1)) + noise(n=60, D=1)
    model = hmmem.GaussianHMM(3, startprob_init=[1, 0, 0], transmat_init=cycle, random_state=0, init="data").fit(X)
    assert_array_equal(model.transmat_, cycle)
    assert_array_equal(model.predict(X), np.tile([0, 1, 2], 20))
    assert_array_equal(model.predict_proba(X), np.tile(np.eye(3), (20, 1)))


@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.PoissonHMM, hmmem.CategoricalHMM])
def test_ten_thousand_sequences_of_one_frame_are_a_mixture(cls):
    rng = np.random.default_rng(0)
    X = rng.poisson(np.where(rng.random(10_000) < 0.3, 1.0, 12.0))[:, None]
    lengths = np.ones(10_000, dtype=int)
    with pytest.warns(hmmem.StarvedStateWarning, match="never left"):
        model = cls(2, random_state=0, n_iter=15, tol=None).fit(X, lengths=lengths)
    assert_sound(model, X, lengths=lengths)
    if cls is hmmem.GaussianHMM:
        start = {"weights_init": model.startprob_, "means_init": model.means_, "precisions_init": 1 / model.covars_}
        mixture = hmmem.GaussianMixture(2, covariance_type="diag", max_iter=0, tol=None, **start).fit(X)
        assert model.score(X, lengths=lengths) == pytest.approx(10_000 * mixture.score(X), rel=1e-12)
        assert_allclose(model.predict_proba(X, lengths), mixture.predict_proba(X), atol=1e-12)


def test_the_number_of_threads_does_not_change_a_bit():
    X, lengths = noise(n=20_000), [50] * 400
    fits = [
        hmmem.GaussianHMM(8, random_state=0, n_iter=3, tol=None, n_jobs=n).fit(X, lengths=lengths) for n in (1, 2, 3)
    ]
    for fit in fits[1:]:
        assert fit.fit_report_.history == fits[0].fit_report_.history
        assert fit.covars_.tobytes() == fits[0].covars_.tobytes()


def test_two_threads_may_fit_at_once():
    from concurrent.futures import ThreadPoolExecutor

    def fit(seed):
        return hmmem.GaussianHMM(3, "full", random_state=seed, n_iter=20, tol=None).fit(noise(seed)).means_.tobytes()

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(fit, range(6)))
    assert together == [fit(seed) for seed in range(6)]
