"""Kernels of the emission families against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from hmmem.emissions import Gaussian, covariance
from hmmem.kernels import emitting, sampling


@pytest.mark.parametrize("n", [1, 7, 8, 20])
def test_diag_kernels_match_numpy(n: int) -> None:
    rng = np.random.default_rng(0)
    X, centre = rng.normal(size=(n, 3)), rng.normal(size=3)
    offsets, inverse_sd = rng.normal(size=(4, 3)), rng.uniform(0.5, 2.0, (4, 3))
    constant, gamma = rng.normal(size=4), rng.random((n, 4))
    out = np.empty((n, 4))
    emitting.diag_log_lik(X, centre, offsets, inverse_sd, constant, out)
    centred = (X - centre)[:, None] - offsets
    assert_allclose(out, constant - 0.5 * ((centred * inverse_sd) ** 2).sum(axis=2), rtol=1e-13)
    first, second = np.empty((4, 3)), np.empty((4, 3))
    emitting.diag_moments(X, centre, offsets, gamma, first, second)
    assert_allclose(first, np.einsum("tk,tkd->kd", gamma, centred), rtol=1e-12, atol=1e-13)
    assert_allclose(second, np.einsum("tk,tkd->kd", gamma, centred**2), rtol=1e-12)


def test_a_frame_has_the_same_density_bit_by_bit_wherever_it_stands() -> None:
    rng = np.random.default_rng(1)
    X, centre, offsets = rng.normal(size=(13, 2)), rng.normal(size=2), rng.normal(size=(3, 2))
    inverse_sd, constant = rng.uniform(0.5, 2.0, (3, 2)), rng.normal(size=3)
    whole, part = np.empty((13, 3)), np.empty((5, 3))
    emitting.diag_log_lik(X, centre, offsets, inverse_sd, constant, whole)
    emitting.diag_log_lik(X[6:11].copy(), centre, offsets, inverse_sd, constant, part)
    assert part.tobytes() == whole[6:11].tobytes()


def test_gather_and_scatter_are_transposes_and_skip_negative_codes() -> None:
    rng = np.random.default_rng(1)
    table, gamma = rng.normal(size=(5, 3)), rng.random((12, 3))
    codes = rng.integers(-1, 5, (12, 2))
    one_hot = (codes[:, :, None] == np.arange(5)).sum(axis=1)
    out, counts = np.empty((12, 3)), np.zeros((5, 3))
    emitting.gather(table, codes, out)
    emitting.scatter(codes, gamma, counts)
    assert_allclose(out, one_hot @ table, rtol=1e-13, atol=1e-13)
    assert_allclose(counts, one_hot.T @ gamma, rtol=1e-13, atol=1e-13)


def test_responsibilities_may_share_memory_and_zero_what_is_impossible() -> None:
    rng = np.random.default_rng(2)
    log_lik = rng.normal(size=(10, 3)) * 500
    log_lik[4] = -np.inf
    with np.errstate(divide="ignore"):
        log_weights = np.log([0.2, 0.0, 0.8])
    expected = logsumexp(log_lik + log_weights, axis=1)
    gamma, log_c = log_lik.copy(), np.empty(10)
    emitting.responsibilities(gamma, log_weights, gamma, log_c)
    assert_allclose(log_c, expected, rtol=1e-14)
    possible = np.arange(10) != 4
    want = np.exp((log_lik + log_weights)[possible] - expected[possible, None])
    assert_allclose(gamma[possible], want, rtol=1e-9, atol=1e-12)
    assert_array_equal(gamma[4], 0.0)
    assert log_c[4] == -np.inf


def test_sample_path_inverts_the_cumulative_rows() -> None:
    start, rows = np.array([0.3, 2.0]), np.array([[0.5, 2.0], [2.0, 2.0]])
    uniforms, path = np.array([0.2, 0.4, 0.6, 0.9999999, 0.3, 0.0]), np.empty(6, dtype=np.int64)
    sampling.sample_path(start, rows, uniforms, np.array([0, 4, 6]), path)
    assert path.tolist() == [0, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("D", [1, 3, 4, 5, 13])
@pytest.mark.parametrize("n", [1, 8, 130, 300])
def test_full_kernels_match_numpy(n: int, D: int) -> None:
    rng = np.random.default_rng([n, D])
    X, centre, offsets = rng.normal(size=(n, D)), rng.normal(size=D), rng.normal(size=(3, D))
    constant, gamma = rng.normal(size=3), rng.random((n, 3))
    centred = (X - centre)[:, None] - offsets
    for matrices in (1, 3):
        whiten = np.tril(rng.normal(size=(matrices, D, D)))
        out = np.empty((n, 3))
        emitting.full_log_lik(X, centre, offsets, whiten, constant, out)
        y = np.einsum("kij,tkj->tki", np.broadcast_to(whiten, (3, D, D)), centred)
        assert_allclose(out, constant - 0.5 * (y**2).sum(axis=2), rtol=1e-12, atol=1e-12)
    first, second = np.empty((3, D)), np.empty((3, D, D))
    emitting.full_moments(X, centre, offsets, gamma, first, second)
    assert_allclose(first, np.einsum("tk,tkd->kd", gamma, centred), rtol=1e-11, atol=1e-12)
    assert_allclose(second, np.einsum("tk,tki,tkj->kij", gamma, centred, centred), rtol=1e-11, atol=1e-12)


def test_products_and_triangles_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    X, gamma = rng.normal(size=(50, 5)), rng.random((50, 2))
    rows = Gaussian.of(rng.normal(size=(2, 5)), np.stack([np.cov(rng.normal(size=(5, 40))) for _ in "ab"]), "full")
    near = rows.log_lik(X), rows.statistics(X, gamma)
    monkeypatch.setattr(covariance, "TRIANGLES", 0)
    far = rows.log_lik(X), rows.statistics(X, gamma)
    assert_allclose(near[0], far[0], rtol=1e-13)
    assert_allclose(near[1].second, far[1].second, rtol=1e-12)
    assert_allclose(near[1].first, far[1].first, rtol=1e-12, atol=1e-13)
