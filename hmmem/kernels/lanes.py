"""Forward and backward recursions of eight runs at a time, one in each lane.

The same recursions as :mod:`hmmem.kernels.scaled`, with the same lifted entries, the same statuses and the same results
to rounding, on lanes as :mod:`hmmem.kernels.packing` makes them. A *run* is a sequence, or a segment of one with the
message from its left as start and the message from its right as end (see :mod:`hmmem.kernels.messages`). What stands
behind a run's end adds nothing: its backward pass starts at its own last frame. No lane's numbers depend on its
neighbours.

The forward pass divides by the sum of the frame *before*, which is known already, so that no division stands between
one frame and the next; ``alpha * inverses`` is the filtered probability.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.products import add_products
from hmmem.kernels.scaled import HEADROOM, LIFT, SURE, TOLERATED, UNSURE
from hmmem.kernels.simd import any_less, cleared, exp, fma, larger, load, log, pick, room, smaller, splat, store, where

LEAST = 2.0**-1000  # what a possible state is given before its share is known: normal, and below LIFT * HEADROOM
ATTENTION = 2.0**-50  # eight sums above this can be multiplied without a look at the product
CHUNK = 16  # frames whose transition counts are added at a time, while their messages are in the nearest cache


@kernel
def filter_group(start, panels, ends, shortest, T, K, first, b, alpha, inverses, x, predicted, log_likelihood):
    """Filter the eight runs of one group; returns whether an entry was lifted.

    In: start (K, 8), the predicted probabilities of the first frame; panels, transmat in panels of four columns
    (ceil(K / 4), K, 4), flat; ends (8,), the lanes' lengths, of which ``shortest`` is the least and T the largest; b,
    lanes of log_lik, of which the group begins at row ``first``.
    Scratch: x, predicted (K, 8).
    Out: b = exp(log_lik - peak), 0 for unreachable states; alpha (T, K, 8) and inverses (T, 8), whose product is
    p(s_t | x_1..t); log_likelihood (8,), -inf for a lane whose sum leaves no headroom.
    """
    zero, one = splat(0.0), splat(1.0)
    lowest, lost = splat(-1e308), splat(HEADROOM)
    minus, small = splat(-np.inf), splat(1e-150)
    share, attention = splat(LIFT), splat(ATTENTION)
    bound = splat(LIFT * 2)  # a frame's sum is at most 1 but for rounding: above this no share is below LIFT
    inverse, product = one, one
    peaks, length = zero, load(ends, 0)
    value, rest, dead = zero, zero, zero
    lifted = False
    for t in range(T):
        at, here, before = (first + t) * K * 8, t * K * 8, (t - 1) * K * 8
        # off the chain of dependencies: the likelihoods, about the peak of the frame
        peak = load(b, at)
        store(x, 0, peak)
        for k in range(1, K):
            y = load(b, at + k * 8)
            store(x, k * 8, y)
            peak = larger(peak, y)
        peak = where(peak, lowest, zero, peak)
        for k in range(K):
            store(b, at + k * 8, exp(load(x, k * 8) - peak))
        # the chain: predict, weigh, add up
        total, least = zero, one
        j = 0
        while j + 4 <= K:
            if t == 0:
                x0, x1 = load(start, j * 8), load(start, j * 8 + 8)
                x2, x3 = load(start, j * 8 + 16), load(start, j * 8 + 24)
            else:
                x0 = x1 = x2 = x3 = zero
                for i in range(K):
                    a, r = load(alpha, before + i * 8), j * K + 4 * i
                    x0 = fma(a, pick(panels, r), x0)
                    x1 = fma(a, pick(panels, r + 1), x1)
                    x2 = fma(a, pick(panels, r + 2), x2)
                    x3 = fma(a, pick(panels, r + 3), x3)
            store(predicted, j * 8, x0)
            store(predicted, j * 8 + 8, x1)
            store(predicted, j * 8 + 16, x2)
            store(predicted, j * 8 + 24, x3)
            w, o = at + j * 8, here + j * 8
            y0, y1 = x0 * (inverse * load(b, w)), x1 * (inverse * load(b, w + 8))
            y2, y3 = x2 * (inverse * load(b, w + 16)), x3 * (inverse * load(b, w + 24))
            store(alpha, o, y0)
            store(alpha, o + 8, y1)
            store(alpha, o + 16, y2)
            store(alpha, o + 24, y3)
            total = total + ((y0 + y1) + (y2 + y3))
            least = smaller(least, smaller(smaller(y0, y1), smaller(y2, y3)))
            j += 4
        while j < K:  # the last ones two by two, the very last one perhaps with itself
            u = min(j + 1, K - 1)
            x0, x1 = load(start, j * 8), load(start, u * 8)
            if t > 0:
                x0 = x1 = x2 = x3 = zero
                r, c, d = K // 4 * 4 * K, j % 4, u % 4
                for i in range(0, K - 1, 2):
                    a = load(alpha, before + i * 8)
                    x0, x1 = fma(a, pick(panels, r + c), x0), fma(a, pick(panels, r + d), x1)
                    a = load(alpha, before + i * 8 + 8)
                    x2, x3 = fma(a, pick(panels, r + 4 + c), x2), fma(a, pick(panels, r + 4 + d), x3)
                    r += 8
                if K % 2 == 1:
                    a = load(alpha, before + (K - 1) * 8)
                    x0, x1 = fma(a, pick(panels, r + c), x0), fma(a, pick(panels, r + d), x1)
                x0, x1 = x0 + x2, x1 + x3
            store(predicted, j * 8, x0)
            store(predicted, u * 8, x1)
            y0, y1 = x0 * (inverse * load(b, at + j * 8)), x1 * (inverse * load(b, at + u * 8))
            store(alpha, here + j * 8, y0)
            store(alpha, here + u * 8, y1)
            total = total + (y0 + y1 if u > j else y0)
            least = smaller(least, smaller(y0, y1))
            j += 2
        now = splat(np.float64(t))
        if any_less(least, bound) or any_less(total, attention):
            # zeros of impossible states are no loss
            least = one
            for k in range(K):
                y = where(zero, load(predicted, k * 8), load(alpha, here + k * 8), one)
                least = smaller(least, where(lowest, load(x, k * 8), y, one))
            need = where(least, total * share, one, where(total, lost, one, zero))
            if any_less(zero, need):
                # rare: some share is too small, or the frame's peak was out of reach. The frame once more, with care,
                # for the lanes that need it: a lane's result must not depend on its neighbours
                lifted = True
                first_peak, first_total = peak, total
                peak = minus
                for j in range(K):
                    p, y = load(predicted, j * 8) * inverse, load(x, j * 8)
                    store(predicted, j * 8, p)
                    peak = where(zero, p, larger(peak, y), peak)
                peak = where(peak, lowest, zero, peak)
                total = zero
                for k in range(K):
                    w = at + k * 8
                    p, y = load(predicted, k * 8), load(x, k * 8)
                    likely = where(zero, p, exp(y - peak), zero)
                    a = p * likely
                    a = where(a, splat(LEAST), where(zero, p, where(lowest, y, splat(LEAST), zero), zero), a)
                    store(b, w, where(zero, need, likely, load(b, w)))
                    store(predicted, k * 8, a)
                    total = total + a
                lift = total * share
                for k in range(K):
                    o = here + k * 8
                    a = load(predicted, k * 8)
                    a = where(a, lift, where(zero, a, lift, zero), a)
                    a = where(total, lost, zero, a)
                    store(alpha, o, where(zero, need, a, load(alpha, o)))
                peak = where(zero, need, peak, first_peak)
                total = where(zero, need, total, first_total)
                dead = where(now, length, where(total, lost, one, dead), dead)
                total = where(total, lost, one, total)
            if any_less(total, attention):
                peaks = peaks + where(total, attention, log(product), zero)
                product = where(total, attention, one, product)
        inverse = one / total
        store(inverses, t * 8, inverse)
        # log p(x) = the logarithm of the product of the sums, taken when it grows small, and the sum of the peaks
        if t >= shortest:
            total, peak = where(now, length, total, one), where(now, length, peak, zero)
        product, peaks = product * total, peaks + peak
        if t % 8 == 7 or t == T - 1:
            if any_less(product, small):
                peaks = peaks + where(product, small, log(product), zero)
                product = where(product, small, one, product)
            grown = value + peaks
            back = grown - value
            rest = rest + ((value - (grown - back)) + (peaks - back))
            value, peaks = grown, zero
    store(log_likelihood, 0, where(zero, dead, minus, value + (rest + log(product))))
    return lifted


@kernel
def smooth_group(panels, end, ends, weights, shortest, lifted, T, K, first, b, alpha, inverses, onward, xi, doubt):
    """Smooth the eight filtered runs of one group.

    In: panels, transmat.T as in :func:`filter_group`; end (K, 8), the message at each lane's last frame; weights (8,),
    0 for lanes that shall add nothing; ``lifted``, alpha, inverses and b from :func:`filter_group`. Scratch: onward
    (CHUNK + 1, W, 8), W = K filled up to a multiple of 4, zeros behind K.
    Out: b = gamma times the lane's weight, zeros behind its end; xi (K, W, 8), to which are added the sums of
    alpha[t-1, i] onward[t, j], the expected transitions before their product with transmat; doubt (8,), the share of
    lifted entries.
    """
    length, weight = load(ends, 0), load(weights, 0)
    zero, one = splat(0.0), splat(1.0)
    two, lift = splat(2.0), splat(LIFT * (1 + 1e-12))
    W = (K + 3) // 4 * 4
    marked = zero
    hi = T
    while hi > 0:
        lo = (hi - 1) // CHUNK * CHUNK
        for t in range(hi - 1, lo - 1, -1):
            at, here, slot = (first + t) * K * 8, t * K * 8, (t - lo) * W * 8
            ahead = slot + W * 8 if t < hi - 1 else CHUNK * W * 8
            # messages carry the inverse of their own frame: alpha * message is gamma
            before = load(inverses, (t - 1) * 8) if t > 0 else one
            now, total = splat(np.float64(t)), zero
            ending = t >= shortest - 1
            mask, last = zero, zero
            if ending:
                mask = where(now, length, one, zero)
                last = where(now + one, length, zero, mask)
            k = 0
            while k + 4 <= K:
                x0 = x1 = x2 = x3 = zero
                if t < T - 1:
                    for j in range(K):
                        w, r = load(onward, ahead + j * 8), k * K + 4 * j
                        x0 = fma(w, pick(panels, r), x0)
                        x1 = fma(w, pick(panels, r + 1), x1)
                        x2 = fma(w, pick(panels, r + 2), x2)
                        x3 = fma(w, pick(panels, r + 3), x3)
                if ending:
                    inverse = load(inverses, t * 8)
                    x0 = where(zero, last, load(end, k * 8) * inverse, x0)
                    x1 = where(zero, last, load(end, k * 8 + 8) * inverse, x1)
                    x2 = where(zero, last, load(end, k * 8 + 16) * inverse, x2)
                    x3 = where(zero, last, load(end, k * 8 + 24) * inverse, x3)
                o, w = here + k * 8, at + k * 8
                y0, y1 = load(alpha, o) * x0, load(alpha, o + 8) * x1
                y2, y3 = load(alpha, o + 16) * x2, load(alpha, o + 24) * x3
                o = slot + k * 8
                store(onward, o, load(b, w) * x0 * before)
                store(onward, o + 8, load(b, w + 8) * x1 * before)
                store(onward, o + 16, load(b, w + 16) * x2 * before)
                store(onward, o + 24, load(b, w + 24) * x3 * before)
                store(b, w, y0)
                store(b, w + 8, y1)
                store(b, w + 16, y2)
                store(b, w + 24, y3)
                total = total + ((y0 + y1) + (y2 + y3))
                k += 4
            while k < K:
                u = min(k + 1, K - 1)
                x0 = x1 = x2 = x3 = zero
                if t < T - 1:
                    r, c, d = K // 4 * 4 * K, k % 4, u % 4
                    for j in range(0, K - 1, 2):
                        w = load(onward, ahead + j * 8)
                        x0, x1 = fma(w, pick(panels, r + c), x0), fma(w, pick(panels, r + d), x1)
                        w = load(onward, ahead + j * 8 + 8)
                        x2, x3 = fma(w, pick(panels, r + 4 + c), x2), fma(w, pick(panels, r + 4 + d), x3)
                        r += 8
                    if K % 2 == 1:
                        w = load(onward, ahead + (K - 1) * 8)
                        x0, x1 = fma(w, pick(panels, r + c), x0), fma(w, pick(panels, r + d), x1)
                x0, x1 = x0 + x2, x1 + x3
                if ending:
                    inverse = load(inverses, t * 8)
                    x0 = where(zero, last, load(end, k * 8) * inverse, x0)
                    x1 = where(zero, last, load(end, u * 8) * inverse, x1)
                y0, y1 = load(alpha, here + k * 8) * x0, load(alpha, here + u * 8) * x1
                x0, x1 = load(b, at + k * 8) * x0 * before, load(b, at + u * 8) * x1 * before
                store(onward, slot + k * 8, x0)
                store(onward, slot + u * 8, x1)
                store(b, at + k * 8, y0)
                store(b, at + u * 8, y1)
                total = total + (y0 + y1 if u > k else y0)
                k += 2
            # total is 1 but for rounding, except in a lane's last frame: its reciprocal, to the difference's square
            scale = two - total
            if ending:
                scale = where(zero, last, one / where(zero, total, total, one), where(zero, mask, scale, zero))
            if lifted:
                inverse, doubtful = load(inverses, t * 8), zero
                for k in range(K):
                    a, g = load(alpha, here + k * 8) * inverse, load(b, at + k * 8)
                    doubtful = doubtful + where(a, lift, g, zero)
                marked = marked + where(now, length, doubtful * scale, zero)
            if ending or t % 16 == 0:
                # the message itself drifts by a rounding a frame: it is set right now and then
                right = scale if t % 16 == 0 else where(zero, last, scale, one)
                for k in range(K):
                    o, w = slot + k * 8, at + k * 8
                    y = load(onward, o) * right
                    store(onward, o, where(zero, mask, y, zero) if ending else y)
                    y = load(b, w) * scale * weight
                    store(b, w, where(zero, mask, y, zero) if ending else y)
            else:
                scale = scale * weight
                for k in range(K):
                    store(b, at + k * 8, load(b, at + k * 8) * scale)
        t = max(lo, 1)
        add_products(alpha, t - 1, K, onward, t - lo, W, hi - t, False, xi)
        for k in range(K):  # the chunk before looks for it behind its own last frame
            store(onward, (CHUNK * W + k) * 8, load(onward, k * 8))
        hi = lo
    store(doubt, 0, marked)


@kernel
def scratch_for(longest, K, starts, end_vectors):
    """What :func:`smooth_one` works with for groups of up to ``longest`` rows, from one group to the next."""
    W = (K + 3) // 4 * 4
    start, end = room(K * 8), room(K * 8)
    for k in range(K):
        store(start, k * 8, pick(starts, k))
        store(end, k * 8, pick(end_vectors, k))
    return (
        room(longest * K * 8),
        room(longest * 8),
        start,
        end,
        room(K * 8),
        room(K * 8),
        cleared((CHUNK + 1) * W * 8),
        room(K * W * 8),
        cleared(K * W * 8),
        room(40),
    )


@kernel
def smooth_one(
    g, row, T, transmat, panels, back_panels, starts, start_of, end_vectors, end_of, ahead, weighs_end, lengths, runs,
    weights, K, b, counts, first, last, log_likelihood, status, scratch,
):  # fmt: skip
    """Smooth group g, of T rows, which begins at row ``row`` of b; see :func:`smooth`. Returns how many are UNSURE.

    Scratch comes from :func:`scratch_for`; :func:`finish` adds to ``counts`` what it holds in the end.
    """
    alpha, inverses, start, end, x, predicted, onward, xi, whole, eights = scratch
    group, ends, doubt, weight = eights[:8], eights[8:16], eights[16:24], eights[24:32]
    W = (K + 3) // 4 * 4
    zero, unsure, shortest = splat(0.0), 0, T
    own = starts.shape[0] > 1 or end_vectors.shape[0] > 1
    for lane in range(8):
        run = runs[8 * g + lane]
        ends[lane] = np.float64(lengths[8 * g + lane])
        shortest = min(shortest, lengths[8 * g + lane])
        weight[lane] = weights[run] if run >= 0 else 0.0
        run = run if run >= 0 else runs[8 * g]
        if own:
            for k in range(K):
                start[k * 8 + lane] = starts[start_of[run], k]
                end[k * 8 + lane] = end_vectors[end_of[run], k]
    lifted = filter_group(start, panels, ends, shortest, T, K, row, b, alpha, inverses, x, predicted, group)
    if weighs_end:
        for lane in range(8):
            run, t, total = runs[8 * g + lane], lengths[8 * g + lane] - 1, 0.0
            if run >= 0 and end_of[run] == 0:
                for k in range(K):
                    total += alpha[(t * K + k) * 8 + lane] * end_vectors[0, k]
                total *= inverses[t * 8 + lane]
                group[lane] += np.log(total) if total >= HEADROOM else -np.inf
    for i in range(K * W):
        store(xi, i * 8, zero)
    smooth_group(back_panels, end, ends, weight, shortest, lifted, T, K, row, b, alpha, inverses, onward, xi, doubt)
    for lane in range(8):
        run, t = runs[8 * g + lane], lengths[8 * g + lane] - 1
        if run < 0:
            continue
        log_likelihood[run] = group[lane]
        if group[lane] == -np.inf or not doubt[lane] <= TOLERATED:
            status[run], weight[lane] = UNSURE, 0.0
            unsure += 1
            for u in range(row * K, (row + T) * K):
                b[u * 8 + lane] = 0.0
            continue
        status[run] = SURE
        for i in range(K):
            if start_of[run] == 0:
                first[i] += b[(row * K + i) * 8 + lane]
            if end_of[run] == 0:
                last[i] += b[((row + t) * K + i) * 8 + lane]
        if end_of[run] > 0:  # the transition to the frame behind
            total = 0.0
            for i in range(K):
                for j in range(K):
                    total += alpha[(t * K + i) * 8 + lane] * transmat[i * K + j] * ahead[end_of[run], j]
            total = weight[lane] / total
            for i in range(K):
                for j in range(K):
                    p = alpha[(t * K + i) * 8 + lane] * transmat[i * K + j] * ahead[end_of[run], j]
                    counts[i, j] += p * total
    w = load(weight, 0)
    for i in range(K * W):
        store(whole, i * 8, load(whole, i * 8) + where(zero, w, load(xi, i * 8) * w, zero))
    return unsure


@kernel
def finish(transmat, K, scratch, counts):
    """Add to ``counts`` the expected transitions of all groups."""
    W, whole = (K + 3) // 4 * 4, scratch[8]
    for i in range(K):
        for j in range(K):
            for lane in range(8):
                counts[i, j] += whole[(i * W + j) * 8 + lane] * transmat[i * K + j]


@kernel
def smooth(
    transmat, panels, back_panels, starts, start_of, end_vectors, end_of, ahead, weighs_end, lengths, rows, runs,
    weights, K, b, counts, first, last, log_likelihood, status,
):  # fmt: skip
    """Smooth m runs in G groups of eight; returns how many are UNSURE.

    In: transmat flat (K * K,); panels, back_panels, it and its transpose as in :func:`filter_group`; starts (S, K), of
    which run r takes row start_of[r]; end_vectors (E, K), of which it takes row end_of[r]; ahead (E, K), the
    ``onward`` of the frame behind it, read where end_of[r] > 0; ``weighs_end``: row 0 of end_vectors holds end
    probabilities that are part of log p(x); lengths (8 G,); rows (G + 1,); runs (8 G,): what each lane holds, -1 for
    nothing that counts; weights (m,), of gamma and counts; b, lanes of log_lik (rows, K, 8), flat.
    Out: b = gamma times weight, zeros behind a run's end; log_likelihood (m,); status (m,): SURE, or UNSURE for runs to
    be run again, whose b is zero. To counts (K, K) are added the weighted expected transitions, also to the frame
    behind a segment; to first, last (K,) the sums of b over the first and last frames of sequences.
    """
    longest, unsure = 0, 0
    for g in range(rows.size - 1):
        longest = max(longest, rows[g + 1] - rows[g])
    scratch = scratch_for(longest, K, starts, end_vectors)
    for g in range(rows.size - 1):
        unsure += smooth_one(
            g, rows[g], rows[g + 1] - rows[g], transmat, panels, back_panels, starts, start_of, end_vectors, end_of,
            ahead, weighs_end, lengths, runs, weights, K, b, counts, first, last, log_likelihood, status, scratch,
        )  # fmt: skip
    finish(transmat, K, scratch, counts)
    return unsure
