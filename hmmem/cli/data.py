"""The data of a command: columns of a table as frames, cut into sequences."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmmem import datasets
from hmmem.files.tables import Table, read_lengths, read_table
from hmmem.inputs import check_lengths

_GENERATED = re.compile(r"x\d+")


@dataclass(frozen=True, eq=False)
class Data:
    """Frames in the order of their table, and the sequence that each belongs to.

    Attributes
    ----------
    X : ndarray of shape (N, D)
    names : tuple of str
        The D columns.
    cut : dict
        ``lengths=`` or ``sequence_id=`` for the methods of estimators; empty for a single sequence.
    labels : ndarray of shape (n,)
        What the sequences are called: their identifiers or numbers, in the order of their first rows.
    sequence, frame : ndarray of shape (N,)
        Number of each row's sequence, and of the row within it.
    index : ndarray of shape (N,) or None
        The time of each row.
    """

    X: np.ndarray
    names: tuple[str, ...]
    cut: dict[str, np.ndarray]
    labels: np.ndarray
    sequence: np.ndarray
    frame: np.ndarray
    index: np.ndarray | None

    @property
    def lengths(self) -> np.ndarray:
        """Number of frames of each sequence, (n,)."""
        return np.bincount(self.sequence)

    @property
    def have_names(self) -> bool:
        """Whether someone gave the columns their names; those of arrays are made up."""
        return not all(_GENERATED.fullmatch(name) for name in self.names)


def read_data(
    source: str,
    columns: str | None,
    id_column: str | None,
    lengths_file: str | None,
    *,
    symbols: bool = False,
    time: str | None = None,
    expected: tuple[str, ...] | None = None,
) -> Data:
    """Return the data that the arguments of a command name.

    Parameters
    ----------
    source : str
        A file, or the name of a bundled data set if there is no such file.
    columns : str, optional
        Names between commas; default: ``expected``, or all but the columns of identifiers and times.
    id_column, lengths_file : str, optional
        How the rows are cut into sequences; at most one of them.
    symbols : bool
        Whether text is allowed.
    time : str, optional
        The column with the time of each row.
    expected : tuple of str, optional
        The columns that a model was fitted to.

    Raises
    ------
    ValueError
        A column that does not exist, text where numbers are needed, lengths that do not add up.
    """
    if id_column is not None and lengths_file is not None:
        raise ValueError("--id and --lengths both say how the rows are cut into sequences; give one of them")
    table, index = _table(source)
    if table.n_rows == 0:
        raise ValueError(f"{source} has no rows")
    apart = [name for name in (id_column, time) if name is not None]
    names = _names(table, columns, apart, expected)
    X = table.matrix(names, numeric=not symbols)
    cut: dict[str, np.ndarray] = {}
    if id_column is not None:
        ids = _ids(table, id_column)
        labels, sequence = _by_first_row(ids)
        cut["sequence_id"] = ids
    else:
        lengths = table.lengths if lengths_file is None else read_lengths(lengths_file)
        if lengths is not None:
            lengths = cut["lengths"] = check_lengths(lengths, len(X))
        sequence = np.repeat(np.arange(1 if lengths is None else len(lengths)), len(X) if lengths is None else lengths)
        labels = np.arange(sequence[-1] + 1)
    return Data(
        X, tuple(names), cut, labels, sequence, _frames(sequence), index if time is None else _times(table, time)
    )


def _table(source: str) -> tuple[Table, np.ndarray | None]:
    """The table of a file, or of a bundled data set with its times."""
    if source in datasets.names() and not os.path.exists(source):
        data = datasets.load_dataset(source)
        return Table({name: data.X[:, d] for d, name in enumerate(data.columns)}, source=source), data.index
    if not os.path.exists(source) and not os.path.splitext(source)[1]:
        raise FileNotFoundError(
            f"{source} is neither a file nor a bundled data set; those are {', '.join(datasets.names())}"
        )
    return read_table(source), None


def _names(table: Table, columns: str | None, apart: list[str], expected: tuple[str, ...] | None) -> list[str]:
    for name in apart:
        _ = table[name]  # refuses a name that is not there
    if columns is not None:
        names = [columns] if columns in table.names else [name.strip() for name in columns.split(",")]
        double = next((name for name in names if names.count(name) > 1), None)
        if double is not None:
            raise ValueError(f"--columns names {double!r} twice")
        for name in names:
            _ = table[name]
        return names
    if expected is not None:
        missing = [name for name in expected if name not in table.names]
        if missing:
            raise ValueError(
                f"{table.source} has no column {missing[0]!r}, which the model was fitted to; it has "
                f"{', '.join(map(repr, table.names))}; choose with --columns"
            )
        return list(expected)
    names = [name for name in table.names if name not in apart]
    if not names:
        raise ValueError(f"{table.source} has no column besides {', '.join(map(repr, apart))}")
    return names


def _ids(table: Table, name: str) -> np.ndarray:
    ids = table[name]
    empty = (ids == "") if ids.dtype == object else np.isnan(ids)
    if empty.any():
        row = int(np.argmax(empty))
        raise ValueError(f"{table.source}, column {name!r}: row {row} has no identifier; every row needs one")
    return ids


def _times(table: Table, name: str) -> np.ndarray:
    column = table[name]
    if column.dtype != object:
        return column
    try:
        return column.astype("datetime64[us]")
    except ValueError as error:
        raise ValueError(
            f"{table.source}, column {name!r}: expected numbers, or dates like 2001-12-31; {error}"
        ) from error


def _by_first_row(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct identifiers in the order of their first rows, and the number of each row's."""
    distinct, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return distinct[order], rank[inverse]


def _frames(sequence: np.ndarray) -> np.ndarray:
    """The number of each row within its sequence, rows in table order."""
    order = np.argsort(sequence, kind="stable")
    lengths = np.bincount(sequence)
    starts = np.cumsum(lengths) - lengths
    frame = np.empty(len(sequence), dtype=np.int64)
    frame[order] = np.arange(len(sequence)) - np.repeat(starts, lengths)
    return frame


def as_text(X: np.ndarray, columns: list[int]) -> Any:
    """Return X with columns of integers turned into text, for an alphabet of text: a file may show digits only."""
    if not columns or X.dtype.kind == "f":
        return X
    out = X.astype(object)
    for c in columns:
        out[:, c] = [str(x) for x in out[:, c]]
    return out
