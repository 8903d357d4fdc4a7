"""Small real series that come with hmmem, for examples, tests and first steps.

Origin, licence and columns of each are told in ``datasets/SOURCES.md``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Dataset", "load_dataset", "names"]

_PACKAGE = Path(__file__).parent
_FOLDERS = (_PACKAGE / "_datasets", _PACKAGE.parent / "datasets")  # as installed; as checked out


@dataclass(frozen=True, eq=False)
class Dataset:
    """A real series, ready to be fitted.

    Attributes
    ----------
    name : str
        The name it was loaded by.
    X : ndarray of shape (N, D)
        The frames, in order of time where there is one. Counts are int64, measurements float64. The array belongs to
        the caller: every load reads it afresh.
    columns : tuple of str
        The D names of the columns of ``X``.
    source : str
        What was measured, in which units, and where it was published.
    index : ndarray of shape (N,) or None
        The time of each frame: years as int64, or quarters as the month (``datetime64[M]``) in which they begin.
        None if the frames have no time.
    """

    name: str
    X: npt.NDArray[Any]
    columns: tuple[str, ...]
    source: str
    index: npt.NDArray[Any] | None

    def __repr__(self) -> str:
        n_frames, n_features = self.X.shape
        return f"Dataset({self.name!r}: {n_frames} x {n_features}, {', '.join(self.columns)})"


@dataclass(frozen=True)
class _Entry:
    columns: tuple[str, ...]
    sha256: str
    source: str
    time: Literal["none", "first column", "quarters"] = "none"
    first_quarter: str = ""
    counts: bool = False


_ENTRIES = {
    "earthquakes": _Entry(
        columns=("count",),
        sha256="4c4b1d822fd6e568f2a40c3f0dd81e889e0179b2bded049b52960609d792a4df",
        source="Earthquakes of magnitude 7 or more in the world, per year, 1900 to 2006 (US Geological Survey; "
        "Zucchini and MacDonald 2009, table 1.1)",
        time="first column",
        counts=True,
    ),
    "fedfunds": _Entry(
        columns=("rate",),
        sha256="e518d777983f0a1bb7f4d136165dffdfbe9cddb8e4ec3828dd1e856200cd40e8",
        source="US federal funds rate in percent, per quarter, 1954 Q3 to 2010 Q4 (Federal Reserve)",
        time="quarters",
        first_quarter="1954-07",
    ),
    "galaxies": _Entry(
        columns=("velocity",),
        sha256="f07e4c914a5500235c57ee398898ffd8220ea440b00f965d6d39bd1f8c62925c",
        source="Velocities of galaxies in the Corona Borealis region in km/s, sorted (Roeder 1990)",
    ),
    "gnp_growth": _Entry(
        columns=("growth",),
        sha256="aad39b4313e524f41fb56f68ac6f72b4ebcc96ffec1d2fb70bb12240cf56ce38",
        source="Growth of the US real gross national product in percent, per quarter, 1951 Q2 to 1984 Q4 "
        "(Hamilton 1989)",
        time="quarters",
        first_quarter="1951-04",
    ),
    "nile": _Entry(
        columns=("volume",),
        sha256="88e97bea7249e5832a85e41aec6ce4b8f7b1b14aae930c8363da7f193286b598",
        source="Flow of the Nile at Aswan in 10^8 cubic metres, per year, 1871 to 1970 (Cobb 1978)",
        time="first column",
    ),
    "old_faithful": _Entry(
        columns=("eruptions", "waiting"),
        sha256="d40b983752ab7ec0b15b740089c3ca7b7b59d0c7433a029a1714d134de1e8d14",
        source="Length of an eruption of the Old Faithful geyser and the wait until the next, in minutes (Härdle 1991)",
    ),
    "sunspots": _Entry(
        columns=("number",),
        sha256="3617fb5c428f88aec9a12c8a0b8136a9537479e8611c8a986abf0591698e5a6b",
        source="Mean number of sunspots per year, 1700 to 2008 (NOAA National Geophysical Data Center)",
        time="first column",
    ),
}


def names() -> tuple[str, ...]:
    """Names that :func:`load_dataset` knows, in alphabetical order.

    Returns
    -------
    tuple of str
        The names.

    Examples
    --------
    >>> from hmmem import datasets
    >>> datasets.names()
    ('earthquakes', 'fedfunds', 'galaxies', 'gnp_growth', 'nile', 'old_faithful', 'sunspots')
    """
    return tuple(sorted(_ENTRIES))


def load_dataset(name: str) -> Dataset:
    """One of the data sets that come with hmmem.

    The file is verified by its checksum, so that what is fitted is what the documentation shows.

    Parameters
    ----------
    name : str
        One of :func:`hmmem.datasets.names`.

    Returns
    -------
    Dataset
        With the frames ``X`` of shape (N, D), the names of their ``columns``, their ``source`` and, for series,
        the time of each frame as ``index``.

    Raises
    ------
    ValueError
        If the name is unknown, or the file is not the one that came with hmmem.
    FileNotFoundError
        If the file is missing from the installation.

    Examples
    --------
    >>> from hmmem.datasets import load_dataset
    >>> quakes = load_dataset("earthquakes")
    >>> quakes
    Dataset('earthquakes': 107 x 1, count)
    >>> quakes.X[:3].tolist(), quakes.index[:3].tolist()
    ([[13], [14], [8]], [1900, 1901, 1902])
    """
    if name not in _ENTRIES:
        raise ValueError(f"name must be one of {', '.join(names())}; got {name!r}")
    entry = _ENTRIES[name]
    lines = _read(name, entry.sha256).decode("ascii").splitlines()[1:]
    table = np.loadtxt(lines, delimiter=",", ndmin=2)
    index: npt.NDArray[Any] | None = None
    if entry.time == "first column":
        index, table = table[:, 0].astype(np.int64), table[:, 1:].copy()
    elif entry.time == "quarters":
        index = np.datetime64(entry.first_quarter, "M") + 3 * np.arange(len(table))
    X = table.astype(np.int64) if entry.counts else table
    return Dataset(name=name, X=X, columns=entry.columns, source=entry.source, index=index)


def _read(name: str, sha256: str) -> bytes:
    """Verified content of the file of a data set."""
    paths = [folder / f"{name}.csv" for folder in _FOLDERS]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"the data set {name!r} is missing from this installation; looked for {' and '.join(map(str, paths))}; "
            "install hmmem again"
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} is not the file that came with hmmem: its sha256 should be {sha256} and is {found}; "
            "install hmmem again, or read your own file with numpy or pandas"
        )
    return content
