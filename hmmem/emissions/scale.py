"""The scale of the training data: where floors and origins come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmmem.sequences import Sequences

#: A mean farther from the centre of the data than this many standard deviations of the data is no good origin.
FAR = 100.0
#: Means within this many of their own standard deviations from the centre can share the centre as origin: the
#: difference of moments then keeps 12 digits, and the sums for all rows are matrix products.
NEAR = 100.0


@dataclass(frozen=True, eq=False)
class Scale:
    """Centre and variance of each feature over the training data, fixed during a fit and kept with the model.

    Parameters
    ----------
    centre : ndarray of shape (D,)
        Weighted mean of the training data, rounded to a power of two near its standard deviation, so that centring
        data loses no digits.
    variances : ndarray of shape (D,)
        Weighted variance; 1 for a feature that does not vary.
    floor : float
        No variance falls below ``floor * variances`` (full and tied: no eigenvalue in those units below ``floor``;
        spherical: below ``floor * mean(variances)``). 0 switches the floor off.
    constant : tuple of int
        Features that do not vary.
    """

    centre: np.ndarray
    variances: np.ndarray
    floor: float
    constant: tuple[int, ...] = ()

    @classmethod
    @np.errstate(over="ignore", invalid="ignore")  # what is beyond double precision is refused at the end
    def of(cls, data: Sequences, floor: float) -> Scale:
        """Return the scale of the data, in one pass by blocks about a first guess of the centre."""
        origin = np.array(data[0][0], dtype=np.float64)
        low, high = origin.copy(), origin.copy()
        weight, first, second = 0.0, np.zeros(len(origin)), np.zeros(len(origin))
        for block in data.blocks(len(origin)):
            w = np.repeat(block.weights, block.lengths)[:, None] if "weight" in block.per_sequence else None
            for piece in block.pieces(len(origin)):
                z = piece.X - origin
                low, high = np.minimum(low, z.min(axis=0) + origin), np.maximum(high, z.max(axis=0) + origin)
                weighted = z if w is None else w[: len(z)] * z
                w = None if w is None else w[len(z) :]
                part = weighted.sum(axis=0)
                first, second = first + part, second + (weighted * z).sum(axis=0)
        weight = data.weight
        mean = first / weight
        spread = second / weight - mean**2
        # far from the first frame the difference cancels; a second pass is rarely needed and then worth it
        if np.any(spread < 1e-6 * mean**2):
            spread = _centred(data, origin + mean) / weight
        constant = low == high
        lost = ~constant & ~((spread > 0) & np.isfinite(spread))
        if lost.any():
            d = int(np.argmax(lost))
            raise ValueError(
                f"the variance of feature {d} of X is beyond double precision: X runs from {low[d]:g} to {high[d]:g};"
                " rescale X"
            )
        variances = np.where(constant, 1.0, spread)
        grid = 2.0 ** np.floor(np.log2(variances) / 2)
        centre = np.where(constant, low, np.round((origin + mean) / grid) * grid)
        return cls(centre, variances, floor, tuple(np.flatnonzero(constant).tolist()))

    def origin(self, offsets: np.ndarray, sd: np.ndarray) -> np.ndarray:
        """Return the points, relative to the centre, about which moments are taken.

        (1, D), the centre itself, where it is near all means in units of their standard deviations; else (R, D), each
        row's mean, or the centre for a mean far outside of the data.
        """
        if np.all(np.abs(offsets) <= NEAR * sd):
            return np.zeros((1, offsets.shape[1]))
        return np.where(np.abs(offsets) > FAR * np.sqrt(self.variances), 0.0, offsets)


def _centred(data: Sequences, centre: np.ndarray) -> np.ndarray:
    total = np.zeros(len(centre))
    for block in data.blocks(len(centre)):
        w = np.repeat(block.weights, block.lengths)
        for piece in block.pieces(len(centre)):
            z = piece.X - centre
            total = total + (w[: len(z), None] * z**2).sum(axis=0)
            w = w[len(z) :]
    return total
