"""Where tables come from: files, standard input, the data sets that come with the library."""

from __future__ import annotations

import csv
import io
import os
import sys
import tempfile
from dataclasses import dataclass, replace

import numpy as np

from hmmem import datasets
from hmmem.files.tables import Table, read_table

__all__ = ["Source", "read_source"]

STANDARD_INPUT = "standard input"


@dataclass(frozen=True, eq=False)
class Source:
    """A table, and the times that lie beside it.

    Attributes
    ----------
    table : Table
    index : ndarray of shape (N,) or None
        The time of each row of a bundled series.
    index_name : str
        What that time is called; empty if there is none.
    text : bytes or None
        The text that came from standard input.
    """

    table: Table
    index: np.ndarray | None = None
    index_name: str = ""
    text: bytes | None = None

    def place(self, row: int) -> str:
        """Where a row stands, for messages: its line if the table is text."""
        if self.table.lines is not None:
            return f"line {self.table.lines[row]}"
        path = self.table.source.lower()
        if self.text is None and not (path.endswith((".csv", ".tsv")) and os.path.isfile(self.table.source)):
            return f"row {row}"
        # tables of numbers are read by a reader that keeps no lines; here there is time to count them
        text = self.text
        if text is None:
            with open(self.table.source, "rb") as file:
                text = file.read()
        reader = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""))
        lines = [reader.line_num for cells in reader if cells]
        return f"line {lines[len(lines) - self.table.n_rows + row]}"


def read_source(source: str) -> Source:
    """Return the table of a file, of standard input (``-``), or of a bundled data set if there is no such file.

    Raises
    ------
    FileNotFoundError
        Neither a file nor a data set.
    ValueError
        No table, or cells between semicolons.
    """
    if source == "-":
        return _from_standard_input()
    if source in datasets.names() and not os.path.exists(source):
        data = datasets.load_dataset(source)
        table = Table({name: data.X[:, d] for d, name in enumerate(data.columns)}, source=source)
        if data.index is None:
            return Source(table)
        return Source(table, data.index, "quarter" if data.index.dtype.kind == "M" else "year")
    if not os.path.exists(source) and not os.path.splitext(source)[1]:
        raise FileNotFoundError(
            f"{source} is neither a file nor a bundled data set; those are {', '.join(datasets.names())}"
        )
    if source.lower().endswith(".csv") and os.path.isfile(source):
        with open(source, "rb") as file:
            _require_commas(source, file.readline())
    return Source(read_table(source))


def _require_commas(source: str, first: bytes) -> None:
    """Raise an error for the table of a spreadsheet that writes ``;`` or tabs where a .csv has commas."""
    if b"," in first:
        return
    if b";" in first:
        raise ValueError(
            f"{source} has semicolons between its cells; a .csv has commas, and points in its decimals: save it so"
        )
    if b"\t" in first:
        raise ValueError(f"{source} has tabs between its cells; name it .tsv")


def _from_standard_input() -> Source:
    """The table on standard input: CSV, or TSV if its first line has tabs and no comma."""
    text = sys.stdin.buffer.read()
    first = text.split(b"\n", 1)[0]
    ending = ".tsv" if b"\t" in first and b"," not in first else ".csv"
    if ending == ".csv":
        _require_commas(STANDARD_INPUT, first)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, f"table{ending}")
        with open(path, "wb") as file:
            file.write(text)
        try:
            return Source(replace(read_table(path), source=STANDARD_INPUT), text=text)
        except ValueError as error:
            raise ValueError(str(error).replace(path, STANDARD_INPUT)) from error
