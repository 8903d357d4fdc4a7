"""Moments of weighted frames, in lanes as :mod:`hmmem.kernels.packing` makes them."""

from __future__ import annotations

from hmmem.kernels.options import kernel
from hmmem.kernels.products import add_products
from hmmem.kernels.simd import cleared, fma, load, pick, room, splat, store, transpose

CHUNK = 16  # rows whose products are added before the next ones are read
LARGE, MANY = 32, 64  # from more columns than LARGE on, sums outgrow the caches: MANY rows for each look at them


@kernel
def shared_moments(X, n, D, centre, origin, pairs, gamma, K, out):
    """Moments about one origin that all K states share, as products of gamma and what they have in common.

    In: X, n rows of D columns in lanes, flat; centre, origin (D,); ``pairs``: all products of two columns, or squares
    alone; gamma, lanes of K columns, flat.
    Out: out (K, 1 + D + D), or (K, 1 + D + D (D + 1) / 2) for pairs = sum_t gamma[t, k] (1, z, z^2), or (1, z, z_i z_j
    for j <= i), z = (X[t] - centre) - origin.
    """
    W = (out.shape[1] + 3) // 4 * 4
    basis, sums = cleared(CHUNK * W * 8), cleared(K * W * 8)
    add_shared(X, n, D, centre, origin, pairs, gamma, K, W, basis, sums)
    add_lanes(sums, K, W, out)


@kernel
def add_shared(X, n, D, centre, origin, pairs, gamma, K, W, basis, sums):
    """Add the moments of n rows to sums (K, W, 8); see :func:`shared_moments`. Scratch: basis (CHUNK, W, 8), zeros."""
    for start in range(0, n, CHUNK):
        rows = min(CHUNK, n - start)
        for r in range(rows):
            at = r * W * 8
            store(basis, at, splat(1.0))
            for d in range(D):
                z = (load(X, ((start + r) * D + d) * 8) - pick(centre, d)) - pick(origin, d)
                store(basis, at + (1 + d) * 8, z)
                if not pairs:
                    store(basis, at + (1 + D + d) * 8, z * z)
            if pairs:
                o = at + (1 + D) * 8
                for i in range(D):
                    z = load(basis, at + (1 + i) * 8)
                    for j in range(i + 1):
                        store(basis, o + j * 8, z * load(basis, at + (1 + j) * 8))
                    o += (i + 1) * 8
        add_products(gamma, start, K, basis, 0, W, rows, False, sums)


@kernel
def add_lanes(sums, K, W, out):
    """Out (K, width) = the sums over the lanes of sums (K, W, 8)."""
    for k in range(K):
        for j in range(out.shape[1]):
            out[k, j] = 0.0
            for lane in range(8):
                out[k, j] += sums[(k * W + j) * 8 + lane]


@kernel
def diag_moments(X, n, D, centre, origin, gamma, K, weight, first, second):
    """Weight (K,), first, second (K, D) = sum_t gamma[t, k] (1, z, z^2), z = (X[t] - centre) - origin[k].

    X, gamma: lanes, flat, of n rows; origin (K, D), one for each state.
    """
    sums, weights, x = cleared(K * D * 16), cleared(K * 8), room(D * 8)
    for t in range(n):
        for d in range(D):
            store(x, d * 8, load(X, (t * D + d) * 8) - pick(centre, d))
        for k in range(K):
            g = load(gamma, (t * K + k) * 8)
            store(weights, k * 8, load(weights, k * 8) + g)
            for d in range(D):
                z = load(x, d * 8) - pick(origin, k * D + d)
                weighted, at = g * z, (k * D + d) * 16
                store(sums, at, load(sums, at) + weighted)
                store(sums, at + 8, fma(weighted, z, load(sums, at + 8)))
    for k in range(K):
        weight[k] = 0.0
        for lane in range(8):
            weight[k] += weights[k * 8 + lane]
        for d in range(D):
            first[k, d], second[k, d] = 0.0, 0.0
            for lane in range(8):
                first[k, d] += sums[(k * D + d) * 16 + lane]
                second[k, d] += sums[(k * D + d) * 16 + 8 + lane]


