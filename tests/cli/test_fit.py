from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hmmem

QUAKES = Path(__file__).parents[2] / "datasets" / "earthquakes.csv"


def test_fit_writes_the_model_that_python_fits(run):
    result = run("fit", QUAKES, "--columns", "count", "--model", "poisson", "--states", 3, "-o", "q.hmmem")
    assert result.code == 0
    assert result.out == ""
    X = hmmem.load_dataset("earthquakes").X
    expected = hmmem.PoissonHMM(3, random_state=0).fit(X)
    found = hmmem.load("q.hmmem")
    np.testing.assert_array_equal(found.lambdas_, expected.lambdas_)
    np.testing.assert_array_equal(found.transmat_, expected.transmat_)
    assert found.feature_names_in_.tolist() == ["count"]
    assert found.verbose is False
    assert "q.hmmem: PoissonHMM, 3 states, 107 frames of 1 sequence (count)" in result.err
    assert f"objective {expected.fit_report_.objective:.6f} nats" in result.err


def test_fit_takes_a_bundled_data_set_by_name(run):
    result = run("fit", "earthquakes", "--model", "poisson", "-k", 2, "-o", "q.hmmem", "--json", "-q")
    assert result.err == ""
    assert result.json["columns"] == ["count"]
    assert result.json["frames"] == 107


def test_fit_prefers_a_file_to_a_bundled_name(run, tmp_path, refused):
    (tmp_path / "nile").write_text("1\n2\n")
    assert "nile has the ending ''" in refused("fit", "nile", "-k", 1, "-o", "m.hmmem")


def test_fit_summary_agrees_with_the_model(run):
    summary = run("fit", "old_faithful", "-k", 2, "--covariance", "full", "-o", "m.hmmem", "--json", "-q").json
    X = hmmem.load_dataset("old_faithful").X
    model = hmmem.GaussianHMM(2, "full", random_state=0).fit(X)
    assert summary["log_likelihood"] == pytest.approx(model.score(X), rel=1e-12)
    assert summary["objective"] == model.fit_report_.objective
    assert summary["bic"] == pytest.approx(model.bic(X), rel=1e-12)
    assert summary["aic"] == pytest.approx(model.aic(X), rel=1e-12)
    assert summary["converged"] is True
    assert summary["stop_reason"] == "loglik"
    assert summary["updates"] == model.n_iter_


def test_fit_cuts_sequences_by_identifier_or_lengths_alike(run, walks, tmp_path):
    ids = run("fit", walks, "--id", "animal", "-k", 2, "-o", "a.hmmem", "--json", "-q").json
    rows = (tmp_path / walks).read_text().splitlines()[1:]
    order = list(dict.fromkeys(row.split(",")[0] for row in rows))
    sorted_rows = sorted(rows, key=lambda row: order.index(row.split(",")[0]))
    (tmp_path / "sorted.csv").write_text("\n".join(["animal,x,y", *sorted_rows]) + "\n")
    lengths = [sum(row.startswith(name) for row in rows) for name in order]
    (tmp_path / "lengths.txt").write_text(" ".join(map(str, lengths)))
    cut = run(
        "fit", "sorted.csv", "--columns", "x,y", "--lengths", "lengths.txt", "-k", 2, "-o", "b.hmmem", "--json", "-q"
    ).json
    assert ids["sequences"] == cut["sequences"] == 3
    assert ids["columns"] == cut["columns"] == ["x", "y"]
    assert ids["objective"] == cut["objective"]


def test_fit_passes_every_option_on(run):
    result = run(
        "fit", "old_faithful", "-k", 2, "-o", "m.hmmem", "--covariance", "tied", "--n-iter", 7, "--tol", "none",
        "--param-tol", 1e-9, "--restarts", 2, "--init", "random", "--variance-floor", 0.01, "--seed", 5, "--jobs", 1,
        "--max-time", 60, "--training", "viterbi", "-q",
    )  # fmt: skip
    assert result.code == 0
    params = hmmem.load("m.hmmem").get_params()
    expected = {
        "covariance_type": "tied", "n_iter": 7, "tol": None, "param_tol": 1e-9, "n_init": 2, "init": "random",
        "variance_floor": 0.01, "random_state": 5, "n_jobs": 1, "max_time": 60.0, "training": "viterbi",
    }  # fmt: skip
    assert {name: params[name] for name in expected} == expected


