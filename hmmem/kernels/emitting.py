"""Densities of the emission families, and responsibilities of mixtures, in lanes.

Lanes are as :mod:`hmmem.kernels.packing` makes them, flat. Tables of symbols come transposed, (V, K), so that the inner
loop runs over the states of one frame. A frame's numbers do not depend on its place.
"""

from __future__ import annotations

import math

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.simd import any_less, exp, fma, larger, load, log, pick, room, splat, store, transpose, where


@kernel
def diag_log_lik(X, n, centre, offsets, inverse_sd, constant, out):
    """out[t, k] = constant[k] - sum_d z^2 / 2, z = ((X[t, d] - centre[d]) - offsets[k, d]) inverse_sd[k, d].

    X, n rows of D columns; offsets (K, D), inverse_sd (K, D) flat. Four states at a time.
    """
    K, D = offsets.shape
    x = room(D * 8)
    half, zero = splat(-0.5), splat(0.0)
    for t in range(n):
        for d in range(D):
            store(x, d * 8, load(X, (t * D + d) * 8) - pick(centre, d))
        k = 0
        while k + 4 <= K:
            y0 = y1 = y2 = y3 = zero
            for d in range(D):
                v, r = load(x, d * 8), k * D + d
                z = (v - pick(offsets, r)) * pick(inverse_sd, r)
                y0 = fma(z, z, y0)
                z = (v - pick(offsets, r + D)) * pick(inverse_sd, r + D)
                y1 = fma(z, z, y1)
                z = (v - pick(offsets, r + 2 * D)) * pick(inverse_sd, r + 2 * D)
                y2 = fma(z, z, y2)
                z = (v - pick(offsets, r + 3 * D)) * pick(inverse_sd, r + 3 * D)
                y3 = fma(z, z, y3)
            at = (t * K + k) * 8
            store(out, at, fma(y0, half, pick(constant, k)))
            store(out, at + 8, fma(y1, half, pick(constant, k + 1)))
            store(out, at + 16, fma(y2, half, pick(constant, k + 2)))
            store(out, at + 24, fma(y3, half, pick(constant, k + 3)))
            k += 4
        while k < K:
            y0 = zero
            for d in range(D):
                z = (load(x, d * 8) - pick(offsets, k * D + d)) * pick(inverse_sd, k * D + d)
                y0 = fma(z, z, y0)
            store(out, (t * K + k) * 8, fma(y0, half, pick(constant, k)))
            k += 1


@kernel
def full_log_lik(X, n, centre, offsets, whiten, constant, out):
    """out[t, k] = constant[k] - |whiten[k] z|^2 / 2, z = (X[t] - centre) - offsets[k], whiten[k] lower triangular.

    X, n rows of D columns; offsets (K, D); whiten (K, D, D), or (1, D, D) for one matrix, flat. Four rows of a
    triangle, and two rows of frames, at a time.
    """
    K, D = offsets.shape
    x, z = room(D * 16), room(D * 16)
    half, zero = splat(-0.5), splat(0.0)
    for t in range(0, n, 2):
        u = min(t + 1, n - 1)
        for d in range(D):
            store(x, d * 16, load(X, (t * D + d) * 8) - pick(centre, d))
            store(x, d * 16 + 8, load(X, (u * D + d) * 8) - pick(centre, d))
        for k in range(K):
            w = k * D * D if whiten.size > D * D else 0
            for d in range(D):
                store(z, d * 16, load(x, d * 16) - pick(offsets, k * D + d))
                store(z, d * 16 + 8, load(x, d * 16 + 8) - pick(offsets, k * D + d))
            first, second, i = zero, zero, 0
            while i + 4 <= D:
                y0 = y1 = y2 = y3 = zero
                x0 = x1 = x2 = x3 = zero
                for j in range(i + 4):  # above the diagonal whiten is zero
                    v0, v1 = load(z, j * 16), load(z, j * 16 + 8)
                    a, r = pick(whiten, w + i * D + j), w + i * D + j
                    y0, x0 = fma(a, v0, y0), fma(a, v1, x0)
                    a = pick(whiten, r + D)
                    y1, x1 = fma(a, v0, y1), fma(a, v1, x1)
                    a = pick(whiten, r + 2 * D)
                    y2, x2 = fma(a, v0, y2), fma(a, v1, x2)
                    a = pick(whiten, r + 3 * D)
                    y3, x3 = fma(a, v0, y3), fma(a, v1, x3)
                first = fma(y0, y0, fma(y1, y1, fma(y2, y2, fma(y3, y3, first))))
                second = fma(x0, x0, fma(x1, x1, fma(x2, x2, fma(x3, x3, second))))
                i += 4
            while i < D:
                y0, x0 = zero, zero
                for j in range(i + 1):
                    a = pick(whiten, w + i * D + j)
                    y0, x0 = fma(a, load(z, j * 16), y0), fma(a, load(z, j * 16 + 8), x0)
                first, second = fma(y0, y0, first), fma(x0, x0, second)
                i += 1
            store(out, (u * K + k) * 8, fma(second, half, pick(constant, k)))
            store(out, (t * K + k) * 8, fma(first, half, pick(constant, k)))


