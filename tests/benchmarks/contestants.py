"""Every library behind one function: one EM iteration from the workload's start, giving the log-likelihood."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from hmmem.chain import MarkovChain
from hmmem.emissions import Categorical, Gaussian
from hmmem.hmm import HiddenMarkovModel
from hmmem.parallel import thread_map
from hmmem.sequences import Sequences
from tests.benchmarks.workloads import Workload

Iteration = Callable[[], float]


def hmmem(w: Workload, stack: ExitStack, n_jobs: int | None = None) -> Iteration:
    """E-step and M-step of hmmem."""
    emission: Any
    if w.family == "categorical":
        emission = Categorical((w.emission["table"],))
    else:
        emission = Gaussian.of(w.emission["means"], w.emission["covars"], w.family)
    model = HiddenMarkovModel(MarkovChain(w.startprob, w.transmat), emission)
    data = Sequences.from_lengths(w.X, w.lengths, dtype=np.int64 if w.family == "categorical" else np.float64)
    run = stack.enter_context(thread_map(n_jobs))

    def iteration() -> float:
        statistics = model.expect(data, run)
        model.maximise(statistics)
        return float(statistics.log_likelihood)

    return iteration


def hmmlearn(w: Workload, stack: ExitStack, implementation: str = "scaling") -> Iteration:
    """One iteration of hmmlearn's fit, without priors."""
    from hmmlearn import hmm

    logging.getLogger("hmmlearn").setLevel(logging.ERROR)
    K = len(w.startprob)
    arguments: dict[str, Any] = {"implementation": implementation, "n_iter": 1, "tol": 0, "init_params": ""}
    if w.family == "categorical":
        model = hmm.CategoricalHMM(K, **arguments)
    else:
        model = hmm.GaussianHMM(K, w.family, covars_prior=0, covars_weight=0, **arguments)

    def iteration() -> float:
        model.startprob_, model.transmat_ = w.startprob, w.transmat
        if w.family == "categorical":
            model.emissionprob_, model.n_features = w.emission["table"], w.emission["table"].shape[1]
        else:
            model.means_, model.covars_ = w.emission["means"], w.emission["covars"]
        model.fit(w.X, w.lengths)
        return float(model.monitor_.history[-1])

    return iteration


CONTESTANTS: dict[str, Callable[[Workload, ExitStack], Iteration]] = {
    "hmmem": hmmem,
    "hmmem, 1 thread": lambda w, stack: hmmem(w, stack, 1),
    "hmmlearn log": lambda w, stack: hmmlearn(w, stack, "log"),
    "hmmlearn scaling": hmmlearn,
}