@kernel
def full_moments(X, n, D, centre, origin, gamma, K, weight, first, second):
    """Weight (K,), first (K, D), second (K, D, D) = sum_t gamma[t, k] (1, z, z z'), z = (X[t] - centre) - origin[k].

    X, gamma: lanes, flat, of n rows; origin (K, D). The lower triangle alone, by chunks that stay in a near cache.
    """
    W = (D + 3) // 4 * 4
    chunk = CHUNK if D <= LARGE else MANY
    x, z, wz = room(chunk * D * 8), cleared(chunk * W * 8), cleared(chunk * W * 8)
    size = W * W * 8
    sums, firsts, weights = cleared(K * size), cleared(K * D * 8), cleared(K * 8)
    for start in range(0, n, chunk):
        rows = min(chunk, n - start)
        for r in range(rows):
            for d in range(D):
                store(x, (r * D + d) * 8, load(X, ((start + r) * D + d) * 8) - pick(centre, d))
        for k in range(K):
            for r in range(rows):
                g = load(gamma, ((start + r) * K + k) * 8)
                store(weights, k * 8, load(weights, k * 8) + g)
                for d in range(D):
                    v = load(x, (r * D + d) * 8) - pick(origin, k * D + d)
                    store(z, (r * W + d) * 8, v)
                    v = g * v
                    store(wz, (r * W + d) * 8, v)
                    at = (k * D + d) * 8
                    store(firsts, at, load(firsts, at) + v)
            add_products(wz, 0, W, z, 0, W, rows, True, sums[k * size : (k + 1) * size])
    for k in range(K):
        weight[k] = 0.0
        for lane in range(8):
            weight[k] += weights[k * 8 + lane]
        for i in range(D):
            first[k, i] = 0.0
            for lane in range(8):
                first[k, i] += firsts[(k * D + i) * 8 + lane]
            for j in range(i + 1):
                total = 0.0
                for lane in range(8):
                    total += sums[k * size + (i * W + j) * 8 + lane]
                second[k, i, j], second[k, j, i] = total, total


@kernel
def scatter(codes, n, C, gamma, K, counts):
    """Add gamma[t] to row codes[t, c] of counts for each column c; a negative code says nothing.

    codes, gamma: lanes, flat, of n rows; counts (V + 1, P), flat, as the table of
    :func:`hmmem.kernels.emitting.gather`.
    """
    P = (K + 7) // 8 * 8
    last = counts.size - P
    zero = splat(0.0)
    for t in range(n):
        for k in range(0, P, 8):
            at = (t * K + k) * 8
            y0 = load(gamma, at)
            y1 = load(gamma, at + 8) if k + 1 < K else zero
            y2 = load(gamma, at + 16) if k + 2 < K else zero
            y3 = load(gamma, at + 24) if k + 3 < K else zero
            y4 = load(gamma, at + 32) if k + 4 < K else zero
            y5 = load(gamma, at + 40) if k + 5 < K else zero
            y6 = load(gamma, at + 48) if k + 6 < K else zero
            y7 = load(gamma, at + 56) if k + 7 < K else zero
            y0, y1, y2, y3, y4, y5, y6, y7 = transpose(y0, y1, y2, y3, y4, y5, y6, y7)
            for c in range(C):
                at = (t * C + c) * 8
                r = (codes[at] * P if codes[at] >= 0 else last) + k
                store(counts, r, load(counts, r) + y0)
                r = (codes[at + 1] * P if codes[at + 1] >= 0 else last) + k
                store(counts, r, load(counts, r) + y1)
                r = (codes[at + 2] * P if codes[at + 2] >= 0 else last) + k
                store(counts, r, load(counts, r) + y2)
                r = (codes[at + 3] * P if codes[at + 3] >= 0 else last) + k
                store(counts, r, load(counts, r) + y3)
                r = (codes[at + 4] * P if codes[at + 4] >= 0 else last) + k
                store(counts, r, load(counts, r) + y4)
                r = (codes[at + 5] * P if codes[at + 5] >= 0 else last) + k
                store(counts, r, load(counts, r) + y5)
                r = (codes[at + 6] * P if codes[at + 6] >= 0 else last) + k
                store(counts, r, load(counts, r) + y6)
                r = (codes[at + 7] * P if codes[at + 7] >= 0 else last) + k
                store(counts, r, load(counts, r) + y7)
