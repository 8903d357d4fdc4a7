"""Warming up: every kernel compiled before it is needed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from hmmem import functions
from hmmem.chain import MarkovChain
from hmmem.emissions import Categorical, Gaussian, Poisson
from hmmem.emissions.covariance import SHAPES
from hmmem.emissions.protocol import Emission
from hmmem.hmm import HiddenMarkovModel
from hmmem.kernels.options import KERNELS
from hmmem.mixture import Mixture
from hmmem.sequences import BLOCK_SIZE, LONG, Sequences
from hmmem.training import ViterbiTraining

#: Numbers of states that go different ways: side by side in lanes, and as products of matrices.
STATES = (2, 64)
#: Lengths of sequences that fill lanes, and of one that does not.
MANY, ONE = [9, 7, 8, 8, 5, 8, 3, 8, 6], [9]


def warmup() -> float:
    """Compile every kernel, or load it where it is kept compiled; return the seconds that took.

    Afterwards no fit and no prediction of this process compiles anything. On a fresh installation that takes half a
    minute, once: the compiled kernels are kept on disk for later processes (see the page on installing, which also
    tells where, and how to switch that off). Worth calling when a container or a shared environment is built, and when
    a service starts.

    Returns
    -------
    float
        Seconds.

    Notes
    -----
    Every kind of model reads a few frames, in each of the ways in which sequences go through the kernels: many short
    ones, one alone, one that is cut into pieces, one that needs log space. Random state is neither read nor changed.
    With the JIT switched off (``NUMBA_DISABLE_JIT=1``) there is nothing to do.

    Examples
    --------
    >>> import hmmem
    >>> seconds = hmmem.warmup()
    >>> hmmem.warmup() < 5  # everything is there
    True
    """
    began = time.perf_counter()
    if KERNELS:
        rng = np.random.default_rng(0)
        for K in STATES:
            *others, emission = _emissions(K)
            for each in (*others, emission):
                _read(each, MANY, rng)
                _read(each, ONE, rng)
            _read(emission, [LONG * BLOCK_SIZE // K + 1], rng)
        _log_space()
    return time.perf_counter() - began


def _emissions(K: int) -> Iterator[Emission]:
    """Every family, means near each other and far apart; the last one takes the least time."""
    yield Poisson(np.ones((K, 2)))
    for columns in (1, 2):
        yield Categorical((np.full((K, 3), 1 / 3),) * columns)
    for name in ("full", "tied", "diag", "spherical"):
        one = np.eye(2) if name in {"full", "tied"} else np.ones(1)
        for apart in (1e4, 0.0):
            means = apart * np.arange(2.0 * K).reshape(K, 2)
            yield Gaussian.of(means, np.broadcast_to(one, SHAPES[name].shape(K, 2)), name)


def _read(emission: Emission, lengths: list[int], rng: np.random.Generator) -> None:
    """Let models with an emission answer all that they can be asked."""
    K = emission.n_rows
    weights = np.full(K, 1 / K)
    model = HiddenMarkovModel(MarkovChain(weights, np.tile(weights, (K, 1))), emission)
    mixture = Mixture(weights, emission)
    frames, _ = model.sample(lengths, rng)
    data = Sequences.from_lengths(frames, lengths, frames.dtype)
    for learner in (model, ViterbiTraining(model), mixture):
        learner.expect(data)
    for each in (model, mixture):
        each.score_frames(data)
    model.filter(data)
    model.smooth(data)
    model.path_log_prob(data, model.decode(data)[0])
    mixture.posteriors(data)


def _log_space() -> None:
    """The only allowed path falls below the smallest double: probability space gives up, log space does not."""
    hidden = [0.5, 0.5], np.eye(2), [[-1500.0, 0.0], [0.0, -np.inf]]
    functions.forward(*hidden)
    functions.backward(*hidden)
    functions.forward_backward(*hidden)
