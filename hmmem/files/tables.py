"""Tables for the command line: named columns from CSV, TSV, Parquet, ``.npy`` and ``.npz``."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from hmmem.files.delimited import read_delimited
from hmmem.files.table import Table
from hmmem.files.table_writer import write_table

__all__ = ["Table", "read_lengths", "read_table", "write_table"]


def read_table(path: str | os.PathLike[str], header: bool | None = None) -> Table:
    r"""Return the table in a file; the ending of its name says how to read it.

    Parameters
    ----------
    path : str or PathLike
        ``.csv``, ``.tsv``: text, see :func:`hmmem.files.delimited.read_delimited`. ``.parquet``: needs pyarrow.
        ``.npy``: an array of numbers of shape (N,) or (N, D), whose columns are called ``x0``, ``x1``, ... ``.npz``:
        the array ``X``, or else the only 2-D array; an array ``lengths`` is taken as lengths of sequences.
    header : bool, optional
        CSV and TSV only: whether the first line holds names. None: it does if any of its cells is not a number.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        Another ending, or content that is not such a table; the message names the file and, for text, the line.
    ImportError
        Parquet without pyarrow.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "river.csv")
    ...     _ = path.write_text("day,flow\n1,0.5\n2,\n")
    ...     read_table(path).columns
    {'day': array([1, 2]), 'flow': array([0.5, nan])}
    """
    name = os.fspath(path)
    readers: dict[str, Callable[[], Table]] = {
        ".csv": lambda: _read_text(name, ",", header),
        ".tsv": lambda: _read_text(name, "\t", header),
        ".parquet": lambda: _read_parquet(name),
        ".npy": lambda: Table(_numbered(_load_array(name), name), source=name),
        ".npz": lambda: _read_npz(name),
    }
    ending = os.path.splitext(name)[1].lower()
    if ending not in readers:
        raise ValueError(f"{name} has the ending {ending!r}; expected one of {', '.join(readers)}")
    _require_file(name)
    return readers[ending]()


def read_lengths(path: str | os.PathLike[str]) -> np.ndarray:
    r"""Return lengths of sequences from a ``.npy`` file of integers, or from text: integers between white space.

    Returns
    -------
    ndarray of int64 of shape (n_sequences,)

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        Anything but integers.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "lengths.txt")
    ...     _ = path.write_text("10 20\n30\n")
    ...     read_lengths(path)
    array([10, 20, 30])
    """
    name = os.fspath(path)
    _require_file(name)
    if name.lower().endswith(".npy"):
        return _as_lengths(_load_array(name), name)
    lengths = []
    with open(name, encoding="utf-8-sig") as file:
        try:
            for number, line in enumerate(file, 1):
                for word in line.split():
                    if not word.isdecimal():
                        raise ValueError(f"{name}, line {number}: {word!r:.80} is not a whole number; expected lengths")
                    if len(word) > 15:
                        raise ValueError(f"{name}, line {number}: {word:.80} is no length that a sequence can have")
                    lengths.append(int(word))
        except UnicodeDecodeError as error:
            raise ValueError(f"{name} is not text: {error}; expected lengths or a .npy file") from error
    return np.array(lengths, dtype=np.int64)


def _require_file(name: str) -> None:
    if not os.path.exists(name):
        raise FileNotFoundError(f"{name} does not exist")
    if os.path.isdir(name):
        raise IsADirectoryError(f"{name} is a folder; give the path of a file")


def _read_text(name: str, delimiter: str, header: bool | None) -> Table:
    columns, lines = read_delimited(name, delimiter, header)
    return Table(columns, source=name, lines=lines)


def _load_array(name: str) -> np.ndarray:
    """An array from a ``.npy`` file; mapped, so that a header cannot claim more than the file holds."""
    try:
        array: np.ndarray = np.load(name, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{name} is not an .npy file of numbers: {error}") from error
    return array


def _numbered(array: np.ndarray, source: str) -> dict[str, np.ndarray]:
    """The columns of an array of shape (N,) or (N, D)."""
    if array.ndim not in (1, 2) or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{source} holds an array of shape {array.shape} and dtype {array.dtype}; expected numbers of shape (N,) "
            f"or (N, D)"
        )
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{source} holds integers beyond 64 bits with sign; convert them first")
    dtype = np.float64 if array.dtype.kind == "f" else np.int64
    columns = array[:, None] if array.ndim == 1 else array
    return {f"x{i}": np.array(columns[:, i], dtype=dtype) for i in range(columns.shape[1])}


def _read_npz(name: str) -> Table:
    try:
        # Opened here, because NumPy leaves a file open that turns out to be no zip.
        with open(name, "rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array; give it the ending .npy")
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, EOFError, OSError, MemoryError, zipfile.BadZipFile) as error:
        raise ValueError(f"{name} is not an .npz file of numbers: {error}") from error
    lengths = arrays.pop("lengths", None)
    wide = [key for key, array in arrays.items() if array.ndim == 2]
    if "X" not in arrays and len(wide) != 1:
        raise ValueError(f"{name} holds the arrays {sorted(arrays)}; expected one named 'X', or only one that is 2-D")
    key = "X" if "X" in arrays else wide[0]
    return Table(
        _numbered(arrays[key], f"{name}, array {key!r}"),
        lengths=None if lengths is None else _as_lengths(lengths, f"{name}, array 'lengths'"),
        source=name,
    )


def _as_lengths(array: np.ndarray, source: str) -> np.ndarray:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{source} has shape {array.shape} and dtype {array.dtype}; expected integers of shape (n_sequences,)"
        )
    if array.size and int(array.max()) > 10**15:
        raise ValueError(f"{source} holds {int(array.max())}, no length that a sequence can have")
    return np.array(array, dtype=np.int64)


def _read_parquet(name: str) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(f"reading {name} needs pyarrow; install it with: pip install hmmem[arrow]") from error
    try:
        table = pyarrow.parquet.read_table(name)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{name} is not a Parquet file: {error}") from error
    if len(set(table.column_names)) != len(table.column_names):
        raise ValueError(f"{name} has several columns of the same name; give each its own")
    columns = {key: _from_arrow(table.column(key), f"{name}, column {key!r}") for key in table.column_names}
    return Table(columns, source=name)


def _from_arrow(column: Any, source: str) -> np.ndarray:
    """An Arrow column as an int64, a float64 or an object array of text; null is nan or empty text."""
    import pyarrow
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    try:
        if types.is_boolean(kind) or types.is_integer(kind):
            column = column.cast(pyarrow.int64())
            return np.array(column.cast(pyarrow.float64()) if column.null_count else column)
        if types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind):
            return np.array(column.cast(pyarrow.float64()), dtype=np.float64)
        text = column.cast(pyarrow.string()).to_pylist()
    except pyarrow.ArrowException as error:
        raise ValueError(f"{source} has the type {kind}, which cannot be read as numbers or text: {error}") from error
    found = np.empty(len(text), dtype=object)
    found[:] = ["" if cell is None else cell for cell in text]
    return found
