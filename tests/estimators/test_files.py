"""Estimators to files and back: the same bits, and nothing else is believed."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import hmmem
from hmmem.files import atomic
from hmmem.files.model_file import SCHEMA, read_model, write_model

RNG = np.random.default_rng(21)
X = RNG.normal(size=(60, 2)) + 5.0 * (np.arange(60) % 12 < 6)[:, None]
COUNTS = RNG.poisson(4.0, size=(60, 2))
SYMBOLS = RNG.integers(3, size=(60, 1))
TYPES = ("spherical", "diag", "tied", "full")
ARRAYS = {
    "startprob_init": np.array([0.25, 0.75]),
    "transmat_init": np.array([[0.9, 0.1], [0.3, 0.7]]),
}
CASES = {
    **{f"gaussian {kind}": (hmmem.GaussianHMM(2, kind, random_state=3, tol=1e-3), X) for kind in TYPES},
    **{
        f"mixture {kind}": (hmmem.GaussianMixture(2, covariance_type=kind, random_state=3, tol=1e-3), X)
        for kind in TYPES
    },
    "poisson": (hmmem.PoissonHMM(2, random_state=np.int64(3), tol=1e-3), COUNTS),
    "categorical": (hmmem.CategoricalHMM(2, random_state=3, tol=1e-2), SYMBOLS),
    "columns": (hmmem.CategoricalHMM(2, random_state=3, tol=1e-2), np.hstack([SYMBOLS, SYMBOLS % 2, SYMBOLS + 7])),
    "strings": (hmmem.CategoricalHMM(2, random_state=3, tol=1e-2), np.array(["a", "ü", "雨"])[SYMBOLS]),
    "floats": (hmmem.CategoricalHMM(2, random_state=3, tol=1e-2), np.array([0.1, math.pi, -1e300])[SYMBOLS]),
    "booleans": (hmmem.CategoricalHMM(2, random_state=3, tol=1e-2), SYMBOLS > 0),
    "dates": (
        hmmem.CategoricalHMM(2, random_state=3, tol=1e-2),
        np.array(["2024-02-29", "2024-03-01", "2024-03-02"], dtype="datetime64[D]")[SYMBOLS],
    ),
    "times": (
        hmmem.CategoricalHMM(2, random_state=3, tol=1e-2),
        np.array([dt.datetime(2024, 2, 29, 1, 2, i) for i in range(3)], dtype=object)[SYMBOLS],
    ),
    "tuples": (hmmem.CategoricalHMM(2, random_state=3, tol=1e-2), [[(int(i), str(i))] for i in SYMBOLS[:, 0]]),
    "mixed": (hmmem.CategoricalHMM(2, random_state=3, tol=1e-2), [[("1", 1, 2.5)[i]] for i in SYMBOLS[:, 0]]),
    "declared": (
        hmmem.CategoricalHMM(2, symbols=["lo", "mid", "hi", "top"], unknown="floor", unknown_prob=1e-3, tol=1e-2),
        np.array(["lo", "mid", "hi"])[SYMBOLS],
    ),
    "declared columns": (
        hmmem.CategoricalHMM(2, symbols=[["b", "a"], [2.5, 1.5]], tol=1e-2, random_state=0),
        [["ab"[i % 2], [1.5, 2.5][i % 2]] for i in SYMBOLS[:, 0]],
    ),
    "n_features": (hmmem.CategoricalHMM(2, n_features=9, unknown="ignore", tol=1e-2, random_state=0), SYMBOLS),
    "n_features list": (
        hmmem.CategoricalHMM(2, n_features=[9, 4], tol=1e-2, random_state=0),
        np.hstack([SYMBOLS, SYMBOLS]),
    ),
    "start arrays": (
        hmmem.GaussianHMM(2, means_init=np.array([[0.1, 0.2], [5, 5]]), covars_init=np.ones((2, 2)), **ARRAYS),
        X,
    ),
    "start lists": (
        hmmem.PoissonHMM(2, lambdas_init=[[1.5, 2], [3, 4]], startprob_init=[0.5, 0.5], tol=1e-3),
        COUNTS,
    ),
    "start tables": (
        hmmem.CategoricalHMM(2, emissionprob_init=[np.full((2, 3), 1 / 3), np.array([[0.5, 0.5], [0, 1]])], tol=0.1),
        np.hstack([SYMBOLS, SYMBOLS % 2]),
    ),
    "states": (hmmem.GaussianHMM(2, init=(np.arange(60) % 12 < 6).astype(int), tol=1e-3), X),
    "arguments": (
        hmmem.GaussianHMM(
            2, n_iter=7, tol=None, param_tol=0.5, n_init=3, init="data", params="smc", variance_floor=0.0,
            max_time=60.0, algorithm="map", training="viterbi", n_jobs=1, random_state=0,
        ),
        X,
    ),
    "table": (hmmem.GaussianHMM(2, random_state=0, tol=1e-3), pd.DataFrame(X, columns=["left", "räht"])),
    "extreme": (hmmem.GaussianHMM(2, random_state=0, tol=1e-3), X * 1e-100),
}  # fmt: skip


def same(a, b):
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and (a.tobytes() == b.tobytes() if a.dtype.kind != "O" else a.tolist() == b.tolist())
        )
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b and (type(a) is type(b) or isinstance(a, (np.integer, np.floating)))


def assert_equal_estimators(loaded, model):
    assert type(loaded) is type(model)
    expected = model.get_params()
    for name, value in loaded.get_params().items():
        assert same(expected[name], value), (name, expected[name], value)
    for name, value in vars(model).items():
        if name.endswith("_") and name != "fit_report_":
            assert same(value, getattr(loaded, name)), name


@pytest.mark.parametrize("case", CASES)
def test_load_returns_the_same_bits_and_the_same_answers(case, tmp_path):
    model, data = CASES[case]
    model.fit(data)
    path = tmp_path / "model.hmmem"
    model.save(path)
    loaded = hmmem.load(path)
    assert_equal_estimators(loaded, model)
    assert loaded.score(data) == model.score(data)
    assert_array_equal(loaded.predict(data), model.predict(data))
    assert loaded.predict_proba(data).tobytes() == model.predict_proba(data).tobytes()
    assert loaded.bic(data) == model.bic(data)
    assert same(loaded.sample(5, random_state=1)[0], model.sample(5, random_state=1)[0])
    again = tmp_path / "again.hmmem"
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "case", ["gaussian full", "mixture full", "poisson", "categorical", "declared", "start tables"]
)
def test_a_loaded_estimator_fits_to_the_same_bits(case, tmp_path):
    model, data = CASES[case]
    model.fit(data).save(tmp_path / "model.hmmem")
    loaded = hmmem.load(tmp_path / "model.hmmem").fit(data)
    if model.random_state is not None:
        assert_equal_estimators(loaded, model)
        assert loaded.fit_report_.history == model.fit_report_.history


def by_hand():
    gaussian = hmmem.GaussianHMM(2, "tied")
    gaussian.means_, gaussian.covars_ = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[2.0, 0.5], [0.5, 1.0]])
    poisson = hmmem.PoissonHMM(2)
    poisson.lambdas_ = np.array([[0.0, 1.0], [2.0, 1e9]])
    categorical = hmmem.CategoricalHMM(2, symbols=["a", "b"])
    categorical.emissionprob_ = np.array([[1.0, 0.0], [0.25, 0.75]])
    for model in (gaussian, poisson, categorical):
        model.startprob_, model.transmat_ = np.array([1.0, 0.0]), np.array([[0.5, 0.5], [0.0, 1.0]])
    mixture = hmmem.GaussianMixture(2, covariance_type="spherical")
    mixture.weights_, mixture.means_ = np.array([0.0, 1.0]), np.array([[0.0, 1.0], [2.0, 3.0]])
    mixture.covariances_ = np.array([1.0, 2.0])
    return [gaussian, poisson, categorical, mixture]


@pytest.mark.parametrize("model", by_hand(), ids=lambda model: type(model).__name__)
def test_models_set_by_hand_are_saved(model, tmp_path):
    model.save(tmp_path / "model.hmmem")
    loaded = hmmem.load(tmp_path / "model.hmmem")
    assert_equal_estimators(loaded, model)
    assert not hasattr(loaded, "n_iter_")
    assert same(loaded.sample(9, random_state=0)[0], model.sample(9, random_state=0)[0])


@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.CategoricalHMM, hmmem.PoissonHMM, hmmem.GaussianMixture])
def test_estimators_without_a_fit_are_saved(cls, tmp_path):
    cls(3, tol=None).save(tmp_path / "model.hmmem")
    loaded = hmmem.load(tmp_path / "model.hmmem")
    assert_equal_estimators(loaded, cls(3, tol=None))
    with pytest.raises(Exception, match="not fitted"):
        loaded.predict([[0.0]])


def test_a_model_with_attributes_changed_after_the_fit_saves_what_they_are(tmp_path):
    model = hmmem.GaussianHMM(2, random_state=0, tol=1e-3).fit(X)
    model.means_[0] += 1.0
    model.save(tmp_path / "model.hmmem")
    assert hmmem.load(tmp_path / "model.hmmem").score(X) == model.score(X)


def test_callback_and_generators_are_not_saved(tmp_path):
    model = hmmem.GaussianHMM(2, callback=lambda *_: None, random_state=np.random.default_rng(0), tol=1e-3).fit(X)
    model.save(tmp_path / "model.hmmem")
    loaded = hmmem.load(tmp_path / "model.hmmem")
    assert loaded.callback is None
    assert loaded.random_state is None
    assert model.callback is not None
    assert loaded.score(X) == model.score(X)


def test_saving_symbols_of_other_types_says_which_can_be_saved(tmp_path):
    model = hmmem.CategoricalHMM(1).fit(np.array([[b"x"], [b"y"]], dtype=object))
    with pytest.raises(ValueError, match="symbol b'x' of type bytes cannot be saved; use integers, floats, booleans"):
        model.save(tmp_path / "model.hmmem")
    assert os.listdir(tmp_path) == []


# ---- refused --------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "model.hmmem"
    hmmem.GaussianHMM(2, "full", random_state=0, tol=1e-3).fit(X).save(found)
    return found


def edited(path, change, kind=None):
    """The file with its content changed and every checksum right again."""
    old, meta, arrays = read_model(path)
    arrays = dict(arrays)
    change(meta, arrays)
    write_model(path, kind or old, meta, arrays)
    return path


def setting(name, value):
    return lambda meta, arrays: arrays.update({f"fitted.{name}": np.array(value)})


def argument(name, value):
    return lambda meta, arrays: meta["params"].update({name: {"value": value}})


EDITS = {
    "negative probability": (setting("startprob_", [1.5, -0.5]), "startprob_ must not be negative"),
    "rows that do not sum": (setting("transmat_", [[0.9, 0.1], [0.2, 0.77]]), "row 1 sums to 0.97"),
    "nan": (setting("means_", [[np.nan, 0], [0, 0]]), "means_ must be finite"),
    "another shape": (setting("means_", [[0.0], [1.0]]), r"means_ must have shape \(2, 2\); got \(2, 1\)"),
    "text": (setting("means_", [["a", "b"], ["c", "d"]]), "means_ must be an array of numbers"),
    "not symmetric": (setting("covars_", [[[1, 0.5], [0, 1]], np.eye(2)]), r"covars_\[0\] must be symmetric"),
    "indefinite": (setting("covars_", [np.eye(2), [[1, 2], [2, 1]]]), r"covars_\[1\] must be positive definite"),
    "missing array": (lambda meta, arrays: arrays.pop("fitted.means_"), "means_|complete"),
    "other width": (
        lambda meta, arrays: meta["fitted"].update(n_features_in_={"value": 3}),
        r"means_ must have shape \(2, 3\)",
    ),
    "width as text": (lambda meta, arrays: meta["fitted"].update(n_features_in_={"value": "2"}), "GaussianHMM"),
    "negative width": (lambda meta, arrays: meta["fitted"].update(n_features_in_={"value": -2}), "GaussianHMM"),
    "more states": (argument("n_components", 3), r"startprob_ must have shape \(3,\)"),
    "no number of states": (argument("n_components", "2"), "n_components must be an integer"),
    "another covariance type": (argument("covariance_type", "diag"), r"covars_ must have shape \(2, 2\)"),
    "no covariance type": (argument("covariance_type", "oval"), "covariance_type must be one of"),
    "unknown argument": (argument("min_covar", 1.0), "has no argument 'min_covar'"),
    "argument of nobody": (argument("colour", 1.0), "colour"),
    "unknown attribute": (lambda meta, arrays: meta["fitted"].update(fit={"value": 5}), "has no attribute 'fit'"),
    "method overwritten": (setting("score", [1.0]), "has no attribute 'score'"),
    "private attribute": (lambda meta, arrays: meta["fitted"].update(_model={"value": 5}), "has no attribute '_model'"),
    "class attribute": (
        lambda meta, arrays: meta["fitted"].update(__class__={"value": "x"}),
        "has no attribute '__class__'",
    ),
    "no parameters": (lambda meta, arrays: meta.pop("params"), "complete"),
    "entry of another kind": (lambda meta, arrays: meta["params"].update(tol=5), "valid"),
    "parameters as a list": (lambda meta, arrays: meta.update(params=[1, 2]), "valid"),
    "huge list of arrays": (lambda meta, arrays: meta["fitted"].update(means_={"arrays": 10**12}), "complete|valid"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_files_are_refused_by_validation(edit, path):
    change, message = EDITS[edit]
    with pytest.raises(hmmem.ModelFileError, match=message) as caught:
        hmmem.load(edited(path, change))
    assert str(caught.value).startswith(str(path))


ARGUMENT_EDITS = {
    "n_iter": "many",
    "tol": -1.0,
    "algorithm": "best",
    "training": "none",
    "variance_floor": -1.0,
    "params": "xyz",
    "n_jobs": 0,
    "n_init": 0,
}


@pytest.mark.parametrize("name", ARGUMENT_EDITS)
def test_edited_arguments_are_refused(name, path):
    with pytest.raises(hmmem.ModelFileError, match=f"{name} must"):
        hmmem.load(edited(path, argument(name, ARGUMENT_EDITS[name])))


def test_edited_reports_are_refused(path):
    for report in ({"history": [1.0]}, {"colour": 1}, [1], None, {"history": 1, "stop_reason": 2, "weight": "x"}):
        with pytest.raises(hmmem.ModelFileError, match="valid GaussianHMM"):
            hmmem.load(edited(path, lambda meta, arrays, report=report: meta.update(report=report)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("weights_", [0.5, 0.47]), "weights_ must sum to 1; it sums to 0.97"),
        (setting("covariances_", -np.ones((2, 2, 2))), r"covariances_\[0\] must|covars_\[0\] must"),
        (lambda meta, arrays: meta["fitted"].update(lower_bounds_={"value": "x"}), "lower_bounds_"),
        (lambda meta, arrays: meta["fitted"].update(converged_={"value": "yes"}), "converged_"),
        (lambda meta, arrays: meta["fitted"].update(n_iter_={"value": -1.5}), "n_iter_"),
    ],
)
def test_edited_mixtures_are_refused(change, message, tmp_path):
    path = tmp_path / "model.hmmem"
    hmmem.GaussianMixture(2, random_state=0, tol=1e-3).fit(X).save(path)
    with pytest.raises(hmmem.ModelFileError, match=message):
        hmmem.load(edited(path, change))


@pytest.mark.parametrize(
    ("symbols", "message"),
    [
        ([[2]], "symbols_ must hold 3 symbols, one for each column of emissionprob_; got .2."),
        ([[["str", "a"], ["str", "b"]]], r"emissionprob_ must have shape \(2, 2\); got \(2, 3\)"),
        ([[3], [3]], "emissionprob_ must hold one table per column, 2; got 1"),
        ([[["str", "a"], ["str", "a"], ["str", "b"]]], "distinct; 'a' comes twice"),
        ([[["eval", "1"], ["str", "a"], ["str", "b"]]], "valid CategoricalHMM|complete"),
        ([[["int", "x"], ["str", "a"], ["str", "b"]]], "valid CategoricalHMM"),
        ([[["date", "2024-13-01"], ["str", "a"], ["str", "b"]]], "valid CategoricalHMM"),
        ([[5, 6, 7]], "valid CategoricalHMM"),
        ([[10**12]], r"symbols_ must hold 3 symbols, one for each column of emissionprob_; got \[1000000000000\]"),
        ([[-3]], "symbols_ must hold 3 symbols"),
        ([["ab", "cd", "ef"]], "CategoricalHMM"),
        ("abc", "valid CategoricalHMM"),
        (5, "valid CategoricalHMM"),
    ],
)
def test_edited_symbols_are_refused(symbols, message, tmp_path):
    path = tmp_path / "model.hmmem"
    hmmem.CategoricalHMM(2, random_state=0, tol=1e-2).fit(SYMBOLS).save(path)
    edited(path, lambda meta, arrays: meta["fitted"].update(symbols_={"value": symbols}))
    with pytest.raises(hmmem.ModelFileError, match=message):
        hmmem.load(path)


def test_an_alphabet_of_a_hostile_size_takes_no_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "model.hmmem"
    hmmem.CategoricalHMM(2, random_state=0, tol=1e-2).fit(SYMBOLS).save(path)
    edited(path, lambda meta, arrays: meta["fitted"].update(symbols_={"value": [[10**9]]}))
    tracemalloc.start()
    try:
        with pytest.raises(hmmem.ModelFileError):
            hmmem.load(path)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_a_file_of_another_kind_is_refused(path):
    edited(path, lambda meta, arrays: None, kind="PoissonHMM")
    with pytest.raises(hmmem.ModelFileError, match="PoissonHMM"):
        hmmem.load(path)
    edited(path, lambda meta, arrays: None, kind="os.system")
    with pytest.raises(hmmem.ModelFileError, match="a kind that is not known here"):
        hmmem.load(path)


def test_damaged_files_are_refused(path):
    whole = path.read_bytes()
    for stop in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:stop])
        with pytest.raises(hmmem.ModelFileError, match=r"model\.hmmem"):
            hmmem.load(path)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(hmmem.ModelFileError):
        hmmem.load(path)


def test_newer_files_are_refused_with_the_mend(path):
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(contents["header.json"])
    header["schema"] = SCHEMA + 1
    old, contents["header.json"] = contents["header.json"], json.dumps(header).encode()
    import hashlib

    sums = contents["SHA256SUMS"].replace(
        hashlib.sha256(old).hexdigest().encode(), hashlib.sha256(contents["header.json"]).hexdigest().encode()
    )
    contents["SHA256SUMS"] = sums
    with zipfile.ZipFile(path, "w") as archive:
        for name, payload in contents.items():
            archive.writestr(name, payload)
    with pytest.raises(hmmem.ModelFileError, match=f"written by a newer hmmem .schema {SCHEMA + 1}.*upgrade hmmem"):
        hmmem.load(path)


class Trap:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize("content", [pickle.dumps(hmmem.GaussianHMM(2)), pickle.dumps(Trap())], ids=["model", "trap"])
def test_pickles_are_refused_and_not_run(content, tmp_path, monkeypatch):
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("a pickle was loaded"))
    monkeypatch.setattr(pickle, "load", lambda *_: pytest.fail("a pickle was loaded"))
    (tmp_path / "model.pkl").write_bytes(content)
    with pytest.raises(hmmem.ModelFileError, match="looks like a pickle, which could run code"):
        hmmem.load(tmp_path / "model.pkl")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_while_saving_leaves_the_old_file(path, monkeypatch, step):
    old = path.read_bytes()

    def crash(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, step, crash)
    with pytest.raises(OSError, match="No space left on device"):
        hmmem.PoissonHMM(2, random_state=0, tol=1e-3).fit(COUNTS).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert os.listdir(path.parent) == [path.name]
    assert isinstance(hmmem.load(path), hmmem.GaussianHMM)


def test_a_model_that_cannot_be_stored_leaves_the_old_file(path):
    old = path.read_bytes()
    model = hmmem.GaussianHMM(2, random_state=0, tol=1e-3).fit(X)
    model.means_init = object()
    with pytest.raises((TypeError, ValueError), match=r"means_init|object"):
        model.save(path)
    assert path.read_bytes() == old


def test_saving_into_a_folder_that_does_not_exist_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        hmmem.GaussianHMM(2).save(tmp_path / "nowhere" / "model.hmmem")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        hmmem.load(tmp_path / "model.hmmem")
