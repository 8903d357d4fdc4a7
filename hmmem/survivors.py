"""Decoding of long sequences: stretches of one sequence side by side.

The sequence is cut into segments. Each is decoded as a *run* that begins some frames before its segment, from all
states alike, and ends some frames behind it. Its survivors are the best paths to each of the states at its end. If all
of them come through one state at the cut behind the segment, and the best path of the next run has that state at the
same cut, then so has the best path of the whole sequence: see docs/formulas.md. Nothing else is ever taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from hmmem.chain import ChainArrays
from hmmem.kernels import decoding_lanes
from hmmem.lanes import Lanes, room
from hmmem.parallel import Map
from hmmem.sequences import BLOCK_SIZE, Sequences

#: Most states with which eight runs go side by side: beyond, one after the other is faster.
LANE_STATES = 24
#: Frames by which runs overlap to each side of a cut; the next one is taken where the one before was too short.
OVERLAPS = (64, 512)
#: Least length of a unit in overlaps: an eighth of it, a segment, is then four of them.
LEAST_UNIT = 32
#: Blocks that the log_lik of a unit, eight segments, take.
UNIT = 4


@dataclass(frozen=True, eq=False)
class Runs:
    """What is known of m runs; see :func:`hmmem.kernels.decoding_lanes.best_paths`."""

    enters: np.ndarray
    enter_of: np.ndarray
    goes_on: np.ndarray
    keep: np.ndarray
    seams: np.ndarray
    places: np.ndarray


def leaves_of(chain: ChainArrays) -> np.ndarray:
    """Return what the last state of a sequence adds (row 0), and that of a run that goes on (row 1), (2, K)."""
    leaves = np.zeros((2, len(chain.log_startprob)))
    if chain.log_endprob.size:
        leaves[0] = chain.log_endprob
    return leaves


def best_paths(
    chain: ChainArrays, log_lik: np.ndarray, lanes: Lanes, runs: Runs, path: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Write the best paths of runs into ``path``; returns their log p (m,) and the states that survivors agree on."""
    m, K = lanes.n_runs, log_lik.shape[1]
    log_prob, agreed = np.empty(m), np.empty(m, np.int64)
    longest = int(np.diff(lanes.rows).max())
    decoding_lanes.best_paths(
        chain.log_transmat.reshape(-1), 1.0, runs.enters, runs.enter_of, leaves_of(chain), runs.goes_on, runs.goes_on,
        runs.keep, runs.seams, runs.places, lanes.lengths, lanes.rows, lanes.run, K, log_lik.reshape(-1),
        room(K * K * 8), room(9 * K * 8), room(longest * ((K + 7) // 8) * 8), path, log_prob, agreed,
    )  # fmt: skip
    return log_prob, agreed


@dataclass(frozen=True, eq=False)
class Unit:
    """Eight segments of a sequence, side by side.

    Parameters
    ----------
    frames : Sequences or ndarray of shape (n, K)
        The segments and their neighbours; or log_lik of them.
    before : int
        Number of frames before the first segment.
    enter : ndarray of shape (K,), optional
        What the state of the first frame adds, if anything is known of it; ``before`` is then 0.
    ends : bool
        Whether the sequence ends with the last segment.
    n_frames : int
        Number of frames of the segments.
    """

    frames: Any
    before: int
    enter: np.ndarray | None
    ends: bool
    n_frames: int


@dataclass(frozen=True, eq=False)
class Decoded:
    """The path of a unit, its log p(x, path), and the state of the frame behind it; -1 if the cuts do not hold."""

    path: np.ndarray
    log_prob: float
    ahead: int


def decode(
    chain: ChainArrays,
    frames: Sequences | np.ndarray,
    log_lik: Callable[[np.ndarray], np.ndarray],
    map: Map,
    path: np.ndarray,
) -> tuple[int, int, list[float]]:
    """Decode one sequence as far as its cuts hold.

    ``log_lik`` gives (rows, K, 8) for lanes of the frames. Units go through ``map``.

    Returns the number of frames whose path is known, the state of the frame behind them, or -1, and the terms of their
    log p(x, path), with the transition to that state.
    """
    K, n = len(chain.log_startprob), len(path)
    done, state, terms = 0, -1, list[float]()
    if K > LANE_STATES:
        return done, state, terms
    for overlap in OVERLAPS:
        count = max(round((n - done) * K / (UNIT * BLOCK_SIZE)), 1)
        if count > 4:  # as many for each of two threads, or of four
            count += -count % 4
        bounds = [done + (n - done) * i // count for i in range(count + 1)]
        if bounds[1] - done < LEAST_UNIT * overlap:  # short of frames, or done
            break
        enter = chain.log_startprob if state < 0 else np.where(np.arange(K) == state, 0.0, -np.inf)
        units = _cut(frames, bounds, enter, overlap, path)
        found: Iterable[Decoded] = map(partial(_decode_unit, chain, log_lik, overlap), units)
        for (first, last), part in zip(pairwise(bounds), found, strict=True):
            if part.ahead < 0 or (state >= 0 and part.path[0] != state):
                break
            path[first:last] = part.path
            done, state = last, part.ahead
            terms.append(part.log_prob)
            if last < n:
                terms.append(float(chain.log_transmat[part.path[-1], state]))
    return done, state, terms


def _cut(
    frames: Sequences | np.ndarray, bounds: list[int], enter: np.ndarray, overlap: int, path: np.ndarray
) -> Iterator[Unit]:
    n = len(path)
    for first, last in pairwise(bounds):
        begins = first == bounds[0]
        before = 0 if begins else overlap
        piece = _rows(frames, first - before, min(last + overlap, n))
        yield Unit(piece, before, enter if begins else None, last == n, last - first)


def _rows(frames: Sequences | np.ndarray, first: int, last: int) -> Any:
    if isinstance(frames, np.ndarray):
        return frames[first:last]
    per_frame = {name: values[first:last] for name, values in frames.per_frame.items()}
    return Sequences(frames.frames[first:last], np.array([0, last - first]), per_frame, dtype=frames.dtype)


def _decode_unit(chain: ChainArrays, log_lik: Callable[[np.ndarray], np.ndarray], overlap: int, unit: Unit) -> Decoded:
    # an array of its own: the unit may still be under way when nobody wants it any more
    path, cuts = np.empty(unit.n_frames, np.int64), unit.before + np.arange(9) * unit.n_frames // 8
    starts, stops = cuts[:-1] - overlap, cuts[1:] + overlap
    enters, enter_of, goes_on = np.zeros((2, len(chain.log_startprob))), np.zeros(8, np.int64), np.ones(8, np.int64)
    if unit.enter is not None:
        starts[0], enters[1], enter_of[0] = 0, unit.enter, 1
    if unit.ends:
        stops[-1], goes_on[-1] = cuts[-1], 0
    lanes = Lanes(starts, stops - starts, np.array([0, (stops - starts).max()]), np.arange(8))
    runs = Runs(enters, enter_of, goes_on, cuts[:-1] - starts, cuts[1:] - starts, starts - unit.before)
    packed = log_lik(lanes.pack(unit.frames if isinstance(unit.frames, np.ndarray) else unit.frames.X))
    log_prob, agreed = best_paths(chain, packed, lanes, runs, path)
    inner = cuts[1:-1] - unit.before
    if agreed.min() < 0 or np.any(agreed[:-1] != path[inner]):
        return Decoded(path, -math.inf, -1)
    steps = chain.log_transmat[path[inner - 1], path[inner]]
    return Decoded(path, math.fsum([*log_prob, *steps]), int(agreed[-1]))
