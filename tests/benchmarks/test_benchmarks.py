"""The benchmark's own arithmetic: work, limits, agreement, goals, choice of rows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.__main__ import parse, selection
from tests.benchmarks.contestants import fastest, plain
from tests.benchmarks.goals import judge
from tests.benchmarks.limits import Rates, Work, work_of
from tests.benchmarks.rows import Row
from tests.benchmarks.tables import goal_table, ms, times
from tests.benchmarks.timing import Timed, log_likelihoods_agree, race
from tests.benchmarks.workloads import Workload, hmm


def _row(section: str, limit: float, **seconds: float) -> Row:
    timed = [Timed(label.replace("_", " "), -1.0, 0.0, [s]) for label, s in seconds.items()]
    return Row(section, "short", "", timed, Work(0, 0, 1), Rates(1.0, 1.0, 1 / limit))


def test_work_of_counts_recursions_densities_moments_and_exponentials():
    rng = np.random.default_rng(0)
    speech = work_of(hmm("speech", "diag", 64, 39, np.full(20, 50), rng))
    assert speech == Work(1000 * (3 * 64**2 + 64 * 4 * 39), 1000 * 39 * 8, 1000 * 64)
    symbols = work_of(hmm("symbols", "categorical", 10, 50, np.array([1000]), rng))
    assert symbols == Work(1000 * 300, 8000, 0)
    means = np.zeros((32, 64))
    mixture = Workload(
        "wide", "full", np.zeros((10, 64)), np.array([10]), {"means": means}, weights=np.full(32, 1 / 32)
    )
    assert work_of(mixture).multiply_adds == 10 * 32 * 64 * 65


def test_limit_is_the_slower_of_arithmetic_and_memory_and_the_exponentials():
    rates = Rates(multiply_adds=10.0, read=100.0, exps=1.0)
    assert Work(20, 100, 3).seconds(rates) == 5.0
    assert Work(20, 500, 3).seconds(rates) == 8.0


def test_judge_asks_for_a_multiple_of_the_peer_or_for_a_share_of_the_limit():
    by_peer = judge(_row("em", 1e-3, hmmem=3e-3, hmmlearn_log=1.0, mixle=0.1))
    assert [goal.text for goal in by_peer] == ["25x mixle", "100x hmmlearn log", "50% of the limit"]
    assert [goal.met for goal in by_peer] == [True, True, False]
    by_limit = judge(_row("em", 6e-3, hmmem=9e-3, mixle=0.1))
    assert by_limit[0].text.startswith("60% of the limit")
    assert by_limit[0].asked == "at most 10 ms"
    assert all(goal.met for goal in by_limit)


def test_judge_of_viterbi_asks_for_twenty_times_hmmlearn():
    row = Row("viterbi", "short", "", [Timed("hmmem", -1.0, 0.0, [0.6]), Timed("hmmlearn", -1.0, 0.0, [10.0])])
    (goal,) = judge(row)
    assert (goal.asked, goal.reached, goal.met) == ("at most 500 ms", "600 ms", False)


def test_race_times_nothing_when_libraries_disagree():
    calls = []

    def timed() -> float:
        calls.append(1)
        return -100.0

    with pytest.raises(AssertionError, match=r"other disagrees: -100\.1; hmmem: -100\.0"):
        race([plain("hmmem", timed), plain("other", lambda: -100.1)], 3, log_likelihoods_agree(1))
    assert calls == [1]


def test_agreement_allows_float32_what_it_loses():
    agree = log_likelihoods_agree(100)
    assert agree(-100.005, -100.0, True)
    assert not agree(-100.005, -100.0, False)
    assert not agree(-101.0, -100.0, True)


def test_fastest_keeps_the_quicker_way():
    slow = sum
    chosen = fastest("library", {"slow": lambda: float(slow(range(300_000))), "quick": lambda: 1.0})
    assert chosen.way == "quick"


def test_selection_of_a_workload_alone_is_its_em_row():
    assert selection(["short", "gmm-wide"]) == {"em": ["short"], "gmm": ["gmm-wide"]}
    assert selection(["viterbi", "short", "mfcc"]) == {"viterbi": ["short", "mfcc"]}
    assert list(selection([])) == ["em", "gmm", "viterbi", "tiny", "fixed", "length", "start"]


def test_parse_names_what_there_is(capsys):
    with pytest.raises(SystemExit):
        parse(["shrot"])
    assert "there is no section or workload 'shrot'; there are em, gmm" in capsys.readouterr().err


def test_times_table_says_how_many_times_hmmem():
    table = times([_row("em", 1e-3, hmmem=2e-3, mixle=0.1)])
    assert table.splitlines()[-1] == "| short |  | **2** | 100 (50x) |"
    assert ms(0.5) == "500"
    assert "**no**" in goal_table([("short", goal) for goal in judge(_row("em", 1e-3, hmmem=1.0, mixle=0.1))])