@kernel
def gather(table, codes, n, C, K, out):
    """out[t, k] = sum_c table[codes[t, c], k], for codes int64, n rows of C columns.

    table (V + 1, P), flat: K columns, filled up with zeros to P, a multiple of 8, and a last row of zeros, for a
    negative code says nothing. Eight states of eight frames are turned over in registers.
    """
    P = (K + 7) // 8 * 8
    last = table.size - P
    r0 = r1 = r2 = r3 = r4 = r5 = r6 = r7 = 0
    zero = splat(0.0)
    for t in range(n):
        for k in range(0, P, 8):
            y0 = y1 = y2 = y3 = y4 = y5 = y6 = y7 = zero
            for c in range(C):
                at = (t * C + c) * 8
                r0 = codes[at] * P if codes[at] >= 0 else last
                r1 = codes[at + 1] * P if codes[at + 1] >= 0 else last
                r2 = codes[at + 2] * P if codes[at + 2] >= 0 else last
                r3 = codes[at + 3] * P if codes[at + 3] >= 0 else last
                r4 = codes[at + 4] * P if codes[at + 4] >= 0 else last
                r5 = codes[at + 5] * P if codes[at + 5] >= 0 else last
                r6 = codes[at + 6] * P if codes[at + 6] >= 0 else last
                r7 = codes[at + 7] * P if codes[at + 7] >= 0 else last
                y0, y1, y2 = y0 + load(table, r0 + k), y1 + load(table, r1 + k), y2 + load(table, r2 + k)
                y3, y4, y5 = y3 + load(table, r3 + k), y4 + load(table, r4 + k), y5 + load(table, r5 + k)
                y6, y7 = y6 + load(table, r6 + k), y7 + load(table, r7 + k)
            y0, y1, y2, y3, y4, y5, y6, y7 = transpose(y0, y1, y2, y3, y4, y5, y6, y7)
            at = (t * K + k) * 8
            store(out, at, y0)
            if k + 1 < K:
                store(out, at + 8, y1)
            if k + 2 < K:
                store(out, at + 16, y2)
            if k + 3 < K:
                store(out, at + 24, y3)
            if k + 4 < K:
                store(out, at + 32, y4)
            if k + 5 < K:
                store(out, at + 40, y5)
            if k + 6 < K:
                store(out, at + 48, y6)
            if k + 7 < K:
                store(out, at + 56, y7)


