"""Memory of one iteration beyond its data, in a process of its own: ``python -m tests.benchmarks.memory NAME``.

Counted is anonymous memory (RssAnon), as its peak above what was there before: pages of mapped files do not count.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

STATUS = Path("/proc/self/status")
ROOT = Path(__file__).resolve().parents[2]


def available() -> bool:
    """Whether this system tells."""
    return STATUS.exists() and "RssAnon" in STATUS.read_text()


def anonymous() -> int:
    """Return the bytes of anonymous memory of this process."""
    return next(int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))


def release() -> None:
    """Give what was freed back to the system, so that it cannot be used again unseen."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def watched() -> Iterator[list[int]]:
    """Give a list that holds, at the end, the peak growth in bytes; looked at every millisecond."""
    before, done, growth = anonymous(), threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.001):
            growth[0] = max(growth[0], anonymous() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield growth
    finally:
        growth[0] = max(growth[0], anonymous() - before)
        done.set()
        watcher.join()


def of_iterations(name: str) -> int:
    """Return the peak growth over three iterations of hmmem on a workload, in bytes."""
    from tests.benchmarks.contestants import data_of, em, model_of
    from tests.benchmarks.workloads import build

    workload = build(name)
    few = workload.first(20_000)
    model_of(few).expect(data_of(few))
    contestant = em(workload)
    release()
    with watched() as growth, contestant.session() as iteration:
        for _ in range(3):
            iteration()
    return growth[0]


def in_child(module: str, *arguments: str) -> dict[str, float]:
    """Return what ``python -m module arguments`` prints as JSON."""
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    print(json.dumps({"growth": of_iterations(sys.argv[1])}))
