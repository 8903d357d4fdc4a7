"""The hidden chain: start, transition and end probabilities."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hmmem.kernels import sampling
from hmmem.probabilities import log, normalise, stationary
from hmmem.report import Note
from hmmem.statistics import Statistics


@dataclass(frozen=True, eq=False)
class MarkovChain:
    """A Markov chain over K states; a value.

    Parameters
    ----------
    startprob : ndarray of shape (K,)
        ``startprob[k] = p(s_1 = k)``.
    transmat : ndarray of shape (K, K)
        ``transmat[i, j] = p(s_t = j | s_t-1 = i)``; with an end, its rows sum to ``1 - endprob``.
    endprob : ndarray of shape (K,), optional
        ``endprob[i]`` = probability that a sequence ends after state i. None: a sequence may stop anywhere.
    pdf : ndarray of shape (K,), optional
        State ``k`` emits from row ``pdf[k]`` of the emission; None: from row k.
    fixed : frozenset of str
        Groups (``startprob``, ``transmat``, ``endprob``) that :meth:`maximise` leaves alone.
    support : dict of str to ndarray of bool, optional
        Which entries were allowed when the chain was specified; by default those that are positive now.

    Notes
    -----
    Zeros are structure: :meth:`maximise` keeps them by arithmetic. ``support`` is passed on from value to value, so
    that an estimate that runs into zero still counts as a free parameter.
    """

    startprob: np.ndarray
    transmat: np.ndarray
    endprob: np.ndarray | None = None
    pdf: np.ndarray | None = None
    fixed: frozenset[str] = frozenset()
    support: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("startprob", "transmat", "endprob"):
            values = getattr(self, name)
            if values is not None:
                values = np.ascontiguousarray(values, dtype=np.float64)
                object.__setattr__(self, name, values)
                shape = (self.n_states, self.n_states) if name == "transmat" else (self.n_states,)
                if values.shape != shape:
                    raise ValueError(f"{name} must have shape {shape} beside startprob; got {values.shape}")
                # endprob may be a weight of the last state that the rows do not leave room for
                if not (
                    values.min() >= 0.0 and values.sum(axis=-1).max() <= (1.0 + 1e-8 if name != "endprob" else np.inf)
                ):
                    raise ValueError(f"{name} must hold probabilities whose rows sum to no more than 1; got {values}")
                self.support.setdefault(name, values > 0)

    @property
    def n_states(self) -> int:
        """Number of states K."""
        return len(self.startprob)

    @cached_property
    def arrays(self) -> ChainArrays:
        """The chain as the kernels want it."""
        return ChainArrays(self)

    def maximise(self, counts: Statistics) -> MarkovChain:
        """Return the chain with rows proportional to the expected counts.

        ``counts`` holds ``start (K,)``, ``transitions (K, K)`` and ``end (K,)``. Rows without weight stay as they are.
        """
        total = float(np.sum(counts.start))
        start, trans, end = self.startprob, self.transmat, self.endprob
        if "startprob" not in self.fixed:
            start = normalise(counts.start, start, total)
        joint = counts.transitions if end is None else np.column_stack([counts.transitions, counts.end])
        before = trans if end is None else np.column_stack([trans, end])
        free = {"transmat", "endprob"} - self.fixed
        total += float(np.sum(counts.transitions))
        if end is None or free == {"transmat", "endprob"}:
            after = normalise(joint, before, total) if "transmat" in free else before
        else:  # the one group that is free shares what the other leaves
            after = before.copy()
            if "transmat" in free:
                fed = normalise(counts.transitions, np.zeros_like(trans), total) * (1 - end)[:, None]
                after[:, :-1] = np.where(fed.any(axis=1, keepdims=True), fed, trans)
        trans = after[:, : self.n_states]
        end = None if end is None else after[:, -1]
        return replace(self, startprob=start, transmat=trans, endprob=end)

    def log_prior(self) -> float:
        """Return 0.0: maximum likelihood."""
        return 0.0

    def distance(self, other: MarkovChain) -> float:
        """Return the largest change of a probability."""
        pairs = [(self.startprob, other.startprob), (self.transmat, other.transmat)]
        if self.endprob is not None and other.endprob is not None:
            pairs.append((self.endprob, other.endprob))
        return max(float(np.abs(a - b).max()) for a, b in pairs)

    def describe(self, counts: Statistics) -> list[Note]:
        """Return a note for each transition row that saw no data."""
        out = counts.transitions.sum(axis=1)
        if self.endprob is not None:
            out = out + counts.end
        rows = np.flatnonzero(out <= 1e-100 * max(float(np.sum(counts.start)), 1e-300))
        if "transmat" in self.fixed:
            return []
        return [Note("starved", f"state {k} was never left; its row of transmat was kept") for k in rows]

    def permute(self, order: np.ndarray) -> MarkovChain:
        """Return the chain whose state ``k`` is this one's state ``order[k]``."""
        support = {k: v[np.ix_(order, order)] if v.ndim == 2 else v[order] for k, v in self.support.items()}
        return replace(
            self,
            startprob=self.startprob[order],
            transmat=self.transmat[np.ix_(order, order)],
            endprob=None if self.endprob is None else self.endprob[order],
            pdf=None if self.pdf is None else self.pdf[order],
            support=support,
        )

    def sample(self, lengths: np.ndarray, rng: np.random.Generator, first: int | None = None) -> np.ndarray:
        """Return the states of sequences of the given lengths, one behind the other, (N,) int64.

        ``first`` starts every sequence in that state. The end probabilities play no part: the lengths are given.
        """
        offsets = np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])
        path = np.empty(offsets[-1], dtype=np.int64)
        start = self.startprob if first is None else np.eye(self.n_states)[first]
        rows = self.transmat if self.endprob is None else self.transmat / self.transmat.sum(axis=1, keepdims=True)
        sampling.sample_path(_cdf(start[None])[0], _cdf(rows), rng.random(len(path)), offsets, path)
        return path

    def stationary_distribution(self) -> np.ndarray:
        """Return pi (K,) with pi transmat = pi; see :func:`hmmem.stationary_distribution`."""
        return stationary(self.transmat)

    @property
    def n_free_parameters(self) -> int:
        """Number of probabilities that are free, after fixing, zeros that were specified, and sums to one."""
        free = 0
        if "startprob" not in self.fixed:
            free += int(self.support["startprob"].sum()) - 1
        rows = self.support["transmat"].sum(axis=1)
        if self.endprob is not None and "endprob" not in self.fixed:
            rows = rows + self.support["endprob"]
        if "transmat" not in self.fixed:
            free += int(np.maximum(rows - 1, 0).sum())
        return free


