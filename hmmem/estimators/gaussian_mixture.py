"""Gaussian mixtures on the EM driver, with scikit-learn's names."""

from __future__ import annotations

import copy
import math
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Self, cast

import numpy as np

from hmmem import parameters as check
from hmmem import starts
from hmmem.emissions.covariance import SHAPES
from hmmem.emissions.gaussian import Gaussian
from hmmem.estimators.base import Estimator
from hmmem.estimators.gaussian_hmm import (
    check_floor,
    constant_notes,
    gaussian_details,
    gaussian_of,
    gaussian_target,
    gaussian_with_details,
)
from hmmem.exceptions import ImpossibleSequenceError
from hmmem.mixture import Mixture
from hmmem.sequences import Sequences

METHODS = ("kmeans", "k-means++", "random", "random_from_data")


class GaussianMixture(Estimator):
    """Mixture of Gaussians; frames are independent.

    Parameters
    ----------
    n_components : int
        Number of components K.
    covariance_type : {"full", "tied", "diag", "spherical"}
        ``full``: a matrix per component; ``tied``: one for all; ``diag``: a variance per component and feature;
        ``spherical``: one per component.
    tol : float or None
        Stop when an update gains less than this, in nats per frame. None: no such rule.
    param_tol : float or None
        Stop when no parameter changes by more than this: weights absolutely, means in standard deviations, covariances
        relatively.
    variance_floor : float
        In place of ``reg_covar``: no variance falls below this share of its feature's variance over the training data
        (``full``, ``tied``: no eigenvalue in those units). Nothing is added to any covariance. 0: plain EM.
        ``full`` and ``tied`` refuse floors between 0 and 1e-6, which a matrix in double precision cannot hold.
    max_iter : int
        Largest number of updates.
    n_init : int
        Number of starts: each gets 10 updates, the best third goes on, the best is kept.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}
        ``kmeans``: k-means++ seeds, refined by EM on at most 20,000 frames; ``k-means++``: the seeds as means;
        ``random``: means drawn around the data's; ``random_from_data``: single frames as means.
    weights_init, means_init, precisions_init : array-like, optional
        Parts of the start: shapes (K,), (K, D), and inverse covariances in the compact shape of the type.
    random_state : int, Generator, RandomState or None
        Seed; never changed or consumed.
    warm_start : bool
        Start from the fit before.
    max_time : float or None
        Stop after this many seconds.
    n_jobs : int or None
        Threads; None and -1: all cores. The result is the same, bit by bit.
    verbose : bool
        Show progress on standard error.
    callback : callable, optional
        ``callback(iteration, objective, model)`` after every update; the fit stops when it returns True.

    Attributes
    ----------
    weights_ : ndarray of shape (K,)
        ``weights_[k] = p(component k)``.
    means_ : ndarray of shape (K, D)
        Means.
    covariances_ : ndarray
        Covariances, (K, D, D) full, (D, D) tied, (K, D) diag, (K,) spherical. The model is usable with ``weights_``,
        ``means_`` and ``covariances_`` set by hand.
    lower_bound_ : float
        Objective per frame, in nats; it belongs to the returned parameters.
    lower_bounds_ : list of float
        The same after every update.
    fit_report_ : FitReport
        History, stop reason, notes, restarts.
    converged_ : bool
        Whether a stopping rule was met.
    n_iter_ : int
        Number of updates.

    Examples
    --------
    >>> import hmmem as hmm
    >>> X = hmm.load_dataset("old_faithful").X
    >>> mixture = hmm.GaussianMixture(2, random_state=0).fit(X)
    >>> round(mixture.score(X) * len(X), 3)
    -1130.264
    """

    _parameters: ClassVar[tuple[str, ...]] = ("weights_", "means_", "covariances_")

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        tol: float | None = 1e-6,
        param_tol: float | None = None,
        variance_floor: float = 1e-3,
        max_iter: int = 500,
        n_init: int = 1,
        init_params: str = "kmeans",
        weights_init: Any = None,
        means_init: Any = None,
        precisions_init: Any = None,
        random_state: Any = None,
        warm_start: bool = False,
        max_time: float | None = None,
        n_jobs: int | None = None,
        verbose: bool = False,
        callback: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.param_tol = param_tol
        self.variance_floor = variance_floor
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.max_time = max_time
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback

    # --- fit --------------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Estimate the parameters by EM.

        Parameters
        ----------
        X : array-like of shape (N, D)
            Frames.
        y : ignored
            Present for scikit-learn.

        Returns
        -------
        self
            With the fitted attributes and ``fit_report_``.
        """
        with self._all_or_nothing():
            self._check_arguments()
            data = self._data(X, reset=True)
            if data.n_frames < self.n_components:
                raise ValueError(
                    f"X must hold at least n_components={self.n_components} frames; it has {data.n_frames} samples"
                )
            with self._map() as map_:
                models = self._starts(data)
                inside = [model.emission.inside() for model in models]
                models = [replace(m, emission=e) for m, (e, _) in zip(models, inside, strict=True)]
                model, report = self._run_em(models, data, self.max_iter, map_)
                report.notes += inside[0][1]
                report.notes += constant_notes(model.emission.scale)
                if report.n_impossible:
                    report.impossible_sequences = np.flatnonzero(model.score_frames(data) == -np.inf).tolist()
            self._adopt(model, report)
            self.lower_bounds_ = [value / report.weight for value in report.history]
            self.lower_bound_ = self.lower_bounds_[-1]
        self._warn(report, "max_iter")
        return self

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit, and return the most probable component of each frame, (N,)."""
        return self.fit(X).predict(X)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        check.check_choice("covariance_type", self.covariance_type, tuple(SHAPES))
        check_floor(self.variance_floor, self.covariance_type)
        check.check_count("max_iter", self.max_iter, 0)
        check.check_choice("init_params", self.init_params, METHODS)

    def _data(self, X: Any, reset: bool) -> Sequences:
        if isinstance(X, Sequences):
            if "weight" in X.per_sequence:
                raise ValueError("X has weights, which a mixture does not take yet; leave them out")
            X = X.frames
        frames = self._check_frames(X, reset)
        return Sequences(frames, np.array([0, len(frames)]))

    def _starts(self, data: Sequences) -> list[Mixture]:
        rng = check.generator(self.random_state)
        if self.warm_start and self.__sklearn_is_fitted__():
            current = self._current()
            target = gaussian_target(data, self.n_components, self.covariance_type, self.variance_floor)
            return [replace(current, emission=current.emission.with_scale(target.scale))]
        given = (self.weights_init, self.means_init, self.precisions_init)
        n = self.n_init if any(part is None for part in given) else 1
        return [self._start(data, child) for child in rng.spawn(n)]

    def _start(self, data: Sequences, rng: np.random.Generator) -> Mixture:
        K, D = self.n_components, data.frames.shape[1]
        target = gaussian_target(data, K, self.covariance_type, self.variance_floor)
        sample = starts.draw(data, rng)
        weights = np.full(K, 1 / K)
        if self.init_params == "random":
            points = starts.in_order(target.sample(np.zeros(K, dtype=np.int64), rng))
            emission = target.with_means(points)
        elif self.init_params == "random_from_data":
            emission = target.with_means(starts.distinct_frames(sample.X, K, rng))
        else:
            emission = target.with_means(starts.seeds(sample.X, K, rng))
            if self.init_params == "kmeans":
                emission = starts.refine(emission, sample, target)
        if self.means_init is not None:
            emission = emission.with_means(check.check_array("means_init", self.means_init, (K, D)))
        if self.precisions_init is not None:
            precisions = check.check_covars("precisions_init", self.precisions_init, self.covariance_type, K, D)
            covariances = _inverse(precisions, self.covariance_type)
            emission = replace(emission, covariance=SHAPES[self.covariance_type](covariances, K, D))
        if self.weights_init is not None:
            weights = check.check_probabilities("weights_init", self.weights_init, (K,))
        return Mixture(weights, emission)

    # --- attributes and the model -----------------------------------------------------------------------------------

    def _attributes_of(self, model: Mixture) -> dict[str, Any]:
        emission: Any = model.emission
        return {
            "weights_": model.weights.copy(),
            "means_": emission.means.copy(),
            "covariances_": emission.covariance.values.copy(),
        }

    def _model_of(self, attributes: dict[str, Any]) -> Mixture:
        K = check.check_count("n_components", self.n_components)
        emission: Gaussian = gaussian_of(
            attributes["means_"],
            attributes["covariances_"],
            self.covariance_type,
            K,
            getattr(self, "n_features_in_", None),
        )
        return Mixture(check.check_probabilities("weights_", attributes["weights_"], (K,)), emission)

    def _stored(self) -> tuple[str, ...]:
        return (*super()._stored(), "lower_bound_", "lower_bounds_")

    def _fits(self, model: Mixture) -> bool:
        shape = cast("Gaussian", model.emission).covariance.name
        return len(model.weights) == self.n_components and shape == self.covariance_type

    def _details(self, model: Mixture) -> dict[str, np.ndarray]:
        support = {"support.weights": model.support["weights"]}
        return support | gaussian_details(cast("Gaussian", model.emission))

    def _with_details(self, model: Mixture, details: dict[str, np.ndarray]) -> Mixture:
        emission = gaussian_with_details(cast("Gaussian", model.emission), details)
        allowed = check.check_support("support.weights", details["support.weights"], model.weights)
        return replace(model, emission=emission, support={"weights": allowed})

    def _restore(self, fitted: dict[str, Any]) -> None:
        bounds = fitted.get("lower_bounds_", [0.0])
        for name, value in (("lower_bounds_", bounds), ("lower_bound_", [fitted.get("lower_bound_", 0.0)])):
            if not isinstance(value, list) or not all(isinstance(x, float) for x in value):
                raise ValueError(f"{name} must hold numbers; got {fitted[name]!r:.80}")
        super()._restore(fitted)

    @property
    def precisions_(self) -> np.ndarray:
        """Inverse covariances, in the compact shape of the type."""
        self._current()
        return _inverse(np.asarray(self.covariances_), self.covariance_type)

    @property
    def precisions_cholesky_(self) -> np.ndarray:
        """Factors of the precisions, as scikit-learn has them: upper triangular U with U U' = precision, or 1 / sd."""
        self._current()
        covariances = np.asarray(self.covariances_)
        if covariances.ndim < 2 or self.covariance_type == "diag":
            return 1 / np.sqrt(covariances)
        lower = np.linalg.cholesky(covariances)
        return np.swapaxes(np.linalg.solve(lower, np.broadcast_to(np.eye(lower.shape[-1]), lower.shape)), -1, -2)

    @precisions_cholesky_.setter
    def precisions_cholesky_(self, factors: Any) -> None:
        """Define the covariances where they are not set; scikit-learn users set both."""
        if not hasattr(self, "covariances_"):
            factors = np.asarray(factors, dtype=np.float64)
            if self.covariance_type in {"diag", "spherical"}:
                self.covariances_ = 1 / factors**2
            else:
                self.covariances_ = _inverse(factors @ np.swapaxes(factors, -1, -2), self.covariance_type)

    # --- what the model says ----------------------------------------------------------------------------------------

    @contextmanager
    def _ready(self, X: Any) -> Any:
        model = self._current()
        # a model set by hand learns nothing, not even names of features, from the data that it is asked about
        reader = self if hasattr(self, "n_features_in_") else copy.copy(self)
        data = reader._data(X, reset=False)
        if data.frames.shape[1] != model.emission.n_features:
            raise ValueError(
                f"X has {data.frames.shape[1]} features, but {type(self).__name__} is expecting"
                f" {model.emission.n_features} features as input"
            )
        with self._map() as map_:
            yield model, data, map_

    def score_samples(self, X: Any) -> np.ndarray:
        """Return log p(x) of each frame, (N,) in nats."""
        with self._ready(X) as (model, data, map_):
            return model.score_frames(data, map_)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean log-likelihood per frame, in nats, as scikit-learn does."""
        scores = self.score_samples(X)
        return math.fsum(scores) / len(scores)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return p(component | x), (N, K).

        Raises
        ------
        ImpossibleSequenceError
            If a frame has probability zero under every component.
        """
        with self._ready(X) as (model, data, map_):
            gamma: np.ndarray = model.posteriors(data, map_)
        impossible = ~gamma.any(axis=1)
        if impossible.any():
            t = int(np.argmax(impossible))
            raise ImpossibleSequenceError(f"frame {t} of X has probability zero under every component")
        return gamma

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable component of each frame, (N,); ties go to the lowest."""
        return self.predict_proba(X).argmax(axis=1)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return frames (n, D) and their components (n,).

        Parameters
        ----------
        n_samples : int
            Number of frames.
        random_state : int, Generator, RandomState or None
            Default: the constructor's.

        Returns
        -------
        X : ndarray of shape (n_samples, D)
            Frames; unlike scikit-learn's they are not sorted by component.
        y : ndarray of shape (n_samples,)
            Components.
        """
        model = self._current()
        rng = check.generator(self.random_state if random_state is None else random_state)
        return model.sample(check.check_count("n_samples", n_samples), rng)

    def aic(self, X: Any) -> float:
        """Return Akaike's criterion, -2 log L + 2 p; lower is better."""
        return -2 * math.fsum(self.score_samples(X)) + 2 * self._current().n_free_parameters

    def bic(self, X: Any) -> float:
        """Return the Bayesian criterion, -2 log L + p log N; lower is better."""
        scores = self.score_samples(X)
        return -2 * math.fsum(scores) + self._current().n_free_parameters * math.log(len(scores))


def _inverse(matrices: np.ndarray, covariance_type: str) -> np.ndarray:
    if covariance_type in {"diag", "spherical"}:
        return 1 / matrices
    inverse = np.linalg.inv(matrices)
    return (inverse + np.swapaxes(inverse, -1, -2)) / 2
