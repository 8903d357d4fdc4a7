"""One sequence of 10^3 to 10^8 frames (K 4, D 1) in a file: cost per frame, and memory of a fit.

``python -m tests.benchmarks.length FILE`` fits two iterations to a mapped file in a process of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmmem.parallel import thread_map
from hmmem.sequences import Sequences
from tests.benchmarks import memory
from tests.benchmarks.contestants import Contestant, Iteration, model_of
from tests.benchmarks.goals import LONG, MEMORY, Goal, at_most
from tests.benchmarks.tables import markdown, ms
from tests.benchmarks.timing import race
from tests.benchmarks.workloads import hmm

K, CHUNK, REFERENCE = 4, 1 << 20, 5


@dataclass(frozen=True)
class Length:
    """What was measured at one length: seconds per iteration, growth in bytes and seconds of a fit by type of file."""

    exponent: int
    seconds: float
    seconds_of_one: float
    growth: dict[str, float]
    fit_seconds: dict[str, float]


def write(path: Path, n_frames: int, dtype: str) -> None:
    """Write frames of a mixture of four, a chunk at a time."""
    rng = np.random.default_rng(0)
    X = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(n_frames, 1))
    for start in range(0, n_frames, CHUNK):
        size = min(CHUNK, n_frames - start)
        X[start : start + size, 0] = 4.0 * rng.integers(K, size=size) + rng.normal(size=size)
    X.flush()


def measure(longest: int, runs: int) -> list[Length]:
    """Return the figures for 10^3 ... 10^longest frames; iterations on all lengths are interleaved."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {exponent: Path(folder) / f"{exponent}-float64.npy" for exponent in range(3, longest + 1)}
        for exponent, path in paths.items():
            write(path, 10**exponent, "float64")
        entered = [_entered(path, e, n_jobs) for e, path in paths.items() for n_jobs in (None, 1)]
        seconds = {t.label: t.median for t in race(entered, runs, None)}
        found = []
        for exponent, path in paths.items():
            files = {"float64": path, "float32": Path(folder) / "float32.npy"}
            write(files["float32"], 10**exponent, "float32")
            fits = {dtype: memory.in_child(__name__, str(file)) for dtype, file in files.items()}
            found.append(
                Length(
                    exponent,
                    seconds[f"10^{exponent}, None"],
                    seconds[f"10^{exponent}, 1"],
                    {dtype: fit["growth"] for dtype, fit in fits.items()},
                    {dtype: fit["seconds"] for dtype, fit in fits.items()},
                )
            )
            path.unlink()
    return found


def _entered(path: Path, exponent: int, n_jobs: int | None) -> Contestant:
    rng = np.random.default_rng(0)
    workload = hmm("length", "diag", K, 1, np.array([10]), rng)
    workload.emission["means"][:] = 4.0 * np.arange(K)[:, None]
    model = model_of(workload)
    data = Sequences.from_lengths(np.load(path, mmap_mode="r"), [10**exponent])

    @contextmanager
    def session() -> Iterator[Iteration]:
        with thread_map(n_jobs) as run:

            def iteration() -> float:
                statistics = model.expect(data, run)
                model.maximise(statistics)
                return float(statistics.log_likelihood)

            yield iteration

    return Contestant(f"10^{exponent}, {n_jobs}", session, compiles=exponent < 8)


def fit(path: str) -> dict[str, float]:
    """Return growth in bytes and seconds of a fit of two iterations.

    The growth counts from after ``import hmmem; hmmem.warmup()``: what a first fit imports is part of it.
    """
    import hmmem

    warnings.simplefilter("ignore")
    hmmem.warmup()
    X = np.load(path, mmap_mode="r")
    with memory.watched() as growth:
        began = time.perf_counter()
        hmmem.GaussianHMM(K, n_iter=2, tol=None, random_state=0).fit(X)
        seconds = time.perf_counter() - began
    return {"growth": growth[0], "seconds": seconds}


def goals(found: list[Length]) -> list[Goal]:
    """Return the goals for the longest sequence against 10^5 frames, and for memory."""
    per_frame = {f.exponent: f.seconds / 10**f.exponent for f in found}
    last = found[-1].exponent
    judged = []
    if last > REFERENCE:
        text = f"cost per frame at 10^{last}, {LONG}x that at 10^{REFERENCE}"
        judged.append(at_most(text, per_frame[last], LONG * per_frame[REFERENCE], " ns", 1e9))
    for dtype in ("float64", "float32"):
        most = max(f.growth[dtype] for f in found)
        judged.append(at_most(f"memory of a fit beyond the {dtype} file", most, MEMORY, " MB", 1e-6))
    return judged


def table(found: list[Length]) -> str:
    header = [
        "frames",
        "",
        "ms",
        "ns per frame",
        "ns, 1 thread",
        "fit MB, float64",
        "fit MB, float32",
        "fit s, float64",
    ]
    lines = [
        [
            f"10^{f.exponent}",
            f"K {K}, D 1",
            ms(f.seconds),
            f"{1e9 * f.seconds / 10**f.exponent:.1f}",
            f"{1e9 * f.seconds_of_one / 10**f.exponent:.1f}",
            f"{f.growth['float64'] / 1e6:.1f}",
            f"{f.growth['float32'] / 1e6:.1f}",
            f"{f.fit_seconds['float64']:.2f}",
        ]
        for f in found
    ]
    return markdown(header, lines)


if __name__ == "__main__":
    print(json.dumps(fit(sys.argv[1])))
