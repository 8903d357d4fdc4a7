"""Decoding of blocks: the most probable paths, and what a path is worth.

A *strip* is one long sequence in pieces, as in :mod:`hmmem.recursions`: decoded from left to right, keeping only the
message at the left edge of each piece, and traced back from right to left, where each piece is decoded again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from hmmem.chain import ChainArrays
from hmmem.kernels import decoding
from hmmem.recursions import NOTHING, Piece, whole


def decode_block(chain: ChainArrays, log_lik: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best paths (n,) of whole sequences and their log p(x, path) (m,)."""
    delta, path = np.empty_like(log_lik), np.empty(len(log_lik), np.int64)
    decoding.viterbi_forward(chain.log_startprob, NOTHING, False, chain.log_transposed, log_lik, offsets, delta)
    decoding.viterbi_back(chain.log_transposed, chain.log_endprob, -1, delta, offsets, path)
    return path, path_log_prob(chain, log_lik, offsets, path)


def path_log_prob(
    chain: ChainArrays, log_lik: np.ndarray, offsets: np.ndarray, path: np.ndarray, goes_on: bool = False
) -> np.ndarray:
    """Return log p(x, path) of each sequence, (m,), without the end if the sequence goes on elsewhere."""
    log_prob = np.empty(len(offsets) - 1)
    decoding.joint_log_prob(
        chain.log_startprob, chain.log_transmat, chain.log_endprob, log_lik, offsets, path, goes_on, log_prob
    )
    return log_prob


def decode_strip(
    chain: ChainArrays, pieces: Sequence[Piece], log_lik_of: Callable[[Piece], np.ndarray]
) -> tuple[np.ndarray, float]:
    """Return the best path of one sequence in pieces, and its log p(x, path)."""

    def forward(i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        log_lik = log_lik_of(pieces[i])
        offsets, delta = whole(log_lik), np.empty_like(log_lik)
        decoding.viterbi_forward(chain.log_startprob, messages[i], i > 0, chain.log_transposed, log_lik, offsets, delta)
        return log_lik, offsets, delta

    messages = [NOTHING]
    messages.extend(forward(i)[2][-1].copy() for i in range(len(pieces)))
    path = [NOTHING] * len(pieces)
    terms: list[float] = []
    state = -1
    for i in range(len(pieces) - 1, -1, -1):
        log_lik, offsets, delta = forward(i)
        goes_on = i < len(pieces) - 1
        path[i] = np.empty(len(log_lik), np.int64)
        decoding.viterbi_back(
            chain.log_transposed, NOTHING if goes_on else chain.log_endprob, state, delta, offsets, path[i]
        )
        if path[i][-1] < 0:
            return np.full(sum(len(log_lik_of(piece)) for piece in pieces), -1), -math.inf
        if goes_on:
            terms.append(float(chain.log_transmat[path[i][-1], state]))
        # the piece's own terms: its first state is entered by the piece before, not by startprob
        start = chain.log_startprob if i == 0 else np.zeros_like(chain.log_startprob)
        inner = np.empty(1)
        decoding.joint_log_prob(start, chain.log_transmat, chain.log_endprob, log_lik, offsets, path[i], goes_on, inner)
        terms.append(float(inner[0]))
        state = int(path[i][0])
    return np.concatenate(path), math.fsum(terms)
