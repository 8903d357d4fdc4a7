"""The laws that every emission family and every model keeps, as functions that raise AssertionError.

A *subject* is anything with ``expect``, ``maximise`` and ``permute``; a new family or model joins by adding one entry
to `FAMILIES` or `MODELS` in ``test_contract.py``. Nothing here knows how a family works: parameters and statistics are
compared as named arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from hmmem.em import ROUNDING, fit_em
from hmmem.emissions.covariance import Covariance
from hmmem.emissions.scale import Scale
from hmmem.exceptions import ImpossibleSequenceError
from hmmem.sequences import Sequences
from hmmem.statistics import Statistics

PROBABILITIES = {"startprob", "transmat", "weights", "tables"}  # rows of a simplex
SHIFT = 2.0**27
GRID = 2.0**-20


# ---- parameters and statistics as named arrays ----------------------------------------------------------------------


def parameters(model: Any, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Every array that a model learns, with its name; what only describes the data or the request is left out."""
    for field in fields(model):
        value = getattr(model, field.name)
        name = f"{prefix}{field.name}"
        if isinstance(value, Scale) or field.name in {"fixed", "support", "pdf"} or value is None:
            continue
        if is_dataclass(value):
            yield from parameters(value, f"{name}.")
        elif isinstance(value, tuple):
            yield from ((f"{name}.{i}", np.asarray(part)) for i, part in enumerate(value))
        elif isinstance(value, np.ndarray):
            yield name, value


