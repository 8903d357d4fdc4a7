"""The EM driver: expect, add, maximise, stop. It knows no model.

EM iterates a latent-variable model: a value with ``expect(data, map) -> Statistics``, ``maximise(statistics) -> next
model``, ``log_prior()``, ``distance(other)`` and ``describe(statistics)``. The statistics carry ``log_likelihood``,
``weight`` (frames that took part) and ``n_impossible``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from hmmem.exceptions import ImpossibleSequenceError, SingularModelError
from hmmem.parallel import Map, one_blas_thread
from hmmem.report import FitReport, Note, Restart
from hmmem.statistics import Statistics

#: A fall of the objective by more than this times max(|objective|, weight) is more than rounding.
ROUNDING = 1e-9
#: Updates of every start before the best third goes on.
SHORT_RUN = 10


class LatentModel(Protocol):
    """All that the driver knows of a model."""

    def expect(self, data: Any, map: Map = map) -> Statistics:
        """Return the expected sufficient statistics of the data; units of work go through ``map``."""
        ...

    def maximise(self, statistics: Statistics) -> Any:
        """Return the next model; it never has a smaller objective."""
        ...

    def log_prior(self) -> float:
        """Return the log density of the parameters; 0.0 for maximum likelihood."""
        ...

    def distance(self, other: Any) -> float:
        """Return the largest change of a parameter on a scale-free metric."""
        ...

    def describe(self, statistics: Statistics) -> list[Note]:
        """Return notes for the report; asked once, at the end."""
        ...


M = TypeVar("M", bound=LatentModel)


@dataclass(frozen=True)
class Stopping:
    """When to stop.

    Parameters
    ----------
    n_iter : int
        Largest number of updates.
    tol : float or None
        Stop when an update gains less than this per frame, in nats, or nothing; None switches the rule off.
    param_tol : float or None
        Stop when no parameter changes by more than this on the model's scale-free metric; None switches it off.
    max_time : float or None
        Stop after this many seconds, at the end of an update.
    callback : callable or None
        ``callback(iteration, objective, model)`` is called for the start (iteration 0) and after each update; the fit
        stops when it returns True.
    """

    n_iter: int = 500
    tol: float | None = 1e-6
    param_tol: float | None = None
    max_time: float | None = None
    callback: Callable[[int, float, Any], object] | None = None


@dataclass
class _Run(Generic[M]):
    """One trajectory of EM: a model, its statistics, and the objective of all models so far."""

    #: The last whole update, put in place by one assignment, so that Ctrl-C meets no half of it.
    whole: tuple[M, Statistics, list[float]]
    stop_reason: str = ""
    fall: float = 0.0

    @classmethod
    def start(cls, model: M, data: Any, map: Map) -> _Run[M]:
        statistics = model.expect(data, map)
        return cls((model, statistics, [_objective(model, statistics)]))

    @property
    def model(self) -> M:
        return self.whole[0]

    @property
    def statistics(self) -> Statistics:
        return self.whole[1]

    @property
    def history(self) -> list[float]:
        return self.whole[2]

    def advance(self, data: Any, limit: int, rules: Stopping, deadline: float, map: Map) -> None:
        """Update until a rule stops the run or ``limit`` updates are done (stop_reason stays empty)."""
        if len(self.history) == 1 and self._told_to_stop(rules):
            return
        while len(self.history) <= limit:
            if len(self.history) > 1 and time.perf_counter() > deadline:
                self.stop_reason = "time"
                return
            try:
                model = self.model.maximise(self.statistics)
                statistics = model.expect(data, map)
                objective = _objective(model, statistics)
                moved = math.inf if rules.param_tol is None else model.distance(self.model)
            except SingularModelError:
                self.stop_reason = "singular"
                return
            gain = objective - self.history[-1]
            if gain < -ROUNDING * max(abs(objective), statistics.weight):
                self.fall = max(self.fall, -gain)
            self.whole = model, statistics, [*self.history, objective]
            if self._told_to_stop(rules):
                return
            if rules.tol is not None and (gain < rules.tol * statistics.weight or gain <= 0):
                self.stop_reason = "loglik"
                return
            if rules.param_tol is not None and moved < rules.param_tol:
                self.stop_reason = "params"
                return

    def _told_to_stop(self, rules: Stopping) -> bool:
        if rules.callback is not None:
            answer = rules.callback(len(self.history) - 1, self.history[-1], self.model)
            if isinstance(answer, (bool, np.bool_)) and answer:
                self.stop_reason = "callback"
        return self.stop_reason == "callback"


def _objective(model: LatentModel, statistics: Statistics) -> float:
    if not statistics.weight > 0:
        raise ImpossibleSequenceError(
            f"all {statistics.n_impossible} sequences have probability zero under the model, so there is nothing to"
            " learn from; check the zeros of startprob, transmat and the emissions"
        )
    return float(statistics.log_likelihood + model.log_prior())


@dataclass
class _Search(Generic[M]):
    """All runs of one fit."""

    data: Any
    rules: Stopping
    map: Map
    began: float = field(default_factory=time.perf_counter)
    runs: list[_Run[M]] = field(default_factory=list)
    polished: set[int] = field(default_factory=set)
    short: list[float] = field(default_factory=list)
    stopped: str = ""

    def go(self, starts: Iterable[M]) -> None:
        limit = self.rules.n_iter
        deadline = self.began + (math.inf if self.rules.max_time is None else self.rules.max_time)
        models = list(starts)
        several = len(models) > 1
        try:
            for model in models:
                run = _Run.start(model, self.data, self.map)
                self.runs.append(run)
                run.advance(self.data, min(SHORT_RUN, limit) if several else limit, self.rules, deadline, self.map)
                self.short.append(run.history[-1])
                if run.stop_reason in {"callback", "time"}:
                    return
            if several:
                places = math.ceil(len(models) / 3)
                for i in self.ranking():
                    run = self.runs[i]
                    if run.stop_reason == "singular" or places == 0:
                        break
                    self.polished.add(i)
                    if not run.stop_reason:
                        run.advance(self.data, limit, self.rules, deadline, self.map)
                    if run.stop_reason in {"callback", "time"}:
                        return
                    places -= run.stop_reason != "singular"  # a run that collapses leaves its place to the next
        except KeyboardInterrupt:
            if not self.runs:
                raise  # no whole model yet: the caller keeps what it had
            self.stopped = "interrupted"

    def ranking(self) -> list[int]:
        """Runs from best to worst; singular ones last, for theirs is not an optimum."""
        return sorted(
            range(len(self.runs)), key=lambda i: (self.runs[i].stop_reason == "singular", -self.runs[i].history[-1])
        )

    def report(self) -> tuple[M, FitReport]:
        best = self.ranking()[0]
        run = self.runs[best]
        reason = self.stopped or run.stop_reason or "max_iter"
        for other in self.runs:
            if other.stop_reason in {"callback", "time"}:
                reason = other.stop_reason
        report = FitReport(
            history=run.history,
            stop_reason=reason,
            weight=float(run.statistics.weight),
            n_impossible=int(run.statistics.n_impossible),
            notes=list(run.model.describe(run.statistics)),
            fall=run.fall,
        )
        if len(self.runs) > 1:
            report.restarts = self._table()
            report.notes += self._found_once(best)
        report.seconds = time.perf_counter() - self.began
        return run.model, report

    def _table(self) -> list[Restart]:
        return [
            Restart(
                i,
                run.history[0],
                self.short[i] if i < len(self.short) else run.history[-1],
                run.history[-1],
                len(run.history) - 1,
                run.stop_reason or ("max_iter" if i in self.polished else "short"),
                i in self.polished,
            )
            for i, run in enumerate(self.runs)
        ]

    def _found_once(self, best: int) -> list[Note]:
        """A note when no other polished run came to the best optimum."""
        objective = self.runs[best].history[-1]
        near = max(1e-8 * abs(objective), 1e3 * (self.rules.tol or 0.0) * self.runs[best].statistics.weight)
        found = sum(abs(self.runs[i].history[-1] - objective) <= near for i in self.polished)
        if len(self.polished) < 2 or found > 1:
            return []
        text = f"the best optimum ({objective:.6g}) was found once in {len(self.polished)} polished restarts;"
        return [Note("restarts", text + " a larger n_init may find a better one")]


def fit_em(
    start: M | Iterable[M],
    data: Any,
    *,
    n_iter: int = 500,
    tol: float | None = 1e-6,
    param_tol: float | None = None,
    max_time: float | None = None,
    callback: Callable[[int, float, Any], object] | None = None,
    map: Map = map,
) -> tuple[M, FitReport]:
    """Return the model that EM reaches from a start, or from the best of several, and the report of the fit.

    Of several starts each gets 10 updates, then the best third is run to its end, and the best of these is returned; a
    run that collapses (``singular``) is never preferred to a sound one.

    Parameters
    ----------
    start : LatentModel or iterable of LatentModel
        Where to start: values such as ``HiddenMarkovModel`` and ``Mixture``.
    data : Sequences
        What the models' ``expect`` takes; the driver does not look inside.
    n_iter : int
        Largest number of updates. ``n_iter`` updates take ``n_iter + 1`` passes over the data, because the objective of
        the model that is returned is part of the history.
    tol : float or None
        Stop when an update gains less than this per frame, in nats; 0: when nothing is gained.
    param_tol : float or None
        Stop when no parameter moves by more than this on the model's scale-free metric.
    max_time : float or None
        Stop after this many seconds, at the end of an update.
    callback : callable, optional
        ``callback(iteration, objective, model)``; the fit stops when it returns True.
    map : callable
        Runs the units of work, in order: the built-in ``map``, a thread pool's, a process pool's.

    Returns
    -------
    model : LatentModel
        The model of the last whole update; also after Ctrl-C.
    report : FitReport
        History of the objective, stop reason, notes, table of restarts.

    Raises
    ------
    ImpossibleSequenceError
        If every sequence has probability zero under a start.

    Examples
    --------
    >>> import numpy as np
    >>> from hmmem.chain import MarkovChain
    >>> from hmmem.emissions import Poisson
    >>> from hmmem.hmm import HiddenMarkovModel
    >>> from hmmem.sequences import Sequences
    >>> X = np.array([[1.0], [2.0], [1.0], [9.0], [11.0], [8.0]])
    >>> chain = MarkovChain(np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.1, 0.9]]))
    >>> start = HiddenMarkovModel(chain, Poisson(np.array([[2.0], [8.0]])))
    >>> model, report = fit_em(start, Sequences.from_lengths(X, [6]))
    >>> report.converged, model.emission.lambdas.round(1).ravel().tolist()
    (True, [1.3, 9.3])
    """
    models: Iterable[M] = [start] if hasattr(start, "maximise") else start  # type: ignore[list-item]
    search: _Search[M] = _Search(data, Stopping(n_iter, tol, param_tol, max_time, callback), map)
    with one_blas_thread():
        search.go(models)
    return search.report()
