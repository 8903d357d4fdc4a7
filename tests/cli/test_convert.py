from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest

import hmmem
from hmmem.files.tables import read_table


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("earthquakes", ("--model", "poisson")),
        ("old_faithful", ("--covariance", "full")),
        ("old_faithful", ("--model", "mixture")),
        ("sky.csv", ("--model", "categorical")),
    ],
)
def test_convert_model_to_json_and_back_keeps_every_byte(run, tmp_path, data, options):
    (tmp_path / "sky.csv").write_text("sky\n" + "\n".join(["sun", "rain", "wet snow", "été"] * 9) + "\n")
    assert run("fit", data, "-k", 2, "-o", "a.hmmem", "-q", *options).code == 0
    assert run("convert", "a.hmmem", "a.json") == (0, "", "")
    assert run("convert", "a.json", "b.hmmem") == (0, "", "")
    assert (tmp_path / "a.hmmem").read_bytes() == (tmp_path / "b.hmmem").read_bytes()


def test_convert_writes_json_for_people(run, quakes, tmp_path):
    run("convert", quakes, "q.json")
    record = json.loads((tmp_path / "q.json").read_text())
    model = hmmem.load(quakes)
    assert record["kind"] == "PoissonHMM"
    assert record["arrays"]["fitted.lambdas_"]["values"] == model.lambdas_.tolist()
    row = json.dumps(model.transmat_[0].tolist())
    assert row in (tmp_path / "q.json").read_text()


def edit(tmp_path, change):
    record = json.loads((tmp_path / "q.json").read_text())
    change(record)
    (tmp_path / "q.json").write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("format"), "it lacks"),
        (lambda r: r.update(schema=99), "schema"),
        (lambda r: r.update(kind="Rocket"), "Rocket"),
        (lambda r: r.update(kind=3), "kind"),
        (lambda r: r["arrays"]["fitted.lambdas_"].update(values=[[-1.0], [2.0], [3.0]]), "lambdas_"),
        (lambda r: r["arrays"]["fitted.lambdas_"].update(values=[[1.0], [2.0]]), "shape"),
        (lambda r: r["arrays"]["fitted.lambdas_"].update(values=[["1"], ["2"], ["3"]]), "holds <U1 values"),
        (lambda r: r["arrays"]["fitted.lambdas_"].update(values=[[1.0], [2.0, 3.0], [3.0]]), "inhomogeneous"),
        (lambda r: r["arrays"]["fitted.lambdas_"].update(dtype="|O"), r"\|O"),
        (lambda r: r["arrays"]["fitted.transmat_"]["values"][0].__setitem__(0, 0.5), "rows must sum to 1; row 0"),
    ],
)
def test_convert_checks_an_edited_model(refused, run, quakes, tmp_path, change, message):
    run("convert", quakes, "q.json")
    edit(tmp_path, change)
    (tmp_path / "out.hmmem").write_text("old")
    error = refused("convert", "q.json", "out.hmmem")
    assert error.startswith("q.json is not a model as JSON: ")
    assert re.search(message, error)
    assert (tmp_path / "out.hmmem").read_text() == "old"


def test_convert_refuses_text_that_is_not_json(refused, tmp_path):
    (tmp_path / "q.json").write_text('{"format": ')
    assert refused("convert", "q.json", "m.hmmem").startswith("q.json is not a model as JSON: ")


def test_convert_never_opens_a_pickle(refused, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    for name in ("old.pkl", "old.joblib", "old.hmmem"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        error = refused("convert", name, "new.json")
        assert "pickle" in error
    assert "hmmem.from_hmmlearn" in refused("convert", "old.pkl", "new.hmmem")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("ending", ["csv", "npy", "npz", "parquet"])
def test_convert_table_keeps_every_value(run, tmp_path, ending):
    X = np.random.default_rng(0).normal(size=(20, 3)) * 1e-7
    np.save(tmp_path / "a.npy", X)
    assert run("convert", "a.npy", f"b.{ending}") == (0, "", "")
    np.testing.assert_array_equal(read_table(tmp_path / f"b.{ending}").matrix(), X)


def test_convert_table_to_json_gives_records(run, tmp_path):
    (tmp_path / "a.csv").write_text("id,x\na,1\nb,\n")
    run("convert", "a.csv", "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == [{"id": "a", "x": 1.0}, {"id": "b", "x": None}]


def test_convert_npz_with_lengths_to_csv_keeps_the_sequences(run, tmp_path):
    np.savez(tmp_path / "a.npz", X=np.arange(5.0)[:, None], lengths=np.array([2, 3]))
    run("convert", "a.npz", "b.csv")
    assert read_table(tmp_path / "b.csv")["sequence"].tolist() == [0, 0, 1, 1, 1]
    run("convert", "a.npz", "c.npz")
    assert read_table(tmp_path / "c.npz").lengths.tolist() == [2, 3]


def test_convert_refuses_text_for_arrays_of_numbers(refused, tmp_path):
    (tmp_path / "a.csv").write_text("id,x\na,1\n")
    assert "'a' is not a number" in refused("convert", "a.csv", "b.npy")
    assert not (tmp_path / "b.npy").exists()


def test_convert_names_the_endings_it_knows(refused, quakes, tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    assert "a table becomes" in refused("convert", "a.csv", "b.xlsx")
    assert "cannot convert" in refused("convert", quakes, "q.csv")
    (tmp_path / "q.json").write_text("{}")
    assert "name it like model.hmmem" in refused("convert", "q.json", "r.csv")
