"""Alphabets: symbols and their codes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

#: Policies for symbols that an alphabet does not know.
UNKNOWN = ("error", "ignore", "floor")
#: Integers up to this many are their own codes, as in hmmlearn; beyond, only if they are dense.
DENSE = 100_000


@dataclass(frozen=True)
class Alphabet:
    """The symbols of one column, in the order of their codes.

    Parameters
    ----------
    symbols : tuple
        Distinct hashable symbols; symbol ``symbols[v]`` has the code ``v``.

    Examples
    --------
    >>> sky = Alphabet.learn(np.array(["sun", "rain", "sun"], dtype=object))
    >>> sky.symbols, sky.encode(np.array(["sun", "fog"], dtype=object)).tolist()
    (('rain', 'sun'), [1, -1])
    """

    symbols: tuple[Hashable, ...]

    @classmethod
    def learn(cls, column: np.ndarray) -> Alphabet:
        """Return the alphabet of a column (N,): 0 .. max for non-negative integers, else its sorted distinct symbols.

        Symbols that cannot be compared with each other come in the order of their first appearance.
        """
        if column.dtype.kind in "iu":
            low, high = int(column.min()), int(column.max())
            if low >= 0 and (high < DENSE or high < 10 * len(np.unique(column))):
                return cls(tuple(range(high + 1)))
        if column.dtype.kind != "O":
            return cls(tuple(np.unique(column).tolist()))
        distinct = list(dict.fromkeys(_plain(x) for x in column))
        with suppress(TypeError):
            distinct = sorted(distinct)  # type: ignore[type-var]
        return cls(tuple(distinct))

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def _codes(self) -> dict[Hashable, int]:
        return {symbol: code for code, symbol in enumerate(self.symbols)}

    @cached_property
    def _is_dense(self) -> bool:
        return all(type(s) is int and s == v for v, s in enumerate(self.symbols))

    @cached_property
    def _array(self) -> np.ndarray:
        """Symbols as an array: of one plain type where they have one, else of objects."""
        kinds = {type(symbol) for symbol in self.symbols}
        if len(kinds) == 1 and kinds <= {int, float, bool, str}:
            return np.array(self.symbols)
        out = np.empty(len(self.symbols), dtype=object)
        out[:] = self.symbols
        return out

    def encode(self, column: np.ndarray) -> np.ndarray:
        """Return codes (N,) int64; -1 for symbols that are not in the alphabet."""
        if self._is_dense and column.dtype.kind in "iu":
            inside = (column >= 0) & (column < len(self))
            return np.where(inside, column, -1).astype(np.int64)
        if column.dtype.kind == "O":
            return np.array([self._codes.get(_plain(x), -1) for x in column], dtype=np.int64)
        values, inverse = np.unique(column, return_inverse=True)
        codes = np.array([self._codes.get(x, -1) for x in values.tolist()], dtype=np.int64)
        return codes[inverse]

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Return the symbols of codes (N,)."""
        return self._array[codes]

    def to_json(self, counted: bool = True) -> list[Any]:
        """Return the symbols as JSON values with their types; ``counted``: 0 .. n - 1 as their number [n] alone."""
        if counted and self._is_dense:
            return [len(self)]
        return [_tagged(symbol) for symbol in self.symbols]

    @classmethod
    def from_json(cls, values: list[Any], size: int | None = None) -> Alphabet:
        """Return the alphabet of :meth:`to_json`; a number of symbols is believed only if it is ``size``."""
        if len(values) == 1 and isinstance(values[0], int):
            if values[0] != size:
                raise ValueError(
                    f"symbols_ must hold {size} symbols, one for each column of emissionprob_; got {values}"
                )
            return cls(tuple(range(size)))
        return cls.declared(_untagged(value) for value in values)

    @classmethod
    def declared(cls, symbols: Iterable[Hashable]) -> Alphabet:
        """Return the alphabet that a user declares.

        Raises
        ------
        ValueError
            If there are no symbols, one cannot be a symbol, or one comes twice.
        """
        plain = tuple(_plain(symbol) for symbol in symbols)
        if not plain:
            raise ValueError("symbols must hold at least one symbol")
        seen = set()
        for symbol in plain:
            if not isinstance(symbol, Hashable):
                raise ValueError(f"symbols must be hashable, and one list for each column of X; {symbol!r} is neither")
            if symbol in seen:
                raise ValueError(f"symbols must be distinct; {symbol!r} comes twice")
            seen.add(symbol)
        return cls(plain)


def _plain(x: Any) -> Hashable:
    """A symbol as a plain Python value, so that np.int64(3) and 3 are one symbol."""
    if isinstance(x, tuple):
        return tuple(_plain(part) for part in x)
    if isinstance(x, np.datetime64):
        return x.item()
    return x.item() if isinstance(x, np.generic) else x


_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}


def _tagged(symbol: Any) -> list[Any]:
    if isinstance(symbol, tuple):
        return ["tuple", [_tagged(part) for part in symbol]]
    for name, moment in (("datetime", dt.datetime), ("date", dt.date)):
        if isinstance(symbol, moment):
            return [name, symbol.isoformat()]
    for name, kind in _TYPES.items():
        if type(symbol) is kind:
            return [name, symbol]
    raise ValueError(
        f"symbol {symbol!r} of type {type(symbol).__name__} cannot be saved;"
        " use integers, floats, booleans, strings, dates or tuples of these"
    )


def _untagged(value: list[Any]) -> Hashable:
    name, content = value
    if name == "tuple":
        return tuple(_untagged(part) for part in content)
    if name in {"datetime", "date"}:
        kind: Any = dt.datetime if name == "datetime" else dt.date
        return kind.fromisoformat(content)
    return _TYPES[name](content)
