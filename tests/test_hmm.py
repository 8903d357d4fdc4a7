"""HiddenMarkovModel: one update against enumeration, shared emissions, and what the model says about data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import reference as ref
from generators import (
    categorical_frames,
    gaussian_frames,
    poisson_frames,
    random_categorical,
    random_endprob,
    random_gaussian,
    random_hmm,
    random_poisson,
    random_rows,
    simulate,
    with_end,
)
from numpy.testing import assert_allclose, assert_array_equal

from hmmem import recursions
from hmmem.chain import MarkovChain
from hmmem.em import fit_em
from hmmem.emissions import Categorical, Gaussian, Poisson
from hmmem.emissions.covariance import SHAPES
from hmmem.emissions.scale import Scale
from hmmem.hmm import HiddenMarkovModel
from hmmem.mixture import Mixture
from hmmem.sequences import Sequences

FAMILIES = [*[f"gaussian-{shape}" for shape in SHAPES], "categorical", "categorical-2", "poisson"]
families = pytest.mark.parametrize("family", FAMILIES)


class Case:
    """A random model, data of several sequences, and the twin's update of them."""

    def __init__(self, family: str, seed: int, end: str = "none", weighted: bool = False, floor: float = 0.0) -> None:
        rng = np.random.default_rng([seed, FAMILIES.index(family)])
        self.K, self.D = 1 + seed % 3, 2
        self.lengths = rng.integers(1, 6, 5).tolist()
        self.start, self.trans = random_rows(rng, 1, self.K, 0.3)[0], random_rows(rng, self.K, self.K, 0.3)
        self.end = None
        if end != "none":
            self.end = random_endprob(rng, random_hmm(rng, self.K, 3), 0.0)
            self.trans = with_end(self.trans, self.end)
        self.fixed = frozenset({"endprob"}) if end == "fixed" else frozenset()
        path = np.concatenate([simulate(rng, self.start, self.trans, T) for T in self.lengths])
        self.weights = rng.exponential(size=5) if weighted else None
        self.floor = floor
        self._emission(family, rng, path)
        weights = {} if self.weights is None else {"weight": self.weights}
        data = Sequences.from_lengths(self.X, self.lengths, np.int64 if "cat" in family else np.float64)
        self.data = replace(data, per_sequence=weights)
        if isinstance(self.emission, Gaussian):
            self.emission = Gaussian.of(*self.parameters, self.shape, Scale.of(self.data, floor))
        self.model = HiddenMarkovModel(MarkovChain(self.start, self.trans, self.end, fixed=self.fixed), self.emission)

    def _emission(self, family: str, rng: np.random.Generator, path: np.ndarray) -> None:
        if family.startswith("gaussian"):
            shape = family.removeprefix("gaussian-")
            self.parameters: tuple[Any, ...] = random_gaussian(rng, self.K, self.D, shape)
            self.X = gaussian_frames(rng, path, *self.parameters, shape)
            self.emission: Any = Gaussian.of(*self.parameters, shape)
            self.shape = shape
        elif family == "poisson":
            self.parameters = (random_poisson(rng, self.K, self.D),)
            self.X = poisson_frames(rng, path, *self.parameters).astype(float)
            self.emission = Poisson(*self.parameters)
        else:
            tables = [random_categorical(rng, self.K, V, 0.2) for V in ([4] if family == "categorical" else [3, 5])]
            self.parameters = (tables,)
            self.X = np.column_stack([categorical_frames(rng, path, table) for table in tables])
            self.emission = Categorical(tuple(tables))

    def twin(self) -> ref.Update:
        common = {
            "weights": self.weights, "endprob": self.end, "posteriors": ref.enumerate_paths,
            "learn_end": self.end is not None and not self.fixed,
        }  # fmt: skip
        arguments = (self.X, self.lengths, self.start, self.trans, *self.parameters)
        if isinstance(self.emission, Gaussian):
            units = self.emission.scale.variances
            return ref.em_update_gaussian(*arguments, self.shape, floor=self.floor, unit_variances=units, **common)
        if isinstance(self.emission, Poisson):
            return ref.em_update_poisson(*arguments, **common)
        return ref.em_update_categorical(*arguments, **common)

    def check_update(self) -> None:
        expected = self.twin()
        statistics = self.model.expect(self.data)
        assert_allclose(statistics.log_likelihood, expected.log_likelihood, rtol=1e-9)
        found = self.model.maximise(statistics)
        tol = {"rtol": 1e-9, "atol": 1e-12}
        assert_allclose(found.chain.startprob, expected.startprob, **tol)
        assert_allclose(found.chain.transmat, expected.transmat, **tol)
        if self.end is not None:
            assert_allclose(found.chain.endprob, expected.endprob, **tol)
        if isinstance(found.emission, Gaussian):
            means, covars = expected.parameters
            assert_allclose(found.emission.means, means, rtol=1e-9, atol=1e-9)
            assert_allclose(found.emission.covariance.values, covars, rtol=1e-9, atol=1e-10)
        elif isinstance(found.emission, Poisson):
            assert_allclose(found.emission.lambdas, expected.parameters[0], **tol)
        else:
            for table, wanted in zip(found.emission.tables, expected.parameters[0], strict=True):
                assert_allclose(table, wanted, **tol)


