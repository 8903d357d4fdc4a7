"""Viterbi decoding of eight runs at a time, one in each lane.

The best path is that of :mod:`hmmem.kernels.decoding`, with the same ties. Arrays are lanes as in
:mod:`hmmem.kernels.packing`, flat. A *run* is a whole sequence, or a stretch of one that overlaps with its neighbours.

Here each maximum takes along where it came from, its *arrow*: eight lanes compare and choose in two instructions,
while finding one arg max again for each lane would take eight searches. The arrows of eight states make one number,
five bits for each, exact in a double.

Additions are written ``fma(a, unit, b)``, with a ``unit`` of 1.0 that only the caller knows: the same bits, but on the
multipliers, which are idle, where ``a + b`` would wait for the units that also take the maxima.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.simd import any_less, collect, fma, larger, load, splat, store, where

FRAMES = 8  # between two looks at the size of delta
DEEP = -1024.0  # a best delta below this has lost digits that matter: those frames are done again with care
BITS = 5  # of an arrow: no more than 32 states


@kernel
def advance(first, n, K, unit, log_steps, enter, b, row, d, arrows):
    """Fill d[1:n + 1] from d[0], d (FRAMES + 1, K, 8): delta less the frames' peaks, and the arrows of these frames."""
    o, one, zero, lowest = splat(unit), splat(1.0), splat(0.0), splat(-1e308)
    V = (K + 7) // 8
    for u in range(n):
        before, here = u * K * 8, (u + 1) * K * 8
        x = (row + u) * K * 8
        peak = load(b, x)
        for k in range(1, K):
            peak = larger(peak, load(b, x + k * 8))
        peak = where(peak, lowest, zero, peak)
        for octet in range(V):
            j, stop, code, power = octet * 8, min(octet * 8 + 8, K), zero, 1.0
            while j + 4 <= stop:
                at, xt = here + j * 8, x + j * 8
                if first + u == 0:
                    t0, t1, t2, t3 = (
                        load(enter, j * 8), load(enter, j * 8 + 8), load(enter, j * 8 + 16), load(enter, j * 8 + 24)
                    )  # fmt: skip
                else:
                    a, r = load(d, before), j * 8
                    t0, t1 = fma(a, o, load(log_steps, r)), fma(a, o, load(log_steps, r + 8))
                    t2, t3 = fma(a, o, load(log_steps, r + 16)), fma(a, o, load(log_steps, r + 24))
                    a0, a1, a2, a3, i_th = zero, zero, zero, zero, one
                    for i in range(1, K):
                        a, r = load(d, before + i * 8), (i * K + j) * 8
                        v0, v1 = fma(a, o, load(log_steps, r)), fma(a, o, load(log_steps, r + 8))
                        v2, v3 = fma(a, o, load(log_steps, r + 16)), fma(a, o, load(log_steps, r + 24))
                        a0, a1 = where(t0, v0, i_th, a0), where(t1, v1, i_th, a1)
                        a2, a3 = where(t2, v2, i_th, a2), where(t3, v3, i_th, a3)
                        t0, t1, t2, t3 = larger(t0, v0), larger(t1, v1), larger(t2, v2), larger(t3, v3)
                        i_th = i_th + one
                    code = fma(a0, splat(power), code)
                    code = fma(a1, splat(power * 32.0), code)
                    code = fma(a2, splat(power * 1024.0), code)
                    code = fma(a3, splat(power * 32768.0), code)
                store(d, at, t0 + (load(b, xt) - peak))
                store(d, at + 8, t1 + (load(b, xt + 8) - peak))
                store(d, at + 16, t2 + (load(b, xt + 16) - peak))
                store(d, at + 24, t3 + (load(b, xt + 24) - peak))
                j, power = j + 4, power * 1048576.0
            if j + 2 <= stop:
                at, xt, t0, t1 = here + j * 8, x + j * 8, load(enter, j * 8), load(enter, j * 8 + 8)
                if first + u > 0:
                    a, r = load(d, before), j * 8
                    t0, t1 = fma(a, o, load(log_steps, r)), fma(a, o, load(log_steps, r + 8))
                    a0, a1, i_th = zero, zero, one
                    for i in range(1, K):
                        a, r = load(d, before + i * 8), (i * K + j) * 8
                        v0, v1 = fma(a, o, load(log_steps, r)), fma(a, o, load(log_steps, r + 8))
                        a0, a1 = where(t0, v0, i_th, a0), where(t1, v1, i_th, a1)
                        t0, t1 = larger(t0, v0), larger(t1, v1)
                        i_th = i_th + one
                    code = fma(a1, splat(power * 32.0), fma(a0, splat(power), code))
                store(d, at, t0 + (load(b, xt) - peak))
                store(d, at + 8, t1 + (load(b, xt + 8) - peak))
                j, power = j + 2, power * 1024.0
            if j < stop:
                t0 = load(enter, j * 8)
                if first + u > 0:
                    t0 = fma(load(d, before), o, load(log_steps, j * 8))
                    a0, i_th = zero, one
                    for i in range(1, K):
                        v0 = fma(load(d, before + i * 8), o, load(log_steps, (i * K + j) * 8))
                        a0 = where(t0, v0, i_th, a0)
                        t0 = larger(t0, v0)
                        i_th = i_th + one
                    code = fma(a0, splat(power), code)
                store(d, here + j * 8, t0 + (load(b, x + j * 8) - peak))
            store(arrows, ((first + u) * V + octet) * 8, code)


