"""Densities and moments of the emission families, and responsibilities of mixtures.

Tables of symbols come transposed, (V, K), so that the inner loop runs over the states of one frame.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.simd import fma, load, splat, store


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
