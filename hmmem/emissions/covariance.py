"""The four shapes of a Gaussian covariance, one small class each.

Each holds its compact array and answers the same questions: densities, second moments, the maximum of Q under the
floor, distance, and draws. ``Gaussian`` asks and never tests for a type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from hmmem.emissions.scale import Scale
from hmmem.exceptions import SingularModelError
from hmmem.kernels import emitting, moments

LOG_2PI = np.log(2 * np.pi)
#: Below this share of its unit (squared machine precision) a variance is no longer a width but a point.
POINT = 2.0**-104
#: A correlation matrix with a squared pivot below this, per feature, is flat: rounding of its entries would move the
#: objective by more than EM may let it fall.
FLAT = 2.0**-36
#: Up to this many features, moments of matrices about one origin take the products of two features once for all rows.
PAIRS = 20
#: A difference of moments is exact to about this share of the squared shift between origin and mean.
CANCELLED = 1e-12


@dataclass(frozen=True, eq=False)
class Covariance(ABC):
    """Covariances of R rows in D dimensions, as a compact array."""

    values: np.ndarray
    n_rows: int
    n_features: int
    name: ClassVar[str]

    @staticmethod
    @abstractmethod
    def shape(R: int, D: int) -> tuple[int, ...]:
        """Return the shape of ``values``."""

    @abstractmethod
    def log_lik(self, X: np.ndarray, centre: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
        """Write log N(x_t; centre + offsets_k, covariance_k) of lanes X (n, D, 8) to lanes out (n, R, 8)."""

    @staticmethod
    @abstractmethod
    def moments(
        X: np.ndarray, centre: np.ndarray, origin: np.ndarray, gamma: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return sum gamma (R,), sum gamma z (R, D) and the second moments that this shape needs.

        z = x - centre - origin; X, gamma: lanes (n, D, 8), (n, R, 8); origin: (R, D), or (1, D) for one that all rows
        share.
        """

    @property
    @abstractmethod
    def factors(self) -> tuple[bool, np.ndarray, np.ndarray]:
        """Return whether there are triangles, what the density kernels scale by, flat, and their constants (R,)."""

    @staticmethod
    @abstractmethod
    def unfold(sums: np.ndarray, D: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what :meth:`moments` does from sums that came out of the shared-moments kernel, (R, width)."""

    @abstractmethod
    def maximise(
        self,
        weight: np.ndarray,
        shift: np.ndarray,
        offset: np.ndarray,
        second: np.ndarray,
        fed: np.ndarray,
        scale: Scale,
    ) -> Covariance:
        """Return the covariances that maximise Q under the floor.

        shift (R, D): weighted mean of the data minus origin; offset (R, D): the new mean minus origin; fed (R,):
        which rows have data. The second moment about the new mean is
        second / weight - shift offset' - offset shift' + offset offset'.
        """

    @abstractmethod
    def floored(self, scale: Scale) -> Covariance:
        """Return the nearest covariances inside the floor: itself, bit by bit, where it is inside."""

    @abstractmethod
    def at_floor(self, scale: Scale) -> list[int]:
        """Return the rows that the floor holds up."""

    @abstractmethod
    def full(self) -> np.ndarray:
        """Return the covariance matrices (R, D, D)."""

    @abstractmethod
    def sd(self) -> np.ndarray:
        """Return the standard deviations (R, D)."""

    @abstractmethod
    def distance(self, other: Covariance) -> float:
        """Return the largest relative change of a variance, or of a covariance over its two standard deviations."""

    @abstractmethod
    def permute(self, order: np.ndarray) -> Covariance:
        """Return the covariances in another order of rows."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Number of distinct entries."""

    def draw(self, rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Return noise (N, D) of unit covariance given the covariance of ``rows`` (N,)."""
        return noise * self.sd()[rows]

    def _with(self, values: np.ndarray) -> Covariance:
        return type(self)(np.ascontiguousarray(values), self.n_rows, self.n_features)


class Diag(Covariance):
    """Variances (R, D)."""

    name = "diag"

    @staticmethod
    def shape(R: int, D: int) -> tuple[int, ...]:
        return R, D

    def sd(self) -> np.ndarray:
        return np.sqrt(self.values)

    def full(self) -> np.ndarray:
        variances = self.sd() ** 2
        return variances[:, :, None] * np.eye(self.n_features)

    @cached_property
    def factors(self) -> tuple[bool, np.ndarray, np.ndarray]:
        sd = self.sd()
        return False, (1 / sd).reshape(-1), -0.5 * self.n_features * LOG_2PI - np.log(sd).sum(axis=1)

    def log_lik(self, X: np.ndarray, centre: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
        _, inverse_sd, constant = self.factors
        emitting.diag_log_lik(
            X.reshape(-1), len(X), centre, np.ascontiguousarray(offsets), inverse_sd, constant, out.reshape(-1)
        )

    @staticmethod
    def unfold(sums: np.ndarray, D: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return sums[:, 0], sums[:, 1 : 1 + D], sums[:, 1 + D :]

    @staticmethod
    def moments(
        X: np.ndarray, centre: np.ndarray, origin: np.ndarray, gamma: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n, D, R = len(X), X.shape[1], gamma.shape[1]
        x, g = X.reshape(-1), gamma.reshape(-1)
        if len(origin) == 1:
            sums = np.empty((R, 1 + 2 * D))
            moments.shared_moments(x, n, D, centre, origin[0], False, g, R, sums)
            return Diag.unfold(sums, D)
        weight, first, second = np.empty(R), np.empty((R, D)), np.empty((R, D))
        moments.diag_moments(x, n, D, centre, origin, g, R, weight, first, second)
        return weight, first, second

    def maximise(
        self,
        weight: np.ndarray,
        shift: np.ndarray,
        offset: np.ndarray,
        second: np.ndarray,
        fed: np.ndarray,
        scale: Scale,
    ) -> Covariance:
        about = np.where(fed[:, None], _about(weight, shift, offset, second), scale.variances)
        variances = self._reduce(about, scale)
        return self._with(np.where(_column(fed, self.values), variances, self.values))

    def _reduce(self, variances: np.ndarray, scale: Scale) -> np.ndarray:
        """From variances per feature to ``values``, inside the floor."""
        return _bounded(variances, self._least(scale), self._unit(scale))

    def _unit(self, scale: Scale) -> np.ndarray:
        return scale.variances

    def _least(self, scale: Scale) -> np.ndarray:
        return scale.floor * self._unit(scale)

    def floored(self, scale: Scale) -> Covariance:
        return self._with(np.maximum(self.values, self._least(scale)))

    def at_floor(self, scale: Scale) -> list[int]:
        low = self.values <= self._least(scale) if scale.floor > 0 else np.zeros_like(self.values, dtype=bool)
        return np.flatnonzero(low.reshape(self.n_rows, -1).any(axis=1)).tolist()

    def distance(self, other: Covariance) -> float:
        return float(np.max(np.abs(self.values - other.values) / other.values))

    def permute(self, order: np.ndarray) -> Covariance:
        return self._with(self.values[order])

    @property
    def n_parameters(self) -> int:
        return self.values.size


class Spherical(Diag):
    """One variance per row (R,), the same for all features."""

    name = "spherical"

    @staticmethod
    def shape(R: int, D: int) -> tuple[int, ...]:
        return (R,)

    def sd(self) -> np.ndarray:
        return np.repeat(np.sqrt(self.values)[:, None], self.n_features, axis=1)

    def _reduce(self, variances: np.ndarray, scale: Scale) -> np.ndarray:
        return super()._reduce(variances.mean(axis=1), scale)

    def _unit(self, scale: Scale) -> np.ndarray:
        return scale.variances.mean()


class Full(Covariance):
    """One matrix per row (R, D, D)."""

    name = "full"

    @staticmethod
    def shape(R: int, D: int) -> tuple[int, ...]:
        return R, D, D

    def full(self) -> np.ndarray:
        return self.values

    def sd(self) -> np.ndarray:
        return np.sqrt(np.einsum("kii->ki", self.full()))

    @cached_property
    def factors(self) -> tuple[bool, np.ndarray, np.ndarray]:
        """Lower triangles that whiten, W (x - mean) has unit covariance, and the constants of the densities."""
        factors, constants = [], []
        for matrix in self.values.reshape(-1, self.n_features, self.n_features):
            sd = np.sqrt(np.diag(matrix))
            lower = np.linalg.cholesky(matrix / np.outer(sd, sd))  # of the correlations: any scale of the features
            factors.append(np.tril(np.linalg.solve(lower, np.diag(1 / sd))))
            log_det = np.log(np.diag(lower)).sum() + np.log(sd).sum()
            constants.append(-0.5 * self.n_features * LOG_2PI - log_det)
        return True, np.array(factors).reshape(-1), np.resize(constants, self.n_rows)

    def log_lik(self, X: np.ndarray, centre: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
        _, whiten, constant = self.factors
        emitting.full_log_lik(
            X.reshape(-1), len(X), centre, np.ascontiguousarray(offsets), whiten, constant, out.reshape(-1)
        )

    @staticmethod
    def unfold(sums: np.ndarray, D: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        second = np.empty((len(sums), D, D))
        i, j = np.tril_indices(D)
        second[:, i, j] = second[:, j, i] = sums[:, 1 + D :]
        return sums[:, 0], sums[:, 1 : 1 + D], second

    @staticmethod
    def moments(
        X: np.ndarray, centre: np.ndarray, origin: np.ndarray, gamma: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n, D, R = len(X), X.shape[1], gamma.shape[1]
        x, g = X.reshape(-1), gamma.reshape(-1)
        if len(origin) == 1 and D <= PAIRS:
            sums = np.empty((R, 1 + D + D * (D + 1) // 2))
            moments.shared_moments(x, n, D, centre, origin[0], True, g, R, sums)
            return Full.unfold(sums, D)
        weight, first, second = np.empty(R), np.empty((R, D)), np.empty((R, D, D))
        origins = np.ascontiguousarray(np.broadcast_to(origin, (R, D)))
        moments.full_moments(x, n, D, centre, origins, g, R, weight, first, second)
        return weight, first, second

    def maximise(
        self,
        weight: np.ndarray,
        shift: np.ndarray,
        offset: np.ndarray,
        second: np.ndarray,
        fed: np.ndarray,
        scale: Scale,
    ) -> Covariance:
        values = self.values.copy()
        for k in np.flatnonzero(fed):
            about = _matrix_about(weight[k], shift[k], offset[k], second[k])
            values[k] = _bounded_matrix(about, scale, f"state {k}")
        return self._with(values)

    def floored(self, scale: Scale) -> Covariance:
        return self._with(np.array([_clip(matrix, scale) for matrix in self.values]))

    def at_floor(self, scale: Scale) -> list[int]:
        if scale.floor == 0:
            return []
        return [
            k for k, matrix in enumerate(self.values) if _least_eigenvalue(matrix, scale) <= scale.floor * (1 + 1e-9)
        ]

    def distance(self, other: Covariance) -> float:
        sd = other.sd()
        return float(np.max(np.abs(self.full() - other.full()) / (sd[:, :, None] * sd[:, None, :])))

    def permute(self, order: np.ndarray) -> Covariance:
        return self._with(self.values[order])

    def draw(self, rows: np.ndarray, noise: np.ndarray) -> np.ndarray:
        out = np.empty_like(noise)
        for k in np.unique(rows):
            sd = self.sd()[k]
            lower = np.linalg.cholesky(self.full()[k] / np.outer(sd, sd))
            out[rows == k] = (noise[rows == k] @ lower.T) * sd
        return out

    @property
    def n_parameters(self) -> int:
        return self.n_rows * self.n_features * (self.n_features + 1) // 2


class Tied(Full):
    """One matrix (D, D) for all rows."""

    name = "tied"

    @staticmethod
    def shape(R: int, D: int) -> tuple[int, ...]:
        return D, D

    def full(self) -> np.ndarray:
        return np.broadcast_to(self.values, (self.n_rows, *self.values.shape))

    @staticmethod
    def moments(
        X: np.ndarray, centre: np.ndarray, origin: np.ndarray, gamma: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        weight, first, second = Full.moments(X, centre, origin, gamma)
        return weight, first, second.sum(axis=0)

    @staticmethod
    def unfold(sums: np.ndarray, D: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        weight, first, second = Full.unfold(sums, D)
        return weight, first, second.sum(axis=0)

    def maximise(
        self,
        weight: np.ndarray,
        shift: np.ndarray,
        offset: np.ndarray,
        second: np.ndarray,
        fed: np.ndarray,
        scale: Scale,
    ) -> Covariance:
        if not fed.any():
            return self
        cross = np.einsum("k,ki,kj->ij", np.where(fed, weight, 0.0), shift, offset)
        square = np.einsum("k,ki,kj->ij", np.where(fed, weight, 0.0), offset, offset)
        about = (second - cross - cross.T + square) / weight[fed].sum()
        lost = CANCELLED * np.einsum("k,ki->i", np.where(fed, weight, 0.0), shift**2) / weight[fed].sum()
        np.fill_diagonal(about, np.maximum(np.diag(about), lost))
        return self._with(_bounded_matrix(about, scale, "the tied covariance"))

    def floored(self, scale: Scale) -> Covariance:
        return self._with(_clip(self.values, scale))

    def at_floor(self, scale: Scale) -> list[int]:
        low = scale.floor > 0 and _least_eigenvalue(self.values, scale) <= scale.floor * (1 + 1e-9)
        return list(range(self.n_rows)) if low else []

    def permute(self, order: np.ndarray) -> Covariance:
        return self

    @property
    def n_parameters(self) -> int:
        return self.n_features * (self.n_features + 1) // 2


SHAPES: dict[str, type[Covariance]] = {shape.name: shape for shape in (Spherical, Diag, Tied, Full)}


def _column(fed: np.ndarray, values: np.ndarray) -> np.ndarray:
    return fed.reshape(-1, *[1] * (values.ndim - 1))


def _about(weight: np.ndarray, shift: np.ndarray, offset: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Variances about the new mean; never below what cancellation leaves of their precision.

    The bound lies between the variance and the second moment about the old mean, so that the step still raises Q.
    """
    w = np.where(weight > 0, weight, 1.0)[:, None]
    return np.maximum(second / w - (2 * shift - offset) * offset, CANCELLED * shift**2)


def _matrix_about(weight: float, shift: np.ndarray, offset: np.ndarray, second: np.ndarray) -> np.ndarray:
    cross = np.outer(shift, offset)
    about = second / weight - cross - cross.T + np.outer(offset, offset)
    np.fill_diagonal(about, np.maximum(np.diag(about), CANCELLED * shift**2))
    return about


def _bounded(variances: np.ndarray, least: np.ndarray, unit: np.ndarray) -> np.ndarray:
    bounded = np.maximum(variances, least)
    point = np.argwhere(~(bounded > POINT * unit))
    if len(point):
        where = f"state {point[0][0]}" + (f", feature {point[0][1]}" if bounded.ndim == 2 else "")
        raise SingularModelError(f"the variance of {where} reached zero; a variance_floor above 0 keeps it up")
    return bounded


def _bounded_matrix(matrix: np.ndarray, scale: Scale, where: str) -> np.ndarray:
    matrix = _clip((matrix + matrix.T) / 2, scale)
    sd = np.sqrt(np.diag(matrix))
    sound = bool(np.all(sd**2 > POINT * scale.variances))
    if sound:
        try:
            pivots = np.diag(np.linalg.cholesky(matrix / np.outer(sd, sd)))
            sound = bool(np.all(pivots**2 > FLAT * len(sd)))
        except np.linalg.LinAlgError:
            sound = False
    if not sound:
        raise SingularModelError(
            f"the covariance of {where} is no longer positive definite; a variance_floor above 0 keeps it so"
        )
    return matrix


def _least_eigenvalue(matrix: np.ndarray, scale: Scale) -> float:
    unit = np.sqrt(scale.variances)
    return float(np.linalg.eigvalsh(matrix / np.outer(unit, unit))[0])


def _clip(matrix: np.ndarray, scale: Scale) -> np.ndarray:
    """Raise the eigenvalues, in units of the global variances, to the floor: the exact constrained maximum of Q."""
    if scale.floor == 0 or _least_eigenvalue(matrix, scale) >= scale.floor:
        return matrix
    unit = np.sqrt(scale.variances)
    eigenvalues, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
    clipped = (vectors * np.maximum(eigenvalues, scale.floor)) @ vectors.T
    return (clipped + clipped.T) / 2 * np.outer(unit, unit)
