"""Agreement first, then interleaved runs: a busy machine slows all alike, and only ratios within one table count."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.contestants import Contestant

#: A run lasts at least so many seconds, or one call.
SHORTEST = 0.1
#: Seconds of calls that are not counted, before each run.
WARM_UP = 0.25
#: Calls that take longer than this many seconds get at most so many runs.
FEWER = {2.0: 3, 10.0: 1}


@dataclass(frozen=True)
class Timed:
    """A contestant's value, its relative distance from hmmem's, and the seconds per iteration of each run."""

    label: str
    value: float
    deviation: float
    seconds: list[float]
    single: bool = False
    way: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def time_of(contestant: Contestant) -> float:
    """Return the seconds of one iteration, the mean over a run of calls, as in a fit of many updates."""
    with contestant.session() as iteration:
        # threads that still spin for the one before go to sleep, and cores that slept wake up
        began = time.perf_counter()
        while time.perf_counter() - began < WARM_UP:
            iteration()
        began, calls = time.perf_counter(), 0
        while calls == 0 or time.perf_counter() - began < SHORTEST:
            iteration()
            calls += 1
        return (time.perf_counter() - began) / calls / contestant.updates


def race(
    contestants: Iterable[Contestant],
    runs: int,
    agree: Callable[[float, float, bool], bool] | None,
    between: Callable[[], object] = lambda: None,
) -> list[Timed]:
    """Check that all agree with the first, then time them in turn; ``between`` is called before each round."""
    contestants = list(contestants)
    values: dict[str, float] = {}
    single_calls: dict[str, float] = {}
    for contestant in contestants:
        with contestant.session() as iteration:
            for _ in range(2 if contestant.compiles else 1):
                began = time.perf_counter()
                values[contestant.label] = iteration()
                single_calls[contestant.label] = time.perf_counter() - began
    reference = values[contestants[0].label]
    for contestant in contestants:
        value = values[contestant.label]
        if agree is not None and not agree(value, reference, contestant.single):
            raise AssertionError(f"{contestant.label} disagrees: {value!r}; {contestants[0].label}: {reference!r}")
    seconds: dict[str, list[float]] = {contestant.label: [] for contestant in contestants}
    allowed = {label: _runs(call, runs) for label, call in single_calls.items()}
    for label, call in single_calls.items():
        if allowed[label] == 1 and call > max(FEWER):
            seconds[label].append(call)  # long enough to count, and too long to repeat
    for _ in range(runs):
        between()
        for contestant in contestants:
            if len(seconds[contestant.label]) < allowed[contestant.label]:
                seconds[contestant.label].append(time_of(contestant))
    return [
        Timed(
            c.label,
            values[c.label],
            abs(values[c.label] / reference - 1) if reference else 0.0,
            seconds[c.label],
            c.single,
            c.way,
        )
        for c in contestants
    ]


def _runs(call: float, runs: int) -> int:
    return min([runs, *(most for longest, most in FEWER.items() if call > longest)])


def log_likelihoods_agree(longest: int) -> Callable[[float, float, bool], bool]:
    """Return the check: 1e-9 relative; float32: 1e-4, or what a sum of the longest sequence's terms loses there."""
    tolerance = max(1e-4, longest * float(np.finfo(np.float32).eps) / 2)
    return lambda value, reference, single: abs(value - reference) <= (tolerance if single else 1e-9) * abs(reference)


def by_label(timed: Sequence[Timed]) -> dict[str, Timed]:
    """Return what was timed, by its label."""
    return {t.label: t for t in timed}
