"""The goals, and whether a row meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hmmem.parallel import n_workers

if TYPE_CHECKING:
    from tests.benchmarks.rows import Row

#: Of the machine's limit: asked for where a multiple of a peer's speed would need more, and asked for everywhere.
ENOUGH, AT_LEAST = 0.6, 0.5
PEER, DEFAULT, VITERBI, MIXTURE = 25, 100, 20, 8
TWO_CORES = 1.85
#: Rows that split evenly over lanes and cores.
EVEN = {"short", "long-cat", "long-gauss"}
FIXED, TINY, LONG = 200e-6, 1.5, 1.2
MEMORY = 64e6


@dataclass(frozen=True)
class Goal:
    """A figure that was asked for, the one that was reached, and whether that is enough."""

    text: str
    asked: str
    reached: str
    met: bool


def at_most(text: str, reached: float, asked: float, unit: str = "", scale: float = 1.0) -> Goal:
    """Return the goal that a figure is at most another."""
    return Goal(text, f"at most {shown(scale * asked)}{unit}", f"{shown(scale * reached)}{unit}", reached <= asked)


def shown(value: float) -> str:
    """Return a figure to three digits, without an exponent where it is large."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def judge(row: Row, other: Row | None = None) -> list[Goal]:
    """Return the goals of a row; ``other`` is the row that it is compared with."""
    peers = {t.label: t for t in row.timed if not t.label.startswith("hmmem")}
    ours, goals = row.ours, []
    if row.section in {"em", "gmm"}:
        assert row.limit is not None
        if peers:
            fastest = min(peers.values(), key=lambda t: t.median)
            times = PEER if row.section == "em" else MIXTURE
            goals.append(_times_faster(times, fastest.label, fastest.median, ours, row.limit))
        if "hmmlearn log" in peers:
            goals.append(_times_faster(DEFAULT, "hmmlearn log", peers["hmmlearn log"].median, ours, row.limit))
        goals.append(at_most(f"{AT_LEAST:.0%} of the limit", ours, row.limit / AT_LEAST, " ms", 1e3))
        if row.speedup is not None and n_workers(None) == 2 and (row.section == "gmm" or row.name in EVEN):
            goals.append(Goal("two cores", f"at least {TWO_CORES}x", f"{row.speedup:.2f}x", row.speedup >= TWO_CORES))
        if row.growth is not None:
            goals.append(at_most("memory beyond the data", row.growth, MEMORY, " MB", 1e-6))
    if row.section == "viterbi":
        goals += [at_most(f"{VITERBI}x {t.label}", ours, t.median / VITERBI, " ms", 1e3) for t in peers.values()]
    if row.section == "fixed":
        goals.append(at_most("fixed cost", ours, FIXED, " us", 1e6))
    if other is not None:
        goals.append(at_most(f"{TINY}x the time of {other.name}", ours, TINY * other.ours, " ms", 1e3))
    return goals


def _times_faster(times: int, whom: str, theirs: float, ours: float, limit: float) -> Goal:
    """So many times faster than someone, or 60 % of the limit where that would need more."""
    text, asked = f"{times}x {whom}", theirs / times
    if asked < limit / ENOUGH:
        text, asked = f"{ENOUGH:.0%} of the limit ({text} would be {shown(1e3 * asked)} ms)", limit / ENOUGH
    return at_most(text, ours, asked, " ms", 1e3)
