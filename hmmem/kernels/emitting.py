"""Densities and moments of the emission families, and responsibilities of mixtures.

Tables of symbols come transposed, (V, K), so that the inner loop runs over the states of one frame.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.simd import fma, load, splat, store

CHUNK = 16  # groups of eight frames whose products are added before the next ones are read


@kernel
def diag_log_lik(X, centre, offsets, inverse_sd, constant, out):
    """out[t, k] = constant[k] - sum_d z^2 / 2, z = ((X[t, d] - centre[d]) - offsets[k, d]) inverse_sd[k, d].

    X (n, D); offsets, inverse_sd (K, D). Eight frames at a time; the last ones are filled up with copies, so that a
    frame's bits do not depend on its place.
    """
    K, D = offsets.shape
    n = X.shape[0]
    x, value = np.empty(D * 8), np.empty(8)
    half = splat(-0.5)
    for t in range(0, n, 8):
        rows = min(8, n - t)
        for lane in range(8):
            row = t + min(lane, rows - 1)
            for d in range(D):
                x[d * 8 + lane] = X[row, d] - centre[d]
        for k in range(K):
            total = splat(0.0)
            for d in range(D):
                z = (load(x, d * 8) - splat(offsets[k, d])) * splat(inverse_sd[k, d])
                total = fma(z, z, total)
            store(value, 0, fma(total, half, splat(constant[k])))
            for lane in range(rows):
                out[t + lane, k] = value[lane]


@kernel
def diag_moments(X, centre, origin, gamma, first, second):
    """first, second (K, D) = sum_t gamma[t, k] z and gamma[t, k] z^2, z = (X[t, d] - centre[d]) - origin[k, d].

    Each of eight lanes adds every eighth frame; the lanes are added at the end.
    """
    K, D = origin.shape
    n = X.shape[0]
    x, g, sums = np.empty(D * 8), np.empty(K * 8), np.zeros(K * D * 16)
    for t in range(0, n, 8):
        rows = min(8, n - t)
        for lane in range(8):
            row = t + min(lane, rows - 1)
            for d in range(D):
                x[d * 8 + lane] = X[row, d] - centre[d]
            for k in range(K):
                g[k * 8 + lane] = gamma[row, k] if lane < rows else 0.0
        for k in range(K):
            weight = load(g, k * 8)
            for d in range(D):
                z = load(x, d * 8) - splat(origin[k, d])
                weighted, at = weight * z, (k * D + d) * 16
                store(sums, at, load(sums, at) + weighted)
                store(sums, at + 8, fma(weighted, z, load(sums, at + 8)))
    for k in range(K):
        for d in range(D):
            first[k, d], second[k, d] = 0.0, 0.0
            for lane in range(8):
                first[k, d] += sums[(k * D + d) * 16 + lane]
                second[k, d] += sums[(k * D + d) * 16 + 8 + lane]


@kernel
def full_log_lik(X, centre, offsets, whiten, constant, out):
    """out[t, k] = constant[k] - |whiten[k] z|^2 / 2, z = (X[t] - centre) - offsets[k], whiten[k] lower triangular.

    X (n, D); offsets (K, D); whiten (K, D, D), or (1, D, D) for one matrix. Eight frames at a time, four rows of the
    triangle at a time.
    """
    K, D = offsets.shape
    n, matrices = X.shape[0], whiten.shape[0]
    x, z, value = np.empty(D * 8), np.empty(D * 8), np.empty(8)
    half, zero = splat(-0.5), splat(0.0)
    for t in range(0, n, 8):
        rows = min(8, n - t)
        for lane in range(8):
            row = t + min(lane, rows - 1)
            for d in range(D):
                x[d * 8 + lane] = X[row, d] - centre[d]
        for k in range(K):
            w = whiten[k if matrices > 1 else 0]
            for d in range(D):
                store(z, d * 8, load(x, d * 8) - splat(offsets[k, d]))
            total, i = zero, 0
            while i + 4 <= D:
                y0, y1, y2, y3 = zero, zero, zero, zero
                for j in range(i + 4):  # above the diagonal whiten is zero
                    v = load(z, j * 8)
                    y0 = fma(splat(w[i, j]), v, y0)
                    y1 = fma(splat(w[i + 1, j]), v, y1)
                    y2 = fma(splat(w[i + 2, j]), v, y2)
                    y3 = fma(splat(w[i + 3, j]), v, y3)
                total = fma(y0, y0, fma(y1, y1, fma(y2, y2, fma(y3, y3, total))))
                i += 4
            while i < D:
                y0 = zero
                for j in range(i + 1):
                    y0 = fma(splat(w[i, j]), load(z, j * 8), y0)
                total = fma(y0, y0, total)
                i += 1
            store(value, 0, fma(total, half, splat(constant[k])))
            for lane in range(rows):
                out[t + lane, k] = value[lane]


@kernel
def full_moments(X, centre, origin, gamma, first, second):
    """Write first (K, D), second (K, D, D) = sum_t gamma[t, k] z and z z', z = (X[t] - centre) - origin[k].

    By chunks of 128 frames that stay in the nearest cache, in tiles of 4 x 4 of the lower triangle whose sums stay in
    registers; D is filled up with zeros to a multiple of 4.
    """
    K, D = origin.shape
    n, W = X.shape[0], (D + 3) // 4 * 4
    x, z, wz, g = np.zeros(CHUNK * W * 8), np.zeros(CHUNK * W * 8), np.zeros(CHUNK * W * 8), np.empty(8)
    sums, sums1 = np.zeros(K * W * W * 8), np.zeros(K * W * 8)
    for start in range(0, n, CHUNK * 8):
        groups = min(CHUNK, (n - start + 7) // 8)
        for u in range(groups):
            for lane in range(8):
                row = min(start + u * 8 + lane, n - 1)
                for d in range(D):
                    x[(u * W + d) * 8 + lane] = X[row, d] - centre[d]
        for k in range(K):
            for u in range(groups):
                for lane in range(8):
                    row = start + u * 8 + lane
                    g[lane] = gamma[row, k] if row < n else 0.0
                weight = load(g, 0)
                for d in range(D):
                    at = (u * W + d) * 8
                    v = load(x, at) - splat(origin[k, d])
                    store(z, at, v)
                    v = weight * v
                    store(wz, at, v)
                    at = (k * W + d) * 8
                    store(sums1, at, load(sums1, at) + v)
            for i in range(0, W, 4):
                for j in range(0, i + 1, 4):
                    at = ((k * W + i) * W + j) * 8
                    a0, a1, a2, a3 = load(sums, at), load(sums, at + 8), load(sums, at + 16), load(sums, at + 24)
                    b0, b1, b2, b3 = (
                        load(sums, at + W * 8),
                        load(sums, at + W * 8 + 8),
                        load(sums, at + W * 8 + 16),
                        load(sums, at + W * 8 + 24),
                    )
                    c0, c1, c2, c3 = (
                        load(sums, at + W * 16),
                        load(sums, at + W * 16 + 8),
                        load(sums, at + W * 16 + 16),
                        load(sums, at + W * 16 + 24),
                    )
                    d0, d1, d2, d3 = (
                        load(sums, at + W * 24),
                        load(sums, at + W * 24 + 8),
                        load(sums, at + W * 24 + 16),
                        load(sums, at + W * 24 + 24),
                    )
                    for u in range(groups):
                        w, v = (u * W + i) * 8, (u * W + j) * 8
                        z0, z1, z2, z3 = load(z, v), load(z, v + 8), load(z, v + 16), load(z, v + 24)
                        p = load(wz, w + 0)
                        a0, a1, a2, a3 = fma(p, z0, a0), fma(p, z1, a1), fma(p, z2, a2), fma(p, z3, a3)
                        p = load(wz, w + 8)
                        b0, b1, b2, b3 = fma(p, z0, b0), fma(p, z1, b1), fma(p, z2, b2), fma(p, z3, b3)
                        p = load(wz, w + 16)
                        c0, c1, c2, c3 = fma(p, z0, c0), fma(p, z1, c1), fma(p, z2, c2), fma(p, z3, c3)
                        p = load(wz, w + 24)
                        d0, d1, d2, d3 = fma(p, z0, d0), fma(p, z1, d1), fma(p, z2, d2), fma(p, z3, d3)
                    store(sums, at, a0)
                    store(sums, at + 8, a1)
                    store(sums, at + 16, a2)
                    store(sums, at + 24, a3)
                    store(sums, at + W * 8, b0)
                    store(sums, at + W * 8 + 8, b1)
                    store(sums, at + W * 8 + 16, b2)
                    store(sums, at + W * 8 + 24, b3)
                    store(sums, at + W * 16, c0)
                    store(sums, at + W * 16 + 8, c1)
                    store(sums, at + W * 16 + 16, c2)
                    store(sums, at + W * 16 + 24, c3)
                    store(sums, at + W * 24, d0)
                    store(sums, at + W * 24 + 8, d1)
                    store(sums, at + W * 24 + 16, d2)
                    store(sums, at + W * 24 + 24, d3)
    for k in range(K):
        for i in range(D):
            first[k, i] = 0.0
            for lane in range(8):
                first[k, i] += sums1[(k * W + i) * 8 + lane]
            for j in range(i + 1):
                total = 0.0
                for lane in range(8):
                    total += sums[((k * W + i) * W + j) * 8 + lane]
                second[k, i, j], second[k, j, i] = total, total


@kernel
def gather(table, codes, out):
    """out[t, k] = sum_c table[codes[t, c], k]; a negative code says nothing. table (V, K), codes (n, C) int64."""
    K = table.shape[1]
    for t in range(codes.shape[0]):
        for k in range(K):
            out[t, k] = 0.0
        for c in range(codes.shape[1]):
            code = codes[t, c]
            if code >= 0:
                for k in range(K):
                    out[t, k] += table[code, k]


@kernel
def scatter(codes, gamma, counts):
    """Add gamma[t] to row codes[t, c] of counts (V, K) for each column c; a negative code says nothing."""
    K = counts.shape[1]
    for t in range(codes.shape[0]):
        for c in range(codes.shape[1]):
            code = codes[t, c]
            if code >= 0:
                for k in range(K):
                    counts[code, k] += gamma[t, k]


@kernel
def responsibilities(log_lik, log_weights, gamma, log_c):
    """gamma[t, k] = p(k | x_t), log_c[t] = log p(x_t); zeros and -inf for an impossible row. May share memory."""
    K = log_weights.size
    for t in range(log_lik.shape[0]):
        # the largest log_lik goes first: beside an outlier's -1e15 nats the weights would vanish
        largest, peak = -np.inf, -np.inf
        for k in range(K):
            if log_weights[k] > -np.inf and log_lik[t, k] > largest:
                largest = log_lik[t, k]
        for k in range(K):
            if largest > -np.inf and log_weights[k] > -np.inf:
                gamma[t, k] = (log_lik[t, k] - largest) + log_weights[k]
            else:
                gamma[t, k] = -np.inf
            if gamma[t, k] > peak:
                peak = gamma[t, k]
        if peak == -np.inf:
            log_c[t] = -np.inf
            for k in range(K):
                gamma[t, k] = 0.0
            continue
        total = 0.0
        for k in range(K):
            gamma[t, k] = np.exp(gamma[t, k] - peak)
            total += gamma[t, k]
        log_c[t] = largest + (peak + np.log(total))
        inverse = 1.0 / total
        for k in range(K):
            gamma[t, k] *= inverse
