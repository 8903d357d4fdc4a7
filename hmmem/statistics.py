"""Sufficient statistics: values that add and scale, field by field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np


class Statistics:
    """Named sums over data, with ``+`` and scalar ``*``.

    Parameters
    ----------
    origin : ndarray, optional
        The point about which moments were taken. It is carried, not added; adding different origins is an error.
    **fields
        Numbers, arrays, tuples of arrays, or further ``Statistics``.

    Examples
    --------
    >>> a = Statistics(weight=2.0, first=np.array([1.0, 3.0]))
    >>> b = a + 2 * a
    >>> b.weight, b.first.tolist()
    (6.0, [3.0, 9.0])
    """

    __slots__ = ("_fields", "origin")

    def __init__(self, origin: np.ndarray | None = None, **fields: Any) -> None:
        self.origin = origin
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(f"these statistics hold {', '.join(self._fields)}; not {name}") from None

    def __getstate__(self) -> tuple[Any, dict[str, Any]]:
        return self.origin, self._fields

    def __setstate__(self, state: tuple[Any, dict[str, Any]]) -> None:
        self.origin, self._fields = state

    def __add__(self, other: Statistics) -> Statistics:
        if not isinstance(other, Statistics):
            return NotImplemented
        if self._fields.keys() != other._fields.keys():
            raise ValueError(f"statistics of different kinds: {sorted(self._fields)} and {sorted(other._fields)}")
        same = other.origin is self.origin or np.array_equal(self.origin, other.origin)  # type: ignore[arg-type]
        if not same:
            raise ValueError("statistics about different origins cannot be added; take both under the same model")
        return Statistics(
            self.origin, **{name: _add(value, other._fields[name]) for name, value in self._fields.items()}
        )

    def __mul__(self, factor: float) -> Statistics:
        return Statistics(self.origin, **{name: _scale(value, factor) for name, value in self._fields.items()})

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"Statistics({', '.join(self._fields)})"

    @staticmethod
    def total(parts: Iterable[Statistics]) -> Statistics:
        """Return the sum, added from left to right, so that its bits depend on the order of the parts alone."""
        parts = iter(parts)
        total = next(parts)
        for part in parts:
            total = total + part
        return total


def _add(a: Any, b: Any) -> Any:
    return tuple(x + y for x, y in zip(a, b, strict=True)) if isinstance(a, tuple) else a + b


def _scale(a: Any, factor: float) -> Any:
    return tuple(x * factor for x in a) if isinstance(a, tuple) else a * factor
