from __future__ import annotations

import csv
import io
import json
from typing import Any, NamedTuple

import numpy as np
import pytest

from hmmem.cli import main


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.out)))

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture
def refused(run):
    """Run a command line that must end with code 2, nothing on standard output and one line of error; return that."""

    def call(*arguments: object) -> str:
        result = run(*arguments)
        assert result.code == 2, result
        assert result.out == ""
        assert result.err.endswith("\n")
        assert result.err.count("\n") == 1
        assert result.err.startswith("hmmem: error: ")
        assert "Traceback" not in result.err
        return result.err.removeprefix("hmmem: error: ").rstrip("\n")

    return call


@pytest.fixture
def piped(monkeypatch):
    """Put a text on standard input."""

    def put(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return put


@pytest.fixture
def quakes(run):
    """A model of the earthquakes."""
    assert run("fit", "earthquakes", "--model", "poisson", "-k", 3, "-o", "quakes.hmmem", "--quiet").code == 0
    return "quakes.hmmem"


@pytest.fixture
def walks(run, tmp_path):
    """Three animals whose rows are interleaved, in walks.csv."""
    rng = np.random.default_rng(0)
    animal = rng.permutation(np.repeat(["ant", "bee", "cat"], [30, 20, 10]))
    fast = rng.random(60) < 0.5
    x, y = rng.normal(np.where(fast, 5.0, 0.0)), rng.normal(np.where(fast, -3.0, 0.0))
    lines = [f"{a},{u!r},{v!r}" for a, u, v in zip(animal, x.tolist(), y.tolist(), strict=True)]
    (tmp_path / "walks.csv").write_text("animal,x,y\n" + "\n".join(lines) + "\n")
    return "walks.csv"