def leaves(statistics: Statistics, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Every number and array of statistics, with its name."""
    _, content = statistics.__getstate__()
    for name, value in content.items():
        if isinstance(value, Statistics):
            yield from leaves(value, f"{prefix}{name}.")
        elif isinstance(value, tuple):
            yield from ((f"{prefix}{name}.{i}", np.asarray(part)) for i, part in enumerate(value))
        else:
            yield f"{prefix}{name}", np.asarray(value)


def assert_same_statistics(a: Statistics, b: Statistics, tol: float = 1e-12) -> None:
    """Each field to ``tol``, of itself or of the largest in its array (moments about a mean cancel)."""
    found, expected = dict(leaves(a)), dict(leaves(b))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        scale = max(1.0, float(np.abs(value).max()))
        assert_allclose(found[name], value, rtol=tol, atol=tol * scale, err_msg=name)


def assert_same_parameters(a: Any, b: Any, tol: float = 1e-10) -> None:
    """Each parameter to ``tol``, of itself or of the largest in its array."""
    found, expected = dict(parameters(a)), dict(parameters(b))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert_allclose(found[name], value, rtol=tol, atol=tol * float(np.abs(value).max()), err_msg=name)


def assert_in_space(model: Any) -> None:
    """No parameter is nan or outside its space."""
    emission = model.emission if hasattr(model, "emission") else model.model.emission
    for name, value in parameters(model):
        assert np.isfinite(value).all(), name
        if PROBABILITIES & set(name.split(".")):
            assert (value >= 0).all(), name
            ends = dict(parameters(model)).get(name.replace("transmat", "endprob")) if "transmat" in name else None
            assert_allclose(value.sum(axis=-1) + (0.0 if ends is None else ends), 1.0, rtol=0, atol=1e-12)
        if "lambdas" in name:
            assert (value >= 0).all(), name
    covariance = getattr(emission, "covariance", None)
    if isinstance(covariance, Covariance):
        assert (covariance.sd() > 0).all()
        for matrix in covariance.full():
            sd = np.sqrt(np.diag(matrix))
            assert_array_equal(matrix, matrix.T)
            assert np.linalg.eigvalsh(matrix / np.outer(sd, sd))[0] > 0


# ---- laws of an emission --------------------------------------------------------------------------------------------


def log_lik_is_never_nan(emission: Any, X: np.ndarray) -> None:
    log_lik = emission.log_lik(X)
    assert log_lik.shape == (len(X), emission.n_rows)
    assert not np.isnan(log_lik).any()
    assert not (log_lik == np.inf).any()
    out = np.empty_like(log_lik)
    assert emission.log_lik(X, out=out) is out
    assert_array_equal(out, log_lik)


def emission_statistics_add_and_scale(emission: Any, X: np.ndarray, gamma: np.ndarray, cut: int) -> None:
    whole = emission.statistics(X, gamma)
    parts = emission.statistics(X[:cut], gamma[:cut]) + emission.statistics(X[cut:], gamma[cut:])
    assert_same_statistics(parts, whole)
    assert_same_statistics(whole * 3.0, emission.statistics(X, 3.0 * gamma))
    assert_same_statistics(3.0 * whole, whole + whole + whole)


def emission_weights_are_repetitions(emission: Any, X: np.ndarray, gamma: np.ndarray, weights: np.ndarray) -> None:
    weighted = emission.statistics(X, gamma * weights[:, None])
    repeated = emission.statistics(np.repeat(X, weights, axis=0), np.repeat(gamma, weights, axis=0))
    assert_same_statistics(weighted, repeated)


def emission_permutes(emission: Any, X: np.ndarray, gamma: np.ndarray, order: np.ndarray) -> None:
    after = emission.permute(order)
    assert_allclose(after.log_lik(X), emission.log_lik(X)[:, order], rtol=1e-12)
    learned = emission.maximise(emission.statistics(X, gamma)).permute(order)
    assert_same_parameters(after.maximise(after.statistics(X, gamma[:, order])), learned)


def emission_step_never_lowers_q(emission: Any, X: np.ndarray, gamma: np.ndarray) -> None:
    """Q(next) >= Q(now), where Q = sum gamma log_lik; rows without any weight keep their parameters bit by bit."""
    after = emission.maximise(emission.statistics(X, gamma))

    def q(value: Any) -> float:
        log_lik = value.log_lik(X)
        return float(np.where(gamma > 0, gamma * np.where(gamma > 0, log_lik, 0.0), 0.0).sum())

    before = q(emission)
    assert q(after) >= before - ROUNDING * max(abs(before), gamma.sum())
    starved = gamma.sum(axis=0) == 0
    for (name, old), (_, new) in zip(parameters(emission), parameters(after), strict=True):
        if old.shape[:1] == starved.shape and "values" not in name:
            assert_array_equal(new[starved], old[starved], err_msg=name)


def emission_distance_is_a_metric_of_change(emission: Any, X: np.ndarray, gamma: np.ndarray) -> None:
    assert emission.distance(emission) == 0.0
    after = emission.maximise(emission.statistics(X, gamma))
    changed = any(
        not np.array_equal(a, b) for (_, a), (_, b) in zip(parameters(emission), parameters(after), strict=True)
    )
    assert (after.distance(emission) > 0.0) == changed


def emission_sample_has_the_right_form(emission: Any, rng: np.random.Generator) -> None:
    rows = np.repeat(np.arange(emission.n_rows), 3)
    X = emission.sample(rows, rng)
    assert X.shape == (len(rows), emission.n_features)
    own = emission.log_lik(X)[np.arange(len(rows)), rows]
    assert (own > -np.inf).all()


# ---- laws of a model ------------------------------------------------------------------------------------------------


def statistics_add_and_scale(model: Any, data: Sequences, cut: int) -> None:
    whole = model.expect(data)
    assert_same_statistics(model.expect(data[:cut]) + model.expect(data[cut:]), whole)
    assert_same_statistics(2.0 * whole, whole + whole)
    assert_same_statistics(whole * 2.0, whole + whole)


def statistics_of_other_origins_are_refused(model: Any, other: Any, data: Sequences) -> None:
    with pytest.raises(ValueError, match="different origins"):
        model.expect(data) + other.expect(data)


def expect_is_pure(model: Any, data: Sequences) -> None:
    before = [(name, value.copy()) for name, value in parameters(model)]
    frames = data.frames.copy()
    first, second = model.expect(data), model.expect(data)
    for (name, a), (_, b) in zip(leaves(first), leaves(second), strict=True):
        assert_array_equal(a, b, err_msg=name)
    model.maximise(first)
    assert_array_equal(data.frames, frames)
    for (name, old), (_, value) in zip(before, parameters(model), strict=True):
        assert_array_equal(value, old, err_msg=name)


def objective_never_falls(model: Any, data: Sequences, n_iter: int = 25) -> None:
    """For any data; also: every parameter of every update is inside its space, and the report is of what happened."""
    seen = []

    def check(iteration: int, objective: float, value: Any) -> None:
        assert iteration == len(seen)
        assert_in_space(value)
        seen.append(objective)

    try:
        _, report = fit_em(model, data, n_iter=n_iter, tol=None, callback=check)
    except ImpossibleSequenceError:
        assert model.expect(data).weight == 0
        return
    assert seen == report.history
    history = np.array(report.history)
    assert np.isfinite(history).all()
    assert (np.diff(history) >= -ROUNDING * np.maximum(np.abs(history[1:]), report.weight)).all(), history
    assert report.fall == 0.0
    assert report.stop_reason in {"max_iter", "singular"}
    assert (report.stop_reason == "max_iter") == (report.n_iter == n_iter)


def history_is_of_the_models(model: Any, data: Sequences, n_iter: int = 4) -> None:
    """history[i] is the objective after i updates, and history[-1] that of the model that is returned."""
    models = [model]
    for _ in range(n_iter):
        models.append(models[-1].maximise(models[-1].expect(data)))
    objectives = [m.expect(data).log_likelihood + m.log_prior() for m in models]
    returned, report = fit_em(model, data, n_iter=n_iter, tol=None)
    assert report.history == objectives
    assert report.n_iter == n_iter
    for (name, a), (_, b) in zip(parameters(returned), parameters(models[-1]), strict=True):
        assert_array_equal(a, b, err_msg=name)
    assert returned.expect(data).log_likelihood + returned.log_prior() == report.history[-1]


def zeros_stay_zeros(model: Any, data: Sequences, n_iter: int = 10) -> None:
    after, _ = fit_em(model, data, n_iter=n_iter, tol=None)
    found = 0
    for (name, old), (_, new) in zip(parameters(model), parameters(after), strict=True):
        if PROBABILITIES & set(name.split(".")):
            found += int((old == 0).sum())
            assert (new[old == 0] == 0).all(), name
    assert found > 0, "this model has no zeros to keep"


def permutation_permutes(model: Any, data: Sequences, order: np.ndarray, n_iter: int = 10) -> None:
    straight, report = fit_em(model, data, n_iter=n_iter, tol=None)
    permuted, other = fit_em(permute(model, order), data, n_iter=n_iter, tol=None)
    assert_allclose(other.history, report.history, rtol=1e-10)
    assert_same_parameters(permuted, permute(straight, order))


def permute(model: Any, order: np.ndarray) -> Any:
    """A permuted model; Viterbi training carries one inside."""
    return model.permute(order) if hasattr(model, "permute") else replace(model, model=model.model.permute(order))


def weights_are_repetitions(model: Any, weighted: Sequences, repeated: Sequences, n_iter: int = 10) -> None:
    """Integer weights equal repetition and weight zero equals absence."""
    assert_same_statistics(model.expect(weighted), model.expect(repeated))
    a, report = fit_em(model, weighted, n_iter=n_iter, tol=None)
    b, other = fit_em(model, repeated, n_iter=n_iter, tol=None)
    assert_allclose(report.history, other.history, rtol=1e-10)
    assert report.weight == other.weight
    assert_same_parameters(a, b)


def shift_moves_locations_alone(
    start: Callable[[Sequences], Any], move: Callable[[Any, float], Any], data: Sequences, n_iter: int = 10
) -> None:
    """On data that are multiples of 2^-20 a shift by 2^27 shifts the locations and nothing else.

    ``start(data)`` gives the same model for data here and there but for its locations; ``move(model, s)`` is the model
    whose locations are larger by s.
    """
    far = replace(data, frames=data.frames + SHIFT)
    assert_array_equal(far.frames - SHIFT, data.frames)
    here, report = fit_em(start(data), data, n_iter=n_iter, tol=None)
    there, other = fit_em(start(far), far, n_iter=n_iter, tol=None)
    assert_allclose(other.history, report.history, rtol=1e-10)
    assert_same_parameters(there, move(here, SHIFT))
    for found, expected in zip(locations(there), locations(here), strict=True):
        assert_allclose(found, expected + SHIFT, rtol=2.0**-52)


def locations(model: Any) -> list[np.ndarray]:
    """The public location parameters of a model."""
    emission = model.emission if hasattr(model, "emission") else model.model.emission
    return [getattr(emission, name) for name in ("means",) if hasattr(emission, name)]


def block_budget_does_not_matter(
    model: Any, data: Sequences, monkeypatch: pytest.MonkeyPatch, budgets: tuple[tuple[int, int], ...]
) -> None:
    """Statistics and three updates are the same to 1e-12 for every budget; tiny ones cut sequences into strips."""
    expected = model.expect(data)
    updated, _ = fit_em(model, data, n_iter=3, tol=None)
    assert len(list(data.blocks(1))) == 1
    for size, long in budgets:
        with monkeypatch.context() as patch:
            patch.setattr("hmmem.sequences.BLOCK_SIZE", size)
            patch.setattr("hmmem.sequences.LONG", long)
            assert_same_statistics(model.expect(data), expected)
            assert_same_parameters(fit_em(model, data, n_iter=3, tol=None)[0], updated, 1e-12)
