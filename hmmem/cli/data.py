"""The data of a command: columns of a table as frames, cut into sequences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmmem.cli.cells import require_numbers, require_present
from hmmem.cli.source import read_source
from hmmem.files.tables import Table, read_lengths
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
        The time of each row, as the table has it.
    index_name : str
        What that time is called.
    unused : tuple of str
        Columns that nobody chose and nobody left out: the model does not know them.
    """

    X: np.ndarray
    names: tuple[str, ...]
    cut: dict[str, np.ndarray]
    labels: np.ndarray
    sequence: np.ndarray
    frame: np.ndarray
    index: np.ndarray | None
    index_name: str = ""
    unused: tuple[str, ...] = ()

    @property
    def times(self) -> np.ndarray | None:
        """The time of each row as numbers or dates, (N,)."""
        if self.index is None or self.index.dtype != object:
            return self.index
        try:
            return self.index.astype("datetime64[us]")
        except ValueError as error:
            raise ValueError(
                f"--time: the column {self.index_name!r} must hold numbers, or dates like 2001-12-31; {error}"
            ) from error

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
    width: int | None = None,
) -> Data:
    """Return the data that the arguments of a command name.

    Parameters
    ----------
    source : str
        A file, ``-`` for standard input, or the name of a bundled data set if there is no such file.
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
    width : int, optional
        The number of columns that a model was fitted to, 0 if it does not know; None: there is no model yet.

    Raises
    ------
    ValueError
        A column that does not exist, text where numbers are needed, missing values, lengths that do not add up.
    """
    if id_column is not None and lengths_file is not None:
        raise ValueError("--id and --lengths both say how the rows are cut into sequences; give one of them")
    found = read_source(source)
    table = found.table
    if table.n_rows == 0:
        raise ValueError(f"{table.source} has no rows")
    beside = time is not None and time == found.index_name and time not in table.names
    apart = [name for name in (id_column, None if beside else time) if name is not None]
    if expected is None and width and columns is None:
        made_up = tuple(f"x{d}" for d in range(width))
        expected = made_up if set(made_up) <= set(table.names) else None
    names = _names(table, columns, apart, expected)
    if not symbols:
        require_numbers(found, names, training=width is None)
    X = table.matrix(names, numeric=not symbols)
    require_present(found, names)
    cut: dict[str, np.ndarray] = {}
    if id_column is not None:
        ids = table[id_column]
        require_present(found, [id_column], "every row needs an identifier")
        labels, sequence = _by_first_row(ids)
        cut["sequence_id"] = ids
    else:
        lengths = table.lengths if lengths_file is None else read_lengths(lengths_file)
        if lengths is not None:
            lengths = cut["lengths"] = check_lengths(lengths, len(X))
        sequence = np.repeat(np.arange(1 if lengths is None else len(lengths)), len(X) if lengths is None else lengths)
        labels = np.arange(sequence[-1] + 1)
    unused = () if columns is not None else tuple(name for name in table.names if name not in {*names, *apart})
    index, index_name = (table[time], time) if time is not None and not beside else (found.index, found.index_name)
    return Data(X, tuple(names), cut, labels, sequence, _frames(sequence), index, index_name, unused)


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
