"""What the machine could do: its rates, measured beside every run, and the work that an iteration cannot do without."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit

from hmmem.kernels.simd import exp, fma, load, splat, store
from hmmem.parallel import n_workers
from tests.benchmarks.workloads import Workload

# compiled afresh in every run, so that the rates are always those of the vectors and the exp that hmmem has now
probe = njit(error_model="numpy", nogil=True, fastmath={"contract", "nsz", "arcp", "reassoc"})
#: Numbers that are read for the bandwidth, 256 MiB: more than any cache holds.
READ = 1 << 25
ROUNDS, EXPS = 1_000_000, 3000


@dataclass(frozen=True)
class Rates:
    """What a number of threads do per second: multiply-adds, bytes read from memory, exponentials."""

    multiply_adds: float
    read: float
    exps: float

    @property
    def text(self) -> str:
        billions = [f"{rate / 1e9:.1f}" for rate in (self.multiply_adds, self.read, self.exps)]
        return "{} G multiply-adds/s, {} GB/s read, {} G exp/s".format(*billions)


@dataclass(frozen=True)
class Work:
    """What one iteration cannot do without; see :func:`work_of`."""

    multiply_adds: int
    read: int
    exps: int

    def seconds(self, rates: Rates) -> float:
        """Return the limit: arithmetic or memory, whichever takes longer, and the exponentials."""
        return max(self.multiply_adds / rates.multiply_adds, self.read / rates.read) + self.exps / rates.exps


def work_of(w: Workload) -> Work:
    """Return the least work of an EM iteration.

    Multiply-adds per frame: 3 K^2 for the recursions (forward, backward, transition counts); per state D (D + 1) / 2
    for a full density and again for its moments, 2 D and 2 D for a diagonal one. The data are read once, and each state
    of a Gaussian takes one exponential per frame. Tables of symbols cost nothing here.
    """
    per_state = {"full": w.D * (w.D + 1), "diag": 4 * w.D, "categorical": 0}[w.family]
    per_frame = w.K * per_state + (3 * w.K**2 if w.transmat is not None else 0)
    return Work(len(w.X) * per_frame, w.X.nbytes, 0 if w.family == "categorical" else len(w.X) * w.K)


def measure(threads: int | None = None) -> Rates:
    """Return the rates of so many threads, by default all cores; takes about a tenth of a second."""
    workers = n_workers(threads)
    share = READ // workers // 64 * 64
    out = [np.zeros(8) for _ in range(workers)]
    values = [np.linspace(-50.0, 0.0, 2048) for _ in range(workers)]
    results = [np.empty(2048) for _ in range(workers)]
    with ThreadPoolExecutor(workers) as pool:

        def rate(amount: int, task: Callable[[int], object]) -> float:
            """The best of three: what the machine can do when nobody else is in the way."""
            seconds = []
            for _ in range(3):
                began = time.perf_counter()
                list(pool.map(task, range(workers)))
                seconds.append(time.perf_counter() - began)
            return workers * amount / min(seconds)

        few = rate(8 * 6 * ROUNDS, lambda i: multiply_add_6(ROUNDS, out[i]))
        many = rate(8 * 12 * ROUNDS, lambda i: multiply_add_12(ROUNDS, out[i]))
        memory = _memory()
        read = rate(8 * share, lambda i: read_all(memory, i * share, (i + 1) * share, out[i]))
        exps = rate(2048 * EXPS, lambda i: exp_all(values[i], results[i], EXPS))
    return Rates(max(few, many), read, exps)


def median(rates: Sequence[Rates]) -> Rates:
    """Return the median of each rate."""
    return Rates(*(statistics.median(getattr(r, name) for r in rates) for name in ("multiply_adds", "read", "exps")))


@cache
def _memory() -> np.ndarray:
    return np.ones(READ)


# --- probes -----------------------------------------------------------------------------------------------------------
# Six chains of multiply-adds hide the latency of one unit (and fit the registers of AVX2), twelve that of two.


@probe
def multiply_add_6(n, out):
    a, b = splat(0.9999999), splat(1e-9)
    x0 = x1 = x2 = x3 = x4 = x5 = b
    for _ in range(n):
        x0, x1, x2 = fma(x0, a, b), fma(x1, b, a), fma(a, x2, a)
        x3, x4, x5 = fma(b, x3, b), fma(x4, a, a), fma(x5, b, b)
    store(out, 0, x0 + x1 + x2 + x3 + x4 + x5)


@probe
def multiply_add_12(n, out):
    a, b, c = splat(0.9999999), splat(1e-9), splat(0.5)
    x0 = x1 = x2 = x3 = x4 = x5 = x6 = x7 = x8 = x9 = x10 = x11 = b
    for _ in range(n):
        x0, x1, x2 = fma(x0, a, b), fma(x1, b, a), fma(x2, a, a)
        x3, x4, x5 = fma(x3, b, b), fma(x4, c, a), fma(x5, c, b)
        x6, x7, x8 = fma(x6, a, c), fma(x7, b, c), fma(x8, c, c)
        x9, x10, x11 = fma(a, x9, b - c), fma(b, x10, a - c), fma(c, x11, a + c)
    store(out, 0, x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11)


@probe
def read_all(memory, start, stop, out):
    s0 = s1 = s2 = s3 = splat(0.0)
    for i in range(start, stop, 64):
        s0 = s0 + load(memory, i) + load(memory, i + 32)
        s1 = s1 + load(memory, i + 8) + load(memory, i + 40)
        s2 = s2 + load(memory, i + 16) + load(memory, i + 48)
        s3 = s3 + load(memory, i + 24) + load(memory, i + 56)
    store(out, 0, s0 + s1 + s2 + s3)


@probe
def exp_all(values, results, n):
    for _ in range(n):
        for i in range(0, values.size, 8):
            store(results, i, exp(load(values, i)))
