"""What is timed, behind one form: a session, as of one fit, in which an iteration can be run again and again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmmem.chain import MarkovChain
from hmmem.em import fit_em
from hmmem.emissions import Categorical, Gaussian
from hmmem.hmm import HiddenMarkovModel
from hmmem.mixture import Mixture
from hmmem.parallel import thread_map
from hmmem.sequences import Sequences
from tests.benchmarks.workloads import Workload

#: One EM iteration, or one decoding: gives the log-likelihood, or the log-probability of the paths.
Iteration = Callable[[], float]


@dataclass(frozen=True)
class Contestant:
    """A library, set up for a workload.

    ``session`` is entered around a run of iterations and holds what a fit holds throughout, such as threads.
    ``single`` says that it computes in float32, ``compiles`` that its first call does more than later ones, ``way``
    which of several ways to use it was the fastest, ``updates`` how many iterations a call makes.
    """

    label: str
    session: Callable[[], AbstractContextManager[Iteration]]
    single: bool = False
    compiles: bool = False
    way: str = ""
    updates: int = 1


def plain(label: str, iteration: Iteration, **traits: Any) -> Contestant:
    """Return a contestant that holds nothing during a fit."""
    return Contestant(label, lambda: nullcontext(iteration), **traits)


def fastest(label: str, ways: Mapping[str, Iteration], **traits: Any) -> Contestant:
    """Return the contestant in the way whose best call takes the least time: of three, or of one that takes long."""
    seconds: dict[str, float] = {}
    for way, iteration in ways.items():
        if traits.get("compiles"):
            iteration()
        began = time.perf_counter()
        for _ in range(3):
            start = time.perf_counter()
            iteration()
            seconds[way] = min(seconds.get(way, math.inf), time.perf_counter() - start)
            if time.perf_counter() - began > 5:
                break
    way = min(seconds, key=seconds.__getitem__)
    return plain(label, ways[way], way=way, **traits)


def model_of(w: Workload) -> Any:
    """Return hmmem's value at the workload's start."""
    emission: Any
    if w.family == "categorical":
        emission = Categorical((w.emission["table"],))
    else:
        emission = Gaussian.of(w.emission["means"], w.emission["covars"], w.family)
    if w.weights is not None:
        return Mixture(w.weights, emission)
    return HiddenMarkovModel(MarkovChain(w.startprob, w.transmat), emission)


def data_of(w: Workload) -> Sequences:
    """Return the workload's data as hmmem takes them."""
    return Sequences.from_lengths(w.X, w.lengths, dtype=np.int64 if w.family == "categorical" else np.float64)


def em(w: Workload, n_jobs: int | None = None) -> Contestant:
    """E-step and M-step of hmmem."""
    model, data = model_of(w), data_of(w)

    @contextmanager
    def session() -> Iterator[Iteration]:
        with thread_map(n_jobs) as run:

            def iteration() -> float:
                statistics = model.expect(data, run)
                model.maximise(statistics)
                return float(statistics.log_likelihood)

            yield iteration

    return Contestant(label(n_jobs), session, compiles=True)


def whole_fit(w: Workload, n_jobs: int | None = None) -> Contestant:
    """A hundred updates by hmmem's driver: what it does between expectation and maximisation counts, too."""
    model, data, updates = model_of(w), data_of(w), 100

    @contextmanager
    def session() -> Iterator[Iteration]:
        with thread_map(n_jobs) as run:
            yield lambda: float(fit_em(model, data, n_iter=updates, tol=None, map=run)[1].history[-1])

    return Contestant(label(n_jobs), session, compiles=True, updates=updates + 1)


def viterbi(w: Workload, n_jobs: int | None = None) -> Contestant:
    """Decode with hmmem."""
    model, data = model_of(w), data_of(w)

    @contextmanager
    def session() -> Iterator[Iteration]:
        with thread_map(n_jobs) as run:
            yield lambda: float(model.decode(data, run)[1].sum())

    return Contestant(label(n_jobs), session, compiles=True)


def label(n_jobs: int | None) -> str:
    """Return hmmem's name in the tables."""
    return "hmmem" if n_jobs is None else f"hmmem, {n_jobs} thread"
