"""The same updates and the same answers as hmmlearn and scikit-learn, and scripts written for them that run here."""

from __future__ import annotations

import re
import textwrap
import warnings

import numpy as np
import pytest
import sklearn.mixture
from generators import (
    categorical_frames,
    gaussian_frames,
    poisson_frames,
    random_categorical,
    random_gaussian,
    random_poisson,
    random_rows,
    simulate,
)
from hmmlearn import hmm
from numpy.testing import assert_allclose

import hmmem

TYPES = ("spherical", "diag", "tied", "full")
LENGTHS = [40, 1, 60, 25]
K, D = 3, 2


def chain(rng):
    return random_rows(rng, 1, K)[0], random_rows(rng, K, K)


def set_all(model, **values):
    for name, value in values.items():
        setattr(model, name, value)
    return model


def theirs_after(model, updates, X, **start):
    """hmmlearn in log space, all of its priors off, from a given start."""
    arguments = {"n_iter": updates, "tol": -np.inf, "init_params": "", "implementation": "log"}
    # a new object, because hmmlearn reads n_iter and tol in its constructor alone
    model = type(model)(**{**model.get_params(), **arguments})
    if "means_" in start:
        model.n_features = D
    return set_all(model, **start).fit(X, LENGTHS)


def ours_after(model, updates, X, **start):
    model.set_params(n_iter=updates, tol=None, init_params="")
    return set_all(model, **start).fit(X, LENGTHS)


def assert_same_chain(ours, theirs, rtol=1e-8):
    assert_allclose(ours.startprob_, theirs.startprob_, rtol=rtol, atol=1e-300)
    assert_allclose(ours.transmat_, theirs.transmat_, rtol=rtol, atol=1e-300)
    # hmmlearn's history stops before its last update; ours goes on to the returned model
    assert_allclose(ours.fit_report_.history[:-1], theirs.monitor_.history, rtol=1e-10)
    assert len(ours.fit_report_.history) == 6


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("seed", range(3))
def test_five_gaussian_updates_match_hmmlearn(covariance_type, seed):
    rng = np.random.default_rng(seed)
    startprob, transmat = chain(rng)
    means, covars = random_gaussian(rng, K, D, covariance_type)
    X = gaussian_frames(rng, simulate(rng, startprob, transmat, sum(LENGTHS)), means, covars, covariance_type)
    start = {"startprob_": startprob, "transmat_": transmat, "means_": means + 0.3, "covars_": 1.5 * covars}
    # covars_prior=0 with covars_weight=1 takes hmmlearn's own prior out of its update
    theirs = hmm.GaussianHMM(K, covariance_type, covars_prior=0.0, covars_weight=1.0, min_covar=0.0)
    theirs = theirs_after(theirs, 5, X, **start)
    ours = ours_after(hmmem.GaussianHMM(K, covariance_type, variance_floor=0.0), 5, X, **start)
    assert_same_chain(ours, theirs)
    assert_allclose(ours.means_, theirs.means_, rtol=1e-8)
    expected = theirs._covars_[:, 0] if covariance_type == "spherical" else theirs._covars_
    assert_allclose(ours.covars_, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(3))
