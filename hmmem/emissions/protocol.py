"""The contract of an emission family.

A family is a value: R parameter sets (*rows*) over frames X of shape (N, D). It never learns whether a chain or a
mixture owns it. Its laws:

- ``log_lik`` is never nan; -inf means impossible.
- ``statistics`` are additive over the rows of X; moments are taken about an origin that the statistics carry.
- ``maximise`` never lowers Q, keeps the parameters of rows without data, and gives parameters inside their space for
  any data; bounds against collapse are constraints of the maximisation.
- ``distance`` does not change when the data change their units.

A family whose ``takes_lanes`` is True also takes frames as lanes, X (n, D, 8) and gamma (n, R, 8) as
:mod:`hmmem.lanes` has them, and then gives log_lik (n, R, 8); for one that says nothing they are turned into frames.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from hmmem.probabilities import STARVED
from hmmem.report import Note
from hmmem.statistics import Statistics


class Emission(Protocol):
    """R rows of parameters that give frames a density and learn from weighted frames."""

    @property
    def fixed(self) -> frozenset[str]:
        """Groups of parameters that ``maximise`` leaves alone."""
        ...

    @property
    def n_rows(self) -> int:
        """Number of parameter sets R."""
        ...

    @property
    def n_features(self) -> int:
        """Number of columns D of the frames."""
        ...

    @property
    def n_free_parameters(self) -> int:
        """Number of free parameters, after fixing."""
        ...

    def log_lik(self, X: np.ndarray, work: Any = None, out: np.ndarray | None = None) -> np.ndarray:
        """Return log p(x_t | row), (N, R) in nats. ``work`` is scratch of this block, shared with ``statistics``."""
        ...

    def statistics(self, X: np.ndarray, gamma: np.ndarray, work: Any = None) -> Statistics:
        """Return the sufficient statistics of the frames with weights gamma (N, R), under this value."""
        ...

    def maximise(self, statistics: Statistics) -> Any:
        """Return the next value."""
        ...

    def inside(self) -> tuple[Any, list[Note]]:
        """Return the value moved inside its bounds, and a note if it was outside."""
        ...

    def log_prior(self) -> float:
        """Return the log density of the parameters; 0.0 for maximum likelihood."""
        ...

    def distance(self, other: Any) -> float:
        """Return the largest change of a parameter on a scale-free metric."""
        ...

    def describe(self, statistics: Statistics) -> list[Note]:
        """Return notes for the report: starved rows, bounds that bind."""
        ...

    def permute(self, order: np.ndarray) -> Any:
        """Return the value whose row ``k`` is this one's row ``order[k]``."""
        ...

    def sample(self, rows: np.ndarray, rng: np.random.Generator, inputs: Any = None) -> np.ndarray:
        """Return one frame for each entry of ``rows`` (N,), an array (N, D)."""
        ...


def starved_notes(weight: np.ndarray) -> list[Note]:
    """Return a note for each row of parameters that got no data."""
    rows = np.flatnonzero(weight <= STARVED * weight.sum())
    return [Note("starved", f"state {k} got no data; its emission parameters were kept") for k in rows]
