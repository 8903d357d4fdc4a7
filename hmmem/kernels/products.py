"""Sums of products over frames: transition counts and moments are this one loop."""

from __future__ import annotations

from hmmem.kernels.options import kernel
from hmmem.kernels.simd import fma, load, store


@kernel
def add_products(a, a_row, K, b, b_row, W, rows, lower, sums):
    """Add a[r, i] b[r, j] of ``rows`` rows to sums (K, W, 8), lane by lane.

    In: a, lanes of K columns from row ``a_row`` on; b, lanes of W columns, a multiple of 4, from row ``b_row`` on. All
    flat; ``lower``: the lower triangle is enough. In tiles of 4 x 4 whose sums stay in registers.
    """
    i = 0
    while i + 4 <= K:
        for j in range(0, i + 4 if lower else W, 4):
            at = (i * W + j) * 8
            a0, a1 = load(sums, at), load(sums, at + 8)
            a2, a3 = load(sums, at + 16), load(sums, at + 24)
            at += W * 8
            b0, b1 = load(sums, at), load(sums, at + 8)
            b2, b3 = load(sums, at + 16), load(sums, at + 24)
            at += W * 8
            c0, c1 = load(sums, at), load(sums, at + 8)
            c2, c3 = load(sums, at + 16), load(sums, at + 24)
            at += W * 8
            d0, d1 = load(sums, at), load(sums, at + 8)
            d2, d3 = load(sums, at + 16), load(sums, at + 24)
            p, q = (a_row * K + i) * 8, (b_row * W + j) * 8
            for _ in range(rows):
                y0, y1 = load(b, q), load(b, q + 8)
                y2, y3 = load(b, q + 16), load(b, q + 24)
                x = load(a, p)
                a0, a1 = fma(x, y0, a0), fma(x, y1, a1)
                a2, a3 = fma(x, y2, a2), fma(x, y3, a3)
                x = load(a, p + 8)
                b0, b1 = fma(x, y0, b0), fma(x, y1, b1)
                b2, b3 = fma(x, y2, b2), fma(x, y3, b3)
                x = load(a, p + 16)
                c0, c1 = fma(x, y0, c0), fma(x, y1, c1)
                c2, c3 = fma(x, y2, c2), fma(x, y3, c3)
                x = load(a, p + 24)
                d0, d1 = fma(x, y0, d0), fma(x, y1, d1)
                d2, d3 = fma(x, y2, d2), fma(x, y3, d3)
                p, q = p + K * 8, q + W * 8
            store(sums, at, d0)
            store(sums, at + 8, d1)
            store(sums, at + 16, d2)
            store(sums, at + 24, d3)
            at -= W * 8
            store(sums, at, c0)
            store(sums, at + 8, c1)
            store(sums, at + 16, c2)
            store(sums, at + 24, c3)
            at -= W * 8
            store(sums, at, b0)
            store(sums, at + 8, b1)
            store(sums, at + 16, b2)
            store(sums, at + 24, b3)
            at -= W * 8
            store(sums, at, a0)
            store(sums, at + 8, a1)
            store(sums, at + 16, a2)
            store(sums, at + 24, a3)
        i += 4
    while i < K:
        for j in range(0, W, 4):
            at = (i * W + j) * 8
            a0, a1 = load(sums, at), load(sums, at + 8)
            a2, a3 = load(sums, at + 16), load(sums, at + 24)
            p, q = (a_row * K + i) * 8, (b_row * W + j) * 8
            for _ in range(rows):
                x = load(a, p)
                a0, a1 = fma(x, load(b, q), a0), fma(x, load(b, q + 8), a1)
                a2, a3 = fma(x, load(b, q + 16), a2), fma(x, load(b, q + 24), a3)
                p, q = p + K * 8, q + W * 8
            store(sums, at, a0)
            store(sums, at + 8, a1)
            store(sums, at + 16, a2)
            store(sums, at + 24, a3)
        i += 1
