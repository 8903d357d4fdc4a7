"""HiddenMarkovModel: a chain and an emission; a value that expects, maximises, scores and decodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from hmmem import decoding, recursions
from hmmem.chain import MarkovChain
from hmmem.emissions.protocol import Emission
from hmmem.kernels.scaled import UNSURE
from hmmem.lanes import Lanes, log_lik_of, statistics_of
from hmmem.parallel import Map, unit_of_work
from hmmem.report import Note
from hmmem.segments import Stretch, stretches, tries
from hmmem.sequences import Sequences
from hmmem.statistics import Statistics


@dataclass(frozen=True, eq=False)
class HiddenMarkovModel:
    """A hidden Markov model; an immutable value.

    Parameters
    ----------
    chain : MarkovChain
        S states.
    emission : Emission
        R rows of parameters; state ``s`` emits from row ``chain.pdf[s]``, or from row s.
    """

    chain: MarkovChain
    emission: Emission

    def __post_init__(self) -> None:
        S, R, pdf = self.chain.n_states, self.emission.n_rows, self.chain.pdf
        if pdf is None and S != R:
            raise ValueError(f"emission must have a row of parameters for each of the chain's {S} states; it has {R}")
        if pdf is not None and (np.shape(pdf) != (S,) or np.min(pdf) < 0 or np.max(pdf) >= R):
            raise ValueError(f"pdf must give each of the {S} states one of the emission's {R} rows; got {pdf}")

    # --- EM ---------------------------------------------------------------------------------------------------------

    def expect(self, data: Sequences, map: Map = map) -> Statistics:
        """Return the expected statistics: ``log_likelihood``, ``weight``, ``n_impossible``, ``chain``, ``emission``.

        Sequences of probability zero are left out, and counted. Blocks go through ``map``.
        """
        return Statistics.total(self._parts(data, map))

    def _parts(self, data: Sequences, map: Map) -> Iterator[Statistics]:
        """The statistics of blocks and of long sequences; at the end those that cannot be cut into segments."""
        chain = self.chain.arrays
        waiting: dict[int, Sequences] = {}
        failed: set[int] = set()

        def units() -> Iterator[tuple[int, Sequences | Stretch]]:
            for number, block in enumerate(data.blocks(self.width)):
                cut = stretches(chain, block)
                first = next(cut, None)
                if first is None:
                    yield number, block
                    continue
                waiting[number] = block
                yield number, first
                for stretch in cut:
                    if number in failed:
                        break
                    yield number, stretch

        for number, parts in groupby(map(partial(_expect_unit, self), units()), itemgetter(0)):
            total: Statistics | None = None
            for _, part in parts:
                if part is None:
                    failed.add(number)
                elif number not in failed:
                    total = part if total is None else total + part
            if number not in failed:
                waiting.pop(number, None)
                assert total is not None
                yield total
        yield from (part for _, part in map(partial(_expect_unit, self), sorted(waiting.items())))

    def maximise(self, statistics: Statistics) -> HiddenMarkovModel:
        """Return the model that maximises the expected complete-data log-likelihood."""
        return replace(
            self,
            chain=self.chain.maximise(statistics.chain),
            emission=self.emission.maximise(statistics.emission),
        )

    def log_prior(self) -> float:
        """Return the log density of the parameters."""
        return self.chain.log_prior() + self.emission.log_prior()

    def distance(self, other: HiddenMarkovModel) -> float:
        """Return the largest change of a parameter on a scale-free metric."""
        return max(self.chain.distance(other.chain), self.emission.distance(other.emission))

    def describe(self, statistics: Statistics) -> list[Note]:
        """Return notes for the report."""
        return self.emission.describe(statistics.emission) + self.chain.describe(statistics.chain)

    def permute(self, order: np.ndarray) -> HiddenMarkovModel:
        """Return the model whose state ``k`` is this one's state ``order[k]``."""
        if self.chain.pdf is not None:
            return replace(self, chain=self.chain.permute(order))
        return HiddenMarkovModel(self.chain.permute(order), self.emission.permute(order))

    @property
    def n_free_parameters(self) -> int:
        """Number of free parameters."""
        return self.chain.n_free_parameters + self.emission.n_free_parameters

    @property
    def width(self) -> int:
        """Numbers per frame that decide the size of a block."""
        return max(self.chain.n_states, self.emission.n_features)

    # --- what a model says about data -------------------------------------------------------------------------------

    def log_lik(self, X: np.ndarray) -> np.ndarray:
        """Return log p(x_t | state) in nats, (N, S) for frames (N, D), or lanes (n, S, 8) for lanes (n, D, 8)."""
        log_lik = log_lik_of(self.emission, X)
        return log_lik if self.chain.pdf is None else np.ascontiguousarray(log_lik[:, self.chain.pdf])

    def _log_lik_of(self, piece: Sequences) -> np.ndarray:
        return self.log_lik(piece.X)

    def score_sequences(self, data: Sequences, map: Map = map) -> np.ndarray:
        """Return log p(x) of each sequence, (n,) in nats; -inf for an impossible one."""
        return self._over(data, _score_sequences_block, map)[0]

    def score_frames(self, data: Sequences, map: Map = map) -> np.ndarray:
        """Return log p(x_t | x_1..t-1), (N,) in nats; -inf from the first impossible frame of a sequence on."""
        return self._over(data, _score_block, map)[1]

    def filter(self, data: Sequences, map: Map = map) -> np.ndarray:
        """Return p(s_t | x_1..t), (N, S); zeros from the first impossible frame of a sequence on."""
        return self._over(data, _filter_block, map)[0]

    def smooth(self, data: Sequences, map: Map = map) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return log p(x) (n,), gamma (N, S) and the sequences' expected transitions added up (S, S)."""
        log_likelihood, gamma, counts = self._over(data, _smooth_block, map)
        return log_likelihood, gamma, counts.reshape(-1, *self.chain.transmat.shape).sum(axis=0)

    def decode(self, data: Sequences, map: Map = map) -> tuple[np.ndarray, np.ndarray]:
        """Return the most probable paths (N,) and their log p(x, path) (n,); -1 and -inf for impossible sequences."""
        if len(data) == 1:  # segments of it are shared out, where there is no more than one block to share
            return _decode_block(self, data, map)
        path, log_prob = self._over(data, _decode_block, map)
        return path, log_prob

    def path_log_prob(self, data: Sequences, path: np.ndarray) -> np.ndarray:
        """Return log p(x, path) of each sequence, (n,)."""
        path = np.ascontiguousarray(path, dtype=np.int64)
        if path.shape != (data.n_frames,) or np.any((path < -1) | (path >= self.chain.n_states)):
            raise ValueError(
                f"path must hold a state from 0 to {self.chain.n_states - 1}, or -1, for each of {data.n_frames} frames"
            )
        data = replace(data, per_frame={**data.per_frame, "path": path})
        return self._over(data, _path_block, map)[0]

    def sample(self, lengths: Any, rng: np.random.Generator, first: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return frames (N, D) and states (N,) of sequences of the given lengths, one behind the other."""
        states = self.chain.sample(lengths, rng, first)
        rows = states if self.chain.pdf is None else self.chain.pdf[states]
        return self.emission.sample(rows, rng), states

    def _over(self, data: Sequences, function: Callable[..., tuple[Any, ...]], map: Map) -> list[np.ndarray]:
        parts = list(map(partial(function, self), data.blocks(self.width)))
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def _expect_lanes(
        self,
        X: np.ndarray,
        lanes: Lanes,
        weights: np.ndarray | None,
        edges: recursions.Edges | None = None,
        windows: Lanes | None = None,
    ) -> tuple[recursions.LanePosterior, Statistics] | None:
        """Posteriors and emission statistics of runs of frames X (N, D); None for segments without a certificate."""
        # a family's own way gives statistics of its rows: they are the states' unless these share rows
        expect_runs = getattr(self.emission, "expect_runs", None) if self.chain.pdf is None else None
        runs = recursions.Runs(self.chain.arrays, lanes, weights, edges, windows)
        return recursions.expect_lanes(self.log_lik, self._statistics, expect_runs, X, runs)

    def _statistics(self, X: np.ndarray, gamma: np.ndarray) -> Statistics:
        """Statistics of the emission from posteriors of the states, frames or lanes."""
        rows = gamma
        if self.chain.pdf is not None:
            rows = np.zeros((len(gamma), self.emission.n_rows, *gamma.shape[2:]))
            for state, row in enumerate(self.chain.pdf):
                rows[:, row] += gamma[:, state]
        statistics: Statistics = statistics_of(self.emission, X, rows)
        return statistics


def __getattr__(name: str) -> Any:
    """``from hmmem import hmm`` serves scripts written for hmmlearn, which find ``hmm.GaussianHMM`` there."""
    if name in {"GaussianHMM", "CategoricalHMM", "PoissonHMM"}:
        import hmmem

        return getattr(hmmem, name)
    raise AttributeError(f"module 'hmmem.hmm' has no attribute {name!r}")


def _collect(
    model: HiddenMarkovModel, block: Sequences, possible: np.ndarray | None, log_likelihood: np.ndarray,
    first: np.ndarray, last: np.ndarray, counts: np.ndarray, emission: Statistics,
) -> Statistics:  # fmt: skip
    """The statistics of a block's sequences; those that are not possible are counted (None: all are)."""
    weight, n_impossible = block.weight, 0
    if "weight" in block.per_sequence or not (possible is None or possible.all()):
        possible = np.ones(len(block), bool) if possible is None else possible
        weight, n_impossible = float((block.weights * possible) @ block.lengths), int(len(possible) - possible.sum())
        log_likelihood = block.weights[possible] * log_likelihood[possible]
    return _statistics(model, float(log_likelihood.sum()), weight, n_impossible, first, last, counts, emission)


def _statistics(
    model: HiddenMarkovModel, log_likelihood: float, weight: float, n_impossible: int, first: np.ndarray,
    last: np.ndarray, counts: np.ndarray, emission: Statistics,
) -> Statistics:  # fmt: skip
    ends = {} if model.chain.endprob is None else {"end": last}
    return Statistics(
        log_likelihood=log_likelihood,
        weight=weight,
        n_impossible=n_impossible,
        chain=Statistics(start=first, transitions=counts, **ends),
        emission=emission,
    )


@unit_of_work
def _expect_unit(model: HiddenMarkovModel, unit: tuple[int, Sequences | Stretch]) -> tuple[int, Statistics | None]:
    number, data = unit
    return number, _expect_stretch(model, data) if isinstance(data, Stretch) else _expect_block(model, data)


def _expect_stretch(model: HiddenMarkovModel, stretch: Stretch) -> Statistics | None:
    """Segments of a long sequence, side by side; None if they must know more of each other."""
    frames, lanes, edges = stretch.frames.X, stretch.lanes, stretch.edges(model.chain.arrays)
    for steps in tries(stretch.margin):
        found = model._expect_lanes(frames, lanes, None, edges, stretch.windows(steps))
        if found is not None:
            break
    if found is None or found[0].unsure > 0:
        return None
    q, emission = found
    log_likelihood, n = math.fsum(q.log_likelihood), float(stretch.n_frames)
    statistics = _statistics(model, log_likelihood, n, 0, q.first, q.last, q.counts, emission)
    return statistics if stretch.weight == 1.0 else statistics * stretch.weight


def _expect_block(model: HiddenMarkovModel, block: Sequences) -> Statistics:
    if block.is_long(model.width):
        return _expect_strip(model, block)
    lanes = recursions.lanes_of(model.chain.arrays, block.offsets)
    if lanes is None:
        p = recursions.smooth_block(model.chain.arrays, model.log_lik(block.X), block.offsets, _weights(block))
        return _of_posterior(model, block, p)
    found = model._expect_lanes(block.X, lanes, _weights(block))
    assert found is not None
    q, emission = found
    if q.unsure == 0:
        return _collect(model, block, None, q.log_likelihood, q.first, q.last, q.counts, emission)
    sure, unsure = np.flatnonzero(q.status != UNSURE), np.flatnonzero(q.status == UNSURE)
    again = block[unsure]
    p = recursions.smooth_in_log_space(model.chain.arrays, model.log_lik(again.X), again.offsets, _weights(again))
    rescued = _of_posterior(model, again, p)
    if len(sure) == 0:
        return rescued
    return rescued + _collect(model, block[sure], None, q.log_likelihood[sure], q.first, q.last, q.counts, emission)


def _weights(block: Sequences) -> np.ndarray | None:
    return block.weights if "weight" in block.per_sequence else None


def _of_posterior(model: HiddenMarkovModel, block: Sequences, p: recursions.Posterior) -> Statistics:
    return _collect(
        model,
        block,
        p.status < UNSURE,
        p.log_likelihood,
        p.gamma[block.offsets[:-1]].sum(axis=0),
        p.gamma[block.offsets[1:] - 1].sum(axis=0),
        p.counts,
        model._statistics(block.X, p.gamma),
    )


def _expect_strip(model: HiddenMarkovModel, block: Sequences) -> Statistics:
    """One long sequence, piece by piece; the pieces' statistics are added from the last to the first."""
    pieces = block.pieces(model.width)
    S = model.chain.n_states
    edges = {"first": np.zeros(S), "last": np.zeros(S)}

    def visit(i: int, gamma: np.ndarray) -> Statistics:
        if i == 0:
            edges["first"] = gamma[0].copy()
        if i == len(pieces) - 1:
            edges["last"] = gamma[-1].copy()
        return model._statistics(pieces[i].X, gamma)

    log_likelihood, possible, counts, emission = recursions.smooth_strip(
        model.chain.arrays, pieces, model._log_lik_of, visit
    )
    if not possible:
        nothing = np.zeros((1, S))
        emission = model._statistics(pieces[0].X[:1], nothing)
    weight = float(block.weights[0])
    once = replace(block, per_sequence={})
    statistics = _collect(
        model, once, np.array([possible]), np.array([log_likelihood]), edges["first"], edges["last"], counts, emission
    )
    return statistics if weight == 1.0 else statistics * weight


def _score_block(model: HiddenMarkovModel, block: Sequences) -> tuple[np.ndarray, np.ndarray]:
    if not block.is_long(model.width):
        f = recursions.filter_block(model.chain.arrays, model.log_lik(block.X), block.offsets)
        return np.add.reduceat(f.log_c, block.offsets[:-1]), f.log_c
    pieces = block.pieces(model.width)
    frames = [np.full(piece.n_frames, -np.inf) for piece in pieces]

    def visit(i: int, alpha: np.ndarray, log_c: np.ndarray) -> None:
        frames[i] = log_c

    log_likelihood, _ = recursions.filter_strip(model.chain.arrays, pieces, model._log_lik_of, visit)
    return np.array([log_likelihood]), np.concatenate(frames)


def _score_sequences_block(model: HiddenMarkovModel, block: Sequences) -> tuple[np.ndarray]:
    return (_score_block(model, block)[0],)


def _filter_block(model: HiddenMarkovModel, block: Sequences) -> tuple[np.ndarray]:
    if not block.is_long(model.width):
        return (recursions.filter_block(model.chain.arrays, model.log_lik(block.X), block.offsets).alpha,)
    pieces = block.pieces(model.width)
    alphas = [np.zeros((piece.n_frames, model.chain.n_states)) for piece in pieces]

    def visit(i: int, alpha: np.ndarray, log_c: np.ndarray) -> None:
        alphas[i] = alpha

    recursions.filter_strip(model.chain.arrays, pieces, model._log_lik_of, visit)
    return (np.concatenate(alphas),)


def _smooth_block(model: HiddenMarkovModel, block: Sequences) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gamma = np.empty((block.n_frames, model.chain.n_states))
    done, terms, counts = 0, [], np.zeros_like(model.chain.transmat)
    chain = model.chain.arrays
    for stretch in stretches(chain, block):
        frames, lanes, edges = stretch.frames.X, stretch.lanes, stretch.edges(chain)
        if not any(
            recursions.hear(chain, model.log_lik, frames, w, edges) for w in map(stretch.windows, tries(stretch.margin))
        ):
            break
        q = recursions.smooth_lanes(chain, model.log_lik(lanes.pack(frames)), lanes, None, edges)
        if q.unsure > 0:
            break
        assert q.gamma is not None
        first, last = stretch.bounds[[0, -1]]
        lanes.from_frame(first).unpack(q.gamma, gamma[done : done + last - first])
        done, counts = done + last - first, counts + q.counts
        terms.append(math.fsum(q.log_likelihood))
    if done == len(gamma):
        return np.array([math.fsum(terms)]), gamma, counts
    if not block.is_long(model.width):
        p = recursions.smooth_block(model.chain.arrays, model.log_lik(block.X), block.offsets, None)
        return p.log_likelihood, p.gamma, p.counts
    pieces = block.pieces(model.width)
    gammas = [np.zeros((piece.n_frames, model.chain.n_states)) for piece in pieces]

    def visit(i: int, gamma: np.ndarray) -> None:
        gammas[i] = gamma

    log_likelihood, _, counts, _ = recursions.smooth_strip(model.chain.arrays, pieces, model._log_lik_of, visit)
    return np.array([log_likelihood]), np.concatenate(gammas), counts


def _decode_block(model: HiddenMarkovModel, block: Sequences, map: Map = map) -> tuple[np.ndarray, np.ndarray]:
    chain = model.chain.arrays
    if block.is_long(model.width):
        pieces = block.pieces(model.width)
        path, log_prob = decoding.decode_strip(chain, pieces, model._log_lik_of, block, model.log_lik, map)
        return path, np.array([log_prob])
    lanes = decoding.lanes_of(chain, block.offsets)
    if lanes is None:
        return decoding.decode_block(chain, model.log_lik(block.X), block.offsets)
    return decoding.decode_lanes(chain, model.log_lik(lanes.pack(block.X)), lanes, block.offsets)


def _path_block(model: HiddenMarkovModel, block: Sequences) -> tuple[np.ndarray]:
    path = np.ascontiguousarray(block.per_frame["path"])
    return (decoding.path_log_prob(model.chain.arrays, model.log_lik(block.X), block.offsets, path),)