def test_five_poisson_updates_match_hmmlearn(seed):
    rng = np.random.default_rng(seed)
    startprob, transmat = chain(rng)
    lambdas = random_poisson(rng, K, D)
    X = poisson_frames(rng, simulate(rng, startprob, transmat, sum(LENGTHS)), lambdas)
    start = {"startprob_": startprob, "transmat_": transmat, "lambdas_": lambdas + 0.5}
    theirs, ours = theirs_after(hmm.PoissonHMM(K), 5, X, **start), ours_after(hmmem.PoissonHMM(K), 5, X, **start)
    assert_same_chain(ours, theirs)
    assert_allclose(ours.lambdas_, theirs.lambdas_, rtol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_five_categorical_updates_match_hmmlearn(seed):
    rng = np.random.default_rng(seed)
    startprob, transmat = chain(rng)
    table = random_categorical(rng, K, 4)
    X = categorical_frames(rng, simulate(rng, startprob, transmat, sum(LENGTHS)), table)[:, None]
    start = {"startprob_": startprob, "transmat_": transmat, "emissionprob_": random_categorical(rng, K, 4)}
    theirs = theirs_after(hmm.CategoricalHMM(K, n_features=4), 5, X, **start)
    ours = ours_after(hmmem.CategoricalHMM(K, n_features=4), 5, X, **start)
    assert_same_chain(ours, theirs)
    assert_allclose(ours.emissionprob_, theirs.emissionprob_, rtol=1e-8)


@pytest.mark.parametrize("params", ["", "s", "t", "m", "mc", "st", "stm"])
def test_updates_of_some_parameters_match_hmmlearn(params):
    rng = np.random.default_rng(4)
    startprob, transmat = chain(rng)
    means, covars = random_gaussian(rng, K, D, "diag")
    X = gaussian_frames(rng, simulate(rng, startprob, transmat, sum(LENGTHS)), means, covars, "diag")
    start = {"startprob_": startprob, "transmat_": transmat, "means_": means + 0.3, "covars_": 1.5 * covars}
    theirs = hmm.GaussianHMM(K, covars_prior=0.0, covars_weight=1.0, params=params)
    theirs = theirs_after(theirs, 5, X, **start)
    ours = ours_after(hmmem.GaussianHMM(K, variance_floor=0.0, params=params), 5, X, **start)
    assert_same_chain(ours, theirs)
    assert_allclose(ours.means_, theirs.means_, rtol=1e-8)
    assert_allclose(ours.covars_, theirs._covars_, rtol=1e-8)
    for letter, name in {"s": "startprob_", "t": "transmat_", "m": "means_", "c": "covars_"}.items():
        assert np.array_equal(getattr(ours, name), start[name]) == (letter not in params)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_five_mixture_updates_match_scikit_learn(covariance_type, seed):
    rng = np.random.default_rng(seed)
    means, covars = random_gaussian(rng, K, D, covariance_type)
    X = gaussian_frames(rng, rng.integers(K, size=200), means, covars, covariance_type)
    wide = 1.5 * covars
    precisions = 1 / wide if covariance_type in {"spherical", "diag"} else np.linalg.inv(wide)
    start = {"weights_init": random_rows(rng, 1, K)[0], "means_init": means + 0.3, "precisions_init": precisions}
    theirs = sklearn.mixture.GaussianMixture(
        K, covariance_type=covariance_type, reg_covar=0.0, max_iter=5, tol=0.0, **start
    ).fit(X)
    ours = hmmem.GaussianMixture(
        K, covariance_type=covariance_type, variance_floor=0.0, max_iter=5, tol=None, **start
    ).fit(X)
    assert ours.n_iter_ == theirs.n_iter_ == 5
    assert_allclose(ours.weights_, theirs.weights_, rtol=1e-8)
    assert_allclose(ours.means_, theirs.means_, rtol=1e-8)
    assert_allclose(ours.covariances_, theirs.covariances_, rtol=1e-8, atol=1e-8 * np.abs(theirs.covariances_).max())
    assert_allclose(ours.precisions_, theirs.precisions_, rtol=1e-8, atol=1e-8)
    # their bound belongs to the parameters before the last update
    assert ours.lower_bounds_[-2] == pytest.approx(theirs.lower_bound_, rel=1e-10)
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-10)
    assert ours.lower_bound_ == pytest.approx(ours.score(X), rel=1e-13)


# ---- scripts --------------------------------------------------------------------------------------------------------

