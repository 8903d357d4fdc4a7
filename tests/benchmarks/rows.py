"""Rows of the tables: one workload each, with every library that is there."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tests.benchmarks import contestants, limits, memory, peers
from tests.benchmarks.contestants import Contestant
from tests.benchmarks.goals import Goal, judge
from tests.benchmarks.timing import Timed, by_label, log_likelihoods_agree, race
from tests.benchmarks.workloads import HMMS, MIXTURES, Workload, build, hmm


@dataclass
class Row:
    """What was measured of one workload."""

    section: str
    name: str
    text: str
    timed: list[Timed]
    work: limits.Work | None = None
    rates: limits.Rates | None = None
    rates_of_one: limits.Rates | None = None
    growth: float | None = None
    goals: list[Goal] = field(default_factory=list)

    @property
    def ours(self) -> float:
        return self.timed[0].median

    @property
    def limit(self) -> float | None:
        return None if self.work is None or self.rates is None else self.work.seconds(self.rates)

    @property
    def speedup(self) -> float | None:
        """How many times faster hmmem is on all cores than on one."""
        alone = by_label(self.timed).get(contestants.label(1))
        return None if alone is None else alone.median / self.ours

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "limit": self.limit, "medians": {t.label: t.median for t in self.timed}}


def names(section: str) -> list[str]:
    """Return the workloads of a section."""
    return {"em": list(HMMS), "viterbi": list(HMMS), "gmm": list(MIXTURES)}[section]


def em_row(section: str, name: str, who: list[str], runs: int, with_memory: bool) -> Row:
    """Return a row of ``em`` or ``gmm``: EM iterations, the machine's limit beside each round, memory."""
    workload = build(name)
    rates: dict[int | None, list[limits.Rates]] = {None: [], 1: []}

    def between() -> None:
        for threads, measured in rates.items():
            measured.append(limits.measure(threads))

    timed = race(_entered(section, workload, who), runs, log_likelihoods_agree(int(workload.lengths.max())), between)
    row = Row(section, name, workload.text, timed, limits.work_of(workload))
    row.rates, row.rates_of_one = limits.median(rates[None]), limits.median(rates[1])
    if with_memory and memory.available():
        row.growth = memory.in_child("tests.benchmarks.memory", name)["growth"]
    row.goals = judge(row)
    return row


def viterbi_row(name: str, who: list[str], runs: int) -> Row:
    """Return a row of ``viterbi``: decoding of all sequences."""
    workload = build(name)
    entered = [contestants.viterbi(workload), contestants.viterbi(workload, 1)]
    entered += peers.contestants("viterbi", workload, who)
    row = Row("viterbi", name, workload.text, race(entered, runs, log_likelihoods_agree(1)))
    row.goals = judge(row)
    return row


def tiny_rows(who: list[str], runs: int) -> list[Row]:
    """Return 10^5 sequences of 5 to 20 frames, and the same frames in sequences of 1000 and in one."""
    rng = np.random.default_rng(0)
    workload = hmm("tiny", "diag", 4, 2, rng.integers(5, 21, size=100_000), rng)
    N = len(workload.X)
    cuts = {"tiny": workload.lengths, "same-in-1000s": np.diff([*range(0, N, 1000), N]), "same-in-one": np.array([N])}
    rows = []
    for name, lengths in cuts.items():
        cut = Workload(
            name, workload.family, workload.X, lengths, workload.emission, workload.startprob, workload.transmat
        )
        rows.append(Row("tiny", name, cut.text, race(_entered("tiny", cut, who), runs, log_likelihoods_agree(1))))
    rows[0].goals = judge(rows[0], rows[1])
    return rows


def fixed_rows(who: list[str], runs: int) -> list[Row]:
    """Return one sequence of 10 frames: what an iteration costs before it does anything; alone and within a fit."""
    rng = np.random.default_rng(0)
    workload = hmm("ten-frames", "categorical", 4, 5, np.array([10]), rng)
    alone = race(_entered("em", workload, who), runs, log_likelihoods_agree(1))
    fits = race([contestants.whole_fit(workload), contestants.whole_fit(workload, 1)], runs, log_likelihoods_agree(1))
    rows = [Row("fixed", workload.name, workload.text, alone), Row("fixed", "in-fit_em", workload.text, fits)]
    for row in rows:
        row.goals = judge(row)
    return rows


def _entered(section: str, workload: Workload, who: list[str]) -> list[Contestant]:
    ours = [contestants.em(workload), contestants.em(workload, 1)]
    return ours + peers.contestants(section, workload, who)
