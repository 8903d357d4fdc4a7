"""Gaussian emissions: densities, exact constrained maxima, precision of moments, scale."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import reference as ref
from generators import random_gaussian
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from hmmem.em import fit_em
from hmmem.emissions import Gaussian
from hmmem.emissions.covariance import SHAPES
from hmmem.emissions.scale import Scale
from hmmem.exceptions import SingularModelError
from hmmem.mixture import Mixture
from hmmem.sequences import Sequences

shapes = pytest.mark.parametrize("shape", list(SHAPES))


def sequences(X: np.ndarray, weights: np.ndarray | None = None) -> Sequences:
    data = Sequences.from_lengths(X, [len(X)] if weights is None else np.ones(len(X), dtype=int))
    return data if weights is None else replace(data, per_sequence={"weight": weights})


def compact(matrices: np.ndarray, shape: str) -> np.ndarray:
    """Compact covariances of a shape that hold the given matrices as well as they can."""
    diagonals = np.einsum("kii->ki", matrices)
    return {"spherical": diagonals.mean(axis=1), "diag": diagonals, "tied": matrices.mean(axis=0), "full": matrices}[
        shape
    ]


def updated(rows: Gaussian, X: np.ndarray, gamma: np.ndarray, n_iter: int) -> Gaussian:
    for _ in range(n_iter):
        rows = rows.maximise(rows.statistics(X, gamma))
    return rows


# ---- densities ------------------------------------------------------------------------------------------------------


@shapes
@pytest.mark.parametrize("D", [1, 2, 5])
def test_log_lik_matches_scipy(shape: str, D: int) -> None:
    """To 1e-12 of the largest term of each density."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        means, covars = random_gaussian(rng, 3, D, shape)
        X = rng.normal(size=(30, D)) * 10
        X[0] = means[0]
        expected = ref.gaussian_log_lik(X, means, covars, shape)
        terms = np.maximum(np.abs(expected), D * np.log(2 * np.pi))
        assert (np.abs(Gaussian.of(means, covars, shape).log_lik(X) - expected) <= 1e-12 * terms).all()


@shapes
@pytest.mark.parametrize("unit", [1e-100, 1e-8, 1e8, 1e100])
def test_log_lik_works_in_any_unit(shape: str, unit: float) -> None:
    rng = np.random.default_rng(1)
    means, covars = random_gaussian(rng, 2, 3, shape)
    X = rng.normal(size=(10, 3))
    expected = ref.gaussian_log_lik(X, means, covars, shape) - 3 * np.log(unit)
    found = Gaussian.of(means * unit, covars * unit * unit, shape).log_lik(X * unit)
    assert_allclose(found, expected, rtol=1e-11)


@pytest.mark.parametrize("shape", ["diag", "tied", "full"])
def test_log_lik_works_with_features_of_different_units(shape: str) -> None:
    rng = np.random.default_rng(2)
    units = np.array([1e-100, 1.0, 1e100])
    means, covars = random_gaussian(rng, 2, 3, shape)
    X = rng.normal(size=(10, 3))
    expected = ref.gaussian_log_lik(X, means, covars, shape)
    scaled = covars * units**2 if shape == "diag" else covars * np.outer(units, units)
    assert_allclose(Gaussian.of(means * units, scaled, shape).log_lik(X * units), expected, rtol=1e-11)


@shapes
def test_log_lik_of_a_square_beyond_double_range_is_minus_infinity(shape: str) -> None:
    rows = Gaussian.of(np.zeros((1, 2)), compact(np.eye(2)[None], shape), shape)
    assert rows.log_lik(np.array([[1e200, 0.0]])).tolist() == [[-np.inf]]


# ---- maximisation ---------------------------------------------------------------------------------------------------


@shapes
@pytest.mark.parametrize("floor", [0.0, 0.05, 0.9])
def test_maximise_matches_the_twin(shape: str, floor: float) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)) + [0.0, 100.0, -5.0]
        X[20:] = X[20] + 0.05 * rng.normal(size=(20, 3))
        gamma = np.vstack([rng.dirichlet([3.0, 0.1], 20), rng.dirichlet([0.1, 3.0], 20)])
        scale = Scale.of(sequences(X), floor)
        means, covars = X[[0, 20]], compact(np.stack([np.diag(scale.variances)] * 2), shape)
        rows = Gaussian.of(means, covars, shape, scale)
        after = rows.maximise(rows.statistics(X, gamma))
        expected = ref.maximise_gaussian(X, gamma, means, covars, shape, floor, scale.variances)
        assert_allclose(after.means, expected[0], rtol=1e-10)
        size = np.abs(expected[1]).max()
        assert_allclose(after.covariance.values, expected[1], rtol=1e-9, atol=1e-11 * size)


