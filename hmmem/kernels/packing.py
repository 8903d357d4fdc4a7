"""From frames one behind the other to frames side by side, and back.

*Lanes* hold eight runs of consecutive frames (sequences, segments of one, or just parts of the data) side by side:
(rows, C, 8), where number ``(row * C + c) * 8 + lane`` is column c of a frame of that lane. Runs are grouped by eights;
a group has as many rows as its longest run.
"""

from __future__ import annotations

import numpy as np

from hmmem.kernels.options import kernel
from hmmem.kernels.simd import collect, store


@kernel
def pack(X, C, starts, lengths, rows, repeat, lanes):
    """Copy frames X (N, C) into lanes (rows, C, 8), both flat.

    Run ``i`` is ``X[starts[i]:starts[i] + lengths[i]]``, in lane ``i % 8`` of group ``i // 8``; group g has the rows
    ``rows[g]`` to ``rows[g + 1]``. ``repeat``: behind a run's end stands its first frame; else zeros.
    """
    for g in range(rows.size - 1):
        pack_group(X, C, starts, lengths, g, rows[g], rows[g + 1] - rows[g], repeat, lanes)


@kernel
def pack_group(X, C, starts, lengths, g, row, T, repeat, lanes):
    """Copy the frames of group g, of T rows, into lanes from row ``row`` on; see :func:`pack`."""
    places, shortest = np.empty(8, np.int64), T
    for lane in range(8):
        shortest = min(shortest, lengths[8 * g + lane])
        places[lane] = starts[8 * g + lane] * C
    for i in range(shortest * C):  # frames and rows alike stand one behind the other
        store(lanes, (row * C + i) * 8, collect(X, places, i))
    for t in range(shortest, T):
        for lane in range(8):
            i = 8 * g + lane
            frame = starts[i] + (t if t < lengths[i] else 0)
            for c in range(C):
                value = X[frame * C + c] if repeat or t < lengths[i] else 0.0
                lanes[((row + t) * C + c) * 8 + lane] = value


@kernel
def unpack(lanes, starts, lengths, rows, X):
    """Copy lanes (rows, C, 8) back into frames X (N, C); what stands behind a run's end is left out."""
    C = X.shape[1]
    for g in range(rows.size - 1):
        for lane in range(8):
            i = 8 * g + lane
            for t in range(lengths[i]):
                for c in range(C):
                    X[starts[i] + t, c] = lanes[rows[g] + t, c, lane]
