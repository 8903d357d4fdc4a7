"""Viterbi decoding of one sequence after the other, and the joint probability of a path.

Eight target states at a time. Only the maxima are kept going forward; the arg max is found again, for the one state on
the path, going back. Ties go to the lowest state. :mod:`hmmem.kernels.decoding_lanes` does the same for eight sequences
side by side, and says what ``unit`` is for.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.simd import fma, larger, load, pick, splat, store, where

FRAMES = 8  # between two looks at the size of delta
DEEP = -1024.0  # a best delta below this has lost digits that matter: those frames are done again with care
FEW = 3  # states that do not fill a vector: care costs nothing then


@kernel
def advance(tiles, K, W, unit, first, last, x, padded, scratch, delta):
    """Fill the rows ``first`` to ``last`` of delta, one from the other, each less the peak of its frame."""
    o, minus = splat(unit), splat(-np.inf)
    for t in range(first, last):
        before, here, at, size = (t - 1) * W, t * W, t * K, x.size
        peak, k = -np.inf, 0
        if K >= 16:
            top = load(x, at)
            k = 8
            while k + 8 <= K:
                top = larger(top, load(x, at + k))
                k += 8
            store(scratch, 0, top)
            for lane in range(8):
                peak = scratch[lane] if scratch[lane] > peak else peak
        while k < K:
            peak = x[at + k] if x[at + k] > peak else peak
            k += 1
        p = splat(peak if peak > -np.inf else 0.0)
        rows = x
        if (
            at + W > size
        ):  # what stands behind a row meets targets that nothing leads to; but something must stand there
            for j in range(K):
                padded[j] = x[at + j]
            rows, at = padded, 0
        j = 0
        while j + 32 <= W:
            t0, t1, t2, t3 = minus, minus, minus, minus
            r0, r1, r2, r3 = j * K, (j + 8) * K, (j + 16) * K, (j + 24) * K
            for i in range(K):
                a, r = pick(delta, before + i), i * 8
                t0 = larger(t0, fma(a, o, load(tiles, r0 + r)))
                t1 = larger(t1, fma(a, o, load(tiles, r1 + r)))
                t2 = larger(t2, fma(a, o, load(tiles, r2 + r)))
                t3 = larger(t3, fma(a, o, load(tiles, r3 + r)))
            store(delta, here + j, t0 + (load(rows, at + j) - p))
            store(delta, here + j + 8, t1 + (load(rows, at + j + 8) - p))
            store(delta, here + j + 16, t2 + (load(rows, at + j + 16) - p))
            store(delta, here + j + 24, t3 + (load(rows, at + j + 24) - p))
            j += 32
        while j < W:
            t0, t1 = minus, minus
            for i in range(0, K - 1, 2):
                r = j * K + i * 8
                t0 = larger(t0, fma(pick(delta, before + i), o, load(tiles, r)))
                t1 = larger(t1, fma(pick(delta, before + i + 1), o, load(tiles, r + 8)))
            if K % 2 == 1:
                t0 = larger(t0, fma(pick(delta, before + K - 1), o, load(tiles, j * K + (K - 1) * 8)))
            store(delta, here + j, larger(t0, t1) + (load(rows, at + j) - p))
            j += 8


@kernel
def advance_with_care(log_transposed, K, W, enter, begin, first, last, x, delta):
    """The same about the peak of the reachable states, and about the largest delta of each frame.

    Frame ``begin`` is entered by what ``enter`` (K,) says.
    """
    for t in range(first, last):
        before, here, peak = (t - 1) * W, t * W, -np.inf
        for j in range(K):
            best = enter[j]
            if t != begin:
                best = -np.inf
                for i in range(K):
                    best = max(best, delta[before + i] + log_transposed[j, i])
            delta[here + j] = best
            if best > -np.inf:
                peak = max(peak, x[t * K + j])
        top = -np.inf
        for j in range(K):
            # the peak of the reachable states goes first: the difference keeps its digits
            best = delta[here + j]
            best = best + (x[t * K + j] - peak) if best > -np.inf and peak > -np.inf else -np.inf
            delta[here + j] = best
            top = max(top, best)
        for j in range(K if top > -np.inf else 0):
            delta[here + j] -= top


@kernel
def viterbi_forward(enter, message, log_transposed, tiles, unit, x, offsets, W, delta):
    """delta[t, j] = the largest log p(s_1..t, x_1..t) over paths with s_t = j, less a constant of the frame.

    The constants keep delta near 0: an outlier of -1e15 nats would otherwise cost the rest of the sequence its digits.

    In: enter (K,), the logarithms of startprob; message (K,), the last delta before the block if its first sequence
    began there, else (0,); log_transposed[j, i] = log transmat[i, j]; tiles, flat: tiles[j // 8, i, j % 8] = log
    transmat[i, j], -inf from K to W, the next multiple of eight; ``unit`` = 1.0; x, log_lik (n, K), flat; offsets
    (m + 1,). Out: delta (n, W), flat.
    """
    K = log_transposed.shape[0]
    scratch, padded, entered = np.empty(8), np.zeros(W), np.empty(K)
    for s in range(offsets.size - 1):
        start, stop = offsets[s], offsets[s + 1]
        for j in range(K):
            entered[j] = enter[j]
            if s == 0 and message.size > 0:
                entered[j] = -np.inf
                for i in range(K):
                    entered[j] = max(entered[j], message[i] + log_transposed[j, i])
        advance_with_care(log_transposed, K, W, entered, start, start, start + 1, x, delta)
        for first in range(start + 1, stop, FRAMES):
            last, top = min(first + FRAMES, stop), -np.inf
            here = (last - 1) * W
            if K > FEW:
                advance(tiles, K, W, unit, first, last, x, padded, scratch, delta)
                for j in range(K):
                    top = max(top, delta[here + j])
                for j in range(K if top >= DEEP else 0):
                    delta[here + j] -= top
            if top < DEEP:
                advance_with_care(log_transposed, K, W, entered, start, first, last, x, delta)


@kernel
def viterbi_back(log_transposed, leave, state_ahead, delta, offsets, W, path):
    """Trace the best path back through delta of :func:`viterbi_forward`.

    leave (K,), what the last state adds; ``state_ahead`` is the state of the frame behind the block if its sequence
    goes on, else -1. Out: path (n,); -1 throughout for a sequence that no path explains.
    """
    K, scratch = log_transposed.shape[0], np.empty(16)
    for s in range(offsets.size - 1):
        ahead = state_ahead
        for t in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
            steps = leave if ahead < 0 else log_transposed[ahead]
            here, top, state, i = t * W, -np.inf, -1, 0
            if K >= 16:
                tops, origins, eight, i_th = splat(-np.inf), splat(0.0), splat(8.0), splat(0.0)
                while i + 8 <= K:
                    value = load(delta, here + i) + load(steps, i)
                    origins = where(tops, value, i_th, origins)
                    tops = larger(tops, value)
                    i_th = i_th + eight
                    i += 8
                store(scratch, 0, tops)
                store(scratch, 8, origins)
                for lane in range(8):
                    y, j = scratch[lane], int(scratch[8 + lane]) + lane
                    if y > top or (y == top and j < state):
                        top, state = y, j
            while i < K:
                y = delta[here + i] + steps[i]
                if y > top:
                    top, state = y, i
                i += 1
            path[t], ahead = state, state
            if state < 0:  # no path at all, which shows in the last frame
                for u in range(offsets[s], t):
                    path[u] = -1
                break


@kernel
def joint_log_prob(log_startprob, log_transmat, log_endprob, log_lik, offsets, path, goes_on, log_prob):
    """log_prob[s] = log p(x, path) of each sequence, by compensated summation; -inf for a path of -1.

    If ``goes_on`` the block's sequence does not end here and log_endprob is left out.
    """
    for s in range(offsets.size - 1):
        total, lost = 0.0, 0.0
        for t in range(offsets[s], offsets[s + 1]):
            term = -np.inf
            if path[t] >= 0:
                term = log_startprob[path[t]] if t == offsets[s] else log_transmat[path[t - 1], path[t]]
                term += log_lik[t, path[t]]
                if t == offsets[s + 1] - 1 and not goes_on and log_endprob.size > 0:
                    term += log_endprob[path[t]]
            if term == -np.inf:
                total, lost = -np.inf, 0.0
                break
            together = total + term
            lost += (total - together) + term if abs(total) >= abs(term) else (term - together) + total
            total = together
        log_prob[s] = total + lost
