"""hmmlearn: C++ extensions; ``implementation="log"`` is its default, ``"scaling"`` the faster one."""

from __future__ import annotations

import logging
from typing import Any

from tests.benchmarks.contestants import Contestant, Iteration, fastest, plain
from tests.benchmarks.peers import on_all_cores_and_on_one
from tests.benchmarks.workloads import Workload


def em(w: Workload) -> list[Contestant]:
    """One iteration of ``fit`` without priors, in both implementations."""
    return [_contestant(f"hmmlearn {which}", w, _fit(w, which)) for which in ("log", "scaling")]


def tiny(w: Workload) -> list[Contestant]:
    """One iteration of ``fit`` in the faster implementation."""
    return [_contestant("hmmlearn scaling", w, _fit(w, "scaling"))]


def viterbi(w: Workload) -> list[Contestant]:
    """``decode`` with the Viterbi algorithm."""
    model = _model(w, "log")
    _set(model, w)
    return [_contestant("hmmlearn", w, lambda: float(model.decode(w.X, w.lengths, algorithm="viterbi")[0]))]


def _contestant(label: str, w: Workload, iteration: Iteration) -> Contestant:
    """Only the densities of full covariances go through BLAS."""
    return fastest(label, on_all_cores_and_on_one(iteration)) if w.family == "full" else plain(label, iteration)


def _fit(w: Workload, implementation: str) -> Iteration:
    model = _model(w, implementation)

    def iteration() -> float:
        _set(model, w)
        model.fit(w.X, w.lengths)
        return float(model.monitor_.history[-1])

    return iteration


def _model(w: Workload, implementation: str) -> Any:
    from hmmlearn import hmm

    logging.getLogger("hmmlearn").setLevel(logging.ERROR)
    arguments: dict[str, Any] = {"implementation": implementation, "n_iter": 1, "tol": 0, "init_params": ""}
    if w.family == "categorical":
        return hmm.CategoricalHMM(w.K, **arguments)
    return hmm.GaussianHMM(w.K, w.family, covars_prior=0, covars_weight=0, **arguments)


def _set(model: Any, w: Workload) -> None:
    model.startprob_, model.transmat_ = w.startprob, w.transmat
    if w.family == "categorical":
        model.emissionprob_, model.n_features = w.emission["table"], w.emission["table"].shape[1]
    else:
        model.means_, model.covars_ = w.emission["means"], w.emission["covars"]
