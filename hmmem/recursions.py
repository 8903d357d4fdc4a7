"""Filtering and smoothing of blocks: what stands between a model and the kernels.

A block holds whole sequences, or it is a *strip*: one long sequence in pieces. A strip is filtered from left to right,
keeping the message at the left edge of each piece and the last few pieces whole, and smoothed from right to left, where
each piece before those is filtered again from its message: twice the filtering at most, and memory for a few pieces
whatever the length.

The scaled recursions come first; what they are unsure of is run again in log space.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmmem.chain import ChainArrays
from hmmem.kernels import lanes as lanes_kernels
from hmmem.kernels import logspace, messages, scaled
from hmmem.kernels.scaled import IMPOSSIBLE, LIFT, LIFTED, UNSURE
from hmmem.lanes import Lanes
from hmmem.probabilities import log
from hmmem.statistics import Statistics

NOTHING = np.empty(0)
NOWHERE = np.empty(0, np.int64)


@dataclass
class Filtered:
    """A filtered block: alpha (n, K) in its space, log_c (n,), status (m,), doubt (m,): the share of lifted entries."""

    alpha: np.ndarray
    log_c: np.ndarray
    status: np.ndarray
    likelihood: np.ndarray
    sums: np.ndarray
    doubt: np.ndarray


@dataclass
class Smoothed:
    """A smoothed block: gamma (n, K), expected transitions (K, K), and the message for the block before."""

    gamma: np.ndarray
    counts: np.ndarray
    onward: np.ndarray


class ScaledSpace:
    """The recursions in probability space."""

    def __init__(self, chain: ChainArrays) -> None:
        self.chain = chain

    def forward(self, log_lik: np.ndarray, offsets: np.ndarray, message: np.ndarray | None, ends: bool) -> Filtered:
        """Filter; ``message`` continues a sequence, ``ends``: its end is in this block."""
        c, (n, K), m = self.chain, log_lik.shape, len(offsets) - 1
        alpha, likelihood, peak, sums = np.empty((n, K)), np.empty((n, K)), np.empty(n), np.empty(n)
        end_c, status = np.empty(m), np.empty(m, np.int64)
        scaled.shift(log_lik, peak, likelihood)
        np.exp(likelihood, out=likelihood)
        start = NOTHING if message is None else message
        end = c.endprob if ends else NOTHING
        scaled.forward(
            c.startprob, start, message is not None, c.transmat, c.padded, end, c.tiny, log_lik, offsets,
            alpha, likelihood, peak, sums, end_c, status,
        )  # fmt: skip
        with np.errstate(invalid="ignore"):  # log 0 + -inf: impossible either way
            log_c = log(sums) + peak
        if end.size:
            log_c[offsets[1:] - 1] += end_c
        return Filtered(alpha, log_c, status, likelihood, sums, np.zeros(m))

    def backward(
        self,
        f: Filtered,
        log_lik: np.ndarray,
        offsets: np.ndarray,
        ahead: np.ndarray | None,
        weights: np.ndarray | None,
    ) -> Smoothed:
        """Smooth; ``ahead`` is the ``onward`` of the next piece if the sequence goes on."""
        c = self.chain
        gamma = np.empty(log_lik.shape)
        goes_on = ahead is not None
        edge = NOTHING if ahead is None else ahead
        scaled.backward(
            c.padded_transposed, c.endprob, edge, goes_on,
            f.alpha, f.likelihood, f.sums, offsets, f.status, f.doubt, gamma,
        )  # fmt: skip
        onward = f.likelihood
        first = onward[0].copy()
        if weights is not None:
            onward *= np.repeat(weights, np.diff(offsets))[:, None]
        onward[offsets[:-1]] = 0.0
        counts = f.alpha[:-1].T @ onward[1:]
        if goes_on:
            counts += np.outer(f.alpha[-1], edge)
        return Smoothed(gamma, counts * c.transmat, first)

    def certify(self, f: Filtered, offsets: np.ndarray, share: np.ndarray | None, ends: bool) -> np.ndarray:
        """Mark as unsure what a filter alone cannot vouch for; returns the share to carry into the next piece."""
        carried = np.zeros(f.alpha.shape[1]) if share is None else share
        if share is not None or np.any(f.status == LIFTED):
            end = self.chain.endprob if ends else NOTHING
            scaled.lifted_share(
                carried, share is not None, self.chain.transmat, end, f.alpha, f.likelihood, f.sums, offsets, f.status
            )
        return carried


class LogSpace:
    """The same recursions in log space."""

    def __init__(self, chain: ChainArrays) -> None:
        self.chain = chain

    def forward(self, log_lik: np.ndarray, offsets: np.ndarray, message: np.ndarray | None, ends: bool) -> Filtered:
        """Filter; alpha is in logarithms, likelihood holds the peaks."""
        c, (n, K), m = self.chain, log_lik.shape, len(offsets) - 1
        alpha, peaks, sums = np.empty((n, K)), np.empty(n), np.empty(n)
        end_c, status = np.empty(m), np.empty(m, np.int64)
        start = NOTHING if message is None else message
        end = c.log_endprob if ends else NOTHING
        logspace.forward(
            c.log_startprob, start, message is not None, c.log_transmat, end, log_lik, offsets,
            alpha, peaks, sums, end_c, status,
        )  # fmt: skip
        log_c = peaks + sums
        if end.size:
            log_c[offsets[1:] - 1] += end_c
        return Filtered(alpha, log_c, status, peaks, sums, NOTHING)

    def backward(
        self,
        f: Filtered,
        log_lik: np.ndarray,
        offsets: np.ndarray,
        ahead: np.ndarray | None,
        weights: np.ndarray | None,
    ) -> Smoothed:
        """Smooth, in log space throughout."""
        c, K = self.chain, log_lik.shape[1]
        gamma, log_beta = np.empty(log_lik.shape), np.empty(log_lik.shape)
        onward, counts = np.empty(K), np.zeros((K, K))
        goes_on = ahead is not None
        weights = np.ones(len(offsets) - 1) if weights is None else weights
        logspace.backward(
            c.log_transmat, c.log_endprob, NOTHING if ahead is None else ahead, goes_on,
            f.alpha, log_lik, f.likelihood, f.sums, offsets, weights, f.status, gamma, log_beta, onward, counts,
        )  # fmt: skip
        return Smoothed(gamma, counts, onward)

    def certify(self, f: Filtered, offsets: np.ndarray, share: np.ndarray | None, ends: bool) -> np.ndarray:
        """Nothing to doubt."""
        return NOTHING


@dataclass
class Posterior:
    """Result of smoothing: log_likelihood (m,), status (m,), gamma (n, K), counts (K, K)."""

    log_likelihood: np.ndarray
    status: np.ndarray
    gamma: np.ndarray
    counts: np.ndarray


def rows_of(offsets: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames of the chosen sequences and their offsets when they lie behind one another."""
    lengths = np.diff(offsets)
    inside = np.concatenate([[0], np.cumsum(lengths[chosen])])
    return np.flatnonzero(np.repeat(chosen, lengths)), inside