@pytest.mark.parametrize("seed", range(4))
def test_clipped_eigenvalues_are_the_constrained_maximum(seed: int) -> None:
    """Against a numeric search that knows nothing of eigenvalues."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 2)) @ np.array([[1.0, 0.95], [0.0, 0.1]]) * [1.0, 20.0]
    X = np.vstack([X, rng.normal(size=(30, 2)) * [2.0, 40.0]])
    gamma = np.repeat([[1.0], [0.0]], 30, axis=0)
    scale = Scale.of(sequences(X), 0.1)
    rows = Gaussian.of(np.zeros((1, 2)), np.diag(scale.variances)[None], "full", scale)
    after = rows.maximise(rows.statistics(X, gamma))
    S = np.cov(X[:30].T, bias=True)
    units = np.sqrt(np.outer(scale.variances, scale.variances))
    assert np.linalg.eigvalsh(S / units)[0] < 0.1
    expected = ref.constrained_covariance(S, scale.variances, 0.1)
    assert_allclose(after.covariance.values[0] / units, expected / units, atol=1e-5)
    assert after.covariance.at_floor(scale) == [0]


@pytest.mark.parametrize("groups", [{"means"}, {"covars"}, {"means", "covars"}])
@shapes
def test_fixed_groups_stay_and_the_rest_is_maximal_given_them(shape: str, groups: set[str]) -> None:
    rng = np.random.default_rng(3)
    X, gamma = rng.normal(size=(50, 2)) + 1, rng.dirichlet([1.0, 1.0], 50)
    means, covars = random_gaussian(rng, 2, 2, shape)
    rows = replace(Gaussian.of(means, covars, shape), fixed=frozenset(groups))
    after = rows.maximise(rows.statistics(X, gamma))
    assert np.array_equal(after.means, means) == ("means" in groups)
    assert np.array_equal(after.covariance.values, covars) == ("covars" in groups)
    if groups == {"means"}:
        centred = X[:, None, :] - means
        scatter = np.einsum("nk,nkd,nke->kde", gamma, centred, centred)
        weight = gamma.sum(axis=0)
        expected = compact(scatter / weight[:, None, None], shape)
        if shape == "tied":
            expected = scatter.sum(axis=0) / weight.sum()
        assert_allclose(after.covariance.values, expected, rtol=1e-10)


@shapes
def test_starved_rows_keep_their_parameters_and_are_named(shape: str) -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(30, 2))
    means, covars = random_gaussian(rng, 3, 2, shape)
    rows = Gaussian.of(means, covars, shape, Scale.of(sequences(X), 1e-3)).inside()[0]
    for least in (0.0, 1e-103):
        gamma = rng.dirichlet([1.0, 1.0, 1.0], 30)
        gamma[:, 1] = least
        statistics = rows.statistics(X, gamma)
        after = rows.maximise(statistics)
        assert_array_equal(after.means[1], means[1])
        if shape != "tied":
            assert_array_equal(after.covariance.values[1], rows.covariance.values[1])
        assert np.isfinite(after.covariance.values).all()
        assert [n.text for n in rows.describe(statistics) if n.kind == "starved"] == [
            "state 1 got no data; its emission parameters were kept"
        ]


@shapes
def test_variance_of_zero_without_a_floor_is_singular(shape: str) -> None:
    X = np.array([[1.0, 2.0], [1.0, 2.0], [5.0, 3.0], [7.0, 9.0]])
    gamma = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    if shape == "tied":
        X[2:] = X[2]
    rows = Gaussian.of(X[[0, 2]] + 0.5, compact(np.stack([np.eye(2)] * 2), shape), shape)
    with pytest.raises(SingularModelError, match="variance_floor above 0 keeps it"):
        updated(rows, X, gamma, 3)  # the first update may leave a rounding's width


@pytest.mark.parametrize("shape", ["tied", "full"])
def test_collinear_features_without_a_floor_are_singular(shape: str) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 1))
    X = np.hstack([x, 3 * x])
    rows = Gaussian.of(np.zeros((1, 2)), compact(np.eye(2)[None], shape), shape)
    with pytest.raises(SingularModelError, match="no longer positive definite"):
        updated(rows, X, np.ones((40, 1)), 3)


@shapes
def test_floor_holds_a_point_up_and_is_named_with_its_weight(shape: str) -> None:
    X = np.vstack([np.tile([3.0, 4.0], (5, 1)), np.random.default_rng(6).normal(size=(45, 2))])
    gamma = np.zeros((50, 2))
    gamma[:5, 0], gamma[5:, 1] = 1.0, 1.0
    if shape == "tied":
        X[5:] = 0.0
    scale = Scale.of(sequences(X), 1e-3)
    rows = Gaussian.of(X[[0, 5]], compact(np.stack([np.diag(scale.variances)] * 2), shape), shape, scale)
    statistics = rows.statistics(X, gamma)
    after = rows.maximise(statistics)
    least = 1e-3 * (scale.variances.mean() if shape == "spherical" else scale.variances)
    assert_allclose(after.covariance.sd()[0] ** 2, np.broadcast_to(least, 2), rtol=1e-12)
    text = [note.text for note in after.describe(statistics) if note.kind == "floor"]
    assert text[0] == "state 0 (weight 5, share 0.1) is at the variance floor"
    assert len(text) == (2 if shape == "tied" else 1)


@shapes
def test_start_below_the_floor_is_moved_inside_with_a_note(shape: str) -> None:
    scale = Scale(np.zeros(2), np.array([1.0, 100.0]), 0.01)
    low = compact(np.stack([np.diag([1e-4, 50.0])] * 2), shape)
    rows = Gaussian.of(np.zeros((2, 2)), low * (1e-3 if shape == "spherical" else 1.0), shape, scale)
    inside, notes = rows.inside()
    least = 0.01 * np.array([50.5, 50.5]) if shape == "spherical" else np.array([0.01, 1.0])
    assert (inside.covariance.sd() ** 2 >= least * (1 - 1e-12)).all()
    assert [note.kind for note in notes] == ["start"]
    again, notes = inside.inside()
    assert_allclose(again.covariance.values, inside.covariance.values, rtol=1e-12)
    sound = Gaussian.of(np.zeros((2, 2)), compact(np.stack([np.eye(2) * 30] * 2), shape), shape, scale)
    same, notes = sound.inside()
    assert notes == []
    assert_array_equal(same.covariance.values, sound.covariance.values)


# ---- precision of moments -------------------------------------------------------------------------------------------


@shapes
@pytest.mark.parametrize("start", [0.0, 3.0, 1e6])
def test_data_near_1e8_keep_their_variance(start: float, shape: str) -> None:
    """Where raw sums of squares give 0.0 or 4.0; also from a start a million standard deviations away."""
    rng = np.random.default_rng(7)
    X = np.round((1e8 + rng.normal(size=(1000, 2))) * 2**20) / 2**20
    expected = np.cov((X - 1e8).T, bias=True)
    scale = Scale.of(sequences(X), 1e-3)
    rows = Gaussian.of(scale.centre[None] + start, compact(np.eye(2)[None], shape), shape, scale)
    rows = updated(rows, X, np.ones((1000, 1)), 2)
    assert_allclose(rows.means[0], 1e8 + (X - 1e8).mean(axis=0), rtol=2e-16)
    assert_allclose(rows.covariance.values, compact(expected[None], shape), rtol=1e-10, atol=1e-10)


@shapes
def test_tight_clusters_far_from_the_centre_keep_their_variance(shape: str) -> None:
    """Two clusters of width 1e-6 at a distance of 2: their variances are 1e-12 of the whole data's."""
    rng = np.random.default_rng(8)
    X = np.vstack([1.0 + 1e-6 * rng.normal(size=(50, 2)), -1.0 + 1e-6 * rng.normal(size=(50, 2))])
    gamma = np.repeat(np.eye(2), 50, axis=0)
    scale = Scale.of(sequences(X), 0.0)
    rows = Gaussian.of(X[[0, 50]], compact(np.stack([np.eye(2)] * 2), shape), shape, scale)
    matrices = np.stack([np.cov((X[i : i + 50] - X[i]).T, bias=True) for i in (0, 50)])
    rows = updated(rows, X, gamma, 2)
    assert_allclose(rows.covariance.values, compact(matrices, shape), rtol=1e-8, atol=1e-20)


