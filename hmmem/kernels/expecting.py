"""The whole E-step of runs side by side in one call: densities, recursions and moments, group by group.

Nothing here is computed that the kernels in :mod:`hmmem.kernels.emitting`, :mod:`hmmem.kernels.lanes` and
:mod:`hmmem.kernels.moments` do not compute; but a group stays in the nearest caches from its first density to its last
moment, and a thread need not wait for the interpreter between them. The first arguments are those of
:func:`hmmem.kernels.lanes.smooth`, with frames X (N, D) flat and the runs' first frames ``places`` in place of lanes.
For segments, ``steps`` > 0, messages into them are found first (:func:`hmmem.kernels.messages.warm_up`) and written to
starts, end_vectors and ahead; without a certificate the result is -1.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.emitting import diag_log_lik, full_log_lik, gather, poisson_log_lik
from hmmem.kernels.lanes import finish, scratch_for, smooth_one
from hmmem.kernels.messages import warm_up
from hmmem.kernels.moments import CHUNK, add_lanes, add_shared, scatter
from hmmem.kernels.options import kernel
from hmmem.kernels.packing import pack_group
from hmmem.kernels.simd import cleared, room


@kernel
def expect_gaussian(
    transmat, panels, back_panels, starts, start_of, end_vectors, end_of, ahead, weighs_end, X, D, places, lengths,
    rows, runs, weights, K, transposed, windows, spans, steps, counts, first, last, log_likelihood, status,
    full, centre, offsets, factors, constant, origin, out,
):  # fmt: skip
    """The E-step of Gaussian states; returns how many runs are UNSURE.

    ``full``: factors are the triangles of :func:`full_log_lik` and out (K, 1 + D + D (D + 1) / 2); else they are
    those of :func:`diag_log_lik` and out (K, 1 + 2 D): moments about one origin (D,), as :func:`shared_moments` has
    them.
    """
    longest, unsure = 0, 0
    for g in range(rows.size - 1):
        longest = max(longest, rows[g + 1] - rows[g])
    most = max(longest, 2 * (steps + 1))
    W = (out.shape[1] + 3) // 4 * 4
    x, b = room(most * D * 8), room(most * K * 8)
    basis, sums = cleared(CHUNK * W * 8), cleared(K * W * 8)
    scratch = scratch_for(longest, K, starts, end_vectors)
    for g in range(rows.size - 1):
        T = rows[g + 1] - rows[g]
        if steps > 0:
            pack_group(X, D, windows, spans, 2 * g, 0, steps + 1, True, x)
            pack_group(X, D, windows, spans, 2 * g + 1, steps + 1, steps + 1, True, x)
            if full:
                full_log_lik(x, 2 * (steps + 1), centre, offsets, factors, constant, b)
            else:
                diag_log_lik(x, 2 * (steps + 1), centre, offsets, factors, constant, b)
            if warm_up(transmat, transposed, b, 0, K, steps, 8 * g, starts, end_vectors, ahead) < 0:
                return -1
        pack_group(X, D, places, lengths, g, 0, T, True, x)
        if full:
            full_log_lik(x, T, centre, offsets, factors, constant, b)
        else:
            diag_log_lik(x, T, centre, offsets, factors, constant, b)
        unsure += smooth_one(
            g, 0, T, transmat, panels, back_panels, starts, start_of, end_vectors, end_of, ahead, weighs_end, lengths,
            runs, weights, K, b, counts, first, last, log_likelihood, status, scratch,
        )  # fmt: skip
        add_shared(x, T, D, centre, origin, full, b, K, W, basis, sums)
    finish(transmat, K, scratch, counts)
    add_lanes(sums, K, W, out)
    return unsure


@kernel
def expect_poisson(
    transmat, panels, back_panels, starts, start_of, end_vectors, end_of, ahead, weighs_end, X, D, places, lengths,
    rows, runs, weights, K, transposed, windows, spans, steps, counts, first, last, log_likelihood, status,
    lambdas, logs, log_factorials, large, out,
):  # fmt: skip
    """The E-step of Poisson states; out (K, 1 + 2 D) as :func:`shared_moments` has it. Returns how many are UNSURE."""
    longest, unsure = 0, 0
    for g in range(rows.size - 1):
        longest = max(longest, rows[g + 1] - rows[g])
    most = max(longest, 2 * (steps + 1))
    W = (out.shape[1] + 3) // 4 * 4
    x, b, zero = room(most * D * 8), room(most * K * 8), np.zeros(D)
    basis, sums = cleared(CHUNK * W * 8), cleared(K * W * 8)
    scratch = scratch_for(longest, K, starts, end_vectors)
    for g in range(rows.size - 1):
        T = rows[g + 1] - rows[g]
        if steps > 0:
            pack_group(X, D, windows, spans, 2 * g, 0, steps + 1, True, x)
            pack_group(X, D, windows, spans, 2 * g + 1, steps + 1, steps + 1, True, x)
            poisson_log_lik(x, 2 * (steps + 1), lambdas, logs, log_factorials, large, b)
            if warm_up(transmat, transposed, b, 0, K, steps, 8 * g, starts, end_vectors, ahead) < 0:
                return -1
        pack_group(X, D, places, lengths, g, 0, T, True, x)
        poisson_log_lik(x, T, lambdas, logs, log_factorials, large, b)
        unsure += smooth_one(
            g, 0, T, transmat, panels, back_panels, starts, start_of, end_vectors, end_of, ahead, weighs_end, lengths,
            runs, weights, K, b, counts, first, last, log_likelihood, status, scratch,
        )  # fmt: skip
        add_shared(x, T, D, zero, zero, False, b, K, W, basis, sums)
    finish(transmat, K, scratch, counts)
    add_lanes(sums, K, W, out)
    return unsure


@kernel
def expect_categorical(
    transmat, panels, back_panels, starts, start_of, end_vectors, end_of, ahead, weighs_end, X, C, places, lengths,
    rows, runs, weights, K, transposed, windows, spans, steps, counts, first, last, log_likelihood, status,
    table, symbols, weight,
):  # fmt: skip
    """The E-step of categorical states; returns how many runs are UNSURE.

    In: X, int64 codes of C columns as float64 bits; table as in :func:`gather`. Out: symbols, to which expected counts
    are added as :func:`scatter` does; weight (K,), the sums of gamma.
    """
    longest, unsure = 0, 0
    for g in range(rows.size - 1):
        longest = max(longest, rows[g + 1] - rows[g])
    most = max(longest, 2 * (steps + 1))
    codes, b = np.empty(most * C * 8, np.int64), room(most * K * 8)
    sums = cleared(K * 8)
    scratch = scratch_for(longest, K, starts, end_vectors)
    for g in range(rows.size - 1):
        T = rows[g + 1] - rows[g]
        if steps > 0:
            pack_group(X, C, windows, spans, 2 * g, 0, steps + 1, True, codes.view(np.float64))
            pack_group(X, C, windows, spans, 2 * g + 1, steps + 1, steps + 1, True, codes.view(np.float64))
            gather(table, codes, 2 * (steps + 1), C, K, b)
            if warm_up(transmat, transposed, b, 0, K, steps, 8 * g, starts, end_vectors, ahead) < 0:
                return -1
        pack_group(X, C, places, lengths, g, 0, T, True, codes.view(np.float64))
        gather(table, codes, T, C, K, b)
        unsure += smooth_one(
            g, 0, T, transmat, panels, back_panels, starts, start_of, end_vectors, end_of, ahead, weighs_end, lengths,
            runs, weights, K, b, counts, first, last, log_likelihood, status, scratch,
        )  # fmt: skip
        scatter(codes, T, C, b, K, symbols)
        for i in range(0, T * K * 8, K * 8):
            for j in range(K * 8):
                sums[j] += b[i + j]
    finish(transmat, K, scratch, counts)
    for k in range(K):
        weight[k] = 0.0
        for lane in range(8):
            weight[k] += sums[k * 8 + lane]
    return unsure
