"""Columns from delimited text: CSV and TSV."""

from __future__ import annotations

import contextlib
import csv
import itertools
import warnings
from collections.abc import Sequence

import numpy as np

__all__ = ["column_from_cells", "is_number", "read_delimited"]

MISSING = frozenset({"", "NA"})
_SAMPLE = 1000


def read_delimited(
    path: str, delimiter: str, header: bool | None = None
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Return the columns of a delimited text file and the line on which each row stands.

    Parameters
    ----------
    path : str
        UTF-8, with or without a byte order mark; cells may be quoted with ``"``. Blank lines are skipped.
    delimiter : str
        One character.
    header : bool, optional
        Whether the first line holds names. None: it does if any of its cells is not a number (empty cells and ``NA``
        count as numbers). Columns without a name are called ``x0``, ``x1``, ... by their place.

    Returns
    -------
    columns : dict of str to ndarray of shape (N,)
        int64 if every cell is an integer; float64 if every cell is a number or missing (empty, ``NA``, ``nan``), which
        is nan; otherwise an object array of text as it stands, which is also what integers beyond 64 bits become.
    lines : ndarray of shape (N,) or None
        The line of each row, from 1; None when all columns are numbers.

    Raises
    ------
    ValueError
        An empty file, rows of different widths, two columns of the same name, text that is not UTF-8.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            rows = [(reader.line_num, row) for row in itertools.islice(filter(None, reader), _SAMPLE)]
            if not rows:
                raise ValueError(f"{path} is empty; expected a table")
            if header is None:
                header = not all(is_number(cell) for cell in rows[0][1])
            names = _names(path, rows[0][1], header)
            first_line, rows = (rows[0][0], rows[1:]) if header else (0, rows)
            width = len(names)
            columns = _read_numbers(path, delimiter, first_line, [row for _, row in rows], width)
            if columns is not None:
                return dict(zip(names, columns, strict=True)), None
            rows.extend((reader.line_num, row) for row in filter(None, reader))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 text: {error}; save it as UTF-8") from error
        except csv.Error as error:
            raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    for line, row in rows:
        if len(row) != width:
            raise ValueError(f"{path}, line {line}: {len(row)} cells; expected {width} as on the first line")
    cells = zip(*(row for _, row in rows), strict=True) if rows else ([] for _ in names)
    lines = np.array([line for line, _ in rows], dtype=np.int64)
    return {name: column_from_cells(column) for name, column in zip(names, cells, strict=True)}, lines


def is_number(cell: str) -> bool:
    """Return whether a cell is a number or missing.

    Examples
    --------
    >>> [is_number(cell) for cell in ("-1e3", "", "NA", "inf", "1_000", "rain")]
    [True, True, True, True, False, False]
    """
    try:
        _number(cell)
    except ValueError:
        return False
    return "_" not in cell


def column_from_cells(cells: Sequence[str]) -> np.ndarray:
    """Return cells of text as an int64, a float64 or an object array, see :func:`read_delimited`.

    Examples
    --------
    >>> column_from_cells(["1", "2"]), column_from_cells(["1", ""]), column_from_cells(["1", "b"])
    (array([1, 2]), array([ 1., nan]), array(['1', 'b'], dtype=object))
    """
    # Python reads 1_000 as a number; in data it is a name.
    if not any("_" in cell for cell in cells):
        try:
            return np.array(list(map(int, cells)), dtype=np.int64)
        except OverflowError:
            pass  # identifiers that a float would merge stay text
        except ValueError:
            with contextlib.suppress(ValueError):
                return np.array(list(map(_number, cells)), dtype=np.float64)
    # Not a fixed-width text array: one long cell would set the width, and the memory, of all.
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


def _number(cell: str) -> float:
    """The number in a cell; nan if it is missing."""
    try:
        return float(cell)
    except ValueError:
        if cell.strip() in MISSING:
            return float("nan")
        raise


def _names(path: str, first: list[str], header: bool) -> list[str]:
    """Names of the columns, all different."""
    names = [(cell.strip() if header else "") or f"x{i}" for i, cell in enumerate(first)]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise ValueError(f"{path} has several columns named {double[0]!r}; give each its own name")
    return names


def _read_numbers(path: str, delimiter: str, skip: int, sample: list[list[str]], width: int) -> list[np.ndarray] | None:
    """All columns by NumPy's fast reader, or None if some cell needs a closer look."""
    if not sample or any(len(row) != width for row in sample):
        return None
    kinds = [column_from_cells(column).dtype for column in zip(*sample, strict=True)]
    if any(kind.hasobject for kind in kinds):
        return None
    try:
        with warnings.catch_warnings():
            # Integers that turn out to be floats further down: some versions of NumPy only warn about them.
            warnings.simplefilter("error")
            table = np.loadtxt(
                path,
                dtype=[(f"x{i}", kind) for i, kind in enumerate(kinds)],
                delimiter=delimiter,
                comments=None,
                skiprows=skip,
                quotechar='"',
                encoding="utf-8-sig",
                ndmin=1,
            )
    except (ValueError, OverflowError, Warning):
        return None
    return [np.ascontiguousarray(table[f"x{i}"]) for i in range(width)]
