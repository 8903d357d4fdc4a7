"""Forward and backward recursions in probability space, normalised frame by frame.

A scaled recursion loses paths: a state whose share of a frame falls below the smallest double would be dropped, and it
may be the only one that survives. Here a possible state is never dropped. A share below ``LIFT`` is lifted to ``LIFT``;
what comes out is then an upper bound, and the posterior weight of the lifted entries bounds its relative error. A
sequence for which that bound is too large, or whose frame leaves no headroom, gets the status ``UNSURE`` and is run
again by :mod:`hmmem.kernels.logspace`.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.simd import fma, load, splat, store

LIFT = 2.0**-500  # the smallest share of a frame that a possible state is given
HEADROOM = 2.0**-460  # a frame's sum below this leaves too little room above LIFT
TOLERATED = 1e-12  # largest relative error of a result that is not run again
SMALLEST = 5e-324

STREAMED = 128  # with more states than this the transition matrix is read in the order of its memory
WIDE = 8  # from this many states on, products with the transition matrix take eight states at a time

SURE, LIFTED, UNSURE, IMPOSSIBLE = 0, 1, 2, 3  # status of a sequence


@kernel
def shift(log_lik, peak, shifted):
    """peak[t] = the largest log_lik of the frame, shifted = log_lik - peak; -inf throughout where all are -inf."""
    K = log_lik.shape[1]
    for t in range(log_lik.shape[0]):
        top = -np.inf
        for k in range(K):
            if log_lik[t, k] > top:
                top = log_lik[t, k]
        peak[t] = top
        if top == -np.inf:
            top = 0.0
        for k in range(K):
            shifted[t, k] = log_lik[t, k] - top


@kernel
def times(x, matrix, out):
    """Out (W,) = x (K,) @ matrix (K, W), flat; W a multiple of 8, to which the columns are padded with zeros."""
    K, W = x.size, out.size
    j = 0
    if W > STREAMED:
        # the matrix is larger than the nearest cache: row by row, four at a time, in the order of its memory
        for j in range(0, W, 8):
            store(out, j, splat(0.0))
        i = 0
        while i + 4 <= K:
            a0, a1, a2, a3 = splat(x[i]), splat(x[i + 1]), splat(x[i + 2]), splat(x[i + 3])
            for j in range(0, W, 8):
                at = i * W + j
                x0 = fma(a0, load(matrix, at), load(out, j))
                x1 = a1 * load(matrix, at + W)
                x0 = fma(a2, load(matrix, at + 2 * W), x0)
                x1 = fma(a3, load(matrix, at + 3 * W), x1)
                store(out, j, x0 + x1)
            i += 4
        while i < K:
            a0 = splat(x[i])
            for j in range(0, W, 8):
                store(out, j, fma(a0, load(matrix, i * W + j), load(out, j)))
            i += 1
        j = W
    while j + 32 <= W:
        x0, x1, x2, x3 = splat(0.0), splat(0.0), splat(0.0), splat(0.0)
        for i in range(K):
            a, at = splat(x[i]), i * W + j
            x0 = fma(a, load(matrix, at), x0)
            x1 = fma(a, load(matrix, at + 8), x1)
            x2 = fma(a, load(matrix, at + 16), x2)
            x3 = fma(a, load(matrix, at + 24), x3)
        store(out, j, x0)
        store(out, j + 8, x1)
        store(out, j + 16, x2)
        store(out, j + 24, x3)
        j += 32
    while j < W:
        x0, x1 = splat(0.0), splat(0.0)
        for i in range(0, K - 1, 2):
            x0 = fma(splat(x[i]), load(matrix, i * W + j), x0)
            x1 = fma(splat(x[i + 1]), load(matrix, (i + 1) * W + j), x1)
        if K % 2 == 1:
            x0 = fma(splat(x[K - 1]), load(matrix, (K - 1) * W + j), x0)
        store(out, j, x0 + x1)
        j += 8


@kernel
def forward(
    startprob,
    message,
    continues,
    transmat,
    padded,
    endprob,
    tiny,
    log_lik,
    offsets,
    alpha,
    likelihood,
    peak,
    sums,
    end_c,
    status,
):
    """Filter m sequences.

    In: startprob (K,); message (K,), read if ``continues``; transmat (K, K); padded, the same as in :func:`times`;
    endprob (K,) or (0,) for none; ``tiny``: whether transmat holds positive entries below LIFT; log_lik (n, K); offsets
    (m + 1,); likelihood (n, K) = exp(log_lik - peak) and peak (n,), as of :func:`shift`.
    Out: alpha[t, k] = p(s_t = k | x_1..t); likelihood and peak, which change where the peak was not reachable, and 0
    for unreachable states; sums (n,), so that log p(x_t | x_1..t-1) = log(sums) + peak, with sums 0 from the first
    frame on that is impossible or left no headroom; end_c (m,), the logarithm of the probability to end there;
    status (m,).
    """
    K = transmat.shape[0]
    predicted, before = np.empty(padded.size // K), np.empty(K)
    for s in range(offsets.size - 1):
        first, last = offsets[s], offsets[s + 1]
        status[s] = SURE
        end_c[s] = 0.0
        for t in range(first, last):
            if t == first and not (continues and s == 0):
                for j in range(K):
                    predicted[j] = startprob[j]
            else:
                if t == first:
                    for j in range(K):
                        before[j] = message[j]
                if K >= WIDE:
                    times(before, padded, predicted)
                else:
                    for j in range(K):
                        predicted[j] = before[0] * transmat[0, j]
                    for i in range(1, K):
                        for j in range(K):
                            predicted[j] += before[i] * transmat[i, j]
                if tiny:
                    for j in range(K):
                        if predicted[j] == 0.0:
                            for i in range(K):
                                if before[i] > 0.0 and transmat[i, j] > 0.0:
                                    predicted[j] = SMALLEST  # reachable, though the product underflowed
            total = 0.0
            for j in range(K):
                a = predicted[j] * likelihood[t, j]
                alpha[t, j] = a
                total += a
            if not total >= HEADROOM:
                # once more, about the peak of the reachable states: the frame's may be far above it
                top = -np.inf
                for j in range(K):
                    if predicted[j] > 0.0 and log_lik[t, j] > top:
                        top = log_lik[t, j]
                total = 0.0
                if top > -np.inf:
                    peak[t] = top
                    for j in range(K):
                        if predicted[j] > 0.0:
                            likelihood[t, j] = np.exp(log_lik[t, j] - top)
                            alpha[t, j] = predicted[j] * likelihood[t, j]
                            total += alpha[t, j]
                if not total >= HEADROOM:
                    status[s] = UNSURE if top > -np.inf else IMPOSSIBLE
                    for u in range(t, last):
                        sums[u] = 0.0
                        for j in range(K):
                            alpha[u, j] = 0.0
                            likelihood[u, j] = 0.0
                    break
            inverse = 1.0 / total
            for j in range(K):
                a = alpha[t, j] * inverse
                if a < LIFT:
                    a = 0.0
                    if predicted[j] == 0.0:
                        likelihood[t, j] = 0.0  # or the backward message of an unreachable state could overflow
                    elif log_lik[t, j] > -np.inf:
                        a = LIFT
                        status[s] = LIFTED
                alpha[t, j] = a
                before[j] = a
            sums[t] = total
        if endprob.size > 0 and status[s] < UNSURE:
            total, possible = 0.0, False
            for k in range(K):
                total += before[k] * endprob[k]
                possible = possible or (before[k] > 0.0 and endprob[k] > 0.0)
            if total >= HEADROOM:
                end_c[s] = np.log(total)
            else:
                status[s] = UNSURE if possible else IMPOSSIBLE
                sums[last - 1] = 0.0


@kernel
def backward(transposed, endprob, ahead, goes_on, alpha, likelihood, sums, offsets, status, doubts, gamma):
    """Smooth m filtered sequences.

    In: what :func:`forward` wrote; transposed = transmat.T, padded and flat as in
    :func:`times`; ahead (K,), the next block's first ``likelihood`` row as
    this kernel leaves it, read if ``goes_on``.
    Out: gamma[t, k] = p(s_t = k | x); likelihood becomes ``onward``:
    alpha[t-1, i] * transmat[i, j] * onward[t, j] = p(s_t-1 = i, s_t = j | x); status, where the lifted entries turn out
    to matter; doubts (m,), in and out, the share of lifted entries so far. Sequences that are UNSURE or IMPOSSIBLE get
    zeros. gamma must not be alpha.
    """
    K = gamma.shape[1]
    width = transposed.size // K
    message = np.empty(width)
    for s in range(offsets.size - 1):
        first, last = offsets[s], offsets[s + 1]
        doubt = doubts[s]
        if goes_on:
            for k in range(K):
                message[k] = 0.0
            for j in range(K):
                for k in range(K):
                    message[k] += transposed[j * width + k] * ahead[j]
        elif endprob.size > 0:
            for k in range(K):
                message[k] = endprob[k]
        else:
            for k in range(K):
                message[k] = 1.0
        for t in range(last - 1, first - 1, -1):
            total = 0.0
            if status[s] < UNSURE:
                for k in range(K):
                    g = alpha[t, k] * message[k]
                    gamma[t, k] = g
                    total += g
                    if alpha[t, k] == LIFT:
                        doubt += g
                # all messages but the first are normalised, so that total is 1 unless lifted states carry weight
                if doubt > TOLERATED * total or not total > 0.0:
                    status[s] = UNSURE
            if status[s] >= UNSURE:
                break
            if t == last - 1:
                inverse = 1.0 / total
                doubt *= inverse
            else:
                inverse = 2.0 - total  # total is 1 but for rounding and lifted entries: its reciprocal, to their square
            scale = inverse * (1.0 / sums[t])
            for k in range(K):
                gamma[t, k] *= inverse
                likelihood[t, k] *= message[k] * scale
            if t > first:
                if K >= WIDE:
                    times(likelihood[t], transposed, message)
                else:
                    for k in range(K):
                        message[k] = 0.0
                    for j in range(K):
                        for k in range(K):
                            message[k] += transposed[j * width + k] * likelihood[t, j]
        doubts[s] = doubt
        if status[s] >= UNSURE:
            for t in range(first, last):
                for k in range(K):
                    gamma[t, k] = 0.0
                    likelihood[t, k] = 0.0


@kernel
def lifted_share(message, continues, transmat, endprob, alpha, likelihood, sums, offsets, status):
    """The largest share of any prefix that passed through a lifted entry, for sequences with status LIFTED.

    A certificate for filtering, where no backward pass is at hand. ``message`` (K,), in and out, is that share of the
    state before and after the block, by state, for a block that continues; endprob (0,): no end in this block.
    Sequences above TOLERATED become UNSURE.
    """
    K = transmat.shape[0]
    share, moved = np.zeros(K), np.empty(K)
    for s in range(offsets.size - 1):
        if status[s] != LIFTED and not (continues and s == 0 and status[s] == SURE):
            continue
        for k in range(K):
            share[k] = message[k] if continues and s == 0 else 0.0
        for t in range(offsets[s], offsets[s + 1]):
            for k in range(K):
                moved[k] = 0.0
            if t > offsets[s] or (continues and s == 0):
                for i in range(K):
                    if share[i] > 0.0:
                        for j in range(K):
                            moved[j] += share[i] * transmat[i, j]
            total = 0.0
            for k in range(K):
                share[k] = moved[k] * likelihood[t, k] / sums[t]
                if alpha[t, k] == LIFT:
                    share[k] = LIFT
                total += share[k]
            if total > TOLERATED:
                status[s] = UNSURE
                break
        if endprob.size > 0 and status[s] != UNSURE:  # an end weighs the paths again
            total, weight = 0.0, 0.0
            for k in range(K):
                total += share[k] * endprob[k]
                weight += alpha[offsets[s + 1] - 1, k] * endprob[k]
            if total > TOLERATED * weight:
                status[s] = UNSURE
        for k in range(K):
            message[k] = share[k]
