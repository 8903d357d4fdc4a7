"""The driver with a toy model that counts its calls: passes, stop reasons, restarts, interrupts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hmmem.em import SHORT_RUN, fit_em
from hmmem.exceptions import ImpossibleSequenceError, SingularModelError
from hmmem.report import Note
from hmmem.statistics import Statistics


@dataclass
class Calls:
    """What the driver asked for."""

    expect: int = 0
    maximise: int = 0
    describe: int = 0
    log: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Toy:
    """Climbs towards ``top``: the objective is top - |top - x|, and every update halves the way that is left."""

    x: float
    calls: Calls
    top: float = 0.0
    weight: float = 10.0
    at: Callable[[Toy], None] = lambda toy: None  # called in expect
    singular_at: float = float("inf")
    prior: float = 0.0

    def expect(self, data: Any, map: Any = map) -> Statistics:
        self.calls.expect += 1
        self.at(self)
        return Statistics(log_likelihood=self.top - abs(self.top - self.x), weight=self.weight, n_impossible=0)

    def maximise(self, statistics: Statistics) -> Toy:
        self.calls.maximise += 1
        after = self.top - (self.top - self.x) / 2
        if after > self.singular_at:
            raise SingularModelError("a variance reached zero")
        return replace(self, x=after)

    def log_prior(self) -> float:
        return self.prior

    def distance(self, other: Toy) -> float:
        return abs(self.x - other.x)

    def describe(self, statistics: Statistics) -> list[Note]:
        self.calls.describe += 1
        return [Note("floor", f"x is {self.x}")]


@pytest.mark.parametrize("n_iter", [0, 1, 7])
def test_n_iter_updates_take_one_pass_more(n_iter: int) -> None:
    calls = Calls()
    model, report = fit_em(Toy(-8.0, calls), None, n_iter=n_iter, tol=None)
    assert (calls.expect, calls.maximise, calls.describe) == (n_iter + 1, n_iter, 1)
    assert report.history == [-8.0 / 2**i for i in range(n_iter + 1)]
    assert model.x == report.history[-1] == report.objective
    assert (report.n_iter, report.stop_reason, report.converged) == (n_iter, "max_iter", False)
    assert report.about("floor") == [f"x is {model.x}"]
    assert report.fall == 0.0


def test_prior_is_part_of_the_objective() -> None:
    _, report = fit_em(Toy(-8.0, Calls(), prior=-3.0), None, n_iter=2, tol=None)
    assert report.history == [-11.0, -7.0, -5.0]


def test_loglik_stops_on_the_gain_per_frame() -> None:
    model, report = fit_em(Toy(-8.0, Calls(), weight=10.0), None, tol=0.05)
    # gains 4, 2, 1, 0.5, 0.25; the last is the first below 0.05 * 10
    assert report.history == [-8.0, -4.0, -2.0, -1.0, -0.5, -0.25]
    assert (report.stop_reason, report.converged, model.x) == ("loglik", True, -0.25)


def test_params_stops_on_the_distance() -> None:
    _, report = fit_em(Toy(-8.0, Calls()), None, tol=None, param_tol=0.6)
    assert report.history[-1] == -0.5
    assert (report.stop_reason, report.converged) == ("params", True)


def test_time_stops_after_a_whole_update() -> None:
    calls = Calls()
    model, report = fit_em(Toy(-8.0, calls, at=lambda toy: time.sleep(0.02)), None, tol=None, max_time=0.05)
    assert (report.stop_reason, report.converged) == ("time", False)
    assert 1 <= report.n_iter <= 4
    assert model.x == report.history[-1]
    assert report.seconds >= 0.05


def test_time_limit_of_zero_still_does_one_update() -> None:
    _, report = fit_em(Toy(-8.0, Calls()), None, tol=None, max_time=0.0)
    assert (report.stop_reason, report.n_iter) == ("time", 1)


def test_callback_sees_start_and_updates_and_stops_with_true_alone() -> None:
    seen = []

    def callback(iteration: int, objective: float, model: Toy) -> object:
        assert objective == model.x
        seen.append(iteration)
        return True if iteration == 3 else 1  # 1 is not True

    model, report = fit_em(Toy(-8.0, Calls()), None, tol=None, callback=callback)
    assert seen == [0, 1, 2, 3]
    assert (report.stop_reason, report.n_iter, model.x) == ("callback", 3, -1.0)


def test_callback_may_stop_at_the_start() -> None:
    calls = Calls()
    model, report = fit_em(Toy(-8.0, calls), None, callback=lambda *_: True)
    assert (calls.expect, calls.maximise) == (1, 0)
    assert (report.stop_reason, report.n_iter, model.x) == ("callback", 0, -8.0)


def test_singular_ends_with_the_last_valid_model() -> None:
    model, report = fit_em(Toy(-8.0, Calls(), singular_at=-1.5), None, tol=None)
    assert (report.stop_reason, report.converged, model.x) == ("singular", False, -2.0)
    assert report.history == [-8.0, -4.0, -2.0]


def test_interrupt_returns_the_last_whole_model() -> None:
    calls = Calls()

    def interrupt(toy: Toy) -> None:
        if calls.expect == 4:
            raise KeyboardInterrupt

    model, report = fit_em(Toy(-8.0, calls, at=interrupt), None, tol=None)
    assert (report.stop_reason, report.converged) == ("interrupted", False)
    assert report.history == [-8.0, -4.0, -2.0]
    assert model.x == -2.0


def test_interrupt_before_the_first_whole_model_is_raised() -> None:
    def interrupt(toy: Toy) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_em(Toy(-8.0, Calls(), at=interrupt), None)


def test_interrupt_among_restarts_returns_the_best_so_far() -> None:
    calls = Calls()

    def interrupt(toy: Toy) -> None:
        if toy.top == 2.0 and toy.x > 1.0:
            raise KeyboardInterrupt

    starts = [Toy(-8.0, calls, top=1.0), Toy(-8.0, calls, top=2.0, at=interrupt), Toy(-8.0, calls, top=3.0)]
    model, report = fit_em(starts, None, tol=None)
    assert report.stop_reason == "interrupted"
    assert model.top == 1.0
    assert len(report.restarts) == 2


def test_fall_is_recorded_only_beyond_rounding() -> None:
    class Falling(Toy):
        def maximise(self, statistics: Statistics) -> Toy:
            return replace(self, x=self.x - 1.0 if self.x == -2.0 else self.top - (self.top - self.x) / 2)

    _, report = fit_em(Falling(-8.0, Calls()), None, n_iter=3, tol=None)
    assert report.history == [-8.0, -4.0, -2.0, -3.0]
    assert report.fall == 1.0

    class Rounding(Toy):
        def maximise(self, statistics: Statistics) -> Toy:
            return replace(self, x=self.x - 0.9e-9 * 10.0)

    assert fit_em(Rounding(-8.0, Calls()), None, n_iter=3, tol=None)[1].fall == 0.0


def test_nothing_to_learn_from_is_an_error_that_says_why() -> None:
    with pytest.raises(ImpossibleSequenceError, match="all 0 sequences have probability zero"):
        fit_em(Toy(-8.0, Calls(), weight=0.0), None)


# ---- restarts -------------------------------------------------------------------------------------------------------


def test_of_several_starts_the_best_third_is_polished() -> None:
    """7 starts: 7 short runs of 10 updates, 3 polished; the best of these is returned."""
    calls = [Calls() for _ in range(7)]
    starts = [Toy(-1e6, c, top=float(top)) for c, top in zip(calls, [5, 1, 7, 3, 2, 6, 4], strict=True)]
    model, report = fit_em(starts, None, n_iter=100, tol=1e-12)
    assert model.top == 7.0
    assert [r.number for r in report.restarts] == list(range(7))
    assert [r.polished for r in report.restarts] == [True, False, True, False, False, True, False]
    for c, row, start in zip(calls, report.restarts, starts, strict=True):
        assert c.expect == row.n_iter + 1
        assert row.start == -1e6
        assert row.short == pytest.approx(start.top - (start.top + 1e6) / 2**SHORT_RUN, rel=1e-12)
        assert (row.n_iter == SHORT_RUN) != row.polished
        assert row.stop_reason == ("loglik" if row.polished else "short")
    assert report.history[0] == -1e6
    assert report.n_iter == report.restarts[2].n_iter
    assert sum(c.describe for c in calls) == 1


def test_polishing_stops_at_n_iter() -> None:
    calls = [Calls(), Calls()]
    _, report = fit_em([Toy(-8.0, c) for c in calls], None, n_iter=15, tol=None)
    assert [c.maximise for c in calls] == [15, 10]
    assert [r.stop_reason for r in report.restarts] == ["max_iter", "short"]
    _, report = fit_em([Toy(-8.0, Calls()) for _ in range(2)], None, n_iter=4, tol=None)
    assert [r.n_iter for r in report.restarts] == [4, 4]


def test_one_start_in_a_list_is_one_run_without_a_table() -> None:
    calls = Calls()
    _, report = fit_em([Toy(-8.0, calls)], None, n_iter=20, tol=None)
    assert report.restarts == []
    assert calls.maximise == 20


def test_best_optimum_found_once_is_noted() -> None:
    once = fit_em([Toy(-9.0, Calls(), top=float(t)) for t in (1, 2, 3, 3, 4, 5)], None, tol=1e-9)[1]
    assert once.about("restarts") == [
        "the best optimum (5) was found once in 2 polished restarts; a larger n_init may find a better one"
    ]
    twice = fit_em([Toy(-9.0, Calls(), top=float(t)) for t in (1, 2, 3, 3, 5, 5)], None, tol=1e-9)[1]
    assert twice.about("restarts") == []


def test_singular_restart_is_never_returned_when_another_is_sound() -> None:
    spike = Toy(-8.0, Calls(), top=1e6, singular_at=9e5)
    starts = [spike, Toy(-8.0, Calls(), top=1.0), Toy(-8.0, Calls(), top=2.0)]
    model, report = fit_em(starts, None, tol=1e-9)
    assert model.top == 2.0
    assert [r.stop_reason for r in report.restarts] == ["singular", "short", "loglik"]
    assert report.restarts[0].objective > report.objective
    assert report.stop_reason == "loglik"


def test_restart_that_becomes_singular_while_polished_is_not_returned() -> None:
    spike = Toy(-8.0, Calls(), top=1e6, singular_at=1e6 - 10)
    starts = [spike, *[Toy(-8.0, Calls(), top=float(top)) for top in (1, 2, 3)]]
    model, report = fit_em(starts, None, tol=1e-9)
    assert report.restarts[0].stop_reason == "singular"
    assert report.restarts[0].n_iter > SHORT_RUN
    assert (model.top, report.stop_reason) == (3.0, "loglik")


def test_next_best_start_is_polished_in_place_of_one_that_became_singular() -> None:
    """Otherwise a run of ten updates would be returned as if it had used up n_iter."""
    spike = Toy(-8.0, Calls(), top=1e6, singular_at=1e6 - 10)
    model, report = fit_em([spike, Toy(-8.0, Calls(), top=1.0), Toy(-8.0, Calls(), top=2.0)], None, tol=1e-9)
    assert [r.stop_reason for r in report.restarts] == ["singular", "short", "loglik"]
    assert (model.top, report.stop_reason, report.converged) == (2.0, "loglik", True)


def test_all_singular_returns_the_best_of_them_and_says_so() -> None:
    starts = [Toy(-8.0, Calls(), top=100.0, singular_at=50.0), Toy(-8.0, Calls(), top=100.0, singular_at=90.0)]
    model, report = fit_em(starts, None, tol=1e-9)
    assert report.stop_reason == "singular"
    assert model.x > 50.0


def test_report_prints_what_a_person_needs() -> None:
    _, report = fit_em([Toy(-9.0, Calls(), top=float(t)) for t in (1, 2)], None, tol=1e-3)
    text = str(report)
    assert f"after {report.n_iter} updates" in text
    assert "stopped by loglik" in text
    assert "restart" in text.splitlines()[-3]
    assert len(text.splitlines()) == 2 + 3
