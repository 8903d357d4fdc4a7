"""Models of other libraries as hmmem's."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from hmmem.estimators.base import Estimator
from hmmem.estimators.categorical_hmm import CategoricalHMM
from hmmem.estimators.gaussian_hmm import GaussianHMM
from hmmem.estimators.gaussian_mixture import GaussianMixture
from hmmem.estimators.poisson_hmm import PoissonHMM

SHARED = ("n_components", "algorithm", "random_state", "n_iter", "params", "init_params", "verbose")


def from_hmmlearn(model: Any) -> GaussianHMM | CategoricalHMM | PoissonHMM:
    """Return the hmmem estimator with the parameters of a fitted hmmlearn model.

    Parameters
    ----------
    model : hmmlearn.hmm.GaussianHMM, CategoricalHMM or PoissonHMM
        Read by its attributes; hmmlearn itself is not imported.

    Returns
    -------
    GaussianHMM, CategoricalHMM or PoissonHMM
        It scores and decodes like the original (Gaussian, categorical and Poisson densities are the same); ``tol`` is
        hmmem's own, because hmmlearn's is a gain of the total. A seed that hmmlearn replaced by a generator is dropped.

    Raises
    ------
    TypeError
        If the model is of another kind.

    Examples
    --------
    >>> import numpy as np, hmmem
    >>> from hmmlearn.hmm import PoissonHMM
    >>> other = PoissonHMM(2)
    >>> other.startprob_, other.transmat_ = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> other.lambdas_ = np.array([[1.0], [5.0]])
    >>> hmmem.from_hmmlearn(other).lambdas_.tolist()
    [[1.0], [5.0]]
    """
    kind = type(model).__name__
    parameters = {"GaussianHMM": "means_", "CategoricalHMM": "emissionprob_", "PoissonHMM": "lambdas_"}
    if kind in parameters and isinstance(model, Estimator):
        raise TypeError(f"this {kind} is hmmem's already")
    if kind in parameters and not (hasattr(model, parameters[kind]) and hasattr(model, "transmat_")):
        raise NotFittedError(f"this {kind} of hmmlearn is not fitted yet; fit it first")
    arguments: dict[str, Any] = {name: getattr(model, name) for name in SHARED if hasattr(model, name)}
    if isinstance(arguments.get("random_state"), np.random.RandomState):
        arguments["random_state"] = None
    estimator: Any
    if kind == "GaussianHMM":
        estimator = GaussianHMM(covariance_type=model.covariance_type, **arguments)
        full = np.asarray(model.covars_)
        # hmmlearn repeats each spherical variance once for each feature
        spherical = full.reshape(model.n_components, -1)[:, 0]
        compact = {"spherical": spherical, "diag": np.einsum("kii->ki", full), "tied": full[0], "full": full}
        estimator.means_, estimator.covars_ = np.array(model.means_), compact[model.covariance_type].copy()
        estimator.n_features_in_ = estimator.means_.shape[1]
    elif kind == "CategoricalHMM":
        estimator = CategoricalHMM(**arguments)
        estimator.emissionprob_ = np.array(model.emissionprob_)
        estimator.symbols_ = [tuple(range(estimator.emissionprob_.shape[1]))]
        estimator.n_features_in_ = 1
    elif kind == "PoissonHMM":
        estimator = PoissonHMM(**arguments)
        estimator.lambdas_ = np.array(model.lambdas_)
        estimator.n_features_in_ = estimator.lambdas_.shape[1]
    else:
        raise TypeError(f"from_hmmlearn takes a GaussianHMM, CategoricalHMM or PoissonHMM of hmmlearn; got {kind}")
    estimator.startprob_, estimator.transmat_ = np.array(model.startprob_), np.array(model.transmat_)
    return _checked(estimator)


def from_sklearn(mixture: Any) -> GaussianMixture:
    """Return the hmmem estimator with the parameters of a fitted scikit-learn ``GaussianMixture``.

    Parameters
    ----------
    mixture : sklearn.mixture.GaussianMixture
        A fitted one.

    Returns
    -------
    GaussianMixture
        With the same densities. ``reg_covar`` has no counterpart: the covariances are taken as they are.

    Raises
    ------
    TypeError
        If it is of another kind, such as a ``BayesianGaussianMixture``.

    Examples
    --------
    >>> import hmmem, sklearn.mixture
    >>> X = hmmem.load_dataset("old_faithful").X
    >>> other = sklearn.mixture.GaussianMixture(2, random_state=0).fit(X)
    >>> abs(hmmem.from_sklearn(other).score(X) - other.score(X)) < 1e-12
    True
    """
    if type(mixture).__name__ != "GaussianMixture":
        raise TypeError(f"from_sklearn takes a GaussianMixture of scikit-learn; got {type(mixture).__name__}")
    if isinstance(mixture, Estimator):
        raise TypeError("this GaussianMixture is hmmem's already")
    if not hasattr(mixture, "weights_"):
        raise NotFittedError("this GaussianMixture of scikit-learn is not fitted yet; fit it first")
    estimator = GaussianMixture(
        mixture.n_components,
        covariance_type=mixture.covariance_type,
        max_iter=mixture.max_iter,
        n_init=mixture.n_init,
        init_params=mixture.init_params,
        random_state=mixture.random_state,
    )
    estimator.weights_ = np.array(mixture.weights_)
    estimator.means_ = np.array(mixture.means_)
    estimator.covariances_ = np.array(mixture.covariances_)
    estimator.n_features_in_ = estimator.means_.shape[1]
    return _checked(estimator)


def _checked(estimator: Any) -> Any:
    assert isinstance(estimator, Estimator)
    estimator._model = estimator._current()
    return estimator
