"""Models of hmmlearn and scikit-learn, taken over."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.mixture
from generators import random_gaussian, random_rows
from hmmlearn import hmm
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

import hmmem
from hmmem.compat import from_hmmlearn, from_sklearn

TYPES = ("spherical", "diag", "tied", "full")
RNG = np.random.default_rng(8)
X = RNG.normal(size=(60, 2)) + 5.0 * (np.arange(60) % 12 < 6)[:, None]
COUNTS, SYMBOLS = RNG.poisson(5.0, size=(60, 2)), RNG.integers(4, size=(60, 1))


def by_hand(model, rng, K=3):
    model.startprob_, model.transmat_ = random_rows(rng, 1, K)[0], random_rows(rng, K, K)
    return model


def gaussian(covariance_type, seed, D=2):
    rng = np.random.default_rng(seed)
    model = by_hand(hmm.GaussianHMM(3, covariance_type), rng)
    model.n_features = D
    model.means_, model.covars_ = random_gaussian(rng, 3, D, covariance_type)
    return model


def fitted(covariance_type):
    return hmm.GaussianHMM(2, covariance_type, random_state=0, n_iter=3, tol=0.0).fit(X, [20, 40])


def assert_says_the_same(ours, theirs, data, rtol=1e-9):
    lengths = [20, 40]
    assert ours.score(data, lengths) == pytest.approx(theirs.score(data, lengths), rel=rtol)
    log_prob, path = theirs.decode(data, lengths)
    found, same = ours.decode(data, lengths)
    assert found == pytest.approx(log_prob, rel=rtol)
    assert_array_equal(same, path)
    assert_allclose(ours.predict_proba(data, lengths), theirs.predict_proba(data, lengths), rtol=1e-7, atol=1e-12)
    assert ours.score_samples(data, lengths)[0] == pytest.approx(theirs.score_samples(data, lengths)[0], rel=rtol)


@pytest.mark.parametrize("covariance_type", TYPES)
@pytest.mark.parametrize("seed", range(3))
def test_from_hmmlearn_gaussian_says_the_same(covariance_type, seed):
    theirs = gaussian(covariance_type, seed)
    assert_says_the_same(from_hmmlearn(theirs), theirs, X)


@pytest.mark.parametrize("covariance_type", TYPES)
def test_from_hmmlearn_takes_fitted_models(covariance_type):
    theirs = fitted(covariance_type)
    ours = from_hmmlearn(theirs)
    assert_says_the_same(ours, theirs, X)
    shapes = {"spherical": (2,), "diag": (2, 2), "tied": (2, 2), "full": (2, 2, 2)}
    assert ours.covars_.shape == shapes[covariance_type]


@pytest.mark.parametrize("covariance_type", TYPES)
def test_from_hmmlearn_takes_one_feature(covariance_type):
    theirs = gaussian(covariance_type, 5, D=1)
    assert_says_the_same(from_hmmlearn(theirs), theirs, X[:, :1])


@pytest.mark.parametrize("seed", range(3))
def test_from_hmmlearn_categorical_says_the_same(seed):
    rng = np.random.default_rng(seed)
    theirs = by_hand(hmm.CategoricalHMM(3), rng)
    theirs.n_features, theirs.emissionprob_ = 4, random_rows(rng, 3, 4)
    ours = from_hmmlearn(theirs)
    assert_says_the_same(ours, theirs, SYMBOLS)
    assert ours.symbols_ == [(0, 1, 2, 3)]


@pytest.mark.parametrize("seed", range(3))
def test_from_hmmlearn_poisson_says_the_same(seed):
    rng = np.random.default_rng(seed)
    theirs = by_hand(hmm.PoissonHMM(3), rng)
    theirs.n_features, theirs.lambdas_ = 2, rng.uniform(1.0, 9.0, (3, 2))
    assert_says_the_same(from_hmmlearn(theirs), theirs, COUNTS)


def test_from_hmmlearn_keeps_arguments_that_mean_the_same():
    theirs = fitted("diag").set_params(algorithm="map", params="st", init_params="mc", n_iter=17)
    ours = from_hmmlearn(theirs)
    assert (ours.n_components, ours.covariance_type, ours.n_iter) == (2, "diag", 17)
    assert (ours.algorithm, ours.params, ours.init_params) == ("map", "st", "mc")
    assert (ours.random_state, ours.tol) == (0, 1e-6)


def test_from_hmmlearn_drops_a_seed_that_hmmlearn_replaced():
    theirs = hmm.CategoricalHMM(2, random_state=0, n_iter=2, tol=0.0).fit(SYMBOLS)
    assert isinstance(theirs.random_state, np.random.RandomState)
    assert from_hmmlearn(theirs).random_state is None


def test_from_hmmlearn_copies_the_arrays():
    theirs = gaussian("diag", 0)
    ours = from_hmmlearn(theirs)
    theirs.means_[:] = 99.0
    theirs.transmat_[:] = 1 / 3
    assert ours.means_.max() < 99.0
    assert_array_equal(ours.transmat_, gaussian("diag", 0).transmat_)


def test_from_hmmlearn_model_can_be_fitted_further_and_saved(tmp_path):
    ours = from_hmmlearn(gaussian("full", 1))
    ours.save(tmp_path / "model.hmmem")
    assert hmmem.load(tmp_path / "model.hmmem").score(X) == ours.score(X)
    before = ours.score(X)
    assert ours.set_params(init_params="", n_iter=500).fit(X).score(X) > before


def test_from_hmmlearn_refuses_other_models():
    for model in (hmm.GMMHMM(2), hmm.MultinomialHMM(2), hmmem.GaussianMixture(2), 5):
        with pytest.raises(TypeError, match="takes a GaussianHMM, CategoricalHMM or PoissonHMM of hmmlearn; got"):
            from_hmmlearn(model)


def test_from_hmmlearn_names_a_broken_row():
    theirs = gaussian("diag", 0)
    theirs.transmat_ = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 0]])  # what hmmlearn leaves on left-right data
    with pytest.raises(ValueError, match="transmat_ rows must sum to 1; row 2 sums to 0"):
        from_hmmlearn(theirs)


def test_from_hmmlearn_says_when_a_model_is_not_fitted():
    with pytest.raises((AttributeError, ValueError), match=r"not fitted|means_|covars"):
        from_hmmlearn(hmm.GaussianHMM(2))


@pytest.mark.parametrize("covariance_type", TYPES)
def test_from_sklearn_says_the_same(covariance_type):
    theirs = sklearn.mixture.GaussianMixture(2, covariance_type=covariance_type, random_state=1).fit(X)
    ours = from_sklearn(theirs)
    assert_allclose(ours.score_samples(X), theirs.score_samples(X), rtol=1e-10)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9, atol=1e-12)
    assert_array_equal(ours.predict(X), theirs.predict(X))
    assert_allclose(ours.precisions_, theirs.precisions_, rtol=1e-9, atol=1e-12)
    assert_allclose(ours.precisions_cholesky_, theirs.precisions_cholesky_, rtol=1e-9, atol=1e-12)
    assert ours.aic(X) == pytest.approx(theirs.aic(X), rel=1e-10)
    assert ours.bic(X) == pytest.approx(theirs.bic(X), rel=1e-10)


def test_from_sklearn_refuses_other_mixtures():
    with pytest.raises(TypeError, match="takes a GaussianMixture of scikit-learn; got BayesianGaussianMixture"):
        from_sklearn(sklearn.mixture.BayesianGaussianMixture())


def test_from_hmmem_import_hmm_serves_hmmlearn_scripts():
    from hmmem import hmm as ours

    assert ours.GaussianHMM is hmmem.GaussianHMM
    assert ours.PoissonHMM is hmmem.PoissonHMM
    assert ours.CategoricalHMM is hmmem.CategoricalHMM
    with pytest.raises(AttributeError, match=r"module 'hmmem.hmm' has no attribute 'GMMHMM'"):
        _ = ours.GMMHMM


def test_monitor_tells_the_course_of_the_fit_by_hmmlearns_names():
    model = hmmem.GaussianHMM(2, n_iter=3, tol=None)
    with pytest.raises(AttributeError, match="not fitted yet; monitor_ comes with fit"):
        _ = model.monitor_
    monitor = model.fit(np.random.default_rng(0).normal(size=(50, 1))).monitor_
    assert (monitor.converged, monitor.iter, monitor.tol, monitor.n_iter) == (False, 3, None, 3)
    assert monitor.history == model.fit_report_.history


def test_models_that_are_hmmems_or_not_fitted_are_refused_by_name():
    with pytest.raises(TypeError, match="this GaussianHMM is hmmem's already"):
        hmmem.from_hmmlearn(hmmem.GaussianHMM())
    with pytest.raises(TypeError, match="this GaussianMixture is hmmem's already"):
        hmmem.from_sklearn(hmmem.GaussianMixture())
    with pytest.raises(NotFittedError, match="this GaussianHMM of hmmlearn is not fitted yet"):
        hmmem.from_hmmlearn(hmm.GaussianHMM())
    with pytest.raises(NotFittedError, match="this GaussianMixture of scikit-learn is not fitted yet"):
        hmmem.from_sklearn(sklearn.mixture.GaussianMixture())
    for name in ("GMMHMM", "BayesianGaussianMixture"):
        with pytest.raises(AttributeError, match="there is no such model yet"):
            getattr(hmmem, name)
    with pytest.raises(AttributeError, match="did you mean GaussianHMM"):
        _ = hmmem.GausianHMM
