"""Every family and every model keeps the laws of ``contract.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import contract
import numpy as np
import pytest
from contract import GRID
from generators import random_rows

from hmmem.chain import MarkovChain
from hmmem.emissions import Categorical, Gaussian, Poisson
from hmmem.emissions.covariance import SHAPES
from hmmem.emissions.scale import Scale
from hmmem.hmm import HiddenMarkovModel
from hmmem.mixture import Mixture
from hmmem.sequences import Sequences
from hmmem.training import ViterbiTraining

K = 3
Array = np.ndarray


class Family(NamedTuple):
    """How to make data for a family, and a random start for them."""

    frames: Callable[[np.random.Generator, int], Array]
    hard_frames: Callable[[np.random.Generator, int], Array]
    start: Callable[..., Any]  # (rng, data, K, floor, zeros)
    dtype: Any = np.float64
    is_location: bool = False


# ---- families -------------------------------------------------------------------------------------------------------


def gaussian_frames(rng: np.random.Generator, n: int) -> Array:
    X = rng.normal(size=(n, 2)) * [1.0, 3.0] + 4.0 * rng.integers(0, 3, (n, 1))
    return np.round(X / GRID) * GRID


def hard_gaussian_frames(rng: np.random.Generator, n: int) -> Array:
    """Outliers, features that do not vary, fewer distinct points than states, units far apart, or several of these."""
    X = gaussian_frames(rng, n)
    kind = rng.integers(6)
    if kind == 0:
        X[rng.integers(n)] *= 1e6
    elif kind == 1:
        X[:, 1] = 7.25
    elif kind == 2:
        X = X[rng.integers(0, 2, n)]
    elif kind == 3:
        X = X * [1e8, 1e-8]
    elif kind == 4:
        X = 1e7 + np.round(X)
    else:
        X[:, 1] = 2 * X[:, 0]
    return X


def gaussian_start(shape: str) -> Callable[..., Any]:
    def start(rng: np.random.Generator, data: Sequences, n_rows: int, floor: float, zeros: float) -> Gaussian:
        scale = Scale.of(data, floor)
        D = len(scale.centre)
        means = data.X[rng.integers(data.n_frames, size=n_rows)]
        widths = rng.uniform(0.3, 2.0, (n_rows, D)) * scale.variances
        tilt = np.outer(np.sqrt(scale.variances), np.sqrt(scale.variances)) * 0.2
        full = np.array([np.diag(w) + tilt - np.diag(np.diag(tilt)) for w in widths])
        covars = {"spherical": widths.mean(axis=1), "diag": widths, "tied": full[0], "full": full}[shape]
        return Gaussian.of(means, covars, shape, scale).inside()[0]

    return start


def poisson_frames(rng: np.random.Generator, n: int) -> Array:
    return rng.poisson(np.array([1.0, 8.0, 20.0])[rng.integers(0, 3, n)][:, None] * [1.0, 2.0]).astype(float)


def hard_poisson_frames(rng: np.random.Generator, n: int) -> Array:
    X = poisson_frames(rng, n)
    kind = rng.integers(4)
    if kind == 0:
        X[rng.integers(n)] = 1e6
    elif kind == 1:
        X[:, 1] = 0.0
    elif kind == 2:
        X = X[rng.integers(0, 2, n)]
    else:
        X = X * (rng.random((n, 2)) < 0.1)
    return X


def poisson_start(rng: np.random.Generator, data: Sequences, n_rows: int, floor: float, zeros: float) -> Poisson:
    rates = data.X.mean(axis=0) * rng.uniform(0.2, 3.0, (n_rows, data.X.shape[1]))
    return Poisson(np.where(rng.random(rates.shape) < zeros / 3, 0.0, rates))


def symbol_frames(*sizes: int, codes_beyond: bool = False) -> Callable[[np.random.Generator, int], Array]:
    """Symbols of columns with these alphabets, some unknown (code V) or without information (code -1)."""

    def frames(rng: np.random.Generator, n: int) -> Array:
        X = np.column_stack([np.minimum(rng.geometric(0.4, n) - 1, size - 1) for size in sizes])
        if codes_beyond:
            X = np.where(rng.random(X.shape) < 0.1, sizes, X)
            X = np.where(rng.random(X.shape) < 0.1, -1, X)
        return X.astype(np.int64)

    return frames


def categorical_start(*sizes: int, unknown_prob: float = 0.0) -> Callable[..., Any]:
    def start(rng: np.random.Generator, data: Sequences, n_rows: int, floor: float, zeros: float) -> Categorical:
        return Categorical(tuple(random_rows(rng, n_rows, V, zeros) for V in sizes), unknown_prob)

    return start


FAMILIES = {
    **{
        f"gaussian-{shape}": Family(gaussian_frames, hard_gaussian_frames, gaussian_start(shape), is_location=True)
        for shape in SHAPES
    },
    "categorical-1": Family(symbol_frames(4), symbol_frames(4), categorical_start(4), np.int64),
    "categorical-2": Family(
        symbol_frames(3, 2, codes_beyond=True),
        symbol_frames(3, 2, codes_beyond=True),
        categorical_start(3, 2, unknown_prob=0.05),
        np.int64,
    ),
    "poisson": Family(poisson_frames, hard_poisson_frames, poisson_start),
}


def make_data(
    rng: np.random.Generator, family: Family, lengths: Any, hard: bool = False, weights: Any = None
) -> Sequences:
    frames = (family.hard_frames if hard else family.frames)(rng, int(np.sum(lengths)))
    data = Sequences.from_lengths(frames, lengths, family.dtype)
    return data if weights is None else replace(data, per_sequence={"weight": np.asarray(weights, dtype=float)})


def random_lengths(rng: np.random.Generator, n: int = 8) -> Array:
    return rng.integers(1, 12, n)


# ---- models ---------------------------------------------------------------------------------------------------------


def hmm(rng: np.random.Generator, emission: Any, zeros: float) -> HiddenMarkovModel:
    n = emission.n_rows
    return HiddenMarkovModel(MarkovChain(random_rows(rng, 1, n, zeros)[0], random_rows(rng, n, n, zeros)), emission)


def hmm_with_end(rng: np.random.Generator, emission: Any, zeros: float) -> HiddenMarkovModel:
    model = hmm(rng, emission, zeros)
    end = rng.uniform(0.05, 0.5, emission.n_rows)
    return replace(model, chain=MarkovChain(model.chain.startprob, model.chain.transmat * (1 - end)[:, None], end))


def hard_training(rng: np.random.Generator, emission: Any, zeros: float) -> ViterbiTraining:
    return ViterbiTraining(hmm(rng, emission, zeros))


def mixture(rng: np.random.Generator, emission: Any, zeros: float) -> Mixture:
    return Mixture(random_rows(rng, 1, emission.n_rows, zeros)[0], emission)


MODELS: dict[str, Callable[..., Any]] = {
    "hmm": hmm,
    "hmm-with-end": hmm_with_end,
    "viterbi-training": hard_training,
    "mixture": mixture,
}

families = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
models = pytest.mark.parametrize("kind", MODELS.values(), ids=MODELS)
Kind = Callable[..., Any]


def make(
    rng: np.random.Generator,
    family: Family,
    kind: Kind,
    data: Sequences,
    floor: float = 1e-3,
    zeros: float = 0.0,
    n: int = K,
) -> Any:
    return kind(rng, family.start(rng, data, n, floor, zeros), zeros)


# ---- emissions ------------------------------------------------------------------------------------------------------


@families
@pytest.mark.parametrize("seed", range(3))
def test_emission_keeps_its_laws(family: Family, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = make_data(rng, family, [40])
    emission = family.start(rng, data, K, 1e-3, 0.0)
    X, gamma = data.X, rng.dirichlet(np.full(K, 0.5), 40)
    contract.log_lik_is_never_nan(emission, X)
    contract.emission_statistics_add_and_scale(emission, X, gamma, 17)
    contract.emission_weights_are_repetitions(emission, X, gamma, rng.integers(0, 4, 40))
    contract.emission_permutes(emission, X, gamma, rng.permutation(K))
    contract.emission_step_never_lowers_q(emission, X, gamma)
    contract.emission_distance_is_a_metric_of_change(emission, X, gamma)
    contract.emission_sample_has_the_right_form(emission, rng)


@families
@pytest.mark.parametrize("seed", range(12))
def test_emission_step_never_lowers_q_on_hard_data(family: Family, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = make_data(rng, family, [30], hard=True)
    emission = family.start(rng, data, K, 1e-3, 0.0)
    gamma = rng.dirichlet(np.full(K, 0.3), 30)
    gamma[:, 1] = 0.0  # a starved row
    contract.log_lik_is_never_nan(emission, data.X)
    contract.emission_step_never_lowers_q(emission, data.X, gamma)


# ---- models ---------------------------------------------------------------------------------------------------------


@families
@models
def test_statistics_add_and_scale(family: Family, kind: Kind) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        data = make_data(rng, family, random_lengths(rng))
        contract.statistics_add_and_scale(make(rng, family, kind, data), data, 3)


@models
@pytest.mark.parametrize("shape", list(SHAPES))
def test_statistics_of_other_origins_are_refused(kind: Kind, shape: str) -> None:
    rng = np.random.default_rng(0)
    family = FAMILIES[f"gaussian-{shape}"]
    data = make_data(rng, family, [20])
    elsewhere = replace(data, frames=data.frames + 1.0)
    one, other = make(rng, family, kind, data), make(rng, family, kind, elsewhere)
    contract.statistics_of_other_origins_are_refused(one, other, data)


@families
@models
def test_expect_is_pure(family: Family, kind: Kind) -> None:
    rng = np.random.default_rng(1)
    data = make_data(rng, family, random_lengths(rng))
    contract.expect_is_pure(make(rng, family, kind, data), data)


@families
@models
@pytest.mark.parametrize("floor", [0.0, 1e-3])
def test_objective_never_falls(family: Family, kind: Kind, floor: float) -> None:
    """Also with zeros everywhere, weights, hard data and more states than distinct points."""
    for seed in range(12):
        rng = np.random.default_rng([seed, 7])
        lengths = random_lengths(rng)
        weights = rng.exponential(size=len(lengths)) if seed % 3 == 0 and kind is not mixture else None
        data = make_data(rng, family, lengths, hard=seed % 2 == 1, weights=weights)
        zeros = 0.3 if seed % 4 >= 2 else 0.0
        contract.objective_never_falls(make(rng, family, kind, data, floor, zeros, n=2 + seed % 4), data)


@families
@models
def test_more_states_than_points_keeps_the_laws(family: Family, kind: Kind) -> None:
    rng = np.random.default_rng(3)
    for lengths in ([1], [2, 1], [3]):
        data = make_data(rng, family, lengths)
        contract.objective_never_falls(make(rng, family, kind, data, n=5), data, n_iter=10)


@models
@pytest.mark.parametrize("unit", [1e-100, 1e-20, 1e30, 1e100])
@pytest.mark.parametrize("shape", list(SHAPES))
def test_objective_never_falls_in_any_unit(shape: str, unit: float, kind: Kind) -> None:
    family = FAMILIES[f"gaussian-{shape}"]
    for seed in range(2):
        rng = np.random.default_rng([seed, 11])
        data = make_data(rng, family, random_lengths(rng), hard=seed == 1)
        data = replace(data, frames=data.frames * unit)
        contract.objective_never_falls(make(rng, family, kind, data, floor=1e-3 * seed), data, n_iter=15)


@families
@models
def test_history_is_of_the_models(family: Family, kind: Kind) -> None:
    rng = np.random.default_rng(4)
    data = make_data(rng, family, random_lengths(rng))
    contract.history_is_of_the_models(make(rng, family, kind, data), data)


@families
@models
def test_zeros_stay_zeros(family: Family, kind: Kind) -> None:
    for seed in range(3):
        rng = np.random.default_rng([seed, 5])
        data = make_data(rng, family, random_lengths(rng))
        model = make(rng, family, kind, data, zeros=0.3, n=6)
        if model.expect(data).weight > 0:
            contract.zeros_stay_zeros(model, data)


@families
@models
def test_permutation_permutes(family: Family, kind: Kind) -> None:
    for seed in range(3):
        rng = np.random.default_rng([seed, 6])
        data = make_data(rng, family, random_lengths(rng))
        contract.permutation_permutes(make(rng, family, kind, data), data, np.array([2, 0, 1]))


@families
@models
def test_weights_are_repetitions(family: Family, kind: Kind) -> None:
    for seed in range(3):
        rng = np.random.default_rng([seed, 8])
        if kind is mixture:
            data = make_data(rng, family, [40])
            weights = rng.integers(0, 4, 40)
            weighted = replace(data, per_frame={"weight": weights.astype(float)})
            repeated = Sequences.from_lengths(np.repeat(data.frames, weights, axis=0), [weights.sum()], family.dtype)
        else:
            lengths = random_lengths(rng)
            weights = rng.integers(0, 4, len(lengths))
            weighted = make_data(rng, family, lengths, weights=weights)
            repeated = replace(weighted, per_sequence={})[np.repeat(np.arange(len(lengths)), weights)]
        contract.weights_are_repetitions(make(rng, family, kind, repeated), weighted, repeated)


@models
@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.is_location])
def test_shift_moves_locations_alone(name: str, kind: Kind) -> None:
    family = FAMILIES[name]

    def move(model: Any, shift: float) -> Any:
        if hasattr(model, "model"):
            return replace(model, model=move(model.model, shift))
        # the public means follow from the centre and the offsets
        scale = replace(model.emission.scale, centre=model.emission.scale.centre + shift)
        emission = replace(model.emission, scale=scale, exact=None)
        return replace(model, emission=emission)

    for seed in range(3):
        data = make_data(np.random.default_rng([seed, 9]), family, random_lengths(np.random.default_rng(seed)))
        contract.shift_moves_locations_alone(
            lambda data, seed=seed: make(np.random.default_rng(seed), family, kind, data), move, data
        )


@families
@models
def test_block_budget_does_not_matter(family: Family, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(10)
    data = make_data(rng, family, [1, 30, 2, 3, 17, 1], weights=None if kind is mixture else [1, 2.5, 1, 0, 0.5, 1])
    model = make(rng, family, kind, data, zeros=0.0)
    contract.block_budget_does_not_matter(model, data, monkeypatch, ((1, 1), (9, 1), (12, 2), (30, 10**9)))
