"""Wrong input: exit code 2 and one line on standard error, which the fixture ``refused`` asserts."""

from __future__ import annotations

import numpy as np
import pytest

import hmmem

FIT = ("fit", "data.csv", "-k", 2, "-o", "m.hmmem")


@pytest.fixture
def data(tmp_path):
    def write(text: str) -> None:
        (tmp_path / "data.csv").write_text(text)

    return write


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "data.csv"), "Missing option"),
        (("fit", "-k", "2", "-o", "m.hmmem"), "Missing argument"),
        (("fit", "earthquakes", "-k", "two", "-o", "m.hmmem"), "'--states': it must be a whole number; see"),
        (
            ("fit", "earthquakes", "-k", "0", "-o", "m.hmmem"),
            "Invalid value for '-k' / '--states': it must be at least 1; see hmmem fit --help",
        ),
        (("fit", "earthquakes", "-k", "2", "-o", "m.hmmem", "--modle", "poisson"), "--modle"),
        (("fit", "earthquakes", "-k", "2", "-o", "m.hmmem", "--model", "gamma"), "'--model': 'gamma' is not one of"),
        (("fit", "earthquakes", "-k", "2", "-o", "m.hmmem", "--tol", "small"), "neither a number nor none"),
        (("fit", "earthquakes", "-k", "2", "-o", "m.hmmem", "--tol", "nan"), "--tol must be a finite number"),
        (("fit", "earthquakes", "-k", "2", "-o", "m.hmmem", "--covariance", "round"), "--covariance must be one of"),
        (("fit", "earthquakes", "-k", "2", "-o", "m.hmmem", "--init", "magic"), "--init must be one of"),
        (("fit", "earthquakes", "-k", "2", "-o", "m.hmmem", "--restarts", "0"), "--restarts must be at least 1; got 0"),
        (
            ("fit", "earthquakes", "-k", "2", "-o", "m.hmmem", "--jobs", "0"),
            "--jobs must not be 0; leave it out to use all cores",
        ),
        (("fit", "earthquakes", "-k", "2", "-o", "m.hmmem", "--seed", "-1"), "--seed must be at least 0; got -1"),
        (("fit", "earthquake", "-k", "2", "-o", "m.hmmem"), "neither a file nor a bundled data set; those are earthq"),
        (("fit", "no.csv", "-k", "2", "-o", "m.hmmem"), "no.csv does not exist"),
        (("fit", "data.xlsx", "-k", "2", "-o", "m.hmmem"), "ending '.xlsx'"),
        (("frobnicate",), "frobnicate"),
        (("fti",), "No such command 'fti'. Did you mean 'fit'? See hmmem --help"),
        (("sample", "m.hmmem", "-n", "1", "--seed", "-4"), "'--seed': it must be at least 0"),
        (("--frobnicate",), "--frobnicate"),
        (("show", "no.hmmem"), "no.hmmem does not exist"),
        (("show",), "Missing argument"),
        (("decode", "no.hmmem", "earthquakes"), "no.hmmem does not exist"),
    ],
)
def test_command_line_refuses(refused, arguments, message, tmp_path):
    assert message in refused(*arguments)
    assert not (tmp_path / "m.hmmem").exists()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\n1,2\n3\n", (), "data.csv, line 3: 1 cells; expected 2"),
        (
            "a,b\n1,2\n,4\n",
            (),
            "data.csv, line 3, column 'a': the cell is missing (empty, NA or nan); missing values are not",
        ),
        ("a\n1\ninf\n", (), "data.csv, line 3, column 'a': inf is no finite number"),
        ("1,2\n\n\n3,nan\n", (), "data.csv, line 4, column 'x1': the cell is missing"),
        ("s\nu\nNA\nv\n", ("--model", "categorical"), "data.csv, line 3, column 's': the cell is missing"),
        ("a,b\nu,2\nv,4\n", (), "column 'a' holds text ('u'), not numbers; use --id a if it says which sequence"),
        ("a,b\nu,2\nv,4\n", (), "--model categorical if it holds symbols"),
        ("a,b\n2001-01-01,2\n2001-01-02,4\n", (), "use --time a if it is the time, --id a if"),
        ("a;b\n1,5;2\n", (), "data.csv has semicolons between its cells; a .csv has commas"),
        ("a\tb\n1\t2\n", (), "data.csv has tabs between its cells; name it .tsv"),
        ("a,b\n1,2\nx,4\n", (), "line 3, column 'a': 'x' is not a number"),
        ("a,b\n1,2\n3,4\n", ("--columns", "a,c"), "no column 'c'; it has 'a', 'b'"),
        ("a,b\n1,2\n3,4\n", ("--columns", "a,a"), "names 'a' twice"),
        ("a,b\n1,2\n3,4\n", ("--id", "c"), "no column 'c'"),
        ("a\n1\n3\n", ("--id", "a"), "no column besides 'a'"),
        (
            "a,b\n1,2\n,4\n",
            ("--id", "a"),
            "line 3, column 'a': the cell is missing (empty, NA or nan); every row needs an identifier",
        ),
        ('a,b\nu,2\n"",4\n', ("--id", "a"), "line 3, column 'a': the cell is missing"),
        ("a,b\n1,2\n3,4\n", ("--id", "a", "--lengths", "l.txt"), "--id and --lengths"),
        ("a,b\n1,2\n3,4\n", ("--lengths", "no.txt"), "no.txt does not exist"),
        ("a,b\n1,2\n3,4\n", ("--lengths", "l.txt"), "they add up to 7 and X has 2"),
        ("a,b\n1,2\n3,4\n", ("--lengths", "words.txt"), "'two' is not a whole number"),
        ("a\n", (), "data.csv has no rows"),
        ("", (), "data.csv is empty"),
        ("a\n1.5\n2\n", ("--model", "poisson"), "1.5"),
        ("a\n-1\n2\n", ("--model", "poisson"), "-1"),
        ("a\n1\n2\n", ("--model", "mixture", "-k", "3"), "--states 3"),
    ],
)
def test_fit_refuses_data(refused, data, tmp_path, text, options, message):
    data(text)
    (tmp_path / "l.txt").write_text("3 4")
    (tmp_path / "words.txt").write_text("one two".replace("one", "1"))
    assert message in refused(*FIT, *options)
    assert not (tmp_path / "m.hmmem").exists()