SCRIPTS = {
    "sampling and decoding": """
        gen_model = hmm.GaussianHMM(n_components=4, covariance_type="full")
        gen_model.startprob_ = np.array([0.6, 0.3, 0.1, 0.0])
        gen_model.transmat_ = np.array([[0.7, 0.2, 0.0, 0.1],
                                        [0.3, 0.5, 0.2, 0.0],
                                        [0.0, 0.3, 0.5, 0.2],
                                        [0.2, 0.0, 0.2, 0.6]])
        gen_model.means_ = np.array([[0.0, 0.0], [0.0, 11.0], [9.0, 10.0], [11.0, -1.0]])
        gen_model.covars_ = .5 * np.tile(np.identity(2), (4, 1, 1))
        X, Z = gen_model.sample(500, random_state=1)
        scores, models = [], []
        for n_components in (3, 4):
            for idx in range(2):
                model = hmm.GaussianHMM(n_components=n_components, covariance_type='full', random_state=idx)
                model.fit(X[:X.shape[0] // 2])
                models.append(model)
                scores.append(model.score(X[X.shape[0] // 2:]))
        model = models[np.argmax(scores)]
        states = model.predict(X)
        result = X.shape, Z.shape, model.n_components, states.shape, gen_model.predict(X).tolist() == Z.tolist()
        """,
    "casino": """
        gen_model = hmm.CategoricalHMM(n_components=2, random_state=99)
        gen_model.startprob_ = np.array([1.0, 0.0])
        gen_model.transmat_ = np.array([[0.95, 0.05], [0.1, 0.9]])
        gen_model.emissionprob_ = np.array([[1 / 6] * 6, [1 / 10] * 5 + [1 / 2]])
        rolls, gen_states = gen_model.sample(3000)
        X_train, X_validate = rolls[:1500], rolls[1500:]
        best_score = best_model = None
        rng = np.random.RandomState(13)
        for idx in range(2):
            model = hmm.CategoricalHMM(n_components=2, random_state=idx, init_params='se')
            model.transmat_ = np.array([rng.dirichlet([0.9, 0.1]), rng.dirichlet([0.1, 0.9])])
            model.fit(X_train)
            score = model.score(X_validate)
            if best_score is None or score > best_score:
                best_model, best_score = model, score
        states = best_model.predict(rolls)
        result = rolls.shape, states.shape, best_model.emissionprob_.shape, best_model.transmat_.shape
        """,
    "several sequences": """
        X1 = np.array([[0.5], [1.0], [-1.0], [0.42], [0.24]])
        X2 = np.array([[2.4], [4.2], [0.5], [-0.24]])
        X = np.concatenate([X1, X2])
        lengths = [len(X1), len(X2)]
        model = hmm.GaussianHMM(n_components=2, n_iter=100, random_state=0).fit(X, lengths)
        result = (model.predict(X, lengths).shape, model.predict_proba(X, lengths).shape,
                  np.ndim(model.score(X, lengths)), model.score_samples(X, lengths)[1].shape,
                  model.decode(X, lengths)[1].shape, model.decode(X, lengths, algorithm="map")[1].shape)
        """,
    "fixed parameters": """
        rng = np.random.RandomState(0)
        X = np.concatenate([rng.randn(40, 1), 5 + rng.randn(40, 1)])
        model = hmm.GaussianHMM(n_components=2, n_iter=20, init_params="mc", params="cmt", random_state=1)
        model.startprob_ = np.array([1.0, 0.0])
        model.transmat_ = np.array([[0.9, 0.1], [0.0, 1.0]])
        model.fit(X)
        result = model.startprob_.tolist(), model.transmat_[1, 0], model.transmat_.shape
        """,
    "nothing initialised": """
        rng = np.random.RandomState(0)
        X = np.concatenate([rng.randn(40, 1), 5 + rng.randn(40, 1)])
        model = hmm.GaussianHMM(n_components=2, covariance_type="diag", n_iter=3, init_params="")
        model.startprob_ = np.array([0.5, 0.5])
        model.transmat_ = np.array([[0.9, 0.1], [0.1, 0.9]])
        model.means_ = np.array([[0.0], [5.0]])
        model.covars_ = np.array([[1.0], [1.0]])
        model.fit(X)
        result = np.round(model.means_, 2).tolist(), model.predict(X).tolist()
        """,
    "poisson and information criteria": """
        X = hmm_data
        scores = []
        for n_components in range(1, 4):
            for idx in range(2):
                model = hmm.PoissonHMM(n_components=n_components, random_state=idx, n_iter=10)
                model.fit(X[:, None])
                scores.append(model.aic(X[:, None]) + model.bic(X[:, None]))
        result = len(scores), model.lambdas_.shape, model.get_stationary_distribution().shape
        """,
    "sampling on": """
        model = hmm.GaussianHMM(n_components=2)
        model.startprob_ = np.array([1.0, 0.0])
        model.transmat_ = np.array([[0.0, 1.0], [1.0, 0.0]])
        model.means_ = np.array([[0.0], [100.0]])
        model.covars_ = np.array([[1.0], [1.0]])
        X, Z = model.sample(5, random_state=3)
        more, states = model.sample(4, currstate=1, random_state=3)
        result = Z.tolist(), states[0] in (0, 1), more.shape
        """,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_for_hmmlearn_run_after_changing_the_import(name):
    code = textwrap.dedent(SCRIPTS[name])
    results = []
    for import_line in ("from hmmlearn import hmm", "import hmmem as hmm"):
        space = {"np": np, "hmm_data": hmmem.load_dataset("earthquakes").X[:, 0].astype(int)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ten updates are few, and both libraries say so
            exec(f"{import_line}\n{code}", space)
        results.append(space["result"])
    assert results[0] == results[1]


@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.CategoricalHMM, hmmem.PoissonHMM, hmmem.GaussianMixture])
@pytest.mark.parametrize(
    ("name", "replacement"),
    [
        ("min_covar", "use variance_floor, a floor of the maximisation relative to the variance of each feature"),
        ("reg_covar", "use variance_floor"),
        ("implementation", "leave it out: scaled recursions, with log space where they cannot vouch for the result"),
        ("startprob_prior", "leave it out: fits are maximum likelihood"),
        ("transmat_prior", "leave it out"),
        ("means_prior", "leave it out"),
        ("means_weight", "leave it out"),
        ("covars_prior", "leave it out"),
        ("covars_weight", "leave it out"),
        ("emissionprob_prior", "leave it out"),
        ("lambdas_prior", "leave it out"),
        ("lambdas_weight", "leave it out"),
    ],
)
def test_arguments_that_have_no_place_here_name_their_replacement(cls, name, replacement):
    with pytest.raises(TypeError, match=re.escape(f"{cls.__name__} has no argument {name!r}; {replacement}")):
        cls(2, **{name: 1.0})


