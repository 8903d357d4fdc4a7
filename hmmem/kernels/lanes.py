"""Forward and backward recursions of eight sequences at a time, one in each lane.

The same recursions as :mod:`hmmem.kernels.scaled`, with the same lifted entries, the same statuses and the same results
to rounding. Arrays of a group are flat, (T, K, 8), T its longest sequence: number ``(t * K + k) * 8 + lane``. A shorter
lane repeats its first frame as padding, which nothing reads: its backward pass starts at its own last frame, and frames
behind that add nothing. No lane's numbers depend on its neighbours.

The forward pass divides by the sum of the frame *before*, which is known already, so that no division stands between
one frame and the next; ``alpha * inverses`` is the filtered probability.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.scaled import HEADROOM, LIFT, SURE, TOLERATED, UNSURE
from hmmem.kernels.simd import any_less, exp, fma, load, log_lanes, splat, store, where

LEAST = 2.0**-1000  # what a possible state is given before its share is known: normal, and below LIFT * HEADROOM


@kernel
def pack(log_lik, starts, lengths, T, K, packed):
    """Copy eight sequences of log_lik (n, K) into packed (T, K, 8)."""
    for lane in range(8):
        for t in range(T):
            row = starts[lane] + (t if t < lengths[lane] else 0)
            for k in range(K):
                packed[(t * K + k) * 8 + lane] = log_lik[row, k]


@kernel
def filter_group(startprob, transmat, ends, T, K, b, alpha, inverses, log_likelihood):
    """Filter eight packed sequences.

    In: transmat flat; ends (8,), the lanes' lengths; b (T, K, 8), the packed log_lik. Out: b = exp(log_lik - peak), 0
    for unreachable states; alpha (T, K, 8) and inverses (T, 8), whose product is p(s_t | x_1..t); log_likelihood (8,),
    -inf for a lane whose sum leaves no headroom.
    """
    zero, one, lowest, lost = splat(0.0), splat(1.0), splat(-1e308), splat(HEADROOM)
    minus, small, share = splat(-np.inf), splat(1e-150), splat(LIFT)
    inverse, product = one, one
    value, rest, dead, length, scratch = zero, zero, zero, load(ends, 0), np.empty(8)
    x, careful = np.empty(K * 8), np.empty(K * 8)
    for t in range(T):
        here, before = t * K * 8, (t - 1) * K * 8
        # off the chain of dependencies: the likelihoods, about the peak of the frame
        peak = load(b, here)
        for k in range(1, K):
            y = load(b, here + k * 8)
            peak = where(peak, y, y, peak)
        peak = where(peak, lowest, zero, peak)
        for k in range(K):
            y = load(b, here + k * 8)
            store(x, k * 8, y)
            store(b, here + k * 8, exp(y - peak))
        # the chain: predict, weigh, add up
        total, least = zero, one
        j = 0
        while j + 4 <= K:
            if t == 0:
                x0, x1, x2, x3 = (
                    splat(startprob[j]),
                    splat(startprob[j + 1]),
                    splat(startprob[j + 2]),
                    splat(startprob[j + 3]),
                )
            else:
                x0, x1, x2, x3 = zero, zero, zero, zero
                for i in range(K):
                    a, r = load(alpha, before + i * 8), i * K + j
                    x0 = fma(a, splat(transmat[r]), x0)
                    x1 = fma(a, splat(transmat[r + 1]), x1)
                    x2 = fma(a, splat(transmat[r + 2]), x2)
                    x3 = fma(a, splat(transmat[r + 3]), x3)
            at = here + j * 8
            y0, y1 = x0 * inverse * load(b, at), x1 * inverse * load(b, at + 8)
            y2, y3 = x2 * inverse * load(b, at + 16), x3 * inverse * load(b, at + 24)
            store(alpha, at, y0)
            store(alpha, at + 8, y1)
            store(alpha, at + 16, y2)
            store(alpha, at + 24, y3)
            total = total + ((y0 + y1) + (y2 + y3))
            # possible states alone can be too small
            y0 = where(zero, x0, where(lowest, load(x, j * 8), y0, one), one)
            y1 = where(zero, x1, where(lowest, load(x, j * 8 + 8), y1, one), one)
            y2 = where(zero, x2, where(lowest, load(x, j * 8 + 16), y2, one), one)
            y3 = where(zero, x3, where(lowest, load(x, j * 8 + 24), y3, one), one)
            y0, y2 = where(y0, y1, y0, y1), where(y2, y3, y2, y3)
            y0 = where(y0, y2, y0, y2)
            least = where(least, y0, least, y0)
            j += 4
        while j < K:
            x0 = splat(startprob[j])
            if t > 0:
                x0 = zero
                for i in range(K):
                    x0 = fma(load(alpha, before + i * 8), splat(transmat[i * K + j]), x0)
            at = here + j * 8
            y0 = x0 * inverse * load(b, at)
            store(alpha, at, y0)
            total = total + y0
            y0 = where(zero, x0, where(lowest, load(x, j * 8), y0, one), one)
            least = where(least, y0, least, y0)
            j += 1
        now = splat(np.float64(t))
        if any_less(least, total * share) or any_less(total, lost):
            # rare: some share is too small, or the frame's peak was out of reach. The frame once more, with care, for
            # the lanes that need it: a lane's result must not depend on its neighbours
            need = where(least, total * share, one, where(total, lost, one, zero))
            previous, first_peak, first_total = inverse, peak, total
            peak = minus
            for j in range(K):
                p = splat(startprob[j])
                if t > 0:
                    p = zero
                    for i in range(K):
                        p = fma(load(alpha, before + i * 8), splat(transmat[i * K + j]), p)
                p = p * previous
                store(careful, j * 8, p)
                y = load(x, j * 8)
                peak = where(zero, p, where(peak, y, y, peak), peak)
            peak = where(peak, lowest, zero, peak)
            total = zero
            for k in range(K):
                at = here + k * 8
                p, y = load(careful, k * 8), load(x, k * 8)
                w = where(zero, p, exp(y - peak), zero)
                a = p * w
                a = where(a, splat(LEAST), where(zero, p, where(lowest, y, splat(LEAST), zero), zero), a)
                store(b, at, where(zero, need, w, load(b, at)))
                store(careful, k * 8, a)
                total = total + a
            lift = total * share
            for k in range(K):
                at = here + k * 8
                a = load(careful, k * 8)
                a = where(a, lift, where(zero, a, lift, zero), a)
                a = where(total, lost, zero, a)
                store(alpha, at, where(zero, need, a, load(alpha, at)))
            peak = where(zero, need, peak, first_peak)
            total = where(zero, need, total, first_total)
            dead = where(now, length, where(total, lost, one, dead), dead)
            total = where(total, lost, one, total)
        inverse = one / total
        store(inverses, t * 8, inverse)
        # log p(x) = the logarithm of the product of the sums, taken when it grows small, and the sum of the peaks
        product = product * where(now, length, total, one)
        term = where(now, length, peak, zero)
        if any_less(product, small):
            term = term + where(product, small, log_lanes(product, scratch), zero)
            product = where(product, small, one, product)
        larger = value + term
        back = larger - value
        rest = rest + ((value - (larger - back)) + (term - back))
        value = larger
    term = log_lanes(product, scratch)
    store(log_likelihood, 0, where(zero, dead, minus, value + (rest + term)))


@kernel
def smooth_group(transposed, endprob, ends, alive, T, K, b, alpha, inverses, beta, onward, xi, doubt):
    """Smooth eight filtered sequences.

    In: transposed = transmat.T, flat; ends (8,), the lanes' lengths; alive (8,), 1 for lanes to be smoothed, 0 for
    others. Scratch: beta, onward (K, 8). Out: alpha = gamma, zeros behind each lane's end and in lanes that are not
    alive; xi (K, K, 8), to which alpha[t-1, i] onward[t, j] is added: expected transitions before their product with
    transmat; doubt (8,), the share of lifted entries.
    """
    length, living = load(ends, 0), load(alive, 0)
    zero, one, two, lift = splat(0.0), splat(1.0), splat(2.0), splat(LIFT * (1 + 1e-12))
    marked = zero
    inverse = load(inverses, (T - 1) * 8)
    for t in range(T - 1, -1, -1):
        here = t * K * 8
        now = splat(np.float64(t))
        mask = where(now, length, living, zero)
        last = where(now, length, where(now + one, length, zero, one), zero)
        ending = any_less(zero, last)
        total, doubtful = zero, zero
        for k in range(K):
            message = zero
            if t < T - 1:
                for j in range(K):
                    message = fma(load(onward, j * 8), splat(transposed[j * K + k]), message)
            if ending:
                message = where(zero, last, splat(endprob[k]) if endprob.size > 0 else one, message)
            a = load(alpha, here + k * 8) * inverse
            g = a * message
            store(beta, k * 8, message)
            store(alpha, here + k * 8, g)
            total = total + g
            doubtful = doubtful + where(a, lift, g, zero)
        # total is 1 but for rounding, except in a lane's last frame: its reciprocal, to the square of the difference
        scale = two - total
        if ending:
            scale = where(zero, last, one / where(zero, total, total, one), scale)
        marked = marked + where(zero, mask, doubtful * scale, zero)
        for k in range(K):
            at = here + k * 8
            store(alpha, at, where(zero, mask, load(alpha, at) * scale, zero))
        # the message itself drifts by a rounding a frame: it is set right now and then, off the chain of dependencies
        right = inverse * scale if t % 16 == 0 else where(zero, last, inverse * scale, inverse)
        for k in range(K):
            store(onward, k * 8, where(zero, mask, load(b, here + k * 8) * load(beta, k * 8) * right, zero))
        if t > 0:
            inverse = load(inverses, (t - 1) * 8)
            for i in range(K):
                a = load(alpha, here - K * 8 + i * 8) * inverse
                for j in range(K):
                    at = (i * K + j) * 8
                    store(xi, at, fma(a, load(onward, j * 8), load(xi, at)))
    store(doubt, 0, marked)


@kernel
def smooth(
    startprob, transmat, transposed, endprob, log_lik, offsets, weights, order, gamma, counts, log_likelihood, status
):
    """Smooth m sequences.

    In: startprob (K,); transmat, transposed flat (K * K,); endprob (K,) or (0,); log_lik (n, K); offsets (m + 1,);
    weights (m,); order (m,), the sequences from long to short.
    Out: gamma (n, K); counts (K, K), the weighted expected transitions before their product with transmat;
    log_likelihood (m,); status (m,): SURE, or UNSURE for sequences to be run again, whose gamma is zero.
    """
    K, m = startprob.size, offsets.size - 1
    longest = offsets[order[0] + 1] - offsets[order[0]]
    b, alpha = np.empty(longest * K * 8), np.empty(longest * K * 8)
    inverses, group, ends = np.empty(longest * 8), np.empty(8), np.empty(8)
    beta, onward, xi, doubt = np.empty(K * 8), np.empty(K * 8), np.empty(K * K * 8), np.empty(8)
    starts, lengths, alive = np.empty(8, np.int64), np.empty(8, np.int64), np.empty(8)
    for first in range(0, m, 8):
        here = min(8, m - first)
        for lane in range(8):
            s = order[first + lane] if lane < here else order[first]
            starts[lane] = offsets[s]
            lengths[lane] = offsets[s + 1] - offsets[s] if lane < here else 0
            alive[lane] = 0.0
            ends[lane] = np.float64(lengths[lane])
        T = lengths[0]
        pack(log_lik, starts, lengths, T, K, b)
        filter_group(startprob, transmat, ends, T, K, b, alpha, inverses, group)
        for lane in range(here):
            s = order[first + lane]
            value = group[lane]
            if value > -np.inf and endprob.size > 0:
                t = lengths[lane] - 1
                end = 0.0
                for k in range(K):
                    end += alpha[(t * K + k) * 8 + lane] * endprob[k]
                end *= inverses[t * 8 + lane]
                value = value + np.log(end) if end >= HEADROOM else -np.inf
            status[s] = SURE if value > -np.inf else UNSURE
            alive[lane] = 1.0 if value > -np.inf else 0.0
            log_likelihood[s] = value
        for i in range(xi.size):
            xi[i] = 0.0
        smooth_group(transposed, endprob, ends, alive, T, K, b, alpha, inverses, beta, onward, xi, doubt)
        for lane in range(here):
            s = order[first + lane]
            if alive[lane] == 0.0 or not doubt[lane] <= TOLERATED:
                status[s] = UNSURE
                for t in range(lengths[lane]):
                    for k in range(K):
                        gamma[starts[lane] + t, k] = 0.0
                continue
            for t in range(lengths[lane]):
                for k in range(K):
                    gamma[starts[lane] + t, k] = alpha[(t * K + k) * 8 + lane]
            for i in range(K):
                for j in range(K):
                    counts[i, j] += weights[s] * xi[(i * K + j) * 8 + lane]
