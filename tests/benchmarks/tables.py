"""The tables, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks import contestants
from tests.benchmarks.goals import Goal, shown
from tests.benchmarks.rows import Row
from tests.benchmarks.timing import by_label

TITLES = {
    "em": "EM iteration",
    "gmm": "EM iteration of mixtures",
    "viterbi": "Viterbi decoding",
    "tiny": "Many tiny sequences",
    "fixed": "Fixed cost of an iteration",
    "length": "One sequence of any length",
    "start": "Start of the process",
}


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table; all columns but the first two are right-aligned."""
    rule = ["---"] * 2 + ["--:"] * (len(header) - 2)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *lines))


def times(rows: Sequence[Row]) -> str:
    """Return milliseconds per call; in brackets how many times hmmem's."""
    labels = list(dict.fromkeys(t.label for row in rows for t in row.timed))
    lines = []
    for row in rows:
        cells = [row.name, row.text]
        for label in labels:
            entry = by_label(row.timed).get(label)
            if entry is None:
                cells.append("")
            elif label == "hmmem":
                cells.append(f"**{ms(entry.median)}**")
            else:
                cells.append(f"{ms(entry.median)} ({shown(entry.median / row.ours)}x)")
        lines.append(cells)
    return markdown(["workload", "", *labels], lines)


def limit_table(rows: Sequence[Row]) -> str:
    """Return the machine's limit beside what was reached, on all cores and on one; and memory."""
    header = ["workload", "", "limit, ms", "reached", "limit of 1 core", "reached", "all cores : 1", "memory, MB"]
    lines = []
    for row in rows:
        if row.work is None or row.limit is None or row.rates_of_one is None:
            continue
        alone = by_label(row.timed)[contestants.label(1)].median
        limit_of_one = row.work.seconds(row.rates_of_one)
        lines.append(
            [
                row.name,
                row.text,
                ms(row.limit),
                f"{row.limit / row.ours:.0%}",
                ms(limit_of_one),
                f"{limit_of_one / alone:.0%}",
                f"{row.speedup:.2f}x",
                "" if row.growth is None else f"{row.growth / 1e6:.1f}",
            ]
        )
    return markdown(header, lines) if lines else ""


def goal_table(goals: Sequence[tuple[str, Goal]]) -> str:
    """Return what was asked for and what was reached."""
    lines = [[name, goal.text, goal.asked, goal.reached, "yes" if goal.met else "**no**"] for name, goal in goals]
    return markdown(["", "goal", "asked", "reached", "met"], lines) if lines else ""


def notes(rows: Sequence[Row]) -> str:
    """Return what has to be said about single entries: float32, and the way that was the fastest."""
    said: dict[str, list[str]] = {}
    for row in rows:
        for t in row.timed:
            if t.single:
                said.setdefault(f"{t.label} computes in float32; its log-likelihood is off by", []).append(
                    f"{t.deviation:.0e} ({row.name})"
                )
            if t.way:
                said.setdefault(f"{t.label} was fastest by {t.way}:", []).append(row.name)
    return "\n".join(f"- {what} {', '.join(where)}." for what, where in said.items())


def ms(seconds: float) -> str:
    """Return milliseconds to three digits."""
    return shown(1e3 * seconds)
