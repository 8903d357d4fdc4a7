"""A check of this installation: every kernel against NumPy on tiny input."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from hmmem import functions, recursions
from hmmem.chain import MarkovChain
from hmmem.emissions import Categorical, Gaussian, Poisson
from hmmem.emissions.covariance import SHAPES
from hmmem.lanes import both_in_lanes
from hmmem.mixture import Mixture
from hmmem.segments import Stretch
from hmmem.sequences import Sequences


def selftest() -> None:
    """Compare every kernel with a NumPy reference on tiny input; raise an error if one differs.

    Takes a second or two, most of it compilation on a fresh installation.

    Raises
    ------
    RuntimeError
        If a result differs; it names the kernel, and hints at the versions to check.

    Examples
    --------
    >>> import hmmem
    >>> hmmem.selftest()
    """
    rng = np.random.default_rng(0)
    for name, check in (
        ("recursions", _recursions),
        ("lanes", _lanes),
        ("segments", _segments),
        ("log space", _log_space),
        ("decoding", _decoding),
        ("emissions", _emissions),
        ("sampling", _sampling),
    ):
        try:
            check(rng)
        except AssertionError as error:
            raise RuntimeError(
                f"hmmem's {name} differ from NumPy on this installation; check the versions of numba and numpy"
            ) from error


def _model(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return rng.dirichlet(np.ones(2)), rng.dirichlet(np.ones(2), 2), -5 * rng.random((4, 2))


def _paths(startprob: np.ndarray, transmat: np.ndarray, log_lik: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log p(x, path) of every path."""
    T, K = log_lik.shape
    return {
        path: float(
            np.log(startprob[path[0]])
            + sum(log_lik[t, k] for t, k in enumerate(path))
            + sum(np.log(transmat[i, j]) for i, j in itertools.pairwise(path))
        )
        for path in itertools.product(range(K), repeat=T)
    }


