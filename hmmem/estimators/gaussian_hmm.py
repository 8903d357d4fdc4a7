"""Hidden Markov models with Gaussian emissions."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np

from hmmem import parameters as check
from hmmem.emissions.covariance import SHAPES
from hmmem.emissions.gaussian import Gaussian
from hmmem.emissions.scale import Scale
from hmmem.estimators.hmm_estimator import HMMEstimator
from hmmem.exceptions import ConstantFeatureWarning
from hmmem.hmm import HiddenMarkovModel
from hmmem.report import Note
from hmmem.sequences import Sequences


class GaussianHMM(HMMEstimator):
    """Hidden Markov model whose states emit multivariate Gaussian frames.

    Parameters
    ----------
    n_components : int
        Number of states K.
    covariance_type : {"diag", "spherical", "tied", "full"}
        ``diag``: a variance per state and feature; ``spherical``: one per state; ``tied``: one matrix for all states;
        ``full``: a matrix per state.
    n_iter : int
        Largest number of EM updates.
    tol : float or None
        Stop when an update gains less than this, in nats per frame. None: no such rule.
    param_tol : float or None
        Stop when no parameter changes by more than this: probabilities absolutely, means in standard deviations,
        covariances relatively. With ``tol=None`` and ``param_tol=None`` exactly ``n_iter`` updates are done.
    n_init : int
        Number of starts: each gets 10 updates, the best third goes on, the best is kept.
    init : {"kmeans", "random", "data", "segments"} or array of shape (N,)
        ``kmeans``: k-means++ seeds, refined by a mixture (a left-right chain that is given makes it ``segments``);
        ``random``: means drawn around the data's; ``data``: single frames as means; ``segments``: each sequence cut
        evenly over the states in order; or a state for every frame.
    init_params : str
        Letters of what the start computes from data: s startprob, t transmat, m means, c covars. What is left out is
        taken from the attribute set by hand.
    params : str
        Letters of what EM updates; what is left out stays as it starts and does not count in AIC and BIC.
    variance_floor : float
        No variance falls below this share of its feature's variance over the training data (``full``, ``tied``: no
        eigenvalue in those units). A constraint of the maximisation, so that EM stays monotone. 0: plain Baum-Welch.
        ``full`` and ``tied`` refuse floors between 0 and 1e-6, which a matrix in double precision cannot hold.
    max_time : float or None
        Stop after this many seconds.
    random_state : int, Generator, RandomState or None
        Seed; never changed or consumed.
    algorithm : {"viterbi", "map"}
        Default of :meth:`decode` and :meth:`predict`.
    training : {"baum-welch", "viterbi"}
        ``viterbi``: segmental k-means, which maximises log p(x, path).
    n_jobs : int or None
        Threads; None and -1: all cores. The result is the same, bit by bit.
    verbose : bool
        Show progress on standard error.
    callback : callable, optional
        ``callback(iteration, objective, model)`` after every update; the fit stops when it returns True.
    warm_start : bool
        Start from the attributes of the fit before.
    startprob_init, transmat_init, means_init, covars_init : array-like, optional
        Parts of the start, which survive ``clone``: shapes (K,), (K, K), (K, D), and (K,), (K, D), (D, D) or (K, D, D)
        for spherical, diag, tied and full.

    Attributes
    ----------
    startprob_ : ndarray of shape (K,)
        ``startprob_[k] = p(s_1 = k)``.
    transmat_ : ndarray of shape (K, K)
        ``transmat_[i, j] = p(s_t = j | s_t-1 = i)``.
    means_ : ndarray of shape (K, D)
        Means.
    covars_ : ndarray
        Covariances, compact: (K,), (K, D), (D, D) or (K, D, D).
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
    >>> model = hmm.GaussianHMM(2, "full", random_state=0).fit(X)
    >>> model.means_.round(1).tolist()
    [[2.0, 54.5], [4.3, 80.0]]
    """

    _letters: ClassVar[dict[str, str]] = {"m": "means_", "c": "covars_"}
    _parameters = ("startprob_", "transmat_", "means_", "covars_")

    def __init__(
        self,
        n_components: int = 1,
        covariance_type: str = "diag",
        *,
        n_iter: int = 500,
        tol: float | None = 1e-6,
        param_tol: float | None = None,
        n_init: int = 1,
        init: Any = "kmeans",
        init_params: str = "stmc",
        params: str = "stmc",
        variance_floor: float = 1e-3,
        max_time: float | None = None,
        random_state: Any = None,
        algorithm: str = "viterbi",
        training: str = "baum-welch",
        n_jobs: int | None = None,
        verbose: bool = False,
        callback: Any = None,
        warm_start: bool = False,
        startprob_init: Any = None,
        transmat_init: Any = None,
        means_init: Any = None,
        covars_init: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.n_iter = n_iter
        self.tol = tol
        self.param_tol = param_tol
        self.n_init = n_init
        self.init = init
        self.init_params = init_params
        self.params = params
        self.variance_floor = variance_floor
        self.max_time = max_time
        self.random_state = random_state
        self.algorithm = algorithm
        self.training = training
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback
        self.warm_start = warm_start
        self.startprob_init = startprob_init
        self.transmat_init = transmat_init
        self.means_init = means_init
        self.covars_init = covars_init

    def _check_arguments(self) -> None:
        super()._check_arguments()
        check.check_choice("covariance_type", self.covariance_type, tuple(SHAPES))
        check_floor(self.variance_floor, self.covariance_type)

    def _emission_of(self, attributes: dict[str, Any], n_features: int | None) -> Gaussian:
        return gaussian_of(
            attributes["means_"], attributes["covars_"], self.covariance_type, self.n_components, n_features
        )

    def _emission_attributes(self, emission: Gaussian) -> dict[str, Any]:
        return {"means_": emission.means.copy(), "covars_": emission.covariance.values.copy()}

    def _target(self, data: Sequences) -> Gaussian:
        return gaussian_target(data, self.n_components, self.covariance_type, self.variance_floor)

    def _seeded(self, target: Gaussian, points: np.ndarray) -> Gaussian:
        return target.with_means(points)

    def _with_scale(self, emission: Gaussian, target: Gaussian) -> Gaussian:
        return emission.with_scale(target.scale)

    def _details(self, model: HiddenMarkovModel) -> dict[str, np.ndarray]:
        return super()._details(model) | gaussian_details(cast("Gaussian", model.emission))

    def _with_details(self, model: HiddenMarkovModel, details: dict[str, np.ndarray]) -> HiddenMarkovModel:
        model = super()._with_details(model, details)
        return replace(model, emission=gaussian_with_details(cast("Gaussian", model.emission), details))

    def _fits(self, model: HiddenMarkovModel) -> bool:
        shape = cast("Gaussian", model.emission).covariance.name
        return super()._fits(model) and shape == self.covariance_type

    def _notes(self, model: HiddenMarkovModel) -> list[Note]:
        return constant_notes(model.emission.scale)  # type: ignore[attr-defined]


#: Smallest floor under an eigenvalue: a matrix in double precision holds smaller ones only to digits that EM would see.
LEAST_EIGENVALUE = 1e-6


def check_floor(floor: Any, covariance_type: str) -> None:
    """Check ``variance_floor`` for the type of the covariances."""
    value = check.check_number("variance_floor", floor)
    if covariance_type in {"tied", "full"} and value is not None and 0 < value < LEAST_EIGENVALUE:
        raise ValueError(
            f"variance_floor must be 0 or at least {LEAST_EIGENVALUE:g} for covariance_type={covariance_type!r}; got"
            f" {value:g}, an eigenvalue that a matrix in double precision cannot hold"
        )


def gaussian_of(means: Any, covars: Any, covariance_type: str, K: int, D: int | None) -> Gaussian:
    """Return the emission of means and compact covariances, checked."""
    check.check_choice("covariance_type", covariance_type, tuple(SHAPES))
    if D is None:
        D = np.shape(means)[1] if np.ndim(means) == 2 else 1
    means = check.check_array("means_", means, (K, D))
    return Gaussian.of(means, check.check_covars("covars_", covars, covariance_type, K, D), covariance_type)


def gaussian_target(data: Sequences, K: int, covariance_type: str, floor: float) -> Gaussian:
    """Return K rows at the centre of the data, with their variances."""
    scale = Scale.of(data, floor)
    D = len(scale.centre)
    shapes: dict[str, Any] = {
        "spherical": np.full(K, scale.variances.mean()),
        "diag": np.tile(scale.variances, (K, 1)),
        "tied": np.diag(scale.variances),
        "full": np.tile(np.diag(scale.variances), (K, 1, 1)),
    }
    covariance = SHAPES[covariance_type](shapes[covariance_type], K, D)
    return Gaussian(np.zeros((K, D)), covariance, scale)


def gaussian_details(emission: Gaussian) -> dict[str, np.ndarray]:
    """Return what a model file holds of a fitted emission beside its attributes."""
    scale = emission.scale
    return {
        "offsets": emission.offsets,
        "centre": scale.centre,
        "variances": scale.variances,
        "floor": np.array(scale.floor),
        "constant": np.array(scale.constant, dtype=np.int64),
    }


def gaussian_with_details(emission: Gaussian, details: dict[str, np.ndarray]) -> Gaussian:
    """Return an emission made from attributes with the details of its model file, checked against them."""
    R, D = emission.offsets.shape
    scale = Scale(
        check.check_array("centre", details["centre"], (D,)),
        check.check_positive("variances", details["variances"], (D,)),
        float(check.check_not_negative("floor", details["floor"], ())),
        tuple(int(d) for d in details["constant"] if 0 <= d < D),
    )
    found = replace(emission, offsets=check.check_array("offsets", details["offsets"], (R, D)), scale=scale)
    rounding = 4 * np.finfo(float).eps * (np.abs(scale.centre) + np.abs(found.offsets))
    if np.any(np.abs(scale.centre + found.offsets - emission.means) > rounding):
        raise ValueError("offsets and centre must add up to means_; they do not")
    return found


def constant_notes(scale: Scale) -> list[Note]:
    """Return a note, and issue a warning, about features that do not vary."""
    if not scale.constant:
        return []
    named = ", ".join(map(str, scale.constant))
    text = f"feature {named} does not vary over the training data; its variance floor is in units of 1"
    if len(scale.constant) > 1:
        text = f"features {named} do not vary over the training data; their variance floors are in units of 1"
    warnings.warn(text, ConstantFeatureWarning, stacklevel=4)
    return [Note("constant", text)]