# ---- scale ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8])
def test_scale_is_the_weighted_mean_and_variance(offset: float) -> None:
    rng = np.random.default_rng(9)
    X = rng.normal(size=(200, 3)) * [1.0, 10.0, 0.1] + offset
    weights = rng.exponential(size=200)
    for w in (None, weights):
        scale = Scale.of(sequences(X, w), 1e-3)
        mean = np.average(X - offset, axis=0, weights=w)
        expected = np.average((X - offset - mean) ** 2, axis=0, weights=w)
        assert_allclose(scale.variances, expected, rtol=1e-9 if offset == 1e8 else 1e-11)
        # the centre is near the mean, but a round number, so that centring loses no digits
        assert (np.abs(scale.centre - offset - mean) <= np.sqrt(expected)).all()
        centred = X - scale.centre
        assert_array_equal(
            [[Fraction(x) - Fraction(c) for x, c in zip(row, scale.centre, strict=True)] for row in X], centred
        )
        assert scale.constant == ()


def test_scale_of_frames_that_come_after_an_outlier_keeps_its_digits() -> None:
    """The first frame is the first guess of the centre; a second pass repairs a bad one."""
    rng = np.random.default_rng(10)
    X = rng.normal(size=(5000, 1))
    X[0] = 1e9
    assert_allclose(Scale.of(sequences(X), 0.0).variances, X.var(axis=0), rtol=1e-10)
    weights = np.ones(5000)
    weights[0] = 0.0
    assert_allclose(Scale.of(sequences(X, weights), 0.0).variances, X[1:].var(axis=0), rtol=1e-9)


