"""decode, segment, score, sample, show, datasets."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

import hmmem


def column(rows, name, kind=float):
    return np.array([kind(row[name]) for row in rows])


def test_decode_gives_states_and_posteriors(run, quakes):
    rows = run("decode", quakes, "earthquakes", "--proba").rows
    model, X = hmmem.load(quakes), hmmem.load_dataset("earthquakes").X
    del model.feature_names_in_
    gamma = model.predict_proba(X)
    np.testing.assert_array_equal(column(rows, "state", int), model.predict(X))
    np.testing.assert_array_equal(column(rows, "frame", int), np.arange(107))
    np.testing.assert_array_equal([column(rows, f"p{k}") for k in range(3)], gamma.T)
    np.testing.assert_array_equal(column(rows, "posterior"), gamma[np.arange(107), model.predict(X)])


def test_decode_map_follows_the_posteriors(run, quakes):
    rows = run("decode", quakes, "earthquakes", "--proba", "--algorithm", "map").rows
    proba = np.array([column(rows, f"p{k}") for k in range(3)])
    np.testing.assert_array_equal(column(rows, "state", int), proba.argmax(axis=0))


def test_decode_keeps_the_order_of_rows_and_names_sequences(run, walks, tmp_path):
    run("fit", walks, "--id", "animal", "-k", 2, "-o", "w.hmmem", "-q")
    rows = run("decode", "w.hmmem", walks, "--id", "animal").rows
    animals = [line.split(",")[0] for line in (tmp_path / walks).read_text().splitlines()[1:]]
    assert [row["sequence"] for row in rows] == animals
    seen: dict[str, int] = {}
    for row in rows:
        assert int(row["frame"]) == seen.get(row["sequence"], 0)
        seen[row["sequence"]] = int(row["frame"]) + 1
    assert seen == {"ant": 30, "bee": 20, "cat": 10}


def test_decode_of_a_mixture_gives_components(run):
    run("fit", "old_faithful", "--model", "mixture", "-k", 2, "-o", "m.hmmem", "-q")
    rows = run("decode", "m.hmmem", "old_faithful").rows
    mixture = hmmem.load("m.hmmem")
    del mixture.feature_names_in_
    np.testing.assert_array_equal(column(rows, "state", int), mixture.predict(hmmem.load_dataset("old_faithful").X))


def test_decode_writes_json_by_option_or_by_ending(run, quakes, tmp_path):
    printed = run("decode", quakes, "earthquakes", "--format", "json").json
    assert run("decode", quakes, "earthquakes", "-o", "states.json") == (0, "", "")
    assert json.loads((tmp_path / "states.json").read_text()) == printed
    assert printed[0].keys() == {"sequence", "frame", "state", "posterior"}


def test_decode_replaces_an_output_only_when_the_new_one_is_whole(refused, quakes, tmp_path):
    (tmp_path / "out.csv").write_text("old")
    refused("decode", quakes, "no_such.csv", "-o", "out.csv")
    assert (tmp_path / "out.csv").read_text() == "old"


def test_decode_of_text_that_shows_only_digits_uses_the_alphabet_of_text(run, tmp_path):
    (tmp_path / "a.csv").write_text("s\n" + "\n".join(["1", "2", "x", "1"] * 10) + "\n")
    (tmp_path / "b.csv").write_text("s\n1\n2\n1\n")
    run("fit", "a.csv", "--model", "categorical", "-k", 2, "-o", "m.hmmem", "-q")
    assert len(run("decode", "m.hmmem", "b.csv").rows) == 3


def test_segment_runs_cover_each_sequence(run, walks):
    run("fit", walks, "--id", "animal", "-k", 2, "-o", "w.hmmem", "-q")
    runs = run("segment", "w.hmmem", walks, "--id", "animal").rows
    states = run("decode", "w.hmmem", walks, "--id", "animal").rows
    for name in ("ant", "bee", "cat"):
        path = [int(row["state"]) for row in states if row["sequence"] == name]
        own = [row for row in runs if row["sequence"] == name]
        assert [state for r in own for state in [int(r["state"])] * (int(r["end"]) - int(r["start"]))] == path
        assert all(a["state"] != b["state"] for a, b in itertools.pairwise(own))
        assert all(0 < float(r["posterior"]) <= 1 for r in own)


def test_decode_and_segment_write_times(run, quakes):
    rows = run("decode", quakes, "earthquakes", "--time", "year").rows
    assert list(rows[0]) == ["sequence", "frame", "year", "state", "posterior"]
    np.testing.assert_array_equal(column(rows, "year", int), np.arange(1900, 2007))
    runs = run("segment", quakes, "earthquakes", "--time", "year").rows
    assert list(runs[0])[:5] == ["sequence", "start", "end", "first_year", "last_year"]
    np.testing.assert_array_equal(column(runs, "first_year", int), 1900 + column(runs, "start", int))
    np.testing.assert_array_equal(column(runs, "last_year", int), 1899 + column(runs, "end", int))


def test_segment_takes_the_times_of_each_sequence(run, walks, tmp_path):
    lines = (tmp_path / walks).read_text().splitlines()
    seen: dict[str, int] = {}
    timed = [f"{lines[0]},state"]
    for line in lines[1:]:
        name = line.split(",")[0]
        seen[name] = seen.get(name, -1) + 1
        timed.append(f"{line},{name}-{seen[name]}")
    (tmp_path / "timed.csv").write_text("\n".join(timed) + "\n")
    run("fit", walks, "--id", "animal", "-k", 2, "-o", "w.hmmem", "-q")
    result = run("segment", "w.hmmem", "timed.csv", "--id", "animal", "--time", "state")
    assert result.err == ""
    for row in result.rows:
        assert row["first_state"] == f"{row['sequence']}-{row['start']}"
        assert row["last_state"] == f"{row['sequence']}-{int(row['end']) - 1}"
    rows = run("decode", "w.hmmem", "timed.csv", "--id", "animal", "--time", "state").rows
    assert list(rows[0]) == ["sequence", "frame", "state_", "state", "posterior"]
    assert [row["state_"] for row in rows] == [line.rsplit(",", 1)[1] for line in timed[1:]]


def test_sequences_come_in_the_order_of_their_first_rows(run, walks, tmp_path):
    run("fit", walks, "--id", "animal", "-k", 2, "-o", "w.hmmem", "-q")
    text = (tmp_path / walks).read_text().replace("ant,", "zebu,")
    (tmp_path / walks).write_text(text)
    first = list(dict.fromkeys(line.split(",")[0] for line in text.splitlines()[1:]))
    assert first == ["zebu", "bee", "cat"]
    assert [row["sequence"] for row in run("score", "w.hmmem", walks, "--id", "animal").rows] == first
    runs = run("segment", "w.hmmem", walks, "--id", "animal").rows
    assert list(dict.fromkeys(row["sequence"] for row in runs)) == first


def test_decode_says_which_columns_it_leaves_out(run, walks):
    run("fit", walks, "--id", "animal", "-k", 2, "-o", "w.hmmem", "-q")
    assert run("decode", "w.hmmem", walks).err == (
        "hmmem: note: the column 'animal' is not used, and all 60 rows are one sequence; --id names a column that "
        "tells sequences apart\n"
    )
    assert run("decode", "w.hmmem", walks, "--columns", "x,y").err == ""
    assert run("decode", "w.hmmem", walks, "--id", "animal").err == ""
    run("fit", walks, "--columns", "x", "-k", 2, "-o", "x.hmmem", "-q")
    err = run("score", "x.hmmem", walks, "--id", "animal").err
    assert err == "hmmem: note: the column 'y' is not used\n"


def test_samples_can_be_piped_into_score(run, piped, quakes, tmp_path):
    drawn = run("sample", quakes, "-n", 50, "--seed", 1).out
    (tmp_path / "drawn.csv").write_text(drawn)
    piped(drawn)
    assert run("score", quakes, "-").out == run("score", quakes, "drawn.csv").out
    model = hmmem.GaussianHMM(2).set_params(random_state=0).fit(hmmem.load_dataset("old_faithful").X)
    model.save(tmp_path / "bare.hmmem")  # from an array: its columns have no names
    drawn = run("sample", "bare.hmmem", "-n", 50, "--seed", 1).out
    piped(drawn)
    X = np.array([[float(cell) for cell in line.split(",")[:2]] for line in drawn.splitlines()[1:]])
    assert float(run("score", "bare.hmmem", "-").rows[0]["log_likelihood"]) == model.score(X)


def test_standard_input_may_be_tsv_and_is_named_in_errors(run, refused, piped, quakes):
    piped("count\tplace\n3\ta\n4\tb\n")
    assert len(run("decode", quakes, "-").rows) == 2
    piped("count,place\n3,a\n\n,b\n")
    assert "standard input, line 4, column 'count': the cell is missing" in refused("decode", quakes, "-")
    piped("count\n3\n\nNA\n")
    assert "standard input, line 4, column 'count': the cell is missing" in refused("decode", quakes, "-")
    piped("")
    assert refused("decode", quakes, "-") == "standard input is empty; expected a table"
    piped("a;b\n1;2\n")
    assert "standard input has semicolons" in refused("decode", quakes, "-")


def test_segment_refuses_a_mixture_and_names_decode(refused, run):
    run("fit", "nile", "--model", "mixture", "-k", 2, "-o", "m.hmmem", "-q")
    assert "hmmem decode gives the component of each frame" in refused("segment", "m.hmmem", "nile")


def test_score_gives_each_sequence_and_the_total(run, walks):
    run("fit", walks, "--id", "animal", "-k", 2, "-o", "w.hmmem", "-q")
    rows = run("score", "w.hmmem", walks, "--id", "animal").rows
    whole = run("score", "w.hmmem", walks, "--id", "animal", "--format", "json").json
    assert {row["sequence"]: int(row["frames"]) for row in rows} == {"ant": 30, "bee": 20, "cat": 10}
    assert whole["log_likelihood"] == math.fsum(column(rows, "log_likelihood"))
    assert [row["log_likelihood"] for row in whole["sequences"]] == column(rows, "log_likelihood").tolist()
    per_frame = run("score", "w.hmmem", walks, "--id", "animal", "--per-frame").rows
    np.testing.assert_array_equal(
        column(per_frame, "log_likelihood"), column(rows, "log_likelihood") / column(rows, "frames")
    )


def test_score_of_a_mixture_adds_frames(run, walks):
    run("fit", walks, "--columns", "x,y", "--model", "mixture", "-k", 2, "-o", "m.hmmem", "-q")
    rows = run("score", "m.hmmem", walks, "--id", "animal").rows
    whole = run("score", "m.hmmem", walks).rows
    assert math.fsum(column(rows, "log_likelihood")) == pytest.approx(float(whole[0]["log_likelihood"]), rel=1e-12)


def test_score_of_an_impossible_sequence_is_minus_infinity(run, tmp_path):
    model = hmmem.CategoricalHMM(1, n_features=2)
    model.startprob_, model.transmat_, model.emissionprob_ = np.ones(1), np.ones((1, 1)), np.array([[1.0, 0.0]])
    model.save(tmp_path / "m.hmmem")
    (tmp_path / "x.csv").write_text("s\n0\n1\n")
    assert run("score", "m.hmmem", "x.csv").rows[0]["log_likelihood"] == "-inf"
    assert run("score", "m.hmmem", "x.csv", "--format", "json").json["log_likelihood"] == "-inf"


def test_sample_repeats_with_a_seed_and_can_be_fitted(run, quakes):
    first = run("sample", quakes, "-n", 200, "--seed", 1)
    assert first.out == run("sample", quakes, "-n", 200, "--seed", 1).out
    assert first.out != run("sample", quakes, "-n", 200, "--seed", 2).out
    assert list(first.rows[0]) == ["count", "state"]
    X, states = hmmem.load(quakes).sample(200, random_state=1)
    np.testing.assert_array_equal(column(first.rows, "count", int), X[:, 0])
    np.testing.assert_array_equal(column(first.rows, "state", int), states)
    run("sample", quakes, "-n", 200, "--seed", 1, "-o", "simulated.csv")
    assert run("decode", quakes, "simulated.csv").code == 0


def test_sample_of_several_sequences_numbers_them(run, quakes, tmp_path):
    (tmp_path / "lengths.txt").write_text("3 2")
    rows = run("sample", quakes, "--lengths", "lengths.txt", "--seed", 0).rows
    assert [row["sequence"] for row in rows] == ["0", "0", "0", "1", "1"]


def test_sample_wants_either_a_number_or_lengths(refused, quakes):
    assert "-n" in refused("sample", quakes)
    assert refused("sample", quakes, "-n", 0) == "-n must be at least 1; got 0"


def test_show_prints_parameters_durations_and_the_end_of_the_fit(run, quakes):
    result = run("show", quakes)
    model = hmmem.load(quakes)
    assert "PoissonHMM, 3 states" in result.out
    for k in range(3):
        assert f"{model.lambdas_[k, 0]:.5g}" in result.out
        assert f"{model.expected_durations()[k]:.4g}" in result.out
        assert f"{model.get_stationary_distribution()[k]:.4f}" in result.out
        assert f"{model.transmat_[k, k]:.4f}" in result.out
    assert f"{model.n_iter_} updates" in result.out
    assert result.out.rstrip().endswith("stopped by loglik")  # a file does not know how long the fit took
    assert run("show", quakes, "--json").json["seconds"] is None
    assert result.err == ""


def test_show_json_holds_every_parameter_exactly(run, quakes):
    shown, model = run("show", quakes, "--json").json, hmmem.load(quakes)
    assert shown["parameters"]["lambdas"] == model.lambdas_.tolist()
    assert shown["parameters"]["transmat"] == model.transmat_.tolist()
    assert shown["expected_durations"] == model.expected_durations().tolist()
    assert shown["columns"] == ["count"]


def test_show_of_an_absorbing_model_says_why_it_is_not_stationary(run, tmp_path):
    model = hmmem.GaussianHMM(2, "tied")
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.eye(2)
    model.means_, model.covars_ = np.zeros((2, 2)), np.array([[2.0, 0.5], [0.5, 1.0]])
    model.save(tmp_path / "m.hmmem")
    result = run("show", "m.hmmem")
    assert result.code == 0
    assert "No stationary distribution" in result.out
    assert "Covariance, the same for all" in result.out
    assert run("show", "m.hmmem", "--json").json["expected_durations"] == ["inf", "inf"]


def test_show_of_symbols_shows_the_most_probable_ones(run, tmp_path):
    model = hmmem.CategoricalHMM(1)
    model.startprob_, model.transmat_, model.emissionprob_ = np.ones(1), np.ones((1, 1)), np.arange(1, 41)[None] / 820
    model.save(tmp_path / "m.hmmem")
    out = run("show", "m.hmmem").out
    assert "28 less probable symbols left out" in out
    assert f"{40 / 820:.4f}" in out


def test_datasets_lists_what_can_be_fitted(run):
    rows = run("datasets").rows
    assert [row["name"] for row in rows] == list(hmmem.datasets.names())
    assert rows[0] | {"source": ""} == {"name": "earthquakes", "frames": "107", "columns": "count", "source": ""}