#: Share of the lanes' frames that are not padding, from which lanes are faster than one sequence after the other.
LEAST_FILL = 0.3
#: Up to so many numbers (rows x states) lanes are faster however few of them are filled: one call does it all.
FEW_NUMBERS = 1024


def lanes_of(chain: ChainArrays, offsets: np.ndarray) -> Lanes | None:
    """Return how whole sequences go side by side; None if one after the other is faster, or safer."""
    if not chain.fits_lanes:
        return None
    lanes = Lanes.of_runs(offsets[:-1], np.diff(offsets))
    few = lanes.n_rows * len(chain.startprob) <= FEW_NUMBERS
    return lanes if few or lanes.fill >= LEAST_FILL else None


@dataclass
class Edges:
    """Messages into m segments of sequences from both sides; row 0 stands for a sequence's own start or end.

    Parameters
    ----------
    starts, ends, ahead : ndarray of shape (m + 1, K)
        Predicted probabilities of the first frame; weights of the last one; ``onward`` of the frame behind it.
    start_of, end_of : ndarray of shape (m,), int64
        Which row of ``starts``, and of ``ends`` and ``ahead``, a segment takes.
    """

    starts: np.ndarray
    ends: np.ndarray
    ahead: np.ndarray
    start_of: np.ndarray
    end_of: np.ndarray

    @classmethod
    def of_sequences(cls, chain: ChainArrays, m: int) -> Edges:
        """Return what whole sequences take."""
        end = chain.endprob if chain.endprob.size else np.ones(len(chain.startprob))
        none = np.zeros(m, np.int64)
        return cls(chain.startprob[None], end[None], np.zeros((1, len(end))), none, none)


