"""Viterbi decoding and the joint probability of a path.

Only the maxima are kept going forward; the arg max is found again, for the one state on the path, going back. Ties go
to the lowest state.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel


@kernel
def viterbi_forward(log_startprob, message, continues, log_transposed, log_lik, offsets, delta):
    """delta[t, j] = the largest log p(s_1..t, x_1..t) over paths with s_t = j, less a constant of the frame.

    The constants keep delta near 0: an outlier of -1e15 nats would otherwise cost the rest of the sequence its digits.

    In: log_startprob (K,); message (K,), the last delta before the block, read if ``continues``; log_transposed[j, i]
    = log transmat[i, j]; log_lik (n, K); offsets (m + 1,). Out: delta (n, K), may be log_lik itself.
    """
    K = log_transposed.shape[0]
    best = np.empty(K)
    for s in range(offsets.size - 1):
        for t in range(offsets[s], offsets[s + 1]):
            peak = -np.inf
            for j in range(K):
                if t == offsets[s] and not (continues and s == 0):
                    best[j] = log_startprob[j]
                else:
                    before = message if t == offsets[s] else delta[t - 1]
                    top = -np.inf
                    for i in range(K):
                        top = max(top, before[i] + log_transposed[j, i])
                    best[j] = top
                if best[j] > -np.inf:
                    peak = max(peak, log_lik[t, j])
            top = -np.inf
            for j in range(K):
                # the peak of the reachable states goes first: the difference keeps its digits
                delta[t, j] = best[j] + (log_lik[t, j] - peak) if best[j] > -np.inf and peak > -np.inf else -np.inf
                top = max(top, delta[t, j])
            if top > -np.inf:
                for j in range(K):
                    delta[t, j] -= top


@kernel
def viterbi_back(log_transposed, log_endprob, state_ahead, delta, offsets, path):
    """Trace the best path back through delta (n, K) of :func:`viterbi_forward`.

    ``state_ahead`` is the state of the frame behind the block if its sequence goes on, else -1. Out: path (n,); -1
    throughout for a sequence that no path explains.
    """
    K = delta.shape[1]
    for s in range(offsets.size - 1):
        for t in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
            top, state = -np.inf, -1
            last = t == offsets[s + 1] - 1
            ahead = state_ahead if last else path[t + 1]
            if ahead < 0 and not last:
                path[t] = -1
                continue
            for i in range(K):
                value = delta[t, i]
                if ahead >= 0:
                    value += log_transposed[ahead, i]
                elif log_endprob.size > 0:
                    value += log_endprob[i]
                if value > top:
                    top, state = value, i
            path[t] = state


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
            larger = total + term
            lost += (total - larger) + term if abs(total) >= abs(term) else (term - larger) + total
            total = larger
        log_prob[s] = total + lost
