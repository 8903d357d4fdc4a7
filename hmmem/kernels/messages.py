"""What a segment of a long sequence hears from its neighbours, from warm-ups over the frames between, certified.

Eight segments at a time, in lanes; see :mod:`hmmem.segments` for what it is good for.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.simd import any_less, cleared, exp, fma, larger, load, pick, room, smaller, splat, store, where

CHECKED = 8  # steps between two looks at the diameter
CERTAIN = 2.5e-13  # largest relative spread of the images about one of them: a diameter of 1e-12 at the most


@kernel
def converge(matrix, b, K, first, step, steps, message):
    """The direction to which products of the matrices ``matrix diag(exp(b[t])) matrix ...`` pull all vectors.

    In: matrix flat (K, K), all positive: transmat, to go from a run's left edge to the left, or its transpose, to go
    from its right edge to the right; b, lanes of log_lik; rows first, first + step, ... are taken, ``steps`` at most.
    Out: message (K, 8), normalised. Returns the steps taken, or -1 if the images of the K unit vectors are not within a
    Hilbert distance of 1e-12 of each other then: where they are, every message from beyond, whatever it is, arrives
    within that distance of this one, because a non-negative matrix takes a cone into its image, whose diameter is that
    of the images of its generators (Birkhoff 1957).
    """
    W = (K + 3) // 4 * 4
    zero, one, lowest = splat(0.0), splat(1.0), splat(-1e308)
    p, q, weight = cleared(K * W * 8), cleared(K * W * 8), room(K * 8)
    for i in range(K):
        for j in range(K):
            store(p, (i * W + j) * 8, pick(matrix, i * K + j))
    done = 0
    while True:
        # the images are the rows of p: the ratios of their entries to those of row 0
        total, worst = zero, zero
        for j in range(K):
            total = total + load(p, j * 8)
            store(weight, j * 8, one / load(p, j * 8))
        for i in range(1, K):
            high = load(p, i * W * 8) * load(weight, 0)
            low = high
            for j in range(1, K):
                ratio = load(p, (i * W + j) * 8) * load(weight, j * 8)
                high, low = larger(high, ratio), smaller(low, ratio)
            # a nan is no certificate
            worst = larger(worst, where(high, low * splat(1.0 + CERTAIN), zero, one))
        total = one / total
        worst = larger(worst, where(zero, total, where(total, splat(1e300), zero, one), one))
        if not any_less(zero, worst):
            for j in range(K):
                store(message, j * 8, load(p, j * 8) * total)
            return done
        if done >= steps:
            return -1
        for i in range(K * W):
            store(p, i * 8, load(p, i * 8) * total)
        for _ in range(min(CHECKED, steps - done)):
            at = (first + done * step) * K * 8
            peak = load(b, at)
            for k in range(1, K):
                peak = larger(peak, load(b, at + k * 8))
            peak = where(peak, lowest, zero, peak)
            for k in range(K):
                w = exp(load(b, at + k * 8) - peak)
                for j in range(k * W, k * W + K):
                    store(p, j * 8, load(p, j * 8) * w)
            for i in range(K):
                for j in range(0, W, 4):
                    x0 = x1 = x2 = x3 = zero
                    for k in range(K):
                        a, o = pick(matrix, i * K + k), (k * W + j) * 8
                        x0 = fma(a, load(p, o), x0)
                        x1 = fma(a, load(p, o + 8), x1)
                        x2 = fma(a, load(p, o + 16), x2)
                        x3 = fma(a, load(p, o + 24), x3)
                    o = (i * W + j) * 8
                    store(q, o, x0)
                    store(q, o + 8, x1)
                    store(q, o + 16, x2)
                    store(q, o + 24, x3)
            p, q = q, p
            done += 1


@kernel
def weigh(message, b, at, K, lane, out):
    """Out (K,) = the lane's message times exp(b[at], b[at + 8], ...), normalised; False if that is zero."""
    top, total = -np.inf, 0.0
    for k in range(K):
        top = max(top, b[at + k * 8])
    if top == -np.inf:
        return False
    for k in range(K):
        out[k] = message[k * 8 + lane] * np.exp(b[at + k * 8] - top)
        total += out[k]
    for k in range(K):
        out[k] /= total
    return total > 0.0


@kernel
def warm_up(transmat, transposed, b, row, K, steps, segment, starts, ends, ahead):
    """Messages into eight runs from both sides.

    In: transmat, transposed flat, all positive; b, lanes of log_lik: from row ``row`` on the steps + 1 frames before
    the runs, then as many behind them. Out, in rows segment + 1 to segment + 8: starts (m + 1, K), predicted
    probabilities of the runs' first frames; ahead (m + 1, K), the ``onward`` of the frames behind them, and ends (m +
    1, K) = transmat @ ahead, up to factors. Returns the larger number of steps taken, or -1 without a certificate.
    """
    message, inside = room(K * 8), np.empty(K)
    there = converge(transmat, b, K, row + steps - 1, -1, steps, message)
    if there < 0:
        return -1
    for lane in range(8):
        # the filtered probabilities of the last frame before, and what they predict: less than 1 with an end
        if not weigh(message, b, (row + steps) * K * 8 + lane, K, lane, inside):
            return -1
        for j in range(K):
            starts[segment + 1 + lane, j] = 0.0
            for i in range(K):
                starts[segment + 1 + lane, j] += inside[i] * transmat[i * K + j]
    back = converge(transposed, b, K, row + steps + 2, 1, steps, message)
    if back < 0:
        return -1
    for lane in range(8):
        if not weigh(message, b, (row + steps + 1) * K * 8 + lane, K, lane, inside):
            return -1
        for i in range(K):
            ahead[segment + 1 + lane, i] = inside[i]
            ends[segment + 1 + lane, i] = 0.0
            for k in range(K):
                ends[segment + 1 + lane, i] += transmat[i * K + k] * inside[k]
    return max(there, back)