def test_other_unknown_arguments_are_refused_with_a_guess():
    with pytest.raises(TypeError, match="GaussianHMM has no argument 'covariance_typ'; did you mean covariance_type"):
        hmmem.GaussianHMM(2, covariance_typ="full")
    with pytest.raises(TypeError, match="GaussianMixture has no argument 'n_iter'; max_iter is the largest number"):
        hmmem.GaussianMixture(2, n_iter=3)


def test_letters_and_positions_are_those_of_hmmlearn():
    assert hmmem.GaussianHMM(3, "full").covariance_type == "full"
    for name in ("GaussianHMM", "CategoricalHMM", "PoissonHMM"):
        theirs, ours = getattr(hmm, name)(), getattr(hmmem, name)()
        assert set(ours.params) == set(theirs.params)
        assert set(ours.init_params) == set(theirs.init_params)


def test_covariances_are_compact_where_hmmlearn_expands_them():
    X = np.random.default_rng(0).normal(size=(50, 2))
    shapes = {}
    for covariance_type in TYPES:
        model = hmmem.GaussianHMM(3, covariance_type, random_state=0, n_iter=2, tol=None).fit(X)
        shapes[covariance_type] = model.covars_.shape
        model.covars_ = model.covars_.copy()  # what is read can be written
        assert np.isfinite(model.score(X))
    assert shapes == {"spherical": (3,), "diag": (3, 2), "tied": (2, 2), "full": (3, 2, 2)}


def test_models_with_zeros_are_scored_like_hmmlearn():
    rng = np.random.default_rng(6)
    startprob, transmat = random_rows(rng, 1, K, 0.4)[0], random_rows(rng, K, K, 0.4)
    table = random_rows(rng, K, 4, 0.3)
    X = categorical_frames(rng, simulate(rng, startprob, transmat, 60), table)[:, None]
    start = {"startprob_": startprob, "transmat_": transmat, "emissionprob_": table}
    theirs = set_all(hmm.CategoricalHMM(K, n_features=4), **start)
    ours = set_all(hmmem.CategoricalHMM(K, n_features=4), **start)
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-10)
    assert ours.decode(X)[0] == pytest.approx(theirs.decode(X)[0], rel=1e-10)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-8, atol=1e-12)
