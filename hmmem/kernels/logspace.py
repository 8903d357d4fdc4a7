"""The recursions in log space: a logarithm and an exponential per arc, and exact for every input.

They take over the sequences that :mod:`hmmem.kernels.scaled` is unsure of.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.scaled import IMPOSSIBLE, SURE


@kernel
def forward(
    log_startprob,
    message,
    continues,
    log_transmat,
    log_endprob,
    log_lik,
    offsets,
    log_alpha,
    peaks,
    sums,
    end_c,
    status,
):
    """Filter m sequences.

    In: logarithms of startprob (K,), transmat (K, K) and endprob (K,) or (0,); message (K,) = the log_alpha before the
    block, read if ``continues``; log_lik (n, K); offsets (m + 1,).
    Out: log_alpha[t, k] = log p(s_t = k | x_1..t); peaks (n,), the largest log_lik of a reachable state, which goes
    first, so that an outlier's -1e15 nats cost the others no digits; sums (n,), so that log p(x_t | x_1..t-1) =
    peaks + sums; end_c (m,), the logarithm of the probability to end there; status (m,).
    """
    K = log_transmat.shape[0]
    for s in range(offsets.size - 1):
        first, last = offsets[s], offsets[s + 1]
        status[s] = SURE
        end_c[s] = 0.0
        for t in range(first, last):
            largest, peak = -np.inf, -np.inf
            for j in range(K):
                if t == first and not (continues and s == 0):
                    a = log_startprob[j]
                else:
                    top = -np.inf
                    for i in range(K):
                        a = (message[i] if t == first else log_alpha[t - 1, i]) + log_transmat[i, j]
                        if a > top:
                            top = a
                    if top > -np.inf:
                        total = 0.0
                        for i in range(K):
                            a = (message[i] if t == first else log_alpha[t - 1, i]) + log_transmat[i, j]
                            total += np.exp(a - top)
                        a = top + np.log(total)
                    else:
                        a = -np.inf
                log_alpha[t, j] = a
                if a > -np.inf and log_lik[t, j] > largest:
                    largest = log_lik[t, j]
            for j in range(K):
                if largest > -np.inf and log_alpha[t, j] > -np.inf:
                    log_alpha[t, j] += log_lik[t, j] - largest
                    peak = max(peak, log_alpha[t, j])
            if peak == -np.inf:
                status[s] = IMPOSSIBLE
                for u in range(t, last):
                    peaks[u], sums[u] = -np.inf, 0.0
                    for j in range(K):
                        log_alpha[u, j] = -np.inf
                break
            total = 0.0
            for j in range(K):
                total += np.exp(log_alpha[t, j] - peak)
            peaks[t], sums[t] = largest, peak + np.log(total)
            for j in range(K):
                log_alpha[t, j] = (log_alpha[t, j] - peak) - np.log(total)
        if log_endprob.size > 0 and status[s] == SURE:
            peak = -np.inf
            for k in range(K):
                peak = max(peak, log_alpha[last - 1, k] + log_endprob[k])
            if peak == -np.inf:
                status[s] = IMPOSSIBLE
                peaks[last - 1] = -np.inf
            else:
                total = 0.0
                for k in range(K):
                    total += np.exp(log_alpha[last - 1, k] + log_endprob[k] - peak)
                end_c[s] = peak + np.log(total)


@kernel
def backward(
    log_transmat,
    log_endprob,
    ahead,
    goes_on,
    log_alpha,
    log_lik,
    peaks,
    sums,
    offsets,
    weights,
    status,
    gamma,
    log_beta,
    onward,
    counts,
):
    """Smooth m filtered sequences.

    In: what :func:`forward` wrote; ahead (K,), the ``onward`` of the next block, read if ``goes_on``; weights (m,).
    Out: gamma (n, K); log_beta (n, K) with gamma = exp(log_alpha + log_beta); onward (K,) with
    exp(log_alpha[-1, i] + log_transmat[i, j] + onward[j]) = p(s_t-1 = i, s_t = j | x) for the first frame t of the
    block and the frame before it; counts (K, K), to which the weighted expected transitions are added, those out of
    the last frame included if the block ``goes_on``.
    """
    K = log_transmat.shape[0]
    message, later = np.empty(K), np.empty(K)
    for s in range(offsets.size - 1):
        first, last = offsets[s], offsets[s + 1]
        if status[s] == IMPOSSIBLE:
            gamma[first:last] = 0.0
            log_beta[first:last] = -np.inf
            continue
        for t in range(last - 1, first - 1, -1):
            for i in range(K):
                message[i] = log_endprob[i] if log_endprob.size > 0 else 0.0
            if t < last - 1 or goes_on:
                for j in range(K):
                    later[j] = (
                        ahead[j]
                        if t == last - 1
                        else (log_lik[t + 1, j] - peaks[t + 1]) + log_beta[t + 1, j] - sums[t + 1]
                    )
                for i in range(K):
                    top = -np.inf
                    for j in range(K):
                        top = max(top, log_transmat[i, j] + later[j])
                    total = 0.0
                    if top > -np.inf:
                        for j in range(K):
                            total += np.exp(log_transmat[i, j] + later[j] - top)
                        top += np.log(total)
                    message[i] = top
            peak, total = -np.inf, 0.0
            for i in range(K):
                peak = max(peak, log_alpha[t, i] + message[i])
            for i in range(K):
                total += np.exp(log_alpha[t, i] + message[i] - peak)
            for i in range(K):
                gamma[t, i] = np.exp(log_alpha[t, i] + message[i] - peak) / total
                log_beta[t, i] = message[i] - peak - np.log(total)
            if t < last - 1 or goes_on:
                for i in range(K):
                    if log_alpha[t, i] > -np.inf:
                        for j in range(K):
                            xi = np.exp(log_alpha[t, i] + log_transmat[i, j] + later[j] - peak) / total
                            counts[i, j] += weights[s] * xi
        for j in range(K):
            onward[j] = (log_lik[first, j] - peaks[first]) + log_beta[first, j] - sums[first]
