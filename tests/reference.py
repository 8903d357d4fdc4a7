"""Slow, obviously right twins of the library, in plain NumPy and SciPy.

Nothing of hmmem is imported here: each function is the textbook formula written out, so that a test that compares
the two compares two independent computations. Shapes: K states, T frames, N rows, D features, V symbols.
Zeros in probabilities and ``-inf`` in ``log_lik`` are exact impossibilities. ``endprob`` (K,) multiplies every path
by ``endprob[last state]``; ``None`` means ones: a sequence may stop anywhere.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats
from scipy.special import logsumexp

Array = NDArray[np.float64]
COVARIANCE_TYPES = ("spherical", "diag", "tied", "full")
STARVED = 1e-100  # share of the total weight below which a state keeps its parameters


def _log(p: ArrayLike) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(p, dtype=float))


def _log_end(endprob: ArrayLike | None, n_states: int) -> Array:
    return np.zeros(n_states) if endprob is None else _log(endprob)


# ---- recursions -----------------------------------------------------------------------------------------------------


class Enumeration(NamedTuple):
    """What the sum over all K**T paths says; for an impossible sequence zeros, ``-inf``, ``None`` and no path."""

    log_likelihood: float
    gamma: Array  # (T, K)
    counts: Array  # (K, K) expected transitions
    xi: Array  # (T - 1, K, K)
    path: NDArray[np.int64] | None  # of the optimal ones, the lowest last state, then the lowest before it, ...
    log_prob: float
    optimal_paths: set[tuple[int, ...]]  # all within 1e-12 (relative) of the best


def _path_log_prob(path: Sequence[int], start: Any, trans: Any, log_lik: Any, end: Any) -> float:
    terms = [start[path[0]], end[path[-1]]]
    terms += [trans[i][j] for i, j in itertools.pairwise(path)]
    terms += [log_lik[t][k] for t, k in enumerate(path)]
    return math.fsum(terms)


def joint_log_prob(
    path: Sequence[int], startprob: ArrayLike, transmat: ArrayLike, log_lik: ArrayLike, endprob: ArrayLike | None = None
) -> float:
    """log p(x, path) in nats, as one exactly rounded sum."""
    log_lik = np.asarray(log_lik)
    return _path_log_prob(path, _log(startprob), _log(transmat), log_lik, _log_end(endprob, log_lik.shape[1]))


def enumerate_paths(
    startprob: ArrayLike, transmat: ArrayLike, log_lik: ArrayLike, endprob: ArrayLike | None = None
) -> Enumeration:
    """Every quantity of one sequence by walking all K**T paths; meant for K**T up to a few thousand."""
    log_lik = np.asarray(log_lik, dtype=float)
    n_frames, n_states = log_lik.shape
    logs = [a.tolist() for a in (_log(startprob), _log(transmat), log_lik, _log_end(endprob, n_states))]
    log_probs = {p: _path_log_prob(p, *logs) for p in itertools.product(range(n_states), repeat=n_frames)}
    possible = {p: value for p, value in log_probs.items() if value > -math.inf}

    xi = np.zeros((max(n_frames - 1, 0), n_states, n_states))
    gamma = np.zeros((n_frames, n_states))
    if not possible:
        return Enumeration(-math.inf, gamma, np.zeros((n_states, n_states)), xi, None, -math.inf, set())

    best = max(possible.values())
    weights = {p: math.exp(value - best) for p, value in possible.items()}
    total = math.fsum(weights.values())
    for t, k in np.ndindex(n_frames, n_states):
        gamma[t, k] = math.fsum(w for p, w in weights.items() if p[t] == k) / total
    for t, i, j in np.ndindex(xi.shape):
        xi[t, i, j] = math.fsum(w for p, w in weights.items() if p[t] == i and p[t + 1] == j) / total
    optimal = {p for p, value in possible.items() if value >= best - 1e-12 * max(1.0, abs(best))}
    path = np.array(min(optimal, key=lambda p: p[::-1]))
    return Enumeration(best + math.log(total), gamma, xi.sum(axis=0), xi, path, best, optimal)


def log_forward(startprob: ArrayLike, transmat: ArrayLike, log_lik: ArrayLike) -> Array:
    """log p(x_1..t, s_t = k), shape (T, K)."""
    log_lik = np.asarray(log_lik, dtype=float)
    log_trans = _log(transmat)
    log_alpha = np.empty_like(log_lik)
    log_alpha[0] = _log(startprob) + log_lik[0]
    for t in range(1, len(log_lik)):
        log_alpha[t] = logsumexp(log_alpha[t - 1][:, None] + log_trans, axis=0) + log_lik[t]
    return log_alpha


def log_backward(transmat: ArrayLike, log_lik: ArrayLike, endprob: ArrayLike | None = None) -> Array:
    """log p(x_t+1..T, end | s_t = k), shape (T, K)."""
    log_lik = np.asarray(log_lik, dtype=float)
    log_trans = _log(transmat)
    log_beta = np.empty_like(log_lik)
    log_beta[-1] = _log_end(endprob, log_lik.shape[1])
    for t in range(len(log_lik) - 2, -1, -1):
        log_beta[t] = logsumexp(log_trans + log_lik[t + 1] + log_beta[t + 1], axis=1)
    return log_beta


class Posterior(NamedTuple):
    """The result of forward-backward in log space."""

    log_likelihood: float
    gamma: Array  # (T, K)
    counts: Array  # (K, K)
    log_predictive: Array  # (T,) log p(x_t | x_1..t-1); the end belongs to the last frame, so the sum is log_likelihood


def log_forward_backward(
    startprob: ArrayLike, transmat: ArrayLike, log_lik: ArrayLike, endprob: ArrayLike | None = None
) -> Posterior:
    """Forward-backward in log space; zeros and ``-inf`` if impossible (``log_predictive``: from that frame on)."""
    log_lik = np.asarray(log_lik, dtype=float)
    n_frames, n_states = log_lik.shape
    log_alpha = log_forward(startprob, transmat, log_lik)
    log_beta = log_backward(transmat, log_lik, endprob)
    evidence = np.append(0.0, logsumexp(log_alpha, axis=1))
    evidence[-1] = logsumexp(log_alpha[-1] + log_beta[-1])
    possible = evidence > -math.inf
    log_predictive = np.full(n_frames, -math.inf)
    log_predictive[possible[1:]] = np.diff(evidence[possible])
    if not possible[-1]:
        return Posterior(-math.inf, np.zeros((n_frames, n_states)), np.zeros((n_states, n_states)), log_predictive)

    log_likelihood = float(evidence[-1])
    gamma = np.exp(log_alpha + log_beta - logsumexp(log_alpha + log_beta, axis=1, keepdims=True))
    counts = np.zeros((n_states, n_states))
    for t in range(n_frames - 1):
        log_xi = log_alpha[t][:, None] + _log(transmat) + log_lik[t + 1] + log_beta[t + 1]
        counts += np.exp(log_xi - logsumexp(log_xi))
    return Posterior(log_likelihood, gamma, counts, log_predictive)


def log_viterbi(
    startprob: ArrayLike, transmat: ArrayLike, log_lik: ArrayLike, endprob: ArrayLike | None = None
) -> tuple[NDArray[np.int64] | None, float]:
    """The best path and its log p(x, path); ties go to the lowest state, an impossible sequence gives (None, -inf)."""
    log_lik = np.asarray(log_lik, dtype=float)
    n_frames, n_states = log_lik.shape
    log_trans = _log(transmat)
    delta = _log(startprob) + log_lik[0]
    came_from = np.zeros((n_frames, n_states), dtype=np.int64)
    for t in range(1, n_frames):
        arrivals = delta[:, None] + log_trans
        came_from[t] = arrivals.argmax(axis=0)
        delta = arrivals.max(axis=0) + log_lik[t]
    delta = delta + _log_end(endprob, n_states)
    if delta.max() == -math.inf:
        return None, -math.inf
    path = np.empty(n_frames, dtype=np.int64)
    path[-1] = delta.argmax()
    for t in range(n_frames - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path, float(delta.max())


def stationary(transmat: ArrayLike) -> Array:
    """The pi (K,) with pi transmat = pi and sum 1, of a chain with one recurrent class."""
    transmat = np.asarray(transmat, dtype=float)
    n_states = len(transmat)
    equations = np.vstack([transmat.T - np.eye(n_states), np.ones(n_states)])
    return np.linalg.lstsq(equations, np.append(np.zeros(n_states), 1.0), rcond=None)[0]


# ---- emission densities ---------------------------------------------------------------------------------------------


def covariance_matrices(covars: ArrayLike, covariance_type: str, n_states: int, n_features: int) -> Array:
    """Compact covariances, (K,), (K, D), (D, D) or (K, D, D), as K full matrices."""
    covars = np.asarray(covars, dtype=float)
    if covariance_type == "spherical":
        return np.stack([variance * np.eye(n_features) for variance in covars])
    if covariance_type == "diag":
        return np.stack([np.diag(variances) for variances in covars])
    return np.stack([covars] * n_states) if covariance_type == "tied" else covars


def gaussian_log_lik(X: ArrayLike, means: ArrayLike, covars: ArrayLike, covariance_type: str) -> Array:
    """log N(x_n; means[k], covariance k), shape (N, K)."""
    X, means = np.asarray(X, dtype=float), np.asarray(means, dtype=float)
    n_states, n_features = means.shape
    if covariance_type in ("spherical", "diag"):
        scales = np.sqrt(np.asarray(covars, dtype=float).reshape(n_states, -1))
        return np.stack([stats.norm.logpdf(X, m, s).sum(axis=1) for m, s in zip(means, scales, strict=True)], axis=1)
    matrices = covariance_matrices(covars, covariance_type, n_states, n_features)
    columns = [stats.multivariate_normal(m, c).logpdf(X) for m, c in zip(means, matrices, strict=True)]
    return np.stack([np.atleast_1d(column) for column in columns], axis=1)


def poisson_log_lik(X: ArrayLike, lambdas: ArrayLike) -> Array:
    """Sum over the D columns of log Poisson(x_nd; lambdas[k, d]), shape (N, K); X (N, D), lambdas (K, D)."""
    return np.stack([stats.poisson.logpmf(X, rates).sum(axis=1) for rates in np.asarray(lambdas, dtype=float)], axis=1)


def categorical_log_lik(X: ArrayLike, tables: ArrayLike | Sequence[Array]) -> Array:
    """Sum over columns of log tables[m][k, x_nm], shape (N, K): one table (K, V) for X (N,), or a list of tables."""
    X = np.asarray(X)
    if not isinstance(tables, (list, tuple)):
        X, tables = X.reshape(len(X), 1), [np.asarray(tables)]
    return np.sum([_log(table)[:, X[:, m]].T for m, table in enumerate(tables)], axis=0)


# ---- one EM update --------------------------------------------------------------------------------------------------


class Expectations(NamedTuple):
    """Weighted sums over the sequences that are possible; ``gamma`` rows of the others are zero."""

    log_likelihood: float
    gamma: Array  # (N, K), times the weight of the sequence
    starts: Array  # (K,)
    ends: Array  # (K,)
    counts: Array  # (K, K)


def expectations(
    log_lik: Array,
    lengths: Sequence[int] | None,
    startprob: ArrayLike,
    transmat: ArrayLike,
    weights: ArrayLike | None = None,
    endprob: ArrayLike | None = None,
    posteriors: Callable[..., Any] = log_forward_backward,
) -> Expectations:
    """The E-step over several sequences; ``posteriors`` is `log_forward_backward` or `enumerate_paths`."""
    n_rows, n_states = log_lik.shape
    lengths = [n_rows] if lengths is None else list(lengths)
    gamma, counts = np.zeros((n_rows, n_states)), np.zeros((n_states, n_states))
    starts, ends = np.zeros(n_states), np.zeros(n_states)
    log_likelihoods = []
    stops = np.cumsum(lengths)
    for n, weight in enumerate(np.ones(len(lengths)) if weights is None else np.asarray(weights, dtype=float)):
        rows = slice(stops[n] - lengths[n], stops[n])
        found = posteriors(startprob, transmat, log_lik[rows], endprob)
        if weight == 0 or found.log_likelihood == -math.inf:
            continue
        gamma[rows] = weight * found.gamma
        starts += weight * found.gamma[0]
        ends += weight * found.gamma[-1]
        counts += weight * found.counts
        log_likelihoods.append(weight * found.log_likelihood)
    return Expectations(math.fsum(log_likelihoods), gamma, starts, ends, counts)


def maximise_rows(numerators: Array, old: Array) -> Array:
    """Rows in proportion to ``numerators``, each with the sum of its old row; a row without weight stays as it is."""
    new = np.array(old, dtype=float)
    for i, numerator in enumerate(numerators):
        if numerator.sum() > STARVED * numerators.sum():
            new[i] = numerator / numerator.sum() * old[i].sum()
    return new


def maximise_chain(
    e: Expectations,
    startprob: ArrayLike,
    transmat: ArrayLike,
    endprob: ArrayLike | None = None,
    learn_end: bool = False,
) -> tuple[Array, Array, Array | None]:
    """The next startprob, transmat and endprob.

    A given ``endprob`` is kept, and the rows of transmat keep their sums (1, or what the end leaves). With
    ``learn_end`` the end is one more target of each row, and the rows of (transmat | endprob) sum to 1.
    """
    transmat = np.asarray(transmat, dtype=float)
    start = maximise_rows(e.starts[None], np.asarray(startprob, dtype=float)[None])[0]
    if endprob is None:
        return start, maximise_rows(e.counts, transmat), None
    endprob = np.asarray(endprob, dtype=float)
    if not learn_end:
        return start, maximise_rows(e.counts, transmat), endprob
    joint = maximise_rows(np.column_stack([e.counts, e.ends]), np.column_stack([transmat, endprob]))
    return start, joint[:, :-1], joint[:, -1]


def floored_covariance(S: ArrayLike, unit_variances: ArrayLike, floor: float) -> Array:
    """S with its eigenvalues, in units of the global variances, clipped from below at ``floor``."""
    scale = np.sqrt(np.asarray(unit_variances, dtype=float))
    units = np.outer(scale, scale)
    values, vectors = np.linalg.eigh(np.asarray(S) / units)
    return (vectors * np.maximum(values, floor)) @ vectors.T * units


def constrained_covariance(S: ArrayLike, unit_variances: ArrayLike, floor: float) -> Array:
    """The maximum of -(log|C| + tr(S C^-1)) over C >= floor * diag(unit_variances), by numeric search.

    C = floor * diag(unit_variances) + L L' with L lower triangular is every admissible C and no other. The search
    uses nothing of the closed form; it is a proof for small D, to about 1e-8 of the trace.
    """
    S = np.asarray(S, dtype=float)
    n_features = len(S)
    lower = np.tril_indices(n_features)
    least = floor * np.diag(np.asarray(unit_variances, dtype=float))

    def covariance(theta: Array) -> Array:
        factor = np.zeros((n_features, n_features))
        factor[lower] = theta
        return least + factor @ factor.T

    def loss(theta: Array) -> float:
        C = covariance(theta)
        return float(np.linalg.slogdet(C)[1] + np.trace(np.linalg.solve(C, S)))

    # L = 0 is a stationary point whatever S is, so every start is away from it.
    starts = np.random.default_rng(0).normal(0.0, math.sqrt(np.trace(S) / n_features), (5, len(lower[0])))
    found = [optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-9}) for start in starts]
    return covariance(min(found, key=lambda result: result.fun).x)


def maximise_gaussian(
    X: ArrayLike,
    gamma: Array,
    means: ArrayLike,
    covars: ArrayLike,
    covariance_type: str,
    floor: float = 0.0,
    unit_variances: ArrayLike | None = None,
) -> tuple[Array, Array]:
    """Weighted means and covariances about the new means, floored; rows without weight keep their old values."""
    X, new_means, new_covars = np.asarray(X, dtype=float), np.array(means, dtype=float), np.array(covars, dtype=float)
    n_states, n_features = new_means.shape
    units = np.ones(n_features) if unit_variances is None else np.asarray(unit_variances, dtype=float)
    weight = gamma.sum(axis=0)
    pooled = np.zeros((n_features, n_features))
    for k in range(n_states):
        if weight[k] <= STARVED * weight.sum():
            continue
        new_means[k] = (gamma[:, k, None] * X).sum(axis=0) / weight[k]
        centred = X - new_means[k]
        scatter = np.einsum("n,nd,ne->de", gamma[:, k], centred, centred)
        pooled += scatter
        if covariance_type == "full":
            new_covars[k] = floored_covariance(scatter / weight[k], units, floor)
        elif covariance_type == "diag":
            new_covars[k] = np.maximum(np.diag(scatter) / weight[k], floor * units)
        elif covariance_type == "spherical":
            new_covars[k] = max(np.trace(scatter) / n_features / weight[k], floor * units.mean())
    if covariance_type == "tied" and weight.sum() > 0:
        new_covars = floored_covariance(pooled / weight.sum(), units, floor)
    return new_means, new_covars


def maximise_poisson(X: ArrayLike, gamma: Array, lambdas: ArrayLike) -> Array:
    """Weighted means (K, D); rows without weight keep their old values."""
    X, new = np.asarray(X, dtype=float), np.array(lambdas, dtype=float)
    for k, weight in enumerate(gamma.sum(axis=0)):
        if weight > STARVED * gamma.sum():
            new[k] = (gamma[:, k, None] * X).sum(axis=0) / weight
    return new


def maximise_categorical(X: ArrayLike, gamma: Array, tables: ArrayLike | Sequence[Array]) -> Any:
    """Weighted symbol frequencies, in the form ``tables`` has; rows without weight keep their old values."""
    if not isinstance(tables, (list, tuple)):
        return maximise_categorical(np.asarray(X).reshape(-1, 1), gamma, [np.asarray(tables)])[0]
    X, new = np.asarray(X), []
    for m, table in enumerate(tables):
        counts = np.zeros(np.shape(table))
        for symbol in range(counts.shape[1]):
            counts[:, symbol] = gamma[X[:, m] == symbol].sum(axis=0)
        new.append(maximise_rows(counts, np.asarray(table, dtype=float)))
    return new


class Update(NamedTuple):
    """A model after one EM update, and the weighted log-likelihood before it."""

    startprob: Array
    transmat: Array
    endprob: Array | None
    parameters: tuple[Any, ...]  # (means, covars), (lambdas,) or (tables,)
    log_likelihood: float


def _em_update(
    log_lik: Array,
    maximise: Callable[[Array], tuple[Any, ...]],
    lengths: Sequence[int] | None,
    startprob: ArrayLike,
    transmat: ArrayLike,
    weights: ArrayLike | None,
    endprob: ArrayLike | None,
    posteriors: Callable[..., Any],
    learn_end: bool,
) -> Update:
    e = expectations(log_lik, lengths, startprob, transmat, weights, endprob, posteriors)
    chain = maximise_chain(e, startprob, transmat, endprob, learn_end)
    return Update(*chain, maximise(e.gamma), e.log_likelihood)


def em_update_gaussian(
    X: ArrayLike,
    lengths: Sequence[int] | None,
    startprob: ArrayLike,
    transmat: ArrayLike,
    means: ArrayLike,
    covars: ArrayLike,
    covariance_type: str,
    weights: ArrayLike | None = None,
    endprob: ArrayLike | None = None,
    *,
    posteriors: Callable[..., Any] = log_forward_backward,
    learn_end: bool = False,
    floor: float = 0.0,
    unit_variances: ArrayLike | None = None,
) -> Update:
    """One Baum-Welch update of a Gaussian HMM; ``parameters`` is (means, covars)."""
    log_lik = gaussian_log_lik(X, means, covars, covariance_type)

    def maximise(gamma: Array) -> tuple[Array, Array]:
        return maximise_gaussian(X, gamma, means, covars, covariance_type, floor, unit_variances)

    return _em_update(log_lik, maximise, lengths, startprob, transmat, weights, endprob, posteriors, learn_end)


def em_update_poisson(
    X: ArrayLike,
    lengths: Sequence[int] | None,
    startprob: ArrayLike,
    transmat: ArrayLike,
    lambdas: ArrayLike,
    weights: ArrayLike | None = None,
    endprob: ArrayLike | None = None,
    *,
    posteriors: Callable[..., Any] = log_forward_backward,
    learn_end: bool = False,
) -> Update:
    """One Baum-Welch update of a Poisson HMM; ``parameters`` is (lambdas,)."""
    log_lik = poisson_log_lik(X, lambdas)

    def maximise(gamma: Array) -> tuple[Array]:
        return (maximise_poisson(X, gamma, lambdas),)

    return _em_update(log_lik, maximise, lengths, startprob, transmat, weights, endprob, posteriors, learn_end)


def em_update_categorical(
    X: ArrayLike,
    lengths: Sequence[int] | None,
    startprob: ArrayLike,
    transmat: ArrayLike,
    tables: ArrayLike | Sequence[Array],
    weights: ArrayLike | None = None,
    endprob: ArrayLike | None = None,
    *,
    posteriors: Callable[..., Any] = log_forward_backward,
    learn_end: bool = False,
) -> Update:
    """One Baum-Welch update of a categorical HMM; ``parameters`` is (tables,)."""
    log_lik = categorical_log_lik(X, tables)

    def maximise(gamma: Array) -> tuple[Any]:
        return (maximise_categorical(X, gamma, tables),)

    return _em_update(log_lik, maximise, lengths, startprob, transmat, weights, endprob, posteriors, learn_end)


class MixtureUpdate(NamedTuple):
    """A mixture after one EM update, and the weighted log-likelihood before it."""

    weights: Array
    parameters: tuple[Any, ...]
    log_likelihood: float


def em_update_mixture(
    log_lik: Array,
    weights: ArrayLike,
    maximise: Callable[[Array], tuple[Any, ...]],
    sample_weight: ArrayLike | None = None,
) -> MixtureUpdate:
    """One EM update of a mixture of any family.

    ``log_lik`` (N, K) is the family's log density; ``maximise(responsibilities)`` its M-step, for example
    ``lambda r: (maximise_poisson(X, r, lambdas),)``.
    """
    weights = np.asarray(weights, dtype=float)
    sample_weight = np.ones(len(log_lik)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    log_joint = log_lik + _log(weights)
    log_density = logsumexp(log_joint, axis=1)
    used = (log_density > -math.inf) & (sample_weight > 0)
    responsibilities = np.zeros_like(log_joint)
    responsibilities[used] = sample_weight[used, None] * np.exp(log_joint[used] - log_density[used, None])
    return MixtureUpdate(
        maximise_rows(responsibilities.sum(axis=0)[None], weights[None])[0],
        maximise(responsibilities),
        math.fsum(sample_weight[used] * log_density[used]),
    )


def em_update_gaussian_mixture(
    X: ArrayLike,
    weights: ArrayLike,
    means: ArrayLike,
    covars: ArrayLike,
    covariance_type: str,
    sample_weight: ArrayLike | None = None,
    *,
    floor: float = 0.0,
    unit_variances: ArrayLike | None = None,
) -> MixtureUpdate:
    """One EM update of a Gaussian mixture; ``parameters`` is (means, covars)."""
    return em_update_mixture(
        gaussian_log_lik(X, means, covars, covariance_type),
        weights,
        lambda r: maximise_gaussian(X, r, means, covars, covariance_type, floor, unit_variances),
        sample_weight,
    )


# ---- worked examples ------------------------------------------------------------------------------------------------


class Example(NamedTuple):
    """A textbook HMM over symbols 0..V-1, and the numbers its source prints."""

    source: str
    startprob: Array
    transmat: Array
    tables: Array  # (K, V)
    symbols: NDArray[np.int64]
    endprob: Array | None
    published: dict[str, Any]

    @property
    def log_lik(self) -> Array:
        """The (T, K) log-likelihoods of the symbols."""
        return categorical_log_lik(self.symbols, self.tables)


HEALTHY_FEVER = Example(
    "Wikipedia, Viterbi algorithm: states Healthy, Fever; symbols normal, cold, dizzy",
    np.array([0.6, 0.4]),
    np.array([[0.7, 0.3], [0.4, 0.6]]),
    np.array([[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]),
    np.array([0, 1, 2]),
    None,
    {"path": [0, 0, 1], "probability": 0.01512, "stationary": [0.57, 0.43]},
)

HEALTHY_FEVER_END = Example(
    "Wikipedia, Forward-backward algorithm, Python example: the same village with an end state of probability 0.01",
    np.array([0.6, 0.4]),
    np.array([[0.69, 0.3], [0.4, 0.59]]),
    HEALTHY_FEVER.tables,
    np.array([0, 1, 2]),
    np.array([0.01, 0.01]),
    {"gamma": [[0.8770110375573259, 0.1229889624426741], [0.623228030950954, 0.3767719690490461],
               [0.2109527048413057, 0.7890472951586943]]},
)  # fmt: skip

UMBRELLA = Example(
    "Wikipedia, Forward-backward algorithm (Russell and Norvig's umbrella world): states rain, no rain; "
    "symbols umbrella, none; 'before' is the smoothed state of the day before the first observation",
    np.array([0.5, 0.5]),
    np.array([[0.7, 0.3], [0.3, 0.7]]),
    np.array([[0.9, 0.1], [0.2, 0.8]]),
    np.array([0, 0, 1, 0, 0]),
    None,
    {"filtered_rain": [0.8182, 0.8834, 0.1907, 0.7308, 0.8673],
     "smoothed_rain": [0.8673, 0.8204, 0.3075, 0.8204, 0.8673], "before": 0.6469},
)  # fmt: skip

WEATHER = Example(
    "Wikipedia, Hidden Markov model: states rainy, sunny; symbols walk, shop, clean; gamma, right to 1e-6, from "
    "hmmlearn's own tests",
    np.array([0.6, 0.4]),
    np.array([[0.7, 0.3], [0.4, 0.6]]),
    np.array([[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]]),
    np.array([0, 1, 2]),
    None,
    {"path": [1, 0, 0], "probability": 0.01344,
     "gamma": [[0.23170303, 0.76829697], [0.62406281, 0.37593719], [0.86397706, 0.13602294]]},
)  # fmt: skip

ICE_CREAM = Example(
    "Eisner (2002), An interactive spreadsheet for teaching the forward-backward algorithm: states cold, hot; symbols "
    "1, 2, 3 cones (here 0, 1, 2); STOP has probability 0.1; 'alpha' are the unscaled forward values of days 1 to 3",
    np.array([0.5, 0.5]),
    np.array([[0.8, 0.1], [0.1, 0.8]]),
    np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]),
    np.array([2, 3, 3, 2, 3, 2, 3, 2, 2, 3, 1, 3, 3, 1, 1, 1, 2, 1, 1, 1, 3, 1, 2, 1, 1, 1, 2, 3, 3, 2, 3, 2, 2]) - 1,
    np.array([0.1, 0.1]),
    {"alpha": [[0.1, 0.1], [0.009, 0.063], [0.00135, 0.03591]]},
)

ICE_CREAM_EM = Example(
    "the same diary from another start, after two EM updates with the end learned: the tests of Dan Garrette's "
    "dhg.ccg.tag.learn (SoftEmHmm, ice cream, two iterations)",
    np.array([0.5, 0.5]),
    np.array([[0.7, 0.2], [0.1, 0.8]]),
    np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]]),
    ICE_CREAM.symbols,
    np.array([0.1, 0.1]),
    {"startprob": [0.019187795922706, 0.980812204077294],
     "transmat": [[0.885892498643987, 0.112889237549318], [0.085481356704799, 0.862166783465053]],
     "endprob": [0.001218263806694, 0.052351859830148],
     "tables": [[0.714543877350896, 0.168586118793123, 0.116870003855980],
                [0.044341970791651, 0.458226316363542, 0.497431712844807]]},
)  # fmt: skip

CASINO = Example(
    "Durbin, Eddy, Krogh and Mitchison (1998), the occasionally dishonest casino: states fair, loaded; faces 1 to 6 "
    "(here 0 to 5); the rolls are simply each face once and then six sixes",
    np.array([0.5, 0.5]),
    np.array([[0.95, 0.05], [0.1, 0.9]]),
    np.array([[1 / 6] * 6, [0.1] * 5 + [0.5]]),
    np.array([0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5]),
    None,
    {},
)

EXAMPLES = {
    "healthy-fever": HEALTHY_FEVER,
    "healthy-fever-end": HEALTHY_FEVER_END,
    "umbrella": UMBRELLA,
    "weather": WEATHER,
    "ice-cream": ICE_CREAM,
    "ice-cream-em": ICE_CREAM_EM,
    "casino": CASINO,
}
