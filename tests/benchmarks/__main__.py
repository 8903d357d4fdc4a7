"""One EM iteration of every library on the same data from the same start: ``python -m tests.benchmarks [name ...]``.

Runs are interleaved, so that a busy machine slows all alike; the median of each library's runs is shown, and its ratio
to hmmem's. Nothing is timed before all agree on the log-likelihood.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import version

from hmmem import __version__
from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.workloads import SIZES, build


def time_of(iteration: Callable[[], float]) -> float:
    """Return the seconds of one iteration: the mean over at least a tenth of a second, as in a fit of many updates."""
    began, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() - began < 0.1:
        iteration()
        done += 1
    return (time.perf_counter() - began) / done


def measure(name: str, runs: int) -> list[str]:
    """Return the table row of one workload."""
    workload = build(name)
    with ExitStack() as stack:
        contestants = {label: make(workload, stack) for label, make in CONTESTANTS.items()}
        values = {label: iteration() for label, iteration in contestants.items()}  # the first run compiles
        reference = values["hmmem"]
        for label, value in values.items():
            assert abs(value - reference) <= 1e-9 * abs(reference), f"{label} disagrees on {name}: {value}, {reference}"
        times: dict[str, list[float]] = {label: [] for label in contestants}
        for _ in range(runs):
            for label, iteration in contestants.items():
                times[label].append(time_of(iteration))
    median = {label: statistics.median(values) for label, values in times.items()}
    cells = [
        f"{1e3 * seconds:.1f}" + ("" if label == "hmmem" else f" ({seconds / median['hmmem']:.2g}x)")
        for label, seconds in median.items()
    ]
    return [name, workload.text, *cells]


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="*", metavar="workload", help=", ".join(SIZES))
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "hmmlearn"))
    print(f"hmmem {__version__}, Python {platform.python_version()}, {versions}")
    print(f"ms per EM iteration, median of {arguments.runs} runs; in brackets how many times hmmem's\n")
    print("| workload | | " + " | ".join(CONTESTANTS) + " |")
    print("|---" * (len(CONTESTANTS) + 2) + "|")
    for name in arguments.workload or SIZES:
        print("| " + " | ".join(measure(name, arguments.runs)) + " |", flush=True)


if __name__ == "__main__":
    main()
