"""JSON that means one thing: no duplicate keys, no bare NaN, numbers that survive, a bounded depth."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

__all__ = ["decode_json", "encode_json", "plain_json"]

MAX_DEPTH = 64
_FLOAT = "__float__"
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def plain_json(value: Any, name: str, depth: int = 0) -> Any:
    """Return ``value`` in the types that ``json`` writes without loss.

    None, booleans, integers, floats, text, lists and dicts with text keys come back from a file as they were. Tuples
    become lists and NumPy scalars Python numbers. JSON has no infinity and no NaN; they are written as
    ``{"__float__": "inf"}``, ``"-inf"`` or ``"nan"``.

    Parameters
    ----------
    value : object
    name : str
        What to call it in an error.
    depth : int
        How deep ``value`` is nested already.

    Raises
    ------
    TypeError
        A value or a key has no place in JSON; the message says where it is.
    ValueError
        It is nested deeper than 64 levels, or uses the reserved key ``"__float__"``.

    Examples
    --------
    >>> plain_json({"tol": 1e-6, "limit": float("inf")}, "meta")
    {'tol': 1e-06, 'limit': {'__float__': 'inf'}}
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"{name[:80]}... is nested deeper than {MAX_DEPTH} levels, or contains itself")
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_FLOAT: repr(float(value))}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return [plain_json(item, f"{name}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{name} has the key {key!r}; keys of JSON are text")
            if key == _FLOAT:
                raise ValueError(f"{name} has the key {_FLOAT!r}, which marks infinities and nan; rename it")
        return {str(key): plain_json(item, f"{name}[{key!r}]", depth + 1) for key, item in value.items()}
    raise TypeError(
        f"{name} is of type {type(value).__name__}; expected None, a boolean, a number, text, a list or a dict"
        + ("; arrays go into the arrays of the file" if isinstance(value, np.ndarray) else "")
    )


def encode_json(plain: Any) -> bytes:
    """Return the result of :func:`plain_json` as ASCII JSON with sorted keys: equal content gives equal bytes.

    Examples
    --------
    >>> encode_json({"tol": 1e-6, "n": 3})
    b'{"n":3,"tol":1e-06}'
    """
    return json.dumps(plain, sort_keys=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def decode_json(payload: bytes) -> Any:
    """Return what :func:`plain_json` was given, from the bytes of :func:`encode_json`.

    Raises
    ------
    ValueError
        Not UTF-8, not JSON, duplicate keys, bare ``NaN`` or ``Infinity``, a number too large for a float, or nested
        too deeply.

    Examples
    --------
    >>> decode_json(b'{"limit": {"__float__": "-inf"}}')
    {'limit': -inf}
    """
    try:
        return json.loads(
            payload.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite
        )
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> Any:
    """A JSON object as a dict, or as the float that it stands for."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the JSON has an object with duplicate keys")
    if _FLOAT not in found:
        return found
    if len(found) == 1 and isinstance(found[_FLOAT], str) and found[_FLOAT] in _NON_FINITE:
        return _NON_FINITE[found[_FLOAT]]
    raise ValueError(f"the JSON uses the key {_FLOAT!r} for something else than inf, -inf or nan")


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"the JSON has a bare {text}")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the JSON has the number {text[:40]}, too large for a float")
    return number
