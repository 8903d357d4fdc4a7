"""Cold and warm start of a process: ``import hmmem``, the first estimator, the first fit, each in fresh processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.goals import at_most
from tests.benchmarks.tables import markdown

ROOT = Path(__file__).resolve().parents[2]
#: A process that prints the seconds of its own stages.
SCRIPT = """
import json, time
began = time.perf_counter()
import hmmem
imported = time.perf_counter()
model = hmmem.GaussianHMM(3, n_iter=5, random_state=0)
made = time.perf_counter()
import numpy as np
X = np.random.default_rng(0).normal(size=(500, 2))
ready = time.perf_counter()
warmed = ready
if {warmup}:
    hmmem.warmup()
    warmed = time.perf_counter()
import warnings
warnings.simplefilter("ignore")
model.fit(X)
fitted = time.perf_counter()
print(json.dumps({{"import": imported - began, "GaussianHMM": made - began, "warmup": warmed - ready,
                  "fit": fitted - warmed}}))
"""
IMPORT, FIRST_MODEL, COLD_FIT, WARM_FIT = 0.6, 1.5, 6.0, 0.4


def measure(runs: int) -> dict[str, Any]:
    """Return the median seconds of each stage, with an empty cache of kernels (fewer runs) and with a full one."""
    cold, warmups = [], []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(max(1, min(runs, 3))):
            cold.append(_child(Path(folder) / f"cold-{i}", warmup=False))
            warmups.append(_child(Path(folder) / f"warmup-{i}", warmup=True)["warmup"])
        full = Path(folder) / "cold-0"
        warm = [_child(full, warmup=False) for _ in range(runs)]
    seconds = {
        "import hmmem": _median(warm, "import"),
        "import and GaussianHMM()": _median(warm, "GaussianHMM"),
        "first fit, empty cache": _median(cold, "fit"),
        "hmmem.warmup(), empty cache": statistics.median(warmups),
        "first fit, kernels in the cache": _median(warm, "fit"),
    }
    goals = [
        at_most("import hmmem", seconds["import hmmem"], IMPORT, " s"),
        at_most("import and first GaussianHMM", seconds["import and GaussianHMM()"], FIRST_MODEL, " s"),
        at_most("first fit with all compilation", seconds["first fit, empty cache"], COLD_FIT, " s"),
        at_most("first fit of the next process", seconds["first fit, kernels in the cache"], WARM_FIT, " s"),
    ]
    return {"seconds": seconds, "goals": goals}


def _child(cache: Path, warmup: bool) -> dict[str, float]:
    cache.mkdir(exist_ok=True)
    environment = {**os.environ, "HMMEM_CACHE": str(cache)}
    script = SCRIPT.format(warmup=warmup)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _median(results: list[dict[str, float]], stage: str) -> float:
    return statistics.median(result[stage] for result in results)


def table(measured: dict[str, Any]) -> str:
    """Return the stages and their seconds."""
    return markdown(["stage", ""], [[stage, f"{seconds:.2f} s"] for stage, seconds in measured["seconds"].items()])