def test_decode_refuses_columns_that_the_model_does_not_know(refused, quakes, data):
    data("a,b\n1,2\n3,4\n")
    assert "no column 'count', which the model was fitted to; it has 'a', 'b'" in refused("decode", quakes, "data.csv")
    assert "2 columns (a, b); the model was fitted to 1" in refused("score", quakes, "data.csv", "--columns", "a,b")


def test_decode_takes_other_columns_when_they_are_named(run, quakes, data):
    data("a,b\n1,2\n3,4\n")
    assert len(run("decode", quakes, "data.csv", "--columns", "b").rows) == 2


def test_decode_names_symbols_that_the_model_does_not_know(refused, run, data):
    data("s\n" + "\n".join("ab" * 10) + "\n")
    run(*FIT, "--model", "categorical")
    data("s\na\nz\n")
    error = refused("decode", "m.hmmem", "data.csv")
    assert (
        "symbols that the model does not know: 'z' (first in frame 1, column 0); leave those rows out, or fit the model"
        " with --unknown ignore" in error
    )


def test_decode_names_an_impossible_sequence(refused, data, tmp_path):
    model = hmmem.CategoricalHMM(1, n_features=2)
    model.startprob_, model.transmat_, model.emissionprob_ = np.ones(1), np.ones((1, 1)), np.array([[1.0, 0.0]])
    model.save(tmp_path / "m.hmmem")
    data("s\n0\n1\n")
    for command in ("decode", "segment"):
        assert "sequence 0 of X has probability zero" in refused(command, "m.hmmem", "data.csv")


def test_show_refuses_damaged_model_files(refused, quakes, tmp_path):
    content = (tmp_path / quakes).read_bytes()
    (tmp_path / "short.hmmem").write_bytes(content[: len(content) // 2])
    assert "short.hmmem" in refused("show", "short.hmmem")
    (tmp_path / "edited.hmmem").write_bytes(content.replace(b"\x00\x00\xf0\x3f", b"\x00\x00\xf0\x40"))
    assert "edited.hmmem" in refused("show", "edited.hmmem")
    (tmp_path / "text.hmmem").write_text("hello")
    assert "not a model file of hmmem" in refused("show", "text.hmmem")
    assert "is a folder" in refused("show", tmp_path)


def test_show_refuses_a_model_that_was_never_fitted(refused, tmp_path):
    hmmem.GaussianHMM(2).save(tmp_path / "m.hmmem")
    assert "never fitted" in refused("show", "m.hmmem")


def test_outputs_that_cannot_be_written_are_refused(refused, quakes, tmp_path):
    assert "it is a folder" in refused("decode", quakes, "earthquakes", "-o", tmp_path, "--format", "csv")
    assert "does not exist" in refused("segment", quakes, "earthquakes", "-o", "no/such.csv")
    assert "ending '.xlsx'" in refused("score", quakes, "earthquakes", "-o", "scores.xlsx")


def test_faults_of_the_library_keep_their_traceback(run, quakes, monkeypatch):
    def fault(*_):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("hmmem.cli.models.Model.scores", fault)
    with pytest.raises(ZeroDivisionError):
        run("score", quakes, "earthquakes")