@kernel
def advance_with_care(first, n, K, log_steps, enter, b, row, need, d, arrows):
    """The same about the peak of the reachable states, and about the largest delta of each frame, where need > 0."""
    zero, minus, lowest, one, careful = splat(0.0), splat(-np.inf), splat(-1e308), splat(1.0), load(need, 0)
    best, V = np.empty(K * 8), (K + 7) // 8
    for u in range(n):
        before, here, x = u * K * 8, (u + 1) * K * 8, (row + u) * K * 8
        peak, code, power = minus, zero, 1.0
        for j in range(K):
            t0, a0, i_th = minus, zero, zero
            if first + u == 0:
                t0 = load(enter, j * 8)
            else:
                for i in range(K):
                    v0 = load(d, before + i * 8) + load(log_steps, (i * K + j) * 8)
                    a0 = where(t0, v0, i_th, a0)
                    t0 = larger(t0, v0)
                    i_th = i_th + one
            store(best, j * 8, t0)
            peak = where(lowest, t0, larger(peak, load(b, x + j * 8)), peak)
            code, power = fma(a0, splat(power), code), power * 32.0
            if j % 8 == 7 or j == K - 1:
                store(arrows, ((first + u) * V + j // 8) * 8, code)
                code, power = zero, 1.0
        peak = where(peak, lowest, zero, peak)
        top = minus
        for j in range(K):
            t0 = load(best, j * 8)
            v0 = where(lowest, t0, t0 + (load(b, x + j * 8) - peak), minus)
            store(best, j * 8, v0)
            top = larger(top, v0)
        top = where(top, lowest, zero, top)
        for j in range(K):
            at = here + j * 8
            store(d, at, where(zero, careful, load(best, j * 8) - top, load(d, at)))


@kernel
def forward(log_steps, unit, enter, ends, T, K, b, row, d, final, arrows):
    """Run the recursion over one group of T rows from ``row`` on.

    Out: final (K, 8), delta at each lane's own end but for a constant; arrows (T, V, 8), V an eighth of K, rounded
    up. Scratch: d.
    """
    zero, lowest, deep, one = splat(0.0), splat(-1e308), splat(DEEP), splat(1.0)
    need = np.empty(8)
    for first in range(0, T, FRAMES):
        n = min(FRAMES, T - first)
        advance(first, n, K, unit, log_steps, enter, b, row + first, d, arrows)
        last = n * K * 8
        top = load(d, last)
        for k in range(1, K):
            top = larger(top, load(d, last + k * 8))
        top = where(top, lowest, zero, top)
        if any_less(top, deep):
            store(need, 0, where(top, deep, one, zero))
            advance_with_care(first, n, K, log_steps, enter, b, row + first, need, d, arrows)
            top = where(top, deep, zero, top)
        for lane in range(8):
            if first < ends[lane] <= first + n:
                at = (ends[lane] - first) * K * 8 + lane
                for k in range(K):
                    final[k * 8 + lane] = d[at + k * 8]
        for k in range(K):
            store(d, k * 8, load(d, last + k * 8) - top)


@kernel
def arrow(arrows, t, V, state, lane):
    """Return where the best path to a state of frame t came from."""
    return int(arrows[(t * V + (state >> 3)) * 8 + lane]) >> (BITS * (state & 7)) & 31


@kernel
def last_state(K, lane, leave, final):
    """Return the lowest of the best last states of a lane's run, weighed by leave (K, 8); -1 if it has no path."""
    top, state = -np.inf, -1
    for k in range(K):
        value = final[k * 8 + lane] + leave[k * 8 + lane]
        if value > top:
            top, state = value, k
    return state


@kernel
def common_state(arrows, K, lane, end, seam, survivors, final):
    """Return the state of frame ``seam`` through which all best paths to the states of frame end - 1 have come.

    -1 if there is none. Scratch: survivors (K,).
    """
    V, n = (K + 7) // 8, 0
    for k in range(K):
        if final[k * 8 + lane] > -np.inf:
            survivors[n] = k
            n += 1
    for t in range(end - 1, seam, -1):
        alike = True
        for k in range(n):
            survivors[k] = arrow(arrows, t, V, survivors[k], lane)
            alike = alike and survivors[k] == survivors[0]
        if alike:  # what has met stays together
            n = min(n, 1)
    return survivors[0] if n == 1 else -1


@kernel
def walk_back(log_transmat, K, b, row, arrows, lane, top, low, place, state, total, lost, path):
    """Follow one lane's arrows from its state at frame ``top`` to that at ``low``, adding up what lies between."""
    V, j, s, r = (K + 7) // 8, state[lane], total[lane], lost[lane]
    for t in range(top, low, -1):
        i = int(arrows[(t * V + (j >> 3)) * 8 + lane]) >> (BITS * (j & 7)) & 31
        path[place[lane] + t] = j
        x = b[((row + t) * K + j) * 8 + lane] + log_transmat[i * K + j]
        if x > -np.inf:  # a lane without any path walks somewhere
            y = s + x
            z = y - s
            r += (s - (y - z)) + (x - z)
            s = y
        j = i
    state[lane], total[lane], lost[lane] = j, s, r


@kernel
def walk_back_together(log_transmat, K, b, row, arrows, top, low, place, state, total, lost, path):
    """The same for all eight lanes."""
    V, steps, places = (K + 7) // 8, np.empty(8, np.int64), np.empty(8, np.int64)
    s, r, zero, lowest = load(total, 0), load(lost, 0), splat(0.0), splat(-1e308)
    for t in range(top, low, -1):
        for lane in range(8):
            j = state[lane]
            i = int(arrows[(t * V + (j >> 3)) * 8 + lane]) >> (BITS * (j & 7)) & 31
            path[place[lane] + t] = j
            places[lane], steps[lane], state[lane] = j * 8 + lane, i * K + j, i
        x = collect(b, places, (row + t) * K * 8) + collect(log_transmat, steps, 0)
        x = where(lowest, x, x, zero)  # a lane without any path walks somewhere
        y = s + x
        z = y - s
        r = r + ((s - (y - z)) + (x - z))
        s = y
    store(total, 0, s)
    store(lost, 0, r)


@kernel
def best_paths(
    log_transmat, unit, enters, enter_of, leaves, leave_of, goes_on, keep, seams, places,
    lengths, rows, run, K, b, log_steps, d, arrows, path, log_prob, agreed,
):  # fmt: skip
    """Decode m runs.

    In: log_transmat flat; ``unit`` = 1.0; enters (., K), leaves (., K), what a run's first frame adds before its own
    log_lik and what its last one adds, and enter_of, leave_of (m,), which row a run takes; goes_on (m,), 1 for runs
    whose sequence goes on behind them. keep (m,), the first frame of the run whose state is wanted, and seams (m,), the
    one behind the last; places (m,), where the state of the run's first frame would stand in ``path``. lengths, rows,
    run, b: lanes of log_lik. Scratch: log_steps (K, K, 8), d (9, K, 8), arrows (longest run, V, 8).
    Out: path (n,); log_prob (m,), the sum over the kept frames of log_lik, of the transitions between them, and of
    enter and leave if the run's first and last frame are kept; agreed (m,), the state of frame ``seams`` if the run
    goes on, else that of the last frame. A run without any path, or whose survivors do not agree: log_prob -inf, agreed
    -1, path -1.
    """
    V = (K + 7) // 8
    for r in range(K * K):
        store(log_steps, r * 8, splat(log_transmat[r]))
    enter, leave, final = np.empty(K * 8), np.empty(K * 8), np.empty(K * 8)
    state, place, ends = np.empty(8, np.int64), np.empty(8, np.int64), np.empty(8, np.int64)
    total, lost, survivors = np.empty(8), np.empty(8), np.empty(K, np.int64)
    for g in range(rows.size - 1):
        row, T = rows[g], rows[g + 1] - rows[g]
        highest, lowest = T, 0
        for lane in range(8):
            s = run[8 * g + lane] if run[8 * g + lane] >= 0 else run[8 * g]  # a lane without a run holds that one
            ends[lane], place[lane] = lengths[8 * g + lane], places[s]
            highest, lowest = min(highest, seams[s] - 1), max(lowest, keep[s])
            for k in range(K):
                enter[k * 8 + lane] = enters[enter_of[s], k]
                leave[k * 8 + lane] = leaves[leave_of[s], k]
        highest = max(highest, lowest)
        forward(log_steps, unit, enter, ends, T, K, b, row, d, final, arrows)
        for lane in range(8):
            s = run[8 * g + lane] if run[8 * g + lane] >= 0 else run[8 * g]
            total[lane], lost[lane] = 0.0, 0.0
            if goes_on[s] > 0:
                agreed[s] = common_state(arrows, K, lane, ends[lane], seams[s], survivors, final)
                state[lane] = arrow(arrows, seams[s], V, max(agreed[s], 0), lane)
            else:
                agreed[s] = last_state(K, lane, leave, final)
                state[lane] = max(agreed[s], 0)
                total[lane] = leave[state[lane] * 8 + lane] if agreed[s] >= 0 else 0.0
            top = max(highest, keep[s])
            walk_back(log_transmat, K, b, row, arrows, lane, seams[s] - 1, top, place, state, total, lost, path)
        walk_back_together(log_transmat, K, b, row, arrows, highest, lowest, place, state, total, lost, path)
        for lane in range(8):
            s = run[8 * g + lane]
            if s < 0:
                continue
            low, top = keep[s], min(lowest, seams[s] - 1)
            walk_back(log_transmat, K, b, row, arrows, lane, top, low, place, state, total, lost, path)
            if agreed[s] < 0:
                log_prob[s] = -np.inf
                for t in range(low, seams[s]):
                    path[place[lane] + t] = -1
                continue
            j = state[lane]
            path[place[lane] + low] = j
            x = b[((row + low) * K + j) * 8 + lane]
            if low == 0:
                x += enter[j * 8 + lane]
            y = total[lane] + x
            z = y - total[lane]
            log_prob[s] = y + (lost[lane] + ((total[lane] - (y - z)) + (x - z)))
