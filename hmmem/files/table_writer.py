"""Columns to CSV or JSON text: to a file, whole or not at all, or to a stream."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TextIO

import numpy as np

from hmmem.files.atomic import replacing

__all__ = ["write_table"]


def write_table(
    target: str | os.PathLike[str] | TextIO,
    columns: Mapping[str, Sequence[Any] | np.ndarray],
    format: Literal["csv", "json"] = "csv",
) -> None:
    r"""Write columns as a table.

    Parameters
    ----------
    target : str, PathLike or text stream
        A path is replaced only by a complete new file; ``"-"`` is standard output; a stream is written to and left
        open.
    columns : mapping of str to sequence of length N
        Numbers, booleans, text, dates, or None for an empty cell.
    format : {"csv", "json"}
        CSV: a line of names, then one line per row, ``\n`` at the end of each. JSON: a list of records, one per line.
        Floats are written by their repr, so that reading gives the same bits. JSON has no NaN and no infinity: NaN
        becomes null, infinities the texts ``"inf"`` and ``"-inf"``.

    Raises
    ------
    ValueError
        Columns of different lengths, or another format.
    FileNotFoundError, OSError
        The folder does not exist, or the system refused.

    Examples
    --------
    >>> import sys
    >>> write_table(sys.stdout, {"state": [0, 1], "log_prob": [-0.1, float("-inf")]})
    state,log_prob
    0,-0.1
    1,-inf
    >>> write_table(sys.stdout, {"state": [0, 1], "log_prob": [-0.1, float("-inf")]}, format="json")
    [
    {"state": 0, "log_prob": -0.1},
    {"state": 1, "log_prob": "-inf"}
    ]
    """
    if format not in ("csv", "json"):
        raise ValueError(f'format must be "csv" or "json"; got {format!r}')
    values = {str(name): _as_list(column) for name, column in columns.items()}
    lengths = {name: len(column) for name, column in values.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns must have the same length; got {lengths}")
    write = _write_csv if format == "csv" else _write_json
    if isinstance(target, str | os.PathLike):
        if os.fspath(target) == "-":
            write(sys.stdout, values)
            return
        with replacing(target) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            write(text, values)
            text.detach()
    else:
        write(target, values)


def _write_csv(stream: TextIO, columns: dict[str, list[Any]]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))


def _write_json(stream: TextIO, columns: dict[str, list[Any]]) -> None:
    stream.write("[")
    separator = "\n"
    for row in zip(*columns.values(), strict=True):
        record = {name: _json_value(value) for name, value in zip(columns, row, strict=True)}
        stream.write(separator + json.dumps(record, ensure_ascii=False, allow_nan=False))
        separator = ",\n"
    stream.write("\n]\n")


def _as_list(column: Sequence[Any] | np.ndarray) -> list[Any]:
    """The values as Python objects, whose repr is exact."""
    if isinstance(column, np.ndarray):
        # As numbers of nanoseconds nobody would recognise dates.
        return list((column.astype(str) if column.dtype.kind in "mM" else column).tolist())
    return [value.item() if isinstance(value, np.generic) else value for value in column]


def _json_value(value: Any) -> Any:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return None if math.isnan(value) else repr(value)