@kernel
def responsibilities(log_lik, n, log_weights, frame_weights, log_c):
    """Replace log_lik, n rows of K columns, by p(k | x_t) frame_weights[t]; log_c[t] = log p(x_t).

    frame_weights, log_c: lanes of one column. Zeros and -inf for an impossible frame.
    """
    K = log_weights.size
    zero, one = splat(0.0), splat(1.0)
    lowest, minus = splat(-1e308), splat(-np.inf)
    for t in range(n):
        # the largest log_lik goes first: beside an outlier's -1e15 nats the weights would vanish
        largest = minus
        for k in range(K):
            if log_weights[k] > -np.inf:
                largest = larger(largest, load(log_lik, (t * K + k) * 8))
        largest = where(largest, lowest, zero, largest)
        peak = minus
        for k in range(K):
            at = (t * K + k) * 8
            y = (load(log_lik, at) - largest) + splat(log_weights[k]) if log_weights[k] > -np.inf else minus
            store(log_lik, at, y)
            peak = larger(peak, y)
        possible = where(peak, lowest, zero, one)
        peak = where(peak, lowest, zero, peak)
        total = zero
        for k in range(K):
            at = (t * K + k) * 8
            y = exp(load(log_lik, at) - peak)
            store(log_lik, at, y)
            total = total + y
        total = where(zero, possible, total, one)
        store(log_c, t * 8, where(zero, possible, largest + (peak + log(total)), minus))
        scale = load(frame_weights, t * 8) / total
        for k in range(K):
            at = (t * K + k) * 8
            store(log_lik, at, load(log_lik, at) * scale)


@kernel
def poisson_log_lik(X, n, lambdas, logs, log_factorials, large, out):
    """out[t, k] = sum_d x log lambda - lambda - log x!, x = X[t, d], lambda = lambdas[k, d].

    X, n rows of D columns; logs (K, D) = log(lambdas), 0 where lambdas is 0; log_factorials[x] = log x! for small x.
    Counts beyond ``large`` go by their deviance (Loader 2000), where these terms all but cancel: log p(x) = x (log(1 +
    u) - u) - log(2 pi x) / 2 - 1 / (12 x) with u = lambda / x - 1; Stirling's next term is below 1e-17 there.
    """
    K, D = lambdas.shape
    constant, rates, barred = np.empty(8), np.zeros(K), np.zeros(K, np.bool_)
    zero, minus, limit = splat(0.0), splat(-np.inf), splat(large)
    for k in range(K):
        for d in range(D):
            rates[k] += lambdas[k, d]
            barred[k] = barred[k] or lambdas[k, d] == 0.0
    for t in range(n):
        top = zero
        for d in range(D):
            top = larger(top, load(X, (t * D + d) * 8))
        for lane in range(8):
            constant[lane] = 0.0
            for d in range(D):
                x = X[(t * D + d) * 8 + lane]
                if x < log_factorials.size:
                    constant[lane] += log_factorials[int(x)]
                else:
                    constant[lane] += math.lgamma(x + 1.0)
        factorials = load(constant, 0)
        for k in range(K):
            y = zero - (factorials + splat(rates[k]))
            for d in range(D):
                y = fma(load(X, (t * D + d) * 8), pick(logs, k * D + d), y)
            if barred[k]:
                for d in range(D):
                    if lambdas[k, d] == 0.0:
                        y = where(zero, load(X, (t * D + d) * 8), minus, y)
            store(out, (t * K + k) * 8, y)
        if any_less(limit, top):
            for lane in range(8):
                beyond = False
                for d in range(D):
                    beyond = beyond or X[(t * D + d) * 8 + lane] > large
                for k in range(K):
                    if not beyond:
                        break
                    total = 0.0
                    for d in range(D):
                        x, rate = X[(t * D + d) * 8 + lane], lambdas[k, d]
                        if rate == 0.0:
                            total += -np.inf if x > 0.0 else 0.0
                        elif x > large:
                            u = (rate - x) / x
                            ratio = np.log1p(u) if abs(u) < 0.5 else np.log(rate) - np.log(x)
                            total += x * (ratio - u) - 0.5 * np.log(2.0 * np.pi * x) - 1.0 / (12.0 * x)
                        else:
                            total += x * logs[k, d] - rate - math.lgamma(x + 1.0)
                    out[(t * K + k) * 8 + lane] = total
