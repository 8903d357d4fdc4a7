"""The recursions on random cases, against a plain log-space reference: ``python -m tests.fuzz [--cases N] [--seed S]``

A case is a chain of up to 40 states of one of several shapes, with exact zeros or tiny probabilities, with or without
an end, and up to 20 ragged sequences of up to 2000 frames, whose log-likelihoods span up to 10^5 nats and hold -inf and
outliers of -10^15. Every way through the kernels runs it: eight side by side, one after the other, in segments; and it
is decoded.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from generators import MODELS, Model, random_endprob, with_end

from hmmem import decoding, hmm, recursions, segments
from hmmem.chain import ChainArrays, MarkovChain
from hmmem.hmm import HiddenMarkovModel
from hmmem.kernels.scaled import UNSURE
from hmmem.lanes import Lanes
from hmmem.sequences import Sequences
from hmmem.statistics import Statistics

#: Largest error of a posterior probability, and of a log-likelihood relative to the sum of its |log c_t|.
PROBABILITY, RELATIVE = 1e-10, 1e-11


class Given:
    """An emission whose frames are their own log-likelihoods."""

    takes_lanes = True

    def __init__(self, K: int) -> None:
        self.n_features = self.n_rows = K

    def log_lik(self, X: np.ndarray) -> np.ndarray:
        return X.copy()

    def statistics(self, X: np.ndarray, gamma: np.ndarray) -> Statistics:
        weight = gamma.sum(axis=(0, 2)) if gamma.ndim == 3 else gamma.sum(axis=0)
        return Statistics(weight=weight)


@dataclass
class Case:
    """A chain and sequences."""

    shape: str
    chain: MarkovChain
    log_lik: np.ndarray
    offsets: np.ndarray


@dataclass
class Reference:
    """What log space says: log_likelihood (m,), size (m,) = sum |log c_t|, gamma (n, K), counts (K, K)."""

    log_likelihood: np.ndarray
    size: np.ndarray
    gamma: np.ndarray
    counts: np.ndarray


def draw(rng: np.random.Generator) -> Case:
    """Return a random case of about 2000 frames at the most."""
    shape = str(rng.choice([*MODELS, *["mixing"] * 4]))
    K = int(np.exp(rng.uniform(0, np.log(40.99))))
    alone = rng.random() < (0.7 if shape == "mixing" else 0.3)
    lengths = np.exp(rng.uniform(0, np.log(2000), 1 if alone else int(rng.integers(2, 21)))).astype(int)
    lengths = lengths[: max(1, int(np.searchsorted(np.cumsum(lengths), 2500)))]
    model = MODELS.get(shape, mixing)(rng, K, int(lengths.max()))
    gap = 10.0 ** rng.uniform(-2, 5)
    rows = []
    for T in lengths:
        x = -gap * rng.random((T, K)) ** rng.choice([1.0, 4.0])
        if rng.random() < 0.3:
            x[rng.random((T, K)) < rng.choice([0.01, 0.3])] = -np.inf
        if rng.random() < 0.1:
            x[rng.integers(T)] -= 1e15
        rows.append(model.log_lik if lengths.max() == T and rng.random() < 0.5 else x)
    end = random_endprob(rng, model) if rng.random() < 0.3 else None
    transmat = model.transmat if end is None else with_end(model.transmat, end)
    chain = MarkovChain(model.startprob, transmat, endprob=end)
    return Case(shape, chain, np.concatenate(rows), np.concatenate([[0], np.cumsum(lengths)]))


def mixing(rng: np.random.Generator, K: int, T: int) -> Model:
    """A chain without zeros, which forgets, and can be cut into segments."""
    startprob, *transmat = rng.dirichlet(np.full(K, 10.0 ** rng.uniform(-0.5, 1)), K + 1) + 1e-12
    transmat = np.array(transmat)
    return Model(startprob / startprob.sum(), transmat / transmat.sum(axis=1, keepdims=True), rng.normal(size=(T, K)))


def _log_sum(a: np.ndarray, axis: int) -> np.ndarray:
    peak = a.max(axis=axis, keepdims=True)
    peak = np.where(peak > -np.inf, peak, 0.0)
    return np.squeeze(peak, axis) + np.log(np.exp(a - peak).sum(axis=axis))


@np.errstate(divide="ignore", invalid="ignore")
def reference(case: Case) -> Reference:
    """Forward and backward in log space, frame by frame, each normalised about the peak of its reachable states."""
    chain, m = case.chain, len(case.offsets) - 1
    log_start, log_trans = np.log(chain.startprob), np.log(chain.transmat)
    log_end = np.zeros(chain.n_states) if chain.endprob is None else np.log(chain.endprob)
    result = Reference(np.zeros(m), np.zeros(m), np.zeros_like(case.log_lik), np.zeros_like(chain.transmat))
    for s in range(m):
        rows = slice(case.offsets[s], case.offsets[s + 1])
        x = case.log_lik[rows]
        T, alpha, log_c, shifted = len(x), np.empty_like(x), [], np.empty_like(x)
        for t in range(T):
            predicted = log_start if t == 0 else _log_sum(alpha[t - 1][:, None] + log_trans, 0)
            peak = np.where(predicted > -np.inf, x[t], -np.inf).max()
            if peak == -np.inf:
                break
            shifted[t] = np.where(predicted > -np.inf, x[t] - peak, -np.inf)
            joint = predicted + shifted[t]
            c = float(_log_sum(joint, 0))
            alpha[t] = joint - c
            log_c += [c, peak]
        ending = float(_log_sum(alpha[T - 1] + log_end, 0)) if len(log_c) == 2 * T else -np.inf
        if ending == -np.inf:
            result.log_likelihood[s] = -np.inf
            continue
        result.log_likelihood[s] = math.fsum([*log_c, ending])
        result.size[s] = math.fsum(abs(log_c[i] + log_c[i + 1]) for i in range(0, 2 * T, 2)) + abs(ending)
        beta = np.empty_like(x)
        beta[T - 1] = log_end - ending
        for t in range(T - 2, -1, -1):
            onward = shifted[t + 1] + beta[t + 1] - log_c[2 * t + 2]
            beta[t] = _log_sum(log_trans + onward, 1)
            xi = alpha[t][:, None] + log_trans + onward
            result.counts += np.exp(xi - _log_sum(xi.reshape(-1), 0))
        gamma = np.exp(alpha + beta - _log_sum(alpha + beta, 1)[:, None])
        result.gamma[rows] = gamma
    return result


@dataclass
class Report:
    """How many cases went which way, and the worst errors there."""

    ways: dict[str, int] = field(default_factory=dict)
    worst: dict[str, dict[str, float]] = field(default_factory=dict)
    rescued: int = 0
    impossible: int = 0
    sequences: int = 0

    def note(self, way: str, **errors: float) -> None:
        """Add the errors of one case."""
        self.ways[way] = self.ways.get(way, 0) + 1
        worst = self.worst.setdefault(way, {})
        for name, value in errors.items():
            worst[name] = max(worst.get(name, 0.0), value)

    def table(self) -> str:
        """Return a table in Markdown."""
        lines = ["| way | cases | posteriors | counts | log-likelihood |", "|---|---|---|---|---|"]
        for way, n in sorted(self.ways.items()):
            errors = (f"{self.worst[way][name]:.1e}" for name in ("gamma", "counts", "log_likelihood"))
            lines.append(f"| {way} | {n} | {' | '.join(errors)} |")
        return "\n".join(lines)


def _errors(
    case: Case, want: Reference, log_likelihood: Any, gamma: np.ndarray, counts: np.ndarray
) -> dict[str, float]:
    possible = want.log_likelihood > -np.inf
    assert np.array_equal(np.asarray(log_likelihood) > -np.inf, possible), (log_likelihood, want.log_likelihood)
    off = np.abs(np.asarray(log_likelihood)[possible] - want.log_likelihood[possible])
    scale = np.maximum(want.size[possible], 1.0)
    return {
        "gamma": float(np.abs(gamma - want.gamma).max(initial=0.0)),
        "counts": float(np.abs(counts - want.counts).max() / max(1.0, len(case.log_lik))),
        "log_likelihood": float((off / scale).max(initial=0.0)),
    }


def _smooth(case: Case, chain: ChainArrays, want: Reference, way: str, lanes: Lanes | None, report: Report) -> None:
    with mock.patch.object(recursions, "lanes_of", return_value=lanes):
        p = recursions.smooth_block(chain, case.log_lik, case.offsets, None)
    report.note(way, **_errors(case, want, p.log_likelihood, p.gamma, p.counts))


def _segments(case: Case, want: Reference, report: Report) -> None:
    data = Sequences(case.log_lik, case.offsets)
    model = HiddenMarkovModel(case.chain, Given(case.log_lik.shape[1]))  # type: ignore[arg-type]
    cut: list[int] = []
    stretch = hmm._expect_stretch

    def watched(*arguments: Any) -> Statistics | None:
        part = stretch(*arguments)
        cut.append(part is not None)
        return part

    with (
        mock.patch.object(segments, "SHORTEST", 16),
        mock.patch.object(segments, "FEW", 8),
        mock.patch.object(hmm, "_expect_stretch", watched),
    ):
        s = model.expect(data)
    if not cut or not all(cut):
        return
    weight = np.abs(s.emission.weight - want.gamma.sum(axis=0)).max() / len(case.log_lik)
    counts = np.abs(s.chain.transitions - want.counts).max() / len(case.log_lik)
    off = abs(s.log_likelihood - want.log_likelihood[0]) / max(1.0, want.size[0])
    report.note("segments", gamma=float(weight), counts=float(counts), log_likelihood=float(off))


def _decode(case: Case, chain: ChainArrays, want: Reference) -> None:
    """The best path is worth what it is said to be, and no less than the path of the largest posteriors."""
    path, log_prob = decoding.decode_block(chain, case.log_lik, case.offsets)
    possible = want.log_likelihood > -np.inf
    assert np.array_equal(log_prob > -np.inf, possible)
    again = decoding.path_log_prob(chain, case.log_lik, case.offsets, path)
    np.testing.assert_allclose(again[possible], log_prob[possible], rtol=1e-13, atol=1e-13)
    rival = decoding.path_log_prob(chain, case.log_lik, case.offsets, want.gamma.argmax(axis=1))
    slack = 1e-12 * np.maximum(want.size[possible], 1.0)
    assert (rival[possible] <= log_prob[possible] + slack).all()
    assert (log_prob[possible] <= want.log_likelihood[possible] + slack).all()


def cases(n: int, seed: int) -> Iterator[Case]:
    """Give n cases; number i depends on the seed and on i alone."""
    for i in range(n):
        yield draw(np.random.default_rng([seed, i]))


def run(n: int, seed: int) -> Report:
    """Run n cases; raises AssertionError for one that is wrong."""
    report = Report()
    for number, case in enumerate(cases(n, seed)):
        try:
            chain, want = case.chain.arrays, reference(case)
            report.sequences += len(case.offsets) - 1
            report.impossible += int((want.log_likelihood == -np.inf).sum())
            _smooth(case, chain, want, "one after the other", None, report)
            if chain.fits_lanes:
                lanes = Lanes.of_runs(case.offsets[:-1], np.diff(case.offsets))
                _smooth(case, chain, want, "side by side", lanes, report)
                p = recursions.smooth_lanes(chain, lanes.pack(case.log_lik), lanes, None)
                report.rescued += int(((p.status == UNSURE) & (want.log_likelihood > -np.inf)).sum())
            if len(case.offsets) == 2 and want.log_likelihood[0] > -np.inf:
                _segments(case, want, report)
            _decode(case, chain, want)
            for way, errors in report.worst.items():
                assert max(errors["gamma"], errors["counts"]) <= PROBABILITY, (way, errors)
                assert errors["log_likelihood"] <= RELATIVE, (way, errors)
        except AssertionError as error:
            raise AssertionError(
                f"case {number} of seed {seed}, {case.shape}, {case.log_lik.shape}: {error}"
            ) from error
    return report


def main() -> None:
    """Print what went which way, and how far off it was at the worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    report = run(arguments.cases, arguments.seed)
    print(
        f"{arguments.cases} cases of seed {arguments.seed}, {report.sequences} sequences, {report.impossible} of them"
    )
    print(f"impossible; {report.rescued} possible ones were run again in log space.\n")
    print(report.table())


if __name__ == "__main__":
    main()