@dataclass
class LanePosterior:
    """Result of smoothing m runs side by side.

    log_likelihood, status (m,); gamma in lanes, if it was kept; first, last (K,), its sums over the first and last
    frames of sequences; counts (K, K). Posteriors and counts are weighted; they are zero for the ``unsure`` runs that
    are UNSURE.
    """

    log_likelihood: np.ndarray
    status: np.ndarray
    gamma: np.ndarray | None
    first: np.ndarray
    last: np.ndarray
    counts: np.ndarray
    unsure: int


@dataclass
class Runs:
    """Runs side by side on their way through the kernels: what goes in, and room for what comes out.

    Parameters
    ----------
    chain : ChainArrays
    lanes : Lanes
        Which run is where.
    weights : ndarray of shape (m,), optional
        Factors of posteriors and counts.
    edges : Edges, optional
        What segments hear from beyond; whole sequences need nothing.
    windows : Lanes, optional
        The frames from which the edges are still to be found.
    """

    chain: ChainArrays
    lanes: Lanes
    weights: np.ndarray | None = None
    edges: Edges | None = None
    windows: Lanes | None = None

    def __post_init__(self) -> None:
        m, K = self.lanes.n_runs, len(self.chain.startprob)
        if self.edges is None:
            self.edges = Edges.of_sequences(self.chain, m)
        if self.weights is None:
            self.weights = np.ones(m)
        self.out = np.zeros((K, K)), np.zeros(K), np.zeros(K), np.empty(m), np.empty(m, np.int64)

    @property
    def before(self) -> tuple[Any, ...]:
        """The kernels' first arguments: the chain and the edges."""
        c, e = self.chain, self.edges
        assert e is not None
        return (
            c.flat, c.panels, c.back_panels, e.starts, e.start_of, e.ends, e.end_of, e.ahead, c.endprob.size > 0,
        )  # fmt: skip

    @property
    def behind(self) -> tuple[Any, ...]:
        """Lengths, rows, runs, weights and K."""
        lanes = self.lanes
        return lanes.lengths, lanes.rows, lanes.run, self.weights, len(self.chain.startprob)

    def arguments(self, X: np.ndarray) -> tuple[Any, ...]:
        """The first arguments of the kernels in :mod:`hmmem.kernels.expecting` for frames X (N, D)."""
        frames = np.ascontiguousarray(X).reshape(-1).view(np.float64)
        windows, spans, steps = NOWHERE, NOWHERE, 0
        if self.windows is not None:
            windows, spans, steps = self.windows.starts, self.windows.lengths, int(self.windows.rows[1]) - 1
        transposed = self.chain.transposed.reshape(-1)
        return (
            *self.before, frames, X.shape[1], self.lanes.starts, *self.behind, transposed, windows, spans, steps,
            *self.out,
        )  # fmt: skip

    def posterior(self, unsure: int, gamma: np.ndarray | None = None) -> LanePosterior:
        """Return what came out."""
        counts, first, last, log_likelihood, status = self.out
        return LanePosterior(log_likelihood, status, gamma, first, last, counts, unsure)


def smooth_lanes(
    chain: ChainArrays, log_lik: np.ndarray, lanes: Lanes, weights: np.ndarray | None, edges: Edges | None = None
) -> LanePosterior:
    """Return posteriors of runs side by side; log_lik, lanes (rows, K, 8), is used up."""
    runs = Runs(chain, lanes, weights, edges)
    unsure = lanes_kernels.smooth(*runs.before, *runs.behind, log_lik.reshape(-1), *runs.out)
    return runs.posterior(unsure, log_lik)


