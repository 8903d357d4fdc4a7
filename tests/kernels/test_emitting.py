"""Kernels of the emission families against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import poisson

from hmmem.emissions import Gaussian, covariance
from hmmem.emissions.poisson import LARGE, LOG_FACTORIALS
from hmmem.kernels import emitting, moments, sampling
from hmmem.lanes import Lanes, both_in_lanes, by_lanes


def flat(*lanes: np.ndarray) -> list[np.ndarray]:
    return [array.reshape(-1) for array in lanes]


@pytest.mark.parametrize("K", [1, 4, 6])
@pytest.mark.parametrize("n", [1, 7, 8, 20])
def test_diag_kernels_match_numpy(n: int, K: int) -> None:
    rng = np.random.default_rng(0)
    X, centre = rng.normal(size=(n, 3)), rng.normal(size=3)
    offsets, inverse_sd = rng.normal(size=(K, 3)), rng.uniform(0.5, 2.0, (K, 3))
    constant, gamma = rng.normal(size=K), rng.random((n, K))

    def write(x: np.ndarray, out: np.ndarray) -> None:
        emitting.diag_log_lik(x.reshape(-1), len(x), centre, offsets, inverse_sd, constant, out.reshape(-1))

    centred = (X - centre)[:, None] - offsets
    assert_allclose(by_lanes(write, X, K, None), constant - 0.5 * ((centred * inverse_sd) ** 2).sum(axis=2), rtol=1e-13)
    lanes = both_in_lanes(X, gamma, gamma.shape[1])
    weight, first, second = np.empty(K), np.empty((K, 3)), np.empty((K, 3))
    x, g = flat(*lanes)
    moments.diag_moments(x, len(lanes[0]), 3, centre, offsets, g, K, weight, first, second)
    assert_allclose(weight, gamma.sum(axis=0), rtol=1e-13)
    assert_allclose(first, np.einsum("tk,tkd->kd", gamma, centred), rtol=1e-12, atol=1e-13)
    assert_allclose(second, np.einsum("tk,tkd->kd", gamma, centred**2), rtol=1e-12)


@pytest.mark.parametrize("K", [1, 4, 6])
@pytest.mark.parametrize("n", [1, 130, 300])
def test_moments_about_a_shared_origin_match_numpy(n: int, K: int) -> None:
    rng = np.random.default_rng([n, K])
    X, gamma, centre, origin = rng.normal(size=(n, 3)), rng.random((n, K)), rng.normal(size=3), rng.normal(size=3)
    z = X - centre - origin
    lanes = both_in_lanes(X, gamma, gamma.shape[1])
    x, g = flat(*lanes)
    squares, pairs = np.empty((K, 7)), np.empty((K, 10))
    moments.shared_moments(x, len(lanes[0]), 3, centre, origin, False, g, K, squares)
    assert_allclose(squares, gamma.T @ np.column_stack([np.ones(n), z, z * z]), rtol=1e-12, atol=1e-12)
    moments.shared_moments(x, len(lanes[0]), 3, centre, origin, True, g, K, pairs)
    i, j = np.tril_indices(3)
    assert_allclose(pairs, gamma.T @ np.column_stack([np.ones(n), z, z[:, i] * z[:, j]]), rtol=1e-12, atol=1e-12)


def test_a_frame_has_the_same_density_bit_by_bit_wherever_it_stands() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(37, 2))
    matrices = np.stack([np.cov(rng.normal(size=(2, 40))) for _ in range(5)])
    for covars, name in ((rng.uniform(0.5, 2.0, (5, 2)), "diag"), (matrices, "full")):
        rows = Gaussian.of(rng.normal(size=(5, 2)), covars, name)
        assert rows.log_lik(X[6:11].copy()).tobytes() == rows.log_lik(X)[6:11].tobytes()


@pytest.mark.parametrize("K", [1, 3, 8, 13])
@pytest.mark.parametrize("columns", [1, 2])
def test_gather_and_scatter_are_transposes_and_skip_negative_codes(columns: int, K: int) -> None:
    rng = np.random.default_rng(1)
    table, gamma = rng.normal(size=(5, K)), rng.random((12, K))
    codes = rng.integers(-1, 5, (12, columns))
    one_hot = (codes[:, :, None] == np.arange(5)).sum(axis=1)
    padded = np.pad(table, ((0, 1), (0, -K % 8)))

    def write(x: np.ndarray, out: np.ndarray) -> None:
        emitting.gather(padded.reshape(-1), x.reshape(-1), len(x), columns, K, out.reshape(-1))

    assert_allclose(by_lanes(write, codes, K, None), one_hot @ table, rtol=1e-13, atol=1e-13)
    lanes = both_in_lanes(codes, gamma, gamma.shape[1])
    x, g = flat(*lanes)
    counts = np.zeros_like(padded)
    moments.scatter(x, len(lanes[0]), columns, g, K, counts.reshape(-1))
    assert_allclose(counts[:5, :K], one_hot.T @ gamma, rtol=1e-13, atol=1e-13)
    assert_array_equal(counts[:, K:], 0.0)


def test_poisson_matches_scipy_for_small_large_and_barred_counts() -> None:
    rng = np.random.default_rng(4)
    lambdas = np.array([[0.5, 3e5], [0.0, 20.0], [300.0, 1e5]])
    X = np.column_stack([rng.integers(0, 400, 50), rng.integers(0, 2, 50) * rng.integers(0, 300_000, 50)]).astype(float)
    X[::7, 0] = 0.0
    logs = np.log(np.where(lambdas > 0, lambdas, 1.0))

    def write(x: np.ndarray, out: np.ndarray) -> None:
        emitting.poisson_log_lik(x.reshape(-1), len(x), lambdas, logs, LOG_FACTORIALS, LARGE, out.reshape(-1))

    expected = poisson.logpmf(X[:, None], lambdas).sum(axis=2)
    assert_allclose(by_lanes(write, X, 3, None), expected, rtol=1e-9, atol=1e-9)


def test_responsibilities_zero_what_is_impossible() -> None:
    rng = np.random.default_rng(2)
    log_lik, weights = rng.normal(size=(10, 3)) * 500, rng.random((10, 1))
    log_lik[4] = -np.inf
    with np.errstate(divide="ignore"):
        log_weights = np.log([0.2, 0.0, 0.8])
    expected = logsumexp(log_lik + log_weights, axis=1)
    lanes = Lanes.of_frames(10)
    inner, log_c = lanes.pack(log_lik), np.empty((lanes.n_rows, 1, 8))
    x, w, c = flat(inner, lanes.pack(weights, repeat=False), log_c)
    emitting.responsibilities(x, lanes.n_rows, log_weights, w, c)
    gamma, found = lanes.unpack(inner, np.empty((10, 3))), lanes.unpack(log_c, np.empty((10, 1)))[:, 0]
    assert_allclose(found, expected, rtol=1e-14)
    possible = np.arange(10) != 4
    want = weights[possible] * np.exp((log_lik + log_weights)[possible] - expected[possible, None])
    assert_allclose(gamma[possible], want, rtol=1e-9, atol=1e-12)
    assert_array_equal(gamma[4], 0.0)
    assert found[4] == -np.inf


def test_sample_path_inverts_the_cumulative_rows() -> None:
    start, rows = np.array([0.3, 2.0]), np.array([[0.5, 2.0], [2.0, 2.0]])
    uniforms, path = np.array([0.2, 0.4, 0.6, 0.9999999, 0.3, 0.0]), np.empty(6, dtype=np.int64)
    sampling.sample_path(start, rows, uniforms, np.array([0, 4, 6]), path)
    assert path.tolist() == [0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("D", [1, 3, 4, 5, 13, 37])
@pytest.mark.parametrize("n", [1, 8, 130, 600])
def test_full_kernels_match_numpy(n: int, D: int) -> None:
    rng = np.random.default_rng([n, D])
    X, centre, offsets = rng.normal(size=(n, D)), rng.normal(size=D), rng.normal(size=(3, D))
    constant, gamma = rng.normal(size=3), rng.random((n, 3))
    centred = (X - centre)[:, None] - offsets
    for matrices in (1, 3):
        whiten = np.tril(rng.normal(size=(matrices, D, D)))

        def write(x: np.ndarray, out: np.ndarray, whiten: np.ndarray = whiten) -> None:
            emitting.full_log_lik(x.reshape(-1), len(x), centre, offsets, whiten, constant, out.reshape(-1))

        y = np.einsum("kij,tkj->tki", np.broadcast_to(whiten, (3, D, D)), centred)
        assert_allclose(by_lanes(write, X, 3, None), constant - 0.5 * (y**2).sum(axis=2), rtol=1e-12, atol=1e-12)
    lanes = both_in_lanes(X, gamma, gamma.shape[1])
    x, g = flat(*lanes)
    weight, first, second = np.empty(3), np.empty((3, D)), np.empty((3, D, D))
    moments.full_moments(x, len(lanes[0]), D, centre, offsets, g, 3, weight, first, second)
    assert_allclose(weight, gamma.sum(axis=0), rtol=1e-13)
    assert_allclose(first, np.einsum("tk,tkd->kd", gamma, centred), rtol=1e-11, atol=1e-12)
    assert_allclose(second, np.einsum("tk,tki,tkj->kij", gamma, centred, centred), rtol=1e-11, atol=1e-12)


def test_products_of_pairs_and_triangles_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    X, gamma = rng.normal(size=(50, 5)), rng.random((50, 2))
    rows = Gaussian.of(rng.normal(size=(2, 5)), np.stack([np.cov(rng.normal(size=(5, 40))) for _ in "ab"]), "full")
    near = rows.statistics(X, gamma)
    monkeypatch.setattr(covariance, "PAIRS", 0)
    far = rows.statistics(X, gamma)
    assert_allclose(near.second, far.second, rtol=1e-12)
    assert_allclose(near.first, far.first, rtol=1e-12, atol=1e-13)