@families
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("weighted", [False, True])
def test_update_matches_enumeration(family: str, seed: int, weighted: bool) -> None:
    # a floor far below the data's spread keeps rows on one or two frames sound, in twin and library alike
    Case(family, seed, weighted=weighted, floor=1e-3).check_update()


@families
@pytest.mark.parametrize("end", ["learned", "fixed"])
@pytest.mark.parametrize("seed", range(3))
def test_update_with_end_matches_enumeration(family: str, end: str, seed: int) -> None:
    Case(family, seed, end=end, weighted=seed == 1, floor=1e-3).check_update()


@families
def test_update_in_strips_matches_enumeration(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hmmem.sequences.BLOCK_SIZE", 2)
    monkeypatch.setattr("hmmem.sequences.LONG", 1)
    for seed in range(3):
        case = Case(family, seed, end="learned" if seed == 2 else "none", weighted=True, floor=1e-3)
        assert any(block.is_long(case.model.width) for block in case.data.blocks(case.model.width))
        case.check_update()


def test_impossible_sequences_are_left_out_and_counted() -> None:
    table = np.array([[0.5, 0.5, 0.0], [0.1, 0.9, 0.0]])
    model = HiddenMarkovModel(
        MarkovChain(np.array([0.4, 0.6]), np.array([[0.7, 0.3], [0.2, 0.8]])), Categorical((table,))
    )
    X = np.array([0, 1, 1, 2, 0, 1, 0])[:, None]
    data = Sequences.from_lengths(X, [2, 3, 2], np.int64)
    found, without = model.expect(data), model.expect(data[[0, 2]])
    assert (found.n_impossible, found.weight) == (1, 4.0)
    assert found.log_likelihood == without.log_likelihood
    assert_array_equal(found.chain.transitions, without.chain.transitions)
    assert_array_equal(found.emission.counts[0], without.emission.counts[0])
    scores = model.score_sequences(data)
    assert scores[1] == -np.inf
    assert_allclose(found.log_likelihood, scores[[0, 2]].sum(), rtol=1e-14)
    assert (model.score_frames(data) == -np.inf).tolist() == [False, False, False, True, True, False, False]
    path, log_prob = model.decode(data)
    assert path[2:5].tolist() == [-1, -1, -1]
    assert log_prob[1] == -np.inf
    assert_array_equal(model.smooth(data)[1][2:5], 0.0)


@pytest.mark.parametrize("size", [None, 6])
def test_impossible_strip_adds_nothing(size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if size is not None:
        monkeypatch.setattr("hmmem.sequences.BLOCK_SIZE", size)
        monkeypatch.setattr("hmmem.sequences.LONG", 1)
    table = np.array([[0.5, 0.5, 0.0], [0.1, 0.9, 0.0]])
    model = HiddenMarkovModel(
        MarkovChain(np.array([0.4, 0.6]), np.array([[0.7, 0.3], [0.2, 0.8]])), Categorical((table,))
    )
    X = np.random.default_rng(0).integers(0, 2, (60, 1))
    X[25] = 2
    data = Sequences.from_lengths(X, [40, 20], np.int64)
    found, without = model.expect(data), model.expect(data[1:])
    assert (found.n_impossible, found.weight) == (1, 20.0)
    assert_allclose(found.chain.transitions, without.chain.transitions, rtol=1e-14)
    assert_allclose(found.emission.counts[0], without.emission.counts[0], rtol=1e-14)
    assert model.decode(data)[1][0] == -np.inf
    assert (model.score_frames(data)[:40] == -np.inf).tolist() == [t >= 25 for t in range(40)]
    assert_array_equal(model.filter(data)[25:40], 0.0)


# ---- shared emissions -----------------------------------------------------------------------------------------------


def tied_pair() -> tuple[HiddenMarkovModel, HiddenMarkovModel, Sequences]:
    """Four states over two rows, and the same with the rows written out."""
    rng = np.random.default_rng(3)
    pdf = np.array([0, 1, 1, 0])
    chain = MarkovChain(random_rows(rng, 1, 4)[0], random_rows(rng, 4, 4, 0.3))
    rates = np.array([[3.0], [11.0]])
    shared = HiddenMarkovModel(replace(chain, pdf=pdf), Poisson(rates))
    expanded = HiddenMarkovModel(chain, Poisson(rates[pdf]))
    return shared, expanded, Sequences.from_lengths(rng.poisson(6.0, (60, 1)).astype(float), [25, 1, 34])


@pytest.mark.parametrize("size", [None, 8])
def test_shared_emissions_equal_the_expanded_model(size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if size is not None:
        monkeypatch.setattr("hmmem.sequences.BLOCK_SIZE", size)
        monkeypatch.setattr("hmmem.sequences.LONG", 1)
    shared, expanded, data = tied_pair()
    assert_array_equal(shared.log_lik(data.X), expanded.log_lik(data.X))
    assert_allclose(shared.score_sequences(data), expanded.score_sequences(data), rtol=1e-14)
    assert_allclose(shared.smooth(data)[1], expanded.smooth(data)[1], rtol=1e-12)
    assert_array_equal(shared.decode(data)[0], expanded.decode(data)[0])
    a, b = shared.expect(data), expanded.expect(data)
    assert_allclose(a.log_likelihood, b.log_likelihood, rtol=1e-14)
    assert_allclose(a.chain.transitions, b.chain.transitions, rtol=1e-12)
    pooled = np.array([b.emission.first[[0, 3]].sum(), b.emission.first[[1, 2]].sum()])
    assert_allclose(a.emission.first.ravel(), pooled, rtol=1e-12)
    after = shared.maximise(a)
    weights = np.array([b.emission.weight[[0, 3]].sum(), b.emission.weight[[1, 2]].sum()])
    assert_allclose(after.emission.lambdas.ravel(), pooled / weights, rtol=1e-12)


def test_shared_emissions_train_and_permute() -> None:
    shared, _, data = tied_pair()
    straight, report = fit_em(shared, data, n_iter=30, tol=None)
    assert np.all(np.diff(report.history) >= -1e-9 * report.weight)
    order = np.array([3, 1, 0, 2])
    permuted, _ = fit_em(shared.permute(order), data, n_iter=30, tol=None)
    assert_allclose(permuted.chain.transmat, straight.chain.transmat[np.ix_(order, order)], rtol=1e-9, atol=1e-12)
    assert_allclose(permuted.emission.lambdas, straight.emission.lambdas, rtol=1e-9)


# ---- what the model says --------------------------------------------------------------------------------------------


@families
@pytest.mark.parametrize("size", [None, 8])
def test_scores_posteriors_and_paths_match_the_twins(
    family: str, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size is not None:
        monkeypatch.setattr("hmmem.sequences.BLOCK_SIZE", size)
        monkeypatch.setattr("hmmem.sequences.LONG", 1)
    for seed in range(3):
        case = Case(family, seed, end="learned" if seed == 1 else "none")
        model, data = case.model, case.data
        log_lik = model.log_lik(data.X)
        scores, frames, alpha = model.score_sequences(data), model.score_frames(data), model.filter(data)
        log_likelihood, gamma, counts = model.smooth(data)
        path, log_prob = model.decode(data)
        total = np.zeros_like(counts)
        for i in range(len(data)):
            rows = slice(data.offsets[i], data.offsets[i + 1])
            one = (case.start, case.trans, log_lik[rows], case.end)
            expected = ref.log_forward_backward(*one)
            total += expected.counts
            assert_allclose([scores[i], log_likelihood[i]], expected.log_likelihood, rtol=1e-12)
            assert_allclose(frames[rows], expected.log_predictive, rtol=1e-9, atol=1e-12)
            assert_allclose(gamma[rows], expected.gamma, rtol=1e-9, atol=1e-12)
            assert_allclose(log_prob[i], ref.log_viterbi(*one)[1], rtol=1e-12)
            assert_array_equal(path[rows], ref.log_viterbi(*one)[0])
            if case.end is None:
                assert_allclose(alpha[rows][-1], gamma[rows][-1], rtol=1e-9, atol=1e-12)
        assert_allclose(counts, total, rtol=1e-9, atol=1e-12)
        assert_allclose(model.path_log_prob(data, path), log_prob, rtol=1e-13)


@pytest.mark.parametrize("size", [None, 2])
def test_score_frames_certifies_every_prefix(size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state far below the smallest share decides the second frame, but no posterior of the whole sequence."""
    if size is not None:
        monkeypatch.setattr("hmmem.sequences.BLOCK_SIZE", size)
        monkeypatch.setattr("hmmem.sequences.LONG", 1)
    X = np.array([[0.0], [60.0], [0.0], [0.0]])
    model = HiddenMarkovModel(
        MarkovChain(np.array([0.5, 0.5]), np.eye(2)), Gaussian.of([[60.0], [0.0]], [[1.0], [1.0]], "diag")
    )
    data = Sequences.from_lengths(X, [4])
    expected = ref.log_forward_backward([0.5, 0.5], np.eye(2), model.log_lik(data.X))
    assert_allclose(model.score_frames(data), expected.log_predictive, rtol=1e-12)
    assert_allclose(model.score_sequences(data), expected.log_likelihood, rtol=1e-12)


def test_sample_follows_the_model() -> None:
    model = HiddenMarkovModel(
        MarkovChain(np.array([0.0, 1.0]), np.array([[0.0, 1.0], [0.5, 0.5]])), Poisson(np.array([[0.0], [50.0]]))
    )
    X, states = model.sample([20_000, 1, 3], np.random.default_rng(0))
    assert X.shape == (20_004, 1)
    assert states[[0, 20_000, 20_001]].tolist() == [1, 1, 1]
    assert not np.any((states[:-1] == 0) & (states[1:] == 0) & (np.arange(20_003) < 19_999))
    assert_array_equal(X[states == 0], 0.0)
    assert abs(X[states == 1].mean() - 50.0) < 0.3
    assert abs((states[:20_000] == 0).mean() - 1 / 3) < 0.01
    assert model.sample([5], np.random.default_rng(1), first=0)[1][0] == 0
    again = model.sample([20_000, 1, 3], np.random.default_rng(0))
    assert_array_equal(again[0], X)


def test_a_family_that_knows_frames_alone_gives_the_same_as_one_that_takes_lanes(monkeypatch):
    rng = np.random.default_rng(8)
    transmat, means = rng.dirichlet(np.ones(3), 3), rng.normal(size=(3, 2))
    model = HiddenMarkovModel(MarkovChain(np.full(3, 1 / 3), transmat), Gaussian.of(means, np.ones((3, 2)), "diag"))
    data = Sequences.from_lengths(rng.normal(size=(60, 2)), [9, 20, 5, 6, 1, 12, 4, 2, 1])
    mixture = Mixture(np.full(3, 1 / 3), model.emission)
    expected = model.expect(data), mixture.expect(data)
    monkeypatch.setattr(Gaussian, "takes_lanes", False)
    for found, same in zip((model.expect(data), mixture.expect(data)), expected, strict=True):
        assert_allclose(found.log_likelihood, same.log_likelihood, rtol=1e-14)
        assert_allclose(found.emission.second, same.emission.second, rtol=1e-12)


@pytest.mark.parametrize(("K", "D", "covariance"), [(64, 39, "diag"), (8, 13, "full")])
def test_sequences_of_many_dimensions_need_no_rescue(K, D, covariance, monkeypatch):
    """Speech-like data: states differ by hundreds of nats, and none of that is lost."""
    rng = np.random.default_rng(K)
    means, transmat = rng.normal(size=(K, D)) * 2, rng.dirichlet(np.ones(K), K)
    lengths = [500] * 8 + [300] * 5
    X = means[rng.integers(K, size=sum(lengths))] + rng.normal(size=(sum(lengths), D))
    covars = np.ones((K, D)) if covariance == "diag" else np.tile(np.eye(D), (K, 1, 1))
    model = HiddenMarkovModel(MarkovChain(np.full(K, 1 / K), transmat), Gaussian.of(means, covars, covariance))
    monkeypatch.setattr(recursions, "LogSpace", None)
    data = Sequences.from_lengths(X, lengths)
    assert model.expect(data).n_impossible == 0
    monkeypatch.setattr(recursions, "lanes_of", lambda chain, offsets: None)
    assert model.expect(data).n_impossible == 0


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("family", ["spherical", "diag", "tied", "full", "poisson", "categorical"])
def test_one_call_of_a_kernel_gives_what_its_steps_give(family, ends, monkeypatch):
    rng = np.random.default_rng(11)
    K, D, lengths = 5, 3, [30, 7, 1, 12, 40, 3, 9, 20, 20, 11]
    rows = rng.dirichlet(np.ones(K + 1), K)
    chain = MarkovChain(rng.dirichlet(np.ones(K)), rows[:, :K], endprob=rows[:, K])
    if not ends:
        chain = MarkovChain(chain.startprob, rows[:, :K] / rows[:, :K].sum(axis=1, keepdims=True))
    emission = {
        "poisson": lambda: Poisson(rng.uniform(0.5, 20.0, (K, D))),
        "categorical": lambda: Categorical(tuple(rng.dirichlet(np.ones(V), K) for V in (4, 2, 9)), unknown_prob=0.1),
    }.get(family, lambda: Gaussian.of(rng.normal(size=(K, D)), _covars(rng, family, K, D), family))()
    model = HiddenMarkovModel(chain, emission)
    frames, _ = model.sample(lengths, rng)
    if family == "categorical":
        frames[::7], frames[3::11] = -1, [4, 2, 9]
    data = Sequences.from_lengths(frames, lengths, frames.dtype)
    data = replace(data, per_sequence={"weight": rng.integers(0, 3, len(lengths)).astype(float)})
    found = model.expect(data)
    monkeypatch.setattr(type(emission), "expect_runs", None)
    expected = model.expect(data)
    assert found.weight == expected.weight
    assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-13)
    for name in ("start", "transitions", *(["end"] if ends else [])):
        assert_allclose(getattr(found.chain, name), getattr(expected.chain, name), rtol=1e-12, atol=1e-13)
    for name, value in found.emission._fields.items():
        same = expected.emission._fields[name]
        pairs = zip(value, same, strict=True) if isinstance(value, tuple) else [(value, same)]
        for ours, theirs in pairs:
            assert_allclose(ours, theirs, rtol=1e-11, atol=1e-12)


def _covars(rng, family, K, D):
    full = np.stack([np.cov(rng.normal(size=(D, 40))) for _ in range(K)])
    return {"spherical": full[:, 0, 0], "diag": np.einsum("kii->ki", full), "tied": full[0], "full": full}[family]


def test_values_that_do_not_fit_together_are_refused_before_a_kernel_reads_beyond_them():
    three, uniform = np.full((3, 3), 1 / 3), np.full(3, 1 / 3)
    rates = Poisson(np.array([[1.0], [2.0]]))
    with pytest.raises(ValueError, match="a row of parameters for each of the chain's 3 states; it has 2"):
        HiddenMarkovModel(MarkovChain(uniform, three), rates)
    with pytest.raises(ValueError, match="one of the emission's 2 rows"):
        HiddenMarkovModel(MarkovChain(uniform, three, pdf=np.array([0, 1, 2])), rates)
    with pytest.raises(ValueError, match="one entry for each of the emission's 2 rows"):
        Mixture(uniform, rates)
    with pytest.raises(ValueError, match=r"transmat must have shape \(2, 2\)"):
        MarkovChain(np.array([0.5, 0.5]), three)
    for bad in ([1.5, -0.5], [0.9, 0.9]):
        with pytest.raises(ValueError, match="rows sum to no more than 1"):
            MarkovChain(np.array(bad), np.full((2, 2), 0.5))
    model = HiddenMarkovModel(MarkovChain(np.array([0.5, 0.5]), np.full((2, 2), 0.5)), rates)
    wide = Sequences.from_lengths(np.ones((10, 5)), [10])
    for answer in (model.expect, model.decode, model.smooth, Mixture(np.array([0.5, 0.5]), rates).expect):
        with pytest.raises(ValueError, match="must have the 1 columns"):
            answer(wide)
    narrow = Sequences.from_lengths(np.ones((10, 1)), [10])
    for path in (np.zeros(9, int), np.full(10, 2)):
        with pytest.raises(ValueError, match="path must hold a state from 0 to 1"):
            model.path_log_prob(narrow, path)
    symbols = Categorical((np.full((2, 3), 1 / 3),))
    coded = HiddenMarkovModel(model.chain, symbols)
    with pytest.raises(ValueError, match="codes up to 3"):
        coded.expect(Sequences.from_lengths(np.full((4, 1), 100_000), [4], np.int64))
    with pytest.raises(ValueError, match="integers; got dtype float64"):
        coded.expect(narrow)


def test_a_family_whose_log_lik_has_another_shape_is_named(monkeypatch):
    model = HiddenMarkovModel(
        MarkovChain(np.array([0.5, 0.5]), np.full((2, 2), 0.5)), Poisson(np.array([[1.0], [2.0]]))
    )
    monkeypatch.setattr(Poisson, "expect_runs", None)
    monkeypatch.setattr(Poisson, "takes_lanes", False)
    data = Sequences.from_lengths(np.ones((40, 1)), [20, 20])
    whole = Poisson.log_lik
    monkeypatch.setattr(Poisson, "log_lik", lambda self, X: whole(self, X)[:, :1])
    with pytest.raises(ValueError, match="log_lik of Poisson must have"):
        model.expect(data)
    monkeypatch.setattr(Poisson, "log_lik", lambda self, X: whole(self, X).astype(np.float32))
    assert_allclose(model.expect(data).weight, 40.0)