def test_fit_mixture_uses_the_names_of_scikit_learn(run):
    run(
        "fit",
        "old_faithful",
        "--model",
        "mixture",
        "-k",
        2,
        "-o",
        "m.hmmem",
        "--n-iter",
        9,
        "--init",
        "k-means++",
        "-q",
    )
    params = hmmem.load("m.hmmem").get_params()
    assert (params["max_iter"], params["init_params"]) == (9, "k-means++")


def test_fit_with_the_same_seed_writes_the_same_bytes(run, tmp_path):
    for name, jobs in (("a.hmmem", 1), ("b.hmmem", 1)):
        run("fit", "nile", "-k", 2, "-o", name, "--jobs", jobs, "-q")
    assert (tmp_path / "a.hmmem").read_bytes() == (tmp_path / "b.hmmem").read_bytes()


def test_fit_that_runs_out_of_updates_warns_in_one_line_and_ends_with_zero(run):
    result = run("fit", "earthquakes", "--model", "poisson", "-k", 3, "-o", "q.hmmem", "--n-iter", 2, "-q", "--json")
    assert result.code == 0
    assert result.err.startswith("hmmem: warning: stopped by --n-iter")
    assert result.err.count("\n") == 1
    assert result.json["converged"] is False
    assert result.json["stop_reason"] == "max_iter"


def test_fit_verbose_shows_progress_on_standard_error(run):
    result = run("fit", "earthquakes", "--model", "poisson", "-k", 3, "-o", "q.hmmem", "--verbose")
    assert "update 1  objective -" in result.err
    assert result.out == ""


def test_fit_that_is_interrupted_writes_the_last_whole_model(run, monkeypatch):
    from hmmem.hmm import HiddenMarkovModel

    maximise, calls = HiddenMarkovModel.maximise, []

    def interrupt(self, statistics):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return maximise(self, statistics)

    monkeypatch.setattr(HiddenMarkovModel, "maximise", interrupt)
    result = run("fit", "earthquakes", "--model", "poisson", "-k", 3, "-o", "q.hmmem", "--json")
    assert result.code == 130
    assert "hmmem: warning: interrupted; q.hmmem holds the model after 3 whole updates" in result.err
    assert result.json["stop_reason"] == "interrupted"
    assert result.json["log_likelihood"] == pytest.approx(result.json["objective"], rel=1e-12)
    assert hmmem.load("q.hmmem").n_iter_ == 3


