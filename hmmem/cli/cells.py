"""What cells must hold before a model sees them: refusals that name file, line and column."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from hmmem.cli.source import Source
from hmmem.files.delimited import MISSING, is_number

__all__ = ["require_numbers", "require_present", "rising_columns"]

_LEAST_STEPS = 8  # so many frames rarely rise by chance


def require_present(source: Source, names: Sequence[str], mend: str = "") -> None:
    """Raise an error for the first cell that is missing, or infinite, in the columns ``names``."""
    mend = mend or "missing values are not supported; leave these rows out or fill them in"
    table = source.table
    for name in names:
        column = table[name]
        if column.dtype == object:
            bad = np.array([cell.strip() in MISSING for cell in column.tolist()], dtype=bool)
        else:
            bad = ~np.isfinite(column)
        if bad.any():
            row = int(np.argmax(bad))
            place = f"{table.source}, {source.place(row)}, column {name!r}"
            if column.dtype != object and np.isinf(column[row]):
                raise ValueError(f"{place}: {column[row]} is no finite number; leave these rows out or mend them")
            raise ValueError(f"{place}: the cell is missing (empty, NA or nan); {mend}")


def require_numbers(source: Source, names: Sequence[str], training: bool) -> None:
    """Raise an error for a column that is text throughout, which names the options that could be meant.

    A column with a stray word among its numbers is left to :meth:`hmmem.files.table.Table.matrix`.
    """
    table = source.table
    for name in names:
        if not table.is_text(name):
            continue
        cells = [cell for cell in table[name].tolist() if cell.strip() not in MISSING]
        if not cells or any(map(is_number, cells)):
            continue
        hints = [f"--time {name} if it is the time"] if _is_date(cells[0]) else []
        hints.append(f"--id {name} if it says which sequence a row belongs to")
        if training:
            hints.append("--model categorical if it holds symbols")
        raise ValueError(
            f"{table.source}, column {name!r} holds text ({cells[0]!r:.60}), not numbers; use {', '.join(hints)}, or "
            "--columns to choose others"
        )


def rising_columns(X: np.ndarray, names: Sequence[str], sequence: np.ndarray) -> list[str]:
    """Return the columns that rise with every frame of every sequence, as times do; none if there is only one column.

    Parameters
    ----------
    X : ndarray of shape (N, D)
    names : sequence of D str
    sequence : ndarray of shape (N,)
        The sequence of each row.

    Examples
    --------
    >>> rising_columns(np.array([[1900 + i, i % 3] for i in range(20)]), ["year", "count"], np.zeros(20, int))
    ['year']
    """
    if X.shape[1] < 2 or X.dtype.kind not in "iuf":
        return []
    order = np.argsort(sequence, kind="stable")
    inside = np.diff(sequence[order]) == 0
    if inside.sum() < _LEAST_STEPS:
        return []
    rising = (np.diff(X[order], axis=0)[inside] > 0).all(axis=0)
    return [name for name, rises in zip(names, rising, strict=True) if rises]


def _is_date(cell: str) -> bool:
    with contextlib.suppress(ValueError):
        return not np.isnat(np.datetime64(cell))
    return False
