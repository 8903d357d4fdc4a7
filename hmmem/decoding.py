"""Decoding of blocks: the most probable paths, and what a path is worth.

Sequences go side by side in lanes where that is faster, else one after the other. A *strip* is one long sequence in
pieces; :mod:`hmmem.survivors` decodes stretches of it side by side. What it leaves goes from left to right, keeping
only the message at the left edge of each piece, and back from right to left, where each piece is decoded again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from hmmem import survivors
from hmmem.chain import ChainArrays
from hmmem.kernels import decoding
from hmmem.lanes import Lanes, room
from hmmem.parallel import Map
from hmmem.recursions import NOTHING, Piece, whole
from hmmem.sequences import Sequences
from hmmem.survivors import LANE_STATES, Runs, best_paths, leaves_of

#: Share of the lanes' frames that are not padding, from which lanes are faster than one sequence after the other: at
#: least this, and the number of states over ``EVEN_STATES``, with which full lanes would break even (measured).
LEAST_FILL = 0.25
EVEN_STATES = 28


def lanes_of(chain: ChainArrays, offsets: np.ndarray) -> Lanes | None:
    """Return how whole sequences go side by side; None if one after the other is faster."""
    K = len(chain.log_startprob)
    if K > LANE_STATES:
        return None
    lanes = Lanes.of_runs(offsets[:-1], np.diff(offsets))
    return lanes if lanes.fill >= max(LEAST_FILL, K / EVEN_STATES) else None


def decode_block(chain: ChainArrays, log_lik: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the best paths (n,) of whole sequences and their log p(x, path) (m,)."""
    lanes = lanes_of(chain, offsets)
    if lanes is not None:
        return decode_lanes(chain, lanes.pack(log_lik), lanes, offsets)
    states = _ByStates(chain)
    path = states.back(states.forward(log_lik, offsets, chain.log_startprob, None), offsets, -1)
    return path, path_log_prob(chain, log_lik, offsets, path)


def decode_lanes(
    chain: ChainArrays, log_lik: np.ndarray, lanes: Lanes, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same of sequences whose log_lik (rows, K, 8) stands in ``lanes``."""
    none = np.zeros(len(offsets) - 1, np.int64)
    runs = Runs(chain.log_startprob[None], none, none, none, np.diff(offsets), offsets[:-1])
    path = np.empty(offsets[-1], np.int64)
    log_prob, _ = best_paths(chain, log_lik, lanes, runs, path)
    return path, log_prob


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
    chain: ChainArrays,
    pieces: Sequence[Piece],
    log_lik_of: Callable[[Piece], np.ndarray],
    frames: Sequences | np.ndarray | None = None,
    log_lik: Callable[[np.ndarray], np.ndarray] | None = None,
    map: Map = map,
) -> tuple[np.ndarray, float]:
    """Return the best path of one sequence in pieces, and its log p(x, path).

    ``log_lik_of`` gives the (n, K) of a piece. With ``frames``, the whole sequence, and ``log_lik``, which gives
    (rows, K, 8) for lanes of its frames, segments of it go side by side, and through ``map``.
    """
    edges = np.cumsum([0, *(len(p) if isinstance(p, np.ndarray) else p.n_frames for p in pieces)])
    path = np.empty(edges[-1], np.int64)
    done, state, terms = 0, -1, list[float]()
    if frames is not None and log_lik is not None:
        done, state, terms = survivors.decode(chain, frames, log_lik, map, path)
    if done < len(path):
        log_prob = _decode_in_pieces(chain, pieces, edges, log_lik_of, done, state, path)
        if log_prob == -math.inf:
            path[:] = -1
        terms.append(log_prob)
    return path, math.fsum(terms)


def _decode_in_pieces(
    chain: ChainArrays,
    pieces: Sequence[Piece],
    edges: np.ndarray,
    log_lik_of: Callable[[Piece], np.ndarray],
    done: int,
    state: int,
    path: np.ndarray,
) -> float:
    """Decode a strip from frame ``done`` on, whose state is known if that is not its first frame.

    Returns log p(x, path), -inf if there is none; without the entry to the known state.
    """
    states, K = _ByStates(chain), len(chain.log_startprob)
    enter = np.where(np.arange(K) == state, 0.0, -np.inf) if done else chain.log_startprob
    first = int(np.searchsorted(edges, done, side="right")) - 1
    messages: list[np.ndarray | None] = [None] * (len(pieces) + 1)

    def forward(i: int) -> tuple[np.ndarray, np.ndarray]:
        log_lik = log_lik_of(pieces[i])[max(done - edges[i], 0) :]
        return log_lik, states.forward(log_lik, whole(log_lik), enter, messages[i])

    for i in range(first, len(pieces)):
        log_lik, delta = forward(i)
        messages[i + 1] = delta[-1, :K].copy()
    terms, ahead = [], -1
    for i in range(len(pieces) - 1, first - 1, -1):
        goes_on = i < len(pieces) - 1
        if goes_on:
            log_lik, delta = forward(i)
        part = path[max(done, edges[i]) : edges[i + 1]]
        part[:] = states.back(delta, whole(log_lik), ahead)
        if part[-1] < 0:
            return -math.inf
        if goes_on:
            terms.append(float(chain.log_transmat[part[-1], ahead]))
        # the piece's own terms: its first state is entered by the frame before, not by startprob
        start = chain.log_startprob if i == 0 and not done else np.zeros(K)
        inner = np.empty(1)
        decoding.joint_log_prob(
            start, chain.log_transmat, chain.log_endprob, log_lik, whole(log_lik), part, goes_on, inner
        )
        terms.append(float(inner[0]))
        ahead = int(part[0])
    return math.fsum(terms)


class _ByStates:
    """One sequence after the other, eight states at a time."""

    def __init__(self, chain: ChainArrays) -> None:
        K = len(chain.log_startprob)
        self.width = K + -K % 8
        self.chain, self.leave = chain, leaves_of(chain)[0]
        self.tiles = room(self.width * K)
        padded = np.full((K, self.width), -np.inf)
        padded[:, :K] = chain.log_transmat
        self.tiles.reshape(-1, K, 8)[:] = padded.reshape(K, -1, 8).transpose(1, 0, 2)

    def forward(
        self, log_lik: np.ndarray, offsets: np.ndarray, enter: np.ndarray, message: np.ndarray | None
    ) -> np.ndarray:
        """Return delta (n, width); ``message`` is the last delta of the piece before, if there is one."""
        delta = room(len(log_lik) * self.width)
        decoding.viterbi_forward(
            enter, NOTHING if message is None else message, self.chain.log_transposed, self.tiles, 1.0,
            log_lik.reshape(-1), offsets, self.width, delta,
        )  # fmt: skip
        return delta.reshape(-1, self.width)

    def back(self, delta: np.ndarray, offsets: np.ndarray, ahead: int) -> np.ndarray:
        """Return the path (n,); ``ahead`` is the state behind the block, or -1."""
        path = np.empty(len(delta), np.int64)
        decoding.viterbi_back(
            self.chain.log_transposed, self.leave, ahead, delta.reshape(-1), offsets, self.width, path
        )
        return path
