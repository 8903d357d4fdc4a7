"""The workloads: data and a start, the same for every library."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Workload:
    """Data, and the parameters of a start.

    A hidden Markov model has ``startprob`` and ``transmat``; a mixture has ``weights`` and one sequence.
    """

    name: str
    family: str  # diag, full, categorical
    X: np.ndarray
    lengths: np.ndarray
    emission: dict[str, np.ndarray]
    startprob: np.ndarray | None = None
    transmat: np.ndarray | None = None
    weights: np.ndarray | None = None

    @property
    def K(self) -> int:
        return len(self.emission.get("means", self.emission.get("table")))

    @property
    def D(self) -> int:
        return self.X.shape[1]

    @property
    def text(self) -> str:
        if self.weights is not None:
            return f"{self.family}, K {self.K}, D {self.D}, N {len(self.X):,}"
        shortest, longest = self.lengths.min(), self.lengths.max()
        each = f"{longest:,}" if shortest == longest else f"{shortest} to {longest}"
        width = f"V {self.emission['table'].shape[1]}" if self.family == "categorical" else f"D {self.D}"
        return f"{self.family}, K {self.K}, {width}, {len(self.lengths):,} x {each}"

    def first(self, n_frames: int) -> Workload:
        """Return the same model with the first sequences of so many frames in all, or the start of one: to warm up."""
        n = max(1, int(np.searchsorted(np.cumsum(self.lengths), n_frames, side="right")))
        lengths = np.minimum(self.lengths[:n], n_frames)
        return replace(self, X=self.X[: lengths.sum()], lengths=lengths)


HMMS = {  # family, K, D or V, sequences, frames of each
    "short": ("diag", 4, 2, 2000, 100),
    "mfcc": ("full", 8, 13, 100, 300),
    "long-cat": ("categorical", 10, 50, 1, 500_000),
    "long-gauss": ("diag", 4, 1, 1, 1_000_000),
    "speech": ("diag", 64, 39, 20, 500),
    "big-cat": ("categorical", 256, 1000, 20, 500),
}
MIXTURES = {  # family, N, D, K
    "gmm-plane": ("full", 1_000_000, 2, 8),
    "gmm-mfcc": ("full", 200_000, 13, 16),
    "gmm-speech": ("diag", 200_000, 39, 64),
    "gmm-wide": ("full", 100_000, 64, 32),
    "gmm-line": ("full", 1_000_000, 1, 3),
}


def build(name: str, seed: int = 0) -> Workload:
    """Return a workload by its name, drawn from a seed."""
    rng = np.random.default_rng(seed)
    if name in MIXTURES:
        family, N, D, K = MIXTURES[name]
        means, covars, X = _gaussian(rng, family, K, D, rng.integers(K, size=N))
        return Workload(name, family, X, np.array([N]), {"means": means, "covars": covars}, weights=np.full(K, 1.0 / K))
    family, K, width, n, T = HMMS[name]
    return hmm(name, family, K, width, np.full(n, T), rng)


def hmm(name: str, family: str, K: int, width: int, lengths: np.ndarray, rng: np.random.Generator) -> Workload:
    """Return a workload for a hidden Markov model: frames of independent states, and the model that drew them."""
    transmat, startprob = rng.dirichlet(np.ones(K), size=K), np.full(K, 1 / K)
    states = rng.integers(K, size=int(lengths.sum()))
    if family == "categorical":
        table = rng.dirichlet(np.ones(width), size=K)
        uniform = rng.random(len(states))
        X = np.empty(len(states), dtype=np.int64)
        for k in range(K):
            X[states == k] = np.searchsorted(np.cumsum(table[k])[:-1], uniform[states == k])
        return Workload(name, family, X[:, None], lengths, {"table": table}, startprob, transmat)
    means, covars, X = _gaussian(rng, family, K, width, states)
    return Workload(name, family, X, lengths, {"means": means, "covars": covars}, startprob, transmat)


def _gaussian(
    rng: np.random.Generator, family: str, K: int, D: int, states: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    means = rng.normal(size=(K, D)) * 2
    X = means[states] + rng.normal(size=(len(states), D))
    covars = np.ones((K, D)) if family == "diag" else np.tile(np.eye(D), (K, 1, 1))
    return means, covars, X