def hear(
    chain: ChainArrays, log_lik_of: Callable[[np.ndarray], np.ndarray], X: np.ndarray, windows: Lanes, edges: Edges
) -> bool:
    """Find the messages into segments in the frames of ``windows``; False without a certificate.

    ``log_lik_of`` gives log_lik (n, K, 8) for lanes (n, D, 8) of the frames X.
    """
    log_lik = log_lik_of(windows.pack(X))
    K, span = log_lik.shape[1], int(windows.rows[1])
    return all(
        messages.warm_up(
            chain.flat, chain.transposed.reshape(-1), log_lik.reshape(-1), 2 * span * g, K, span - 1, 8 * g,
            edges.starts, edges.ends, edges.ahead,
        ) >= 0
        for g in range(len(windows.starts) // 16)
    )  # fmt: skip


def expect_lanes(
    log_lik_of: Callable[[np.ndarray], np.ndarray],
    statistics_of: Callable[[np.ndarray, np.ndarray], Statistics],
    expect_runs: Callable[[np.ndarray, Runs], tuple[int, Statistics] | None] | None,
    X: np.ndarray,
    runs: Runs,
) -> tuple[LanePosterior, Statistics] | None:
    """Return posteriors of runs of frames X (N, D), and the statistics of what the states emit.

    In one call of a kernel where ``expect_runs`` knows how, and gamma is then not kept; else by ``log_lik_of`` and
    ``statistics_of`` lanes. If the runs have ``windows`` their edges are found first; None without a certificate.
    """
    found = None if expect_runs is None else expect_runs(X, runs)
    if found is not None:
        unsure, statistics = found
        return None if unsure < 0 else (runs.posterior(unsure), statistics)
    chain, lanes, edges = runs.chain, runs.lanes, runs.edges
    if runs.windows is not None and edges is not None and not hear(chain, log_lik_of, X, runs.windows, edges):
        return None
    packed = lanes.pack(X)
    posterior = smooth_lanes(chain, log_lik_of(packed), lanes, runs.weights, edges)
    assert posterior.gamma is not None
    return posterior, statistics_of(packed, posterior.gamma)


def _rescue(
    chain: ChainArrays, log_lik: np.ndarray, offsets: np.ndarray, unsure: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, Posterior]:
    """Run the unsure sequences again in log space; returns their frames, and what came out."""
    rows, inside = rows_of(offsets, unsure)
    return rows, smooth_in_log_space(chain, log_lik[rows], inside, None if weights is None else weights[unsure])


def smooth_in_log_space(
    chain: ChainArrays, log_lik: np.ndarray, offsets: np.ndarray, weights: np.ndarray | None
) -> Posterior:
    """Return posteriors of whole sequences by the exact recursions."""
    space = LogSpace(chain)
    f = space.forward(log_lik, offsets, None, True)
    s = space.backward(f, log_lik, offsets, None, weights)
    if weights is not None:
        s.gamma *= np.repeat(weights, np.diff(offsets))[:, None]
    return Posterior(np.add.reduceat(f.log_c, offsets[:-1]), f.status, s.gamma, s.counts)


def smooth_block(chain: ChainArrays, log_lik: np.ndarray, offsets: np.ndarray, weights: np.ndarray | None) -> Posterior:
    """Return posteriors of whole sequences; ``weights`` (m,) multiply gamma and counts."""
    lanes = lanes_of(chain, offsets)
    if lanes is not None:
        p = smooth_lanes(chain, lanes.pack(log_lik), lanes, weights)
        assert p.gamma is not None
        gamma = lanes.unpack(p.gamma, np.empty_like(log_lik))
        posterior = Posterior(p.log_likelihood, p.status, gamma, p.counts)
    else:
        space = ScaledSpace(chain)
        f = space.forward(log_lik, offsets, None, True)
        s = space.backward(f, log_lik, offsets, None, weights)
        if weights is not None:
            s.gamma *= np.repeat(weights, np.diff(offsets))[:, None]
        posterior = Posterior(np.add.reduceat(f.log_c, offsets[:-1]), f.status, s.gamma, s.counts)
    unsure = posterior.status == UNSURE
    if unsure.any():
        rows, again = _rescue(chain, log_lik, offsets, unsure, weights)
        posterior.gamma[rows], posterior.counts = again.gamma, posterior.counts + again.counts
        posterior.log_likelihood[unsure], posterior.status[unsure] = again.log_likelihood, again.status
    return posterior


Piece = Any
#: Filtered pieces of a strip that are kept for the way back, the last ones; those before are filtered again.
KEPT = 8


def smooth_strip(
    chain: ChainArrays,
    pieces: Sequence[Piece],
    log_lik_of: Callable[[Piece], np.ndarray],
    visit: Callable[[int, np.ndarray], Any],
) -> tuple[float, bool, np.ndarray, Any]:
    """Smooth one sequence in pieces.

    ``visit(i, gamma)`` sees each piece, from the last to the first; its results are added up (None is not), and only
    those of the pass that counts are kept.

    Returns
    -------
    log_likelihood, possible, counts, total
    """
    for space in (ScaledSpace(chain), LogSpace(chain)):
        messages: list[np.ndarray | None] = [None]
        terms: list[float] = []
        kept: deque[tuple[Filtered, np.ndarray]] = deque(maxlen=KEPT)
        for i, piece in enumerate(pieces):
            log_lik = log_lik_of(piece)
            f = space.forward(log_lik, whole(log_lik), messages[-1], i == len(pieces) - 1)
            kept.append((f, log_lik))
            terms.append(float(f.log_c.sum()))
            messages.append(f.alpha[-1].copy())
            if f.status[0] >= UNSURE:
                break
        if f.status[0] == IMPOSSIBLE:
            return -math.inf, False, np.zeros_like(chain.transmat), None
        counts, total, ahead, doubt = np.zeros_like(chain.transmat), None, None, np.zeros(1)
        for i in range(len(pieces) - 1, -1, -1):
            if f.status[0] == UNSURE:
                break
            if kept:
                f, log_lik = kept.pop()
            else:
                log_lik = log_lik_of(pieces[i])
                f = space.forward(log_lik, whole(log_lik), messages[i], i == len(pieces) - 1)
            f.doubt = doubt  # it adds up over the whole sequence
            s = space.backward(f, log_lik, whole(log_lik), ahead, None)
            counts, ahead = counts + s.counts, s.onward
            part = None if f.status[0] == UNSURE else visit(i, s.gamma)
            total = part if total is None else total if part is None else part + total
        if f.status[0] != UNSURE:
            return math.fsum(terms), True, counts, total
    raise AssertionError("the log-space pass is never unsure")


def whole(log_lik: np.ndarray) -> np.ndarray:
    """Return the offsets of a block that is one sequence, or a piece of one."""
    return np.array([0, len(log_lik)])


def filter_block(chain: ChainArrays, log_lik: np.ndarray, offsets: np.ndarray) -> Filtered:
    """Return alpha in probabilities (possible states at least 2^-500), log_c and status of whole sequences."""
    space = ScaledSpace(chain)
    f = space.forward(log_lik, offsets, None, True)
    space.certify(f, offsets, None, True)
    unsure = f.status == UNSURE
    if unsure.any():
        rows, inside = rows_of(offsets, unsure)
        again = LogSpace(chain).forward(log_lik[rows], inside, None, True)
        f.alpha[rows], f.log_c[rows], f.status[unsure] = probabilities(again.alpha), again.log_c, again.status
    return f


def filter_strip(
    chain: ChainArrays,
    pieces: Sequence[Piece],
    log_lik_of: Callable[[Piece], np.ndarray],
    visit: Callable[[int, np.ndarray, np.ndarray], None],
) -> tuple[float, int]:
    """Filter one sequence in pieces; ``visit(i, alpha, log_c)``, the last call for each i counts.

    Returns the log-likelihood and the first impossible piece, or -1.
    """
    for space in (ScaledSpace(chain), LogSpace(chain)):
        message, share, terms = None, None, []
        for i, piece in enumerate(pieces):
            log_lik = log_lik_of(piece)
            f = space.forward(log_lik, whole(log_lik), message, i == len(pieces) - 1)
            share = space.certify(f, whole(log_lik), share, i == len(pieces) - 1)
            if f.status[0] == UNSURE:
                break
            alpha = f.alpha if isinstance(space, ScaledSpace) else probabilities(f.alpha)
            visit(i, alpha, f.log_c)
            if f.status[0] == IMPOSSIBLE:
                return -math.inf, i
            message = f.alpha[-1].copy()
            terms.append(float(f.log_c.sum()))
        if f.status[0] != UNSURE:
            return math.fsum(terms), -1
    raise AssertionError("the log-space pass is never unsure")


def probabilities(log_alpha: np.ndarray) -> np.ndarray:
    """Return exp(log_alpha), where a possible state has at least the probability 2^-500."""
    return np.where(log_alpha > -np.inf, np.maximum(np.exp(log_alpha), LIFT), 0.0)
