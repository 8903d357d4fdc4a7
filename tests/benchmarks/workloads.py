"""The workloads: data and a start, the same for every library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Workload:
    """Data, and the parameters of a start."""

    name: str
    family: str
    X: np.ndarray
    lengths: np.ndarray
    startprob: np.ndarray
    transmat: np.ndarray
    emission: dict[str, np.ndarray]

    @property
    def text(self) -> str:
        K, frames = len(self.startprob), f"{len(self.lengths)} x {self.lengths[0]}"
        width = f"V {self.emission['table'].shape[1]}" if self.family == "categorical" else f"D {self.X.shape[1]}"
        return f"{self.family}, K {K}, {width}, {frames}"


SIZES = {  # family, K, D or V, sequences, frames of each
    "short": ("diag", 4, 2, 2000, 100),
    "mfcc": ("full", 8, 13, 100, 300),
    "long-cat": ("categorical", 10, 50, 1, 500_000),
    "long-gauss": ("diag", 4, 1, 1, 1_000_000),
    "speech": ("diag", 64, 39, 20, 500),
    "big-cat": ("categorical", 256, 1000, 20, 500),
    "tiny-sequences": ("diag", 4, 2, 2000, 10),
    "same-in-one": ("diag", 4, 2, 1, 20_000),
}


def build(name: str, seed: int = 0) -> Workload:
    """Return a workload, drawn from a seed."""
    family, K, width, n, T = SIZES[name]
    rng = np.random.default_rng(seed)
    transmat, startprob = rng.dirichlet(np.ones(K), size=K), np.full(K, 1 / K)
    states = rng.integers(K, size=n * T)
    if family == "categorical":
        table = rng.dirichlet(np.ones(width), size=K)
        uniform = rng.random(n * T)
        X = np.empty(n * T, dtype=np.int64)
        for k in range(K):
            X[states == k] = np.searchsorted(np.cumsum(table[k])[:-1], uniform[states == k])
        return Workload(name, family, X[:, None], np.full(n, T), startprob, transmat, {"table": table})
    means = rng.normal(size=(K, width)) * 2
    X = means[states] + rng.normal(size=(n * T, width))
    covars = np.ones((K, width)) if family == "diag" else np.tile(np.eye(width), (K, 1, 1))
    return Workload(name, family, X, np.full(n, T), startprob, transmat, {"means": means, "covars": covars})