#: Most states, and least transition probability, with which eight sequences go side by side: beyond, one after the
#: other is faster (measured, see docs/benchmarks.md); below, a product could underflow in :mod:`hmmem.kernels.lanes`.
LANE_STATES = 128
LANE_PROBABILITY = 2.0**-60
#: Most states with which a long sequence is cut into segments: their warm-up costs the cube of it.
SEGMENT_STATES = 20


class ChainArrays:
    """A chain's parameters in every form that a kernel reads, each made when it is asked for.

    ``endprob`` of shape (0,) stands for no end probabilities.
    """

    def __init__(self, chain: MarkovChain) -> None:
        self.startprob, self.transmat = chain.startprob, chain.transmat
        self.endprob = np.empty(0) if chain.endprob is None else chain.endprob
        self.flat = self.transmat.reshape(-1)
        positive = self.flat[self.flat > 0]
        least = float(positive.min()) if positive.size else 1.0
        self.tiny = least < 2.0**-500
        self.fits_lanes = len(self.startprob) <= LANE_STATES and least >= LANE_PROBABILITY
        # without zeros, messages from beyond a segment are forgotten, and no image of a unit vector can underflow
        self.fits_segments = self.fits_lanes and positive.size == self.flat.size <= SEGMENT_STATES**2

    @cached_property
    def transposed(self) -> np.ndarray:
        """The transpose of transmat, in the order of its memory."""
        return np.ascontiguousarray(self.transmat.T)

    @cached_property
    def padded(self) -> np.ndarray:
        """The rows of transmat, filled up with zeros to a multiple of 8, flat."""
        return _padded(self.transmat)

    @cached_property
    def padded_transposed(self) -> np.ndarray:
        """The same of the transpose."""
        return _padded(self.transposed)

    @cached_property
    def panels(self) -> np.ndarray:
        """Transmat in panels of four columns, (ceil(K / 4), K, 4), flat: in the order in which kernels read it."""
        return _panels(self.transmat)

    @cached_property
    def back_panels(self) -> np.ndarray:
        """The same of the transpose."""
        return _panels(self.transposed)

    @cached_property
    def log_startprob(self) -> np.ndarray:
        """The logarithms of startprob."""
        return log(self.startprob)

    @cached_property
    def log_transmat(self) -> np.ndarray:
        """The logarithms of transmat."""
        return log(self.transmat)

    @cached_property
    def log_transposed(self) -> np.ndarray:
        """Their transpose, in the order of its memory."""
        return np.ascontiguousarray(self.log_transmat.T)

    @cached_property
    def log_endprob(self) -> np.ndarray:
        """The logarithms of endprob."""
        return log(self.endprob)


def _padded(matrix: np.ndarray) -> np.ndarray:
    padded = np.zeros((len(matrix), matrix.shape[1] + -matrix.shape[1] % 8))
    padded[:, : matrix.shape[1]] = matrix
    return padded.reshape(-1)


def _panels(matrix: np.ndarray) -> np.ndarray:
    K = len(matrix)
    padded = np.zeros((K, K + -K % 4))
    padded[:, :K] = matrix
    return np.ascontiguousarray(padded.reshape(K, -1, 4).transpose(1, 0, 2)).reshape(-1)


def _cdf(rows: np.ndarray) -> np.ndarray:
    """Cumulative rows whose last possible state is beyond 1, so that rounding never selects an impossible one."""
    cdf = np.cumsum(rows, axis=1)
    last = rows.shape[1] - 1 - np.argmax(rows[:, ::-1] > 0, axis=1)
    cdf[np.arange(len(rows)), last] = 2.0
    return cdf