def test_fit_that_is_interrupted_before_a_model_exists_writes_nothing(run, monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    (tmp_path / "q.hmmem").write_text("old")
    monkeypatch.setattr("hmmem.cli.fit.read_data", interrupt)
    result = run("fit", "earthquakes", "-k", 3, "-o", "q.hmmem")
    assert result == (130, "", "hmmem: error: interrupted\n")
    assert (tmp_path / "q.hmmem").read_text() == "old"


def test_fit_refuses_an_output_before_it_fits(refused, monkeypatch, tmp_path):
    def too_late(*_, **__):
        raise AssertionError("the data were read before the output was checked")

    monkeypatch.setattr("hmmem.cli.fit.read_data", too_late)
    base = ("fit", "earthquakes", "-k", 3)
    assert "folder" in refused(*base, "-o", "no/such/m.hmmem")
    assert "it is a folder" in refused(*base, "-o", tmp_path)
    assert "must end in .png" in refused(*base, "-o", "m.hmmem", "--plot", "m.xyz")
    assert "folder" in refused(*base, "-o", "m.hmmem", "--plot", "no/such/m.png")
    assert list(tmp_path.iterdir()) == []


def test_fit_plot_writes_a_picture(run, tmp_path):
    result = run("fit", "nile", "-k", 2, "-o", "m.hmmem", "--plot", "m.png", "-q")
    assert result == (0, "", "")
    assert (tmp_path / "m.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_fit_plot_takes_dates_and_refuses_times_that_do_not_increase(run, refused, tmp_path):
    days = [f"2001-0{1 + i // 28}-{1 + i % 28:02d}" for i in range(40)]
    (tmp_path / "a.csv").write_text("day,x\n" + "\n".join(f"{day},{i % 7}" for i, day in enumerate(days)) + "\n")
    (tmp_path / "b.csv").write_text("day,x\n" + "\n".join(f"{day},{i % 7}" for i, day in enumerate(days[::-1])) + "\n")
    (tmp_path / "c.csv").write_text("day,x\nmonday,1\ntuesday,2\n")
    options = ("--time", "day", "-k", 1, "-o", "m.hmmem", "--plot", "m.svg", "-q")
    assert "--time must increase" in refused("fit", "b.csv", *options)
    assert "the column 'day' must hold numbers, or dates like 2001-12-31" in refused("fit", "c.csv", *options)
    assert not (tmp_path / "m.hmmem").exists()
    assert run("fit", "a.csv", *options) == (0, "", "")
    assert hmmem.load("m.hmmem").feature_names_in_.tolist() == ["x"]


def test_fit_without_matplotlib_names_what_to_install(refused, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.backend_bases", None)
    error = refused("fit", "nile", "-k", 2, "-o", "m.hmmem", "--plot", "m.png")
    assert error == "drawing needs matplotlib; install it with: pip install hmmem[plot]"
    assert not (tmp_path / "m.hmmem").exists()


def test_fit_says_one_update_of_one(run):
    result = run("fit", "earthquakes", "--model", "poisson", "-k", 2, "-o", "q.hmmem", "--n-iter", 1)
    assert "hmmem: warning: stopped by --n-iter" in result.err
    assert "increase --n-iter" in result.err
    assert "fit_report_" not in result.err
    assert "nats after 1 update (" in result.err


def test_fit_asks_whether_a_column_that_rises_is_the_time(run):
    result = run("fit", QUAKES, "-k", 2, "-o", "m.hmmem", "-q")
    assert result.err == (
        "hmmem: warning: 'year' rises with every row; if it is the time, use --time year, or choose --columns\n"
    )
    for options in (("--time", "year"), ("--columns", "year,count")):
        assert run("fit", QUAKES, "-k", 2, "-o", "m.hmmem", "-q", *options).err == ""


def test_fit_asks_about_times_within_sequences(run, tmp_path):
    lines = [f"{animal},{step},{step % 3}" for step in range(9) for animal in "ab"]
    (tmp_path / "a.csv").write_text("animal,hour,x\n" + "\n".join(lines) + "\n")
    assert "use --time hour" in run("fit", "a.csv", "--id", "animal", "-k", 2, "-o", "m.hmmem", "-q").err
    assert run("fit", "a.csv", "--columns", "hour,x", "-k", 2, "-o", "m.hmmem", "-q").err == ""


def test_fit_reads_standard_input(run, piped):
    piped(QUAKES.read_text())
    summary = run("fit", "-", "--time", "year", "--model", "poisson", "-k", 2, "-o", "m.hmmem", "-q", "--json").json
    assert (summary["columns"], summary["frames"]) == (["count"], 107)
    expected = hmmem.PoissonHMM(2, random_state=0).fit(hmmem.load_dataset("earthquakes").X)
    assert summary["objective"] == expected.fit_report_.objective


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        (("--model", "poisson", "--covariance", "full"), "--covariance"),
        (("--model", "gaussian", "--unknown", "ignore"), "--unknown"),
        (("--model", "mixture", "--training", "viterbi"), "--training"),
        (("--model", "categorical", "--variance-floor", "0.1"), "--variance-floor"),
    ],
)
def test_fit_refuses_options_of_other_kinds(refused, options, flag):
    assert refused("fit", "earthquakes", "-k", 2, "-o", "m.hmmem", *options).startswith(f"{flag} does not apply to")


def test_fit_learns_symbols_from_text(run, tmp_path):
    words = (["sun", "sun", "rain"] * 20 + ["snow", "rain", "snow"] * 20) * 2
    (tmp_path / "sky.csv").write_text("sky\n" + "\n".join(words) + "\n")
    summary = run("fit", "sky.csv", "--model", "categorical", "-k", 2, "-o", "sky.hmmem", "--json", "-q").json
    assert summary["columns"] == ["sky"]
    assert hmmem.load("sky.hmmem").symbols_ == [("rain", "snow", "sun")]


def test_fit_json_is_all_of_standard_output(run):
    result = run("fit", "nile", "-k", 2, "-o", "m.hmmem", "--json", "--verbose")
    assert json.loads(result.out)["kind"] == "GaussianHMM"