def test_scale_does_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(11)
    data = Sequences.from_lengths(rng.normal(size=(100, 2)) + 1e6, [30, 1, 69])
    expected = Scale.of(data, 0.0)
    monkeypatch.setattr("hmmem.sequences.BLOCK_SIZE", 10)
    found = Scale.of(data, 0.0)
    assert_allclose(found.centre, expected.centre, rtol=1e-15)
    assert_allclose(found.variances, expected.variances, rtol=1e-12)


def test_constant_features_get_the_unit_one_and_are_named() -> None:
    X = np.column_stack([np.full(50, 0.1), np.arange(50.0), np.full(50, 1e8 + 0.1)])
    scale = Scale.of(sequences(X), 1e-3)
    assert scale.constant == (0, 2)
    assert_array_equal(scale.variances[[0, 2]], 1.0)
    assert_array_equal(scale.centre[[0, 2]], X[0, [0, 2]])


def test_distance_has_no_units() -> None:
    rng = np.random.default_rng(12)
    for shape in SHAPES:
        (a, c), (b, d) = random_gaussian(rng, 2, 2, shape), random_gaussian(rng, 2, 2, shape)
        plain = Gaussian.of(a, c, shape).distance(Gaussian.of(b, d, shape))
        scaled = Gaussian.of(a * 1e6, c * 1e12, shape).distance(Gaussian.of(b * 1e6, d * 1e12, shape))
        assert scaled == pytest.approx(plain, rel=1e-12)


@shapes
def test_free_parameters(shape: str) -> None:
    means, covars = random_gaussian(np.random.default_rng(13), 4, 3, shape)
    rows = Gaussian.of(means, covars, shape)
    covariance = {"spherical": 4, "diag": 12, "tied": 6, "full": 24}[shape]
    assert rows.n_free_parameters == 12 + covariance
    assert replace(rows, fixed=frozenset({"means"})).n_free_parameters == covariance
    assert replace(rows, fixed=frozenset({"means", "covars"})).n_free_parameters == 0


@shapes
def test_sample_has_the_moments_of_its_row(shape: str) -> None:
    means, covars = random_gaussian(np.random.default_rng(14), 2, 2, shape)
    X = Gaussian.of(means, covars, shape).sample(np.repeat([1, 0], 20_000), np.random.default_rng(15))
    matrices = ref.covariance_matrices(covars, shape, 2, 2)
    for k, part in ((1, X[:20_000]), (0, X[20_000:])):
        sd = np.sqrt(np.diag(matrices[k]))
        assert np.abs((part.mean(axis=0) - means[k]) / sd).max() < 0.03
        assert np.abs((np.cov(part.T) - matrices[k]) / np.outer(sd, sd)).max() < 0.05
        assert stats.kstest((part[:, 0] - means[k, 0]) / sd[0], "norm").pvalue > 1e-4


def test_nearly_flat_covariances_end_before_rounding_moves_the_objective() -> None:
    """One outlier of a million deviations makes the tied covariance a needle; EM then fell by 6e-7 nats."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(40, 2)) * [1.0, 3.0]
        X[rng.integers(40)] *= 10 ** rng.uniform(4.0, 8.0)
        rows = Gaussian.of(X[:4], np.diag(X.var(axis=0)), "tied", Scale.of(sequences(X), 0.0))
        _, report = fit_em(Mixture(np.full(4, 0.25), rows), sequences(X), n_iter=30, tol=None)
        assert report.fall == 0.0
        assert report.stop_reason in {"max_iter", "singular"}
