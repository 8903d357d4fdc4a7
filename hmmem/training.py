"""Viterbi training: the same driver, with the best path in place of the posteriors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from hmmem.hmm import HiddenMarkovModel, _collect, _decode_block
from hmmem.parallel import Map, unit_of_work
from hmmem.report import Note
from hmmem.sequences import Sequences
from hmmem.statistics import Statistics


@dataclass(frozen=True, eq=False)
class ViterbiTraining:
    """Segmental k-means (Juang and Rabiner 1990): counts along the most probable path.

    The objective is sum log p(x, path), which neither step lowers: the path is the best for the model, then the model
    the best for the path.

    Parameters
    ----------
    model : HiddenMarkovModel
        The present model.
    """

    model: HiddenMarkovModel

    def expect(self, data: Sequences, map: Map = map) -> Statistics:
        """Return the statistics of the best paths; ``log_likelihood`` is the sum of log p(x, path)."""
        return Statistics.total(map(partial(_expect_hard, self.model), data.blocks(self.model.width)))

    def maximise(self, statistics: Statistics) -> ViterbiTraining:
        """Return the model that is most probable with these paths."""
        return ViterbiTraining(self.model.maximise(statistics))

    def log_prior(self) -> float:
        """Return the log density of the parameters."""
        return self.model.log_prior()

    def distance(self, other: ViterbiTraining) -> float:
        """Return the largest change of a parameter on a scale-free metric."""
        return self.model.distance(other.model)

    def describe(self, statistics: Statistics) -> list[Note]:
        """Return notes for the report."""
        return self.model.describe(statistics)


@unit_of_work
def _expect_hard(model: HiddenMarkovModel, block: Sequences) -> Statistics:
    S, limit = model.chain.n_states, model.width
    path, log_prob = _decode_block(model, block)
    possible = log_prob > -np.inf
    shares = np.where(possible, block.weights, 0.0)
    offsets = block.offsets
    per_frame = np.repeat(shares, block.lengths)
    inner = np.ones(len(path), dtype=bool)
    inner[offsets[:-1]] = False
    into = np.flatnonzero(inner & (path >= 0))
    counts = np.bincount(path[into - 1] * S + path[into], per_frame[into], S * S).reshape(S, S)
    known = path[offsets[:-1]][possible], path[offsets[1:] - 1][possible]
    first, last = (np.bincount(states, shares[possible], S) for states in known)
    emission, start = None, 0
    for piece in block.pieces(limit):
        stop = start + piece.n_frames
        hard = np.where(path[start:stop, None] == np.arange(S), per_frame[start:stop, None], 0.0)
        part = model._statistics(piece.X, hard)
        emission, start = part if emission is None else emission + part, stop
    assert emission is not None
    return _collect(model, block, possible, log_prob, first, last, counts, emission)
