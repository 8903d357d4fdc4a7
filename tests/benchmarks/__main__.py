"""Time hmmem beside its peers and beside the machine's limits: ``python -m tests.benchmarks [what ...]``.

WHAT is a section or a workload. Sections: em (EM iterations of hidden Markov models), gmm (of mixtures), viterbi, tiny
(10^5 sequences of 5 to 20 frames), fixed (10 frames), start (of the process), length (10^3 frames up to 10^LONGEST). A
workload alone means its em or gmm row; beside sections it picks their rows. Nothing: all sections.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from tests.benchmarks import length, limits, machine, peers, picture, process_start, rows, tables
from tests.benchmarks.goals import Goal
from tests.benchmarks.rows import Row
from tests.benchmarks.workloads import HMMS, MIXTURES

SECTIONS = tuple(tables.TITLES)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", metavar="WHAT", help=", ".join((*SECTIONS, *HMMS, *MIXTURES)))
    parser.add_argument("--peers", help="comma-separated; by default all that are installed; none: hmmem alone")
    parser.add_argument(
        "--runs", type=int, default=7, help="runs per entry, at least 0.1 s each (7); slow ones get fewer"
    )
    parser.add_argument(
        "--longest", type=int, default=6, help="largest power of ten for the section length (6; up to 8)"
    )
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory, a process per row")
    parser.add_argument("--json", metavar="FILE", help="write machine, versions and every run")
    parser.add_argument("--picture", metavar="FILE", help="write a picture of em, viterbi and gmm (PNG, SVG, PDF)")
    parser.add_argument("--fail", action="store_true", help="exit with 1 if a goal is missed")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.what if name not in (*SECTIONS, *HMMS, *MIXTURES)]
    if unknown:
        parser.error(
            f"there is no section or workload {unknown[0]!r}; there are {', '.join((*SECTIONS, *HMMS, *MIXTURES))}"
        )
    if chosen.runs < 1 or not 3 <= chosen.longest <= 9:
        parser.error("--runs must be positive and --longest from 3 to 9")
    chosen.peers = _peers(parser, chosen.peers)
    return chosen


def _peers(parser: argparse.ArgumentParser, asked: str | None) -> list[str]:
    if asked is None:
        return peers.installed()
    named = [name for name in asked.split(",") if name and name != "none"]
    for name in named:
        if name not in peers.SECTIONS:
            parser.error(f"there is no peer {name!r}; there are {', '.join(peers.SECTIONS)}")
        if name not in peers.installed():
            parser.error(f"{name} is not installed; tests/benchmarks/make_env.py makes an environment with all peers")
    return named


def selection(what: list[str]) -> dict[str, list[str]]:
    """Return the sections to run, and the rows of each that has several."""
    picked = [name for name in what if name not in SECTIONS]
    sections = [name for name in SECTIONS if name in what]
    if not sections:
        sections = ["em"] * any(name in HMMS for name in picked) + ["gmm"] * any(name in MIXTURES for name in picked)
    found = {}
    for section in sections or SECTIONS:
        if section in {"em", "gmm", "viterbi"}:
            found[section] = [name for name in rows.names(section) if name in picked or not picked]
        else:
            found[section] = []
    return {section: names for section, names in found.items() if names or section not in {"em", "gmm", "viterbi"}}


def main(arguments: list[str]) -> int:
    """Run what was asked for, print tables in Markdown, write JSON and picture; return the exit code."""
    chosen = parse(arguments)
    warnings.simplefilter("ignore")
    where = machine.describe()
    print(machine.text(where))
    missing = [peer for peer in peers.SECTIONS if peer not in chosen.peers]
    if missing:
        print(f"\n**Without {', '.join(missing)}: a run with fewer than all five peers proves nothing.**")
    print(f"\nMedian of {chosen.runs} runs (fewer where a call takes more than 2 s).")
    found: dict[str, Any] = {"machine": where, "runs": chosen.runs, "peers": chosen.peers, "missing": missing}
    shown: dict[str, list[Row]] = {}
    goals: list[tuple[str, Goal]] = []
    try:
        for section, names in selection(chosen.what).items():
            print(f"\n### {tables.TITLES[section]}\n", flush=True)
            if section in {"length", "start"}:
                judged = _special(section, chosen, found)
            else:
                shown[section] = _rows(section, names, chosen)
                found[section] = [row.as_json() for row in shown[section]]
                judged = [(row.name, goal) for row in shown[section] for goal in row.goals]
            goals += judged
            print("\n" + tables.goal_table(judged), flush=True)
    finally:
        if chosen.json:
            with open(chosen.json, "w", encoding="utf-8") as file:
                json.dump(found, file, indent=1, default=_plain)
    missed = [f"{name}: {goal.text}" for name, goal in goals if not goal.met]
    print(f"\n### Goals\n\n{len(goals) - len(missed)} of {len(goals)} are met." + "\n" * bool(missed))
    print("\n".join(f"- missed: {line}" for line in missed))
    if chosen.picture:
        picture.draw(shown, chosen.picture)
    return int(bool(missed) and chosen.fail)


def _rows(section: str, names: list[str], chosen: argparse.Namespace) -> list[Row]:
    found: list[Row] = []
    try:
        for row in _measured(section, names, chosen):
            found.append(row)  # noqa: PERF402  what was measured before an error is shown all the same
    finally:
        print("ms; in brackets how many times hmmem's on all cores.\n\n" + tables.times(found))
        measured = [row.rates for row in found if row.rates is not None]
        alone = [row.rates_of_one for row in found if row.rates_of_one is not None]
        if measured:
            print(f"\nThe machine: {limits.median(measured).text}; one core: {limits.median(alone).text}.\n")
            print(tables.limit_table(found))
        said = tables.notes(found)
        print("\n" + said if said else "", flush=True)
    return found


def _measured(section: str, names: list[str], chosen: argparse.Namespace) -> Iterator[Row]:
    if section == "tiny":
        yield from rows.tiny_rows(chosen.peers, chosen.runs)
    if section == "fixed":
        yield from rows.fixed_rows(chosen.peers, chosen.runs)
    for name in names:
        print(f"{section} {name} ...", file=sys.stderr, flush=True)
        if section == "viterbi":
            yield rows.viterbi_row(name, chosen.peers, chosen.runs)
        else:
            yield rows.em_row(section, name, chosen.peers, chosen.runs, not chosen.no_memory)


def _special(section: str, chosen: argparse.Namespace, found: dict[str, Any]) -> list[tuple[str, Goal]]:
    if section == "start":
        found["start"] = process_start.measure(chosen.runs)
        print(process_start.table(found["start"]))
        return [("start", goal) for goal in found["start"]["goals"]]
    found["length"] = length.measure(chosen.longest, chosen.runs)
    print(length.table(found["length"]))
    return [("length", goal) for goal in length.goals(found["length"])]


def _plain(value: Any) -> Any:
    """What JSON does not know: dataclasses, and numbers and arrays of NumPy."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.tolist()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
