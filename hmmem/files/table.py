"""A table as a value: named columns of one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hmmem.files.delimited import is_number

__all__ = ["Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns of one length.

    Attributes
    ----------
    columns : dict of str to ndarray of shape (N,)
        int64, float64 (missing cells are nan), or object arrays of text.
    lengths : ndarray of int64 or None
        Lengths of the sequences, where the file holds them.
    source : str
        The file, for messages.
    lines : ndarray of shape (N,) or None
        The line of the file on which each row stands, for messages.

    Examples
    --------
    >>> table = Table({"depth": np.array([3, 1]), "flow": np.array([0.5, np.nan])})
    >>> table.names, table.n_rows
    (['depth', 'flow'], 2)
    >>> table.matrix()
    array([[3. , 0.5],
           [1. , nan]])
    >>> table.matrix(["depth"])
    array([[3],
           [1]])
    """

    columns: Mapping[str, np.ndarray]
    lengths: np.ndarray | None = None
    source: str = "the table"
    lines: np.ndarray | None = None

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.columns)

    @property
    def n_rows(self) -> int:
        """The number of rows, N."""
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column; a ``ValueError`` lists the names there are."""
        if name not in self.columns:
            raise ValueError(f"{self.source} has no column {name!r}; it has {', '.join(map(repr, self.columns))}")
        return self.columns[name]

    def is_text(self, name: str) -> bool:
        """Return whether a column holds text."""
        return self[name].dtype == object

    def matrix(self, names: Sequence[str] | None = None, numeric: bool = False) -> np.ndarray:
        """Return columns side by side.

        Parameters
        ----------
        names : sequence of str, optional
            Which columns, in which order; None: all.
        numeric : bool
            Refuse text, with the line and the column of the first cell that is not a number.

        Returns
        -------
        ndarray of shape (N, D)
            int64 if all columns are, float64 if all are numbers, otherwise object.

        Raises
        ------
        ValueError
            An unknown name, or text where numbers are asked for.
        """
        names = self.names if names is None else list(names)
        columns = [self[name] for name in names]
        if numeric:
            for name in filter(self.is_text, names):
                self._refuse_text(name)
        if not columns:
            return np.empty((self.n_rows, 0))
        dtype = object if any(map(self.is_text, names)) else np.result_type(*columns)
        matrix = np.empty((self.n_rows, len(columns)), dtype=dtype)
        for i, column in enumerate(columns):
            matrix[:, i] = column
        return matrix

    def _refuse_text(self, name: str) -> None:
        """Raise for a text column, naming the first cell that made it one."""
        for row, cell in enumerate(self[name]):
            if not is_number(cell):
                place = f"row {row}" if self.lines is None else f"line {self.lines[row]}"
                raise ValueError(
                    f"{self.source}, {place}, column {name!r}: {cell!r:.80} is not a number; choose other columns or "
                    f"mend the cell (empty means missing)"
                )
        raise ValueError(f"{self.source}, column {name!r}: holds integers beyond 64 bits or numbers stored as text")
