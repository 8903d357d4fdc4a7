"""Hidden Markov models with Poisson emissions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from hmmem import parameters as check
from hmmem.emissions.poisson import Poisson
from hmmem.estimators.hmm_estimator import HMMEstimator
from hmmem.sequences import BLOCK_SIZE, Sequences


class PoissonHMM(HMMEstimator):
    """Hidden Markov model whose states emit counts, independent between features.

    Parameters
    ----------
    n_components : int
        Number of states K.
    n_iter : int
        Largest number of EM updates.
    tol : float or None
        Stop when an update gains less than this, in nats per frame. None: no such rule.
    param_tol : float or None
        Stop when no probability changes by more than this absolutely and no rate relatively. With ``tol=None`` and
        ``param_tol=None`` exactly ``n_iter`` updates are done.
    n_init : int
        Number of starts: each gets 10 updates, the best third goes on, the best is kept.
    init : {"kmeans", "random", "data", "segments"} or array of shape (N,)
        ``kmeans``: k-means++ seeds, refined by a mixture (a left-right chain that is given makes it ``segments``);
        ``random``: rates drawn around the data's mean; ``data``: single frames; ``segments``: each sequence cut evenly
        over the states in order; or a state for every frame.
    init_params : str
        Letters of what the start computes from data: s startprob, t transmat, l lambdas. What is left out is taken from
        the attribute set by hand.
    params : str
        Letters of what EM updates; what is left out stays as it starts and does not count in AIC and BIC.
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
    startprob_init, transmat_init, lambdas_init : array-like, optional
        Parts of the start, which survive ``clone``: shapes (K,), (K, K), (K, D).

    Attributes
    ----------
    startprob_ : ndarray of shape (K,)
        ``startprob_[k] = p(s_1 = k)``.
    transmat_ : ndarray of shape (K, K)
        ``transmat_[i, j] = p(s_t = j | s_t-1 = i)``.
    lambdas_ : ndarray of shape (K, D)
        Rates, in counts per frame.
    fit_report_ : FitReport
        History, stop reason, notes, restarts.
    converged_ : bool
        Whether a stopping rule was met.
    n_iter_ : int
        Number of updates.

    Examples
    --------
    >>> import hmmem as hmm
    >>> X = hmm.load_dataset("earthquakes").X
    >>> model = hmm.PoissonHMM(2, random_state=0).fit(X)
    >>> model.lambdas_.round(1).ravel().tolist()
    [15.4, 26.0]
    """

    _letters: ClassVar[dict[str, str]] = {"l": "lambdas_"}
    _parameters = ("startprob_", "transmat_", "lambdas_")

    def __init__(
        self,
        n_components: int = 1,
        *,
        n_iter: int = 500,
        tol: float | None = 1e-6,
        param_tol: float | None = None,
        n_init: int = 1,
        init: Any = "kmeans",
        init_params: str = "stl",
        params: str = "stl",
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
        lambdas_init: Any = None,
    ) -> None:
        self.n_components = n_components
        self.n_iter = n_iter
        self.tol = tol
        self.param_tol = param_tol
        self.n_init = n_init
        self.init = init
        self.init_params = init_params
        self.params = params
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
        self.lambdas_init = lambdas_init

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def _check_frames(self, X: Any, reset: bool) -> np.ndarray:
        X = super()._check_frames(X, reset)
        for start in range(0, len(X), BLOCK_SIZE):
            piece = X[start : start + BLOCK_SIZE]
            wrong = (piece < 0) | (piece != np.floor(piece))
            if wrong.any():
                t, d = np.argwhere(wrong)[0]
                # scikit-learn's checks look for the words "Negative values in data"
                what = "Negative values in data" if piece[t, d] < 0 else "Fractions in data"
                raise ValueError(
                    f"{what} passed to {type(self).__name__}: X must hold counts, 0, 1, 2, ...;"
                    f" frame {start + t}, feature {d} is {piece[t, d]:g}"
                )
        return X

    def _symbols(self, frames: np.ndarray) -> np.ndarray:
        return frames.astype(np.int64)

    def _emission_of(self, attributes: dict[str, Any], n_features: int | None) -> Poisson:
        lambdas = attributes["lambdas_"]
        D = np.shape(lambdas)[1] if n_features is None and np.ndim(lambdas) == 2 else n_features or 1
        return Poisson(check.check_not_negative("lambdas_", lambdas, (self.n_components, D)))

    def _emission_attributes(self, emission: Poisson) -> dict[str, Any]:
        return {"lambdas_": emission.lambdas.copy()}

    def _target(self, data: Sequences) -> Poisson:
        D = data.frames.shape[1]
        total = np.sum([piece.X.sum(axis=0) for piece in data.pieces(D)], axis=0)
        return Poisson(np.tile(total / data.n_frames, (self.n_components, 1)))

    def _seeded(self, target: Poisson, points: np.ndarray) -> Poisson:
        # half a count more: a seed of 0 would forbid every other count
        return replace(target, lambdas=np.where(target.lambdas > 0, points + 0.5, 0.0))
