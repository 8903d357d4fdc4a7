"""Paths of a Markov chain."""

from __future__ import annotations

from hmmem.kernels.options import kernel


@kernel
def sample_path(start_cdf, trans_cdf, uniforms, offsets, path):
    """Draw m paths by inversion.

    In: cumulative startprob (K,) and rows of transmat (K, K), whose last positive entry is lifted to 2 by the caller so
    that rounding can never select a state of probability zero; uniforms (n,) in [0, 1); offsets (m + 1,).
    Out: path (n,).
    """
    for s in range(offsets.size - 1):
        for t in range(offsets[s], offsets[s + 1]):
            cdf = start_cdf if t == offsets[s] else trans_cdf[path[t - 1]]
            k = 0
            while uniforms[t] >= cdf[k]:
                k += 1
            path[t] = k
