"""Where results go."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hmmem.cli.options import Format
from hmmem.files.atomic import replacing
from hmmem.files.tables import write_table


class _Untouched(Exception):  # noqa: N818  it ends a block, nothing went wrong
    pass


def require_writable(path: str | None) -> None:
    """Raise the error that writing to ``path`` would raise, before work is done for it; nothing is changed."""
    if path is None or path == "-":
        return
    try:
        with replacing(path):
            raise _Untouched
    except _Untouched:
        pass


def write_columns(columns: Mapping[str, Any], output: str | None, format: Format | None) -> None:
    """Write a table to a file, or to standard output."""
    write_table(output or "-", columns, chosen(output, format).value)


def chosen(output: str | None, format: Format | None) -> Format:
    """Return the format that was asked for, by name or by the ending of the output."""
    if format is not None:
        return format
    ending = os.path.splitext(output or "")[1].lower()
    if ending not in {"", ".csv", ".json", ".txt"}:
        raise ValueError(f"the output {output} has the ending {ending!r}; use .csv or .json, or say --format")
    return Format.json if ending == ".json" else Format.csv


def write_json(value: Any, output: str | None = None) -> None:
    """Write one JSON value; NaN becomes null, infinities the texts ``"inf"`` and ``"-inf"``."""
    text = json.dumps(json_value(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if output is None or output == "-":
        sys.stdout.write(text)
        return
    with replacing(output) as file:
        file.write(text.encode("utf-8"))


def json_value(value: Any) -> Any:
    """Return arrays as lists and floats that JSON lacks as null or text."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else repr(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return a name for a column that is not taken yet.

    Examples
    --------
    >>> free_name("state", ["count", "state"])
    'state_'
    """
    taken = set(taken)
    while name in taken:
        name += "_"
    return name
