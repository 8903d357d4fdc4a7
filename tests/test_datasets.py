"""The data sets: what is in them, and that nobody can change them unseen."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from hmmem import datasets

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "datasets"

SHAPES_AND_SUMS = {
    "earthquakes": ((107, 1), [2072.0]),
    "fedfunds": ((226, 1), [1226.73]),
    "galaxies": ((82, 1), [1707910.0]),
    "gnp_growth": ((135, 1), [100.52071286]),
    "nile": ((100, 1), [91935.0]),
    "old_faithful": ((272, 2), [948.677, 19284.0]),
    "sunspots": ((309, 1), [15373.4]),
}


def sources() -> dict[str, tuple[int, str]]:
    """Bytes and sha256 of each file as SOURCES.md states them."""
    text = (FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    return {
        name: (int(size), sha256)
        for name, size, sha256 in re.findall(r"^\| (\w+)\.csv \| (\d+) \| ([0-9a-f]{64}) \|$", text, flags=re.M)
    }


def test_names_are_the_files():
    assert datasets.names() == tuple(sorted(path.stem for path in FOLDER.glob("*.csv")))
    assert datasets.names() == tuple(SHAPES_AND_SUMS)


@pytest.mark.parametrize("name", SHAPES_AND_SUMS)
def test_load_dataset_shape_and_sum(name):
    shape, sums = SHAPES_AND_SUMS[name]
    data = datasets.load_dataset(name)
    assert data.name == name
    assert data.X.shape == shape
    assert data.X.flags.c_contiguous
    np.testing.assert_allclose(data.X.sum(axis=0), sums, rtol=1e-12)
    assert len(data.columns) == shape[1]
    header = (FOLDER / f"{name}.csv").read_text(encoding="ascii").splitlines()[0].split(",")
    assert header[-shape[1] :] == list(data.columns)


def test_load_dataset_counts_are_integers_and_years_are_no_feature():
    quakes = datasets.load_dataset("earthquakes")
    assert quakes.X.dtype == np.int64
    assert quakes.columns == ("count",)
    assert quakes.X[0, 0] == 13
    assert quakes.X[-1, 0] == 11
    np.testing.assert_array_equal(quakes.index, np.arange(1900, 2007))
    assert datasets.load_dataset("nile").X.dtype == np.float64


@pytest.mark.parametrize(
    ("name", "first", "last"), [("fedfunds", "1954-07", "2010-10"), ("gnp_growth", "1951-04", "1984-10")]
)
def test_load_dataset_quarters_end_where_the_source_says(name, first, last):
    index = datasets.load_dataset(name).index
    assert index is not None
    assert (str(index[0]), str(index[-1])) == (first, last)


def test_load_dataset_known_values():
    np.testing.assert_array_equal(datasets.load_dataset("old_faithful").X[0], [3.6, 79.0])
    assert datasets.load_dataset("old_faithful").index is None
    assert datasets.load_dataset("galaxies").X[77, 0] == 26690
    assert datasets.load_dataset("sunspots").X[-1, 0] == 2.9


def test_load_dataset_gives_every_caller_an_array_of_its_own():
    datasets.load_dataset("nile").X[:] = 0
    assert datasets.load_dataset("nile").X[0, 0] == 1120


def test_load_dataset_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"name must be one of earthquakes, .*sunspots; got 'quakes'"):
        datasets.load_dataset("quakes")


def test_load_dataset_refuses_a_changed_file(tmp_path, monkeypatch):
    content = (FOLDER / "nile.csv").read_bytes()
    (tmp_path / "nile.csv").write_bytes(content.replace(b"1120", b"1121"))
    monkeypatch.setattr(datasets, "_FOLDERS", (tmp_path,))
    with pytest.raises(ValueError, match=r"nile\.csv is not the file that came with hmmem"):
        datasets.load_dataset("nile")


def test_load_dataset_missing_file_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "_FOLDERS", (tmp_path,))
    with pytest.raises(FileNotFoundError, match=r"the data set 'nile' is missing .*nile\.csv; install hmmem again"):
        datasets.load_dataset("nile")


def test_load_dataset_prefers_the_installed_folder():
    package = Path(datasets.__file__).parent
    installed, checkout = datasets._FOLDERS
    assert installed == package / "_datasets"
    assert checkout == package.parent / "datasets"


def test_sources_state_size_and_checksum_of_every_file():
    stated = sources()
    assert tuple(sorted(stated)) == datasets.names()
    for name, (size, sha256) in stated.items():
        content = (FOLDER / f"{name}.csv").read_bytes()
        assert len(content) == size
        assert hashlib.sha256(content).hexdigest() == sha256
        assert datasets._ENTRIES[name].sha256 == sha256


def test_wheel_takes_the_data_sets_along():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {"datasets": "hmmem/_datasets"}