def _same(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def _recursions(rng: np.random.Generator) -> None:
    startprob, transmat, log_lik = _model(rng)
    paths = _paths(startprob, transmat, log_lik)
    total = sum(np.exp(value) for value in paths.values())
    gamma, counts = np.zeros((4, 2)), np.zeros((2, 2))
    for path, value in paths.items():
        for t, k in enumerate(path):
            gamma[t, k] += np.exp(value) / total
        for i, j in itertools.pairwise(path):
            counts[i, j] += np.exp(value) / total
    result = functions.forward_backward(startprob, transmat, log_lik)
    _same(result.log_likelihood, np.log(total))
    _same(result.gamma, gamma)
    _same(result.counts, counts)
    log_likelihood, alpha = functions.forward(startprob, transmat, log_lik)
    _same(log_likelihood, np.log(total))
    _same(alpha * functions.backward(startprob, transmat, log_lik), gamma)


def _lanes(rng: np.random.Generator) -> None:
    """Eight sequences side by side, against one after the other."""
    startprob, transmat, _ = _model(rng)
    lengths = np.array([4, 1, 7, 3, 5, 2, 6, 4])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    log_lik = -5 * rng.random((int(offsets[-1]), 2))
    chain = MarkovChain(startprob, transmat).arrays
    found = recursions.smooth_block(chain, log_lik, offsets, None)
    single = [functions.forward_backward(startprob, transmat, log_lik[a:b]) for a, b in itertools.pairwise(offsets)]
    _same(found.log_likelihood, [one.log_likelihood for one in single])
    _same(found.gamma, np.concatenate([one.gamma for one in single]))
    _same(found.counts, sum(one.counts for one in single))


def _segments(rng: np.random.Generator) -> None:
    """Eight segments of one sequence, with what they hear from each other, against the whole."""
    startprob, transmat = np.array([0.2, 0.8]), np.array([[0.55, 0.45], [0.4, 0.6]])
    log_lik = -3 * rng.random((320, 2))
    chain = MarkovChain(startprob, transmat).arrays
    frames = Sequences.from_lengths(log_lik, [320])
    stretch = Stretch(frames, np.arange(9) * 40, begins=True, ends=True)
    edges, lanes = stretch.edges(chain), stretch.lanes
    if not recursions.hear(chain, np.copy, log_lik, stretch.windows(24), edges):
        raise AssertionError("no certificate")
    found = recursions.smooth_lanes(chain, lanes.pack(log_lik), lanes, None, edges)
    expected = functions.forward_backward(startprob, transmat, log_lik)
    assert found.gamma is not None
    _same(found.log_likelihood.sum(), expected.log_likelihood)
    _same(lanes.unpack(found.gamma, np.empty((320, 2))), expected.gamma)
    _same(found.counts, expected.counts)


def _log_space(rng: np.random.Generator) -> None:
    startprob, transmat, log_lik = _model(rng)
    chain, offsets = MarkovChain(startprob, transmat).arrays, np.array([0, 4])
    space = recursions.LogSpace(chain)
    f = space.forward(log_lik, offsets, None, True)
    s = space.backward(f, log_lik, offsets, None, None)
    expected = functions.forward_backward(startprob, transmat, log_lik)
    _same(f.log_c.sum(), expected.log_likelihood)
    _same(s.gamma, expected.gamma)
    _same(s.counts, expected.counts)
    # the only allowed path falls below the smallest double: the certificate must send it to log space
    result = functions.forward_backward([0.5, 0.5], np.eye(2), [[-1500.0, 0.0], [0.0, -np.inf]])
    _same(result.log_likelihood, np.log(0.5) - 1500.0)
    _same(functions.forward([0.5, 0.5], np.eye(2), [[-1500.0, 0.0], [0.0, -np.inf]])[0], np.log(0.5) - 1500.0)


def _decoding(rng: np.random.Generator) -> None:
    startprob, transmat, log_lik = _model(rng)
    paths = _paths(startprob, transmat, log_lik)
    path, log_prob = functions.viterbi(startprob, transmat, log_lik)
    _same(log_prob, max(paths.values()))
    _same(paths[tuple(path.tolist())], log_prob)


def _emissions(rng: np.random.Generator) -> None:
    X = rng.normal(size=(6, 2))
    mean = np.array([0.3, -0.2])
    full = {"spherical": np.eye(2) * 1.5, "diag": np.diag([1.5, 0.5]), "tied": np.array([[1.5, 0.4], [0.4, 0.5]])}
    full["full"] = full["tied"]
    compact = {"spherical": [1.5], "diag": [[1.5, 0.5]], "tied": full["tied"], "full": [full["full"]]}
    gamma = rng.random((6, 1))
    for name in SHAPES:
        rows = Gaussian.of([mean], compact[name], name)
        z = X - mean
        quadratic = np.einsum("ti,ij,tj->t", z, np.linalg.inv(full[name]), z)
        expected = -0.5 * (quadratic + np.log(np.linalg.det(2 * np.pi * full[name])))
        _same(rows.log_lik(X)[:, 0], expected)
        _same(rows.statistics(X, gamma).weight, gamma.sum(axis=0))
        learnt, centred = rows.maximise(rows.statistics(X, gamma)), X - (gamma * X).sum(axis=0) / gamma.sum()
        _same(learnt.means[0], (gamma * X).sum(axis=0) / gamma.sum())
        if name in {"tied", "full"}:
            _same(learnt.covariance.full()[0], (gamma * centred).T @ centred / gamma.sum())
    both, origins = np.column_stack([gamma, 1 - gamma]), np.stack([mean, mean + 1.0])
    in_lanes, weights = both_in_lanes(X, both, 2)
    _, first, second = SHAPES["diag"].moments(in_lanes, np.zeros(2), origins, weights)
    z = X[:, None] - origins
    _same(first, np.einsum("tk,tkd->kd", both, z))
    _same(second, np.einsum("tk,tkd->kd", both, z**2))
    _, first, second = SHAPES["full"].moments(in_lanes, np.zeros(2), origins, weights)
    _same(second, np.einsum("tk,tkd,tke->kde", both, z, z))
    counts = rng.integers(0, 3, size=(6, 1))
    table = np.array([[0.2, 0.3, 0.5]])
    symbols = Categorical((table,))
    _same(symbols.log_lik(counts)[:, 0], np.log(table[0][counts[:, 0]]))
    _same(symbols.statistics(counts, gamma).counts[0][0], np.bincount(counts[:, 0], gamma[:, 0], 3))
    factorial = np.array([1.0, 1.0, 2.0])
    expected = counts[:, 0] * np.log(1.7) - 1.7 - np.log(factorial[counts[:, 0]])
    _same(Poisson(np.array([[1.7]])).log_lik(counts.astype(float))[:, 0], expected)
    mixture = Mixture(np.array([0.4, 0.6]), Gaussian.of([[0.0], [1.0]], [1.0, 2.0], "spherical"))
    data = Sequences.from_lengths(X[:, :1], [6])
    joint = mixture.weights * np.exp(mixture.emission.log_lik(X[:, :1]))
    _same(mixture.score_frames(data), np.log(joint.sum(axis=1)))
    _same(mixture.posteriors(data), joint / joint.sum(axis=1, keepdims=True))


def _sampling(rng: np.random.Generator) -> None:
    cycle = MarkovChain(np.array([0.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    _same(cycle.sample(np.array([3, 2]), rng), [1, 0, 1, 1, 0])
