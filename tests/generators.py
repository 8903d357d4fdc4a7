"""Random models for property tests: ordinary ones, and the shapes that break recursions.

Every function takes a `numpy.random.Generator` first and returns plain float64 arrays. Unless asked otherwise, a
model has at least one possible path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Model(NamedTuple):
    """What the recursions take; unpacks as ``startprob, transmat, log_lik``."""

    startprob: Array  # (K,)
    transmat: Array  # (K, K)
    log_lik: Array  # (T, K)


# ---- chains and log-likelihoods -------------------------------------------------------------------------------------


def random_rows(rng: np.random.Generator, n_rows: int, n: int, zeros: float = 0.0) -> Array:
    """Random probability rows (n_rows, n) in which about a share ``zeros`` of the entries is exactly zero."""
    weights = rng.exponential(size=(n_rows, n)) * (rng.random((n_rows, n)) >= zeros)
    kept = rng.integers(n, size=n_rows)
    weights[np.arange(n_rows), kept] += 0.1 + rng.random(n_rows)
    return weights / weights.sum(axis=1, keepdims=True)


def simulate(rng: np.random.Generator, startprob: Array, transmat: Array, T: int) -> NDArray[np.int64]:
    """A state path (T,) drawn from the chain."""
    n_states = len(startprob)
    path = np.empty(T, dtype=np.int64)
    for t in range(T):
        row = startprob if t == 0 else transmat[path[t - 1]]
        path[t] = rng.choice(n_states, p=row / row.sum())
    return path


def random_log_lik(
    rng: np.random.Generator, path: NDArray[np.int64], K: int, neg_inf: float = 0.0, gap: float = 1.0
) -> Array:
    """(T, K) values over a range of ``gap`` nats, a share ``neg_inf`` of them -inf, but finite along ``path``."""
    n_frames = len(path)
    log_lik = rng.normal(size=(n_frames, K)) - gap * rng.random((n_frames, K))
    forbidden = rng.random((n_frames, K)) < neg_inf
    forbidden[np.arange(n_frames), path] = False
    log_lik[forbidden] = -np.inf
    return log_lik


def _with_log_lik(
    rng: np.random.Generator, startprob: Array, transmat: Array, T: int, neg_inf: float = 0.0, gap: float = 1.0
) -> Model:
    path = simulate(rng, startprob, transmat, T)
    return Model(startprob, transmat, random_log_lik(rng, path, len(startprob), neg_inf, gap))


def random_hmm(
    rng: np.random.Generator,
    K: int,
    T: int,
    zeros: float = 0.3,
    neg_inf: float = 0.1,
    gap: float = 1.0,
    possible: bool = True,
) -> Model:
    """A chain with structural zeros and log-likelihoods with -inf; ``possible=False`` leaves it no path at all."""
    startprob, transmat = random_rows(rng, 1, K, zeros)[0], random_rows(rng, K, K, zeros)
    model = _with_log_lik(rng, startprob, transmat, T, neg_inf, gap)
    return model if possible else make_impossible(rng, model)


def make_impossible(rng: np.random.Generator, model: Model) -> Model:
    """The same model without any path: a frame that no state explains, or only states that the chain cannot enter."""
    log_lik = model.log_lik.copy()
    t = int(rng.integers(len(log_lik)))
    found = reachable(*model)
    enterable = model.startprob > 0 if t == 0 else (model.transmat[found[t - 1]] > 0).any(axis=0)
    log_lik[t] = np.where(enterable, -np.inf, rng.normal(size=len(enterable)))
    return model._replace(log_lik=log_lik)


def reachable(startprob: Array, transmat: Array, log_lik: Array) -> NDArray[np.bool_]:
    """(T, K): whether some path of positive probability leads to state k at frame t."""
    found = np.zeros(log_lik.shape, dtype=bool)
    for t in range(len(log_lik)):
        entered = startprob > 0 if t == 0 else (transmat[found[t - 1]] > 0).any(axis=0)
        found[t] = entered & (log_lik[t] > -np.inf)
    return found


def random_endprob(rng: np.random.Generator, model: Model, zeros: float = 0.3) -> Array:
    """An end vector (K,) with exact zeros that leaves a possible model possible."""
    endprob = rng.uniform(0.01, 1.0, len(model.startprob)) * (rng.random(len(model.startprob)) >= zeros)
    last = np.flatnonzero(reachable(*model)[-1])
    if last.size:
        endprob[rng.choice(last)] = rng.uniform(0.01, 1.0)
    return endprob


def with_end(transmat: Array, endprob: Array) -> Array:
    """The transmat whose rows leave room for ``endprob``: each row of (transmat | endprob) sums to 1."""
    return transmat * (1.0 - endprob)[:, None]


def left_right(rng: np.random.Generator, K: int, T: int, skip: int = 1, gap: float = 1.0) -> Model:
    """Starts in state 0, moves ``skip`` states ahead at most, never back; the last state is absorbing."""
    band = np.triu(np.ones((K, K))) - np.triu(np.ones((K, K)), skip + 1)
    weights = band * rng.uniform(0.1, 1.0, (K, K))
    return _with_log_lik(rng, np.eye(K)[0], weights / weights.sum(axis=1, keepdims=True), T, gap=gap)


def near_deterministic(rng: np.random.Generator, K: int, T: int, slip: float = 1e-12) -> Model:
    """Each state has one successor of probability 1 - slip; the rest shares ``slip``."""
    transmat = np.full((K, K), slip / max(K - 1, 1))
    transmat[np.arange(K), rng.permutation(K)] = 1.0 - slip if K > 1 else 1.0
    return _with_log_lik(rng, random_rows(rng, 1, K)[0], transmat, T)


def periodic(rng: np.random.Generator, K: int, T: int) -> Model:
    """A cycle with transitions of probability one."""
    return _with_log_lik(rng, random_rows(rng, 1, K)[0], np.roll(np.eye(K), 1, axis=1), T)


def sticky(rng: np.random.Generator, K: int, T: int, leave: float = 1e-6) -> Model:
    """States that are left with probability ``leave``."""
    transmat = (1.0 - leave) * np.eye(K) + leave * random_rows(rng, K, K)
    return _with_log_lik(rng, random_rows(rng, 1, K)[0], transmat, T)


def tiny_probabilities(rng: np.random.Generator, K: int, T: int, tiny: float = 1e-300) -> Model:
    """Half of all probabilities are about ``tiny``, and the data favour the paths that need them."""
    weights = np.where(rng.random((K + 1, K)) < 0.5, tiny, 1.0) * rng.uniform(0.1, 1.0, (K + 1, K))
    weights[np.arange(K + 1), rng.integers(K, size=K + 1)] = 1.0
    rows = weights / weights.sum(axis=1, keepdims=True)
    path = rng.integers(K, size=T)
    log_lik = random_log_lik(rng, path, K)
    log_lik[np.arange(T), path] += 700.0
    return Model(rows[0], rows[1:], log_lik)


def vanishing_survivor(K: int, T: int, drop: float = 800.0) -> Model:
    """The state that falls below the smallest double is the only one that explains the last frame.

    Dividing by the frame's sum loses it; the right log-likelihood is finite.
    """
    log_lik = np.zeros((T, K))
    log_lik[0, 0] = -drop
    log_lik[-1, 1:] = -np.inf
    log_lik[-1, 0] = -drop if T == 1 else 0.0
    return Model(np.full(K, 1.0 / K), np.eye(K), log_lik)


MODELS: dict[str, Callable[[np.random.Generator, int, int], Model]] = {
    "dense": lambda rng, K, T: random_hmm(rng, K, T, zeros=0.0, neg_inf=0.0),
    "zeros": lambda rng, K, T: random_hmm(rng, K, T, zeros=0.5, neg_inf=0.3),
    "gap-100": lambda rng, K, T: random_hmm(rng, K, T, gap=100.0),
    "gap-10000": lambda rng, K, T: random_hmm(rng, K, T, gap=1e4),
    "left-right": left_right,
    "left-right-gaps": lambda rng, K, T: left_right(rng, K, T, gap=1e4),
    "near-deterministic": near_deterministic,
    "periodic": periodic,
    "sticky": sticky,
    "tiny": tiny_probabilities,
    "vanishing-survivor": lambda rng, K, T: vanishing_survivor(K, T),
}


# ---- emissions ------------------------------------------------------------------------------------------------------


def random_gaussian(rng: np.random.Generator, K: int, D: int, covariance_type: str) -> tuple[Array, Array]:
    """Means (K, D) and compact covariances: (K,), (K, D), (D, D) or (K, D, D)."""
    means = rng.normal(0.0, 3.0, (K, D))
    if covariance_type == "spherical":
        return means, rng.uniform(0.5, 2.0, K)
    if covariance_type == "diag":
        return means, rng.uniform(0.5, 2.0, (K, D))
    factors = rng.normal(size=(K, D, D))
    covars = factors @ factors.transpose(0, 2, 1) + 0.5 * np.eye(D)
    return means, covars[0] if covariance_type == "tied" else covars


def random_poisson(rng: np.random.Generator, K: int, D: int = 1) -> Array:
    """Rates (K, D)."""
    return rng.uniform(0.5, 20.0, (K, D))


def random_categorical(rng: np.random.Generator, K: int, V: int, zeros: float = 0.0) -> Array:
    """A table (K, V) of symbol probabilities."""
    return random_rows(rng, K, V, zeros)


def gaussian_frames(
    rng: np.random.Generator, path: NDArray[np.int64], means: Array, covars: Array, covariance_type: str
) -> Array:
    """Frames (T, D), one for each state of ``path``."""
    n_features = means.shape[1]
    if covariance_type == "spherical":
        return means[path] + rng.normal(size=(len(path), n_features)) * np.sqrt(covars[path])[:, None]
    if covariance_type == "diag":
        return means[path] + rng.normal(size=(len(path), n_features)) * np.sqrt(covars[path])
    factors = np.linalg.cholesky(np.broadcast_to(covars, (len(means), n_features, n_features)))
    return means[path] + np.einsum("tde,te->td", factors[path], rng.normal(size=(len(path), n_features)))


def poisson_frames(rng: np.random.Generator, path: NDArray[np.int64], lambdas: Array) -> NDArray[np.int64]:
    """Counts (T, D), one row for each state of ``path``."""
    return rng.poisson(lambdas[path])


def categorical_frames(rng: np.random.Generator, path: NDArray[np.int64], table: Array) -> NDArray[np.int64]:
    """Symbols (T,), one for each state of ``path``."""
    return np.array([rng.choice(table.shape[1], p=table[k]) for k in path], dtype=np.int64)


# ---- hypothesis strategies ------------------------------------------------------------------------------------------


def _rows(n: int) -> st.SearchStrategy[Array]:
    # Small whole weights make zeros and exact ties frequent, and shrink to readable models.
    weights = st.lists(st.sampled_from([1.0, 0.0, 2.0, 3.0, 1e-12, 1e-300]), min_size=n, max_size=n)
    return weights.map(np.array).filter(lambda w: w.sum() > 1e-13).map(lambda w: w / w.sum())


@st.composite
def small_hmms(draw: st.DrawFn, max_states: int = 3, max_frames: int = 5) -> Model:
    """Models small enough to enumerate; often with zeros, ties and long gaps, sometimes without any path."""
    K, T = draw(st.integers(1, max_states)), draw(st.integers(1, max_frames))
    startprob = draw(_rows(K))
    transmat = np.stack([draw(_rows(K)) for _ in range(K)])
    value = st.one_of(
        st.sampled_from([0.0, -1.0, -744.0, -1e4, 500.0, -np.inf]),
        st.floats(-50.0, 10.0, allow_nan=False),
    )
    values = draw(st.lists(value, min_size=K * T, max_size=K * T))
    return Model(startprob, transmat, np.array(values).reshape(T, K))


@st.composite
def small_hmms_with_end(draw: st.DrawFn, max_states: int = 3, max_frames: int = 5) -> tuple[Model, Array]:
    """A small model and an end vector (K,) with zeros and ones among its entries."""
    model = draw(small_hmms(max_states, max_frames))
    K = len(model.startprob)
    return model, np.array(draw(st.lists(st.sampled_from([1.0, 0.0, 0.1, 0.5, 1e-300]), min_size=K, max_size=K)))
