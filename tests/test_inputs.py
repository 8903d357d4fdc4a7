"""Every accepted form of input gives the same fit, results come back in the form of the input, the rest is refused."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal

import hmmem
from hmmem.inputs import check_lengths, positional_lengths, read

LENGTHS = [7, 12, 1, 20]
RNG = np.random.default_rng(12)
X = RNG.normal(size=(40, 2)) + 5.0 * (np.arange(40) % 10 < 5)[:, None]
X.setflags(write=False)
PARTS = np.split(X, np.cumsum(LENGTHS)[:-1])
IDS = np.repeat([30, 10, 20, 5], LENGTHS)
NAMES = np.array(["mon", "tue", "wed", "thu"], dtype=object)[np.repeat(np.arange(4), LENGTHS)]
# rows of all sequences mixed into each other; within a sequence the order stays, and the first rows keep theirs
MIXED = np.argsort(np.concatenate([np.arange(n) for n in LENGTHS]), kind="stable")
PADDED = np.zeros((4, 20, 2))
for _i, _part in enumerate(PARTS):
    PADDED[_i, : len(_part)] = _part
    PADDED[_i, len(_part) :] = np.nan  # what lies behind the end is never looked at


def gaussian(**arguments):
    return hmmem.GaussianHMM(2, random_state=0, n_iter=20, **{"tol": None, **arguments})


def table(library, rows=slice(None), ids=IDS, name="day"):
    columns = {"a": X[rows, 0], name: ids[rows], "b": X[rows, 1]}
    if library == "pandas":
        return pd.DataFrame(columns)
    if library == "polars":
        return pl.DataFrame({key: list(column) for key, column in columns.items()})
    return pa.table({key: list(column) for key, column in columns.items()})


FORMS = {
    "lengths": (X, {"lengths": LENGTHS}),
    "lengths array": (X, {"lengths": np.array(LENGTHS, dtype=np.int32)}),
    "list": (PARTS, {}),
    "tuple": (tuple(PARTS), {}),
    "list of lists": ([part.tolist() for part in PARTS], {}),
    "cube": (PADDED, {"lengths": LENGTHS}),
    "sequences": (hmmem.Sequences.from_lengths(X, LENGTHS), {}),
    "ids": (X, {"sequence_id": IDS}),
    "string ids": (X, {"sequence_id": NAMES}),
    "list of ids": (X, {"sequence_id": IDS.tolist()}),
    "series of ids": (X, {"sequence_id": pd.Series(IDS)}),
    "interleaved ids": (X[MIXED], {"sequence_id": IDS[MIXED]}),
    "interleaved string ids": (X[MIXED], {"sequence_id": NAMES[MIXED]}),
    "date ids": (X, {"sequence_id": np.array([dt.date(2024, 1, 1) + dt.timedelta(int(i)) for i in IDS])}),
    "pandas": (table("pandas"), {"sequence_id": "day"}),
    "polars": (table("polars"), {"sequence_id": "day"}),
    "arrow": (table("arrow"), {"sequence_id": "day"}),
    "pandas string ids": (table("pandas", ids=NAMES), {"sequence_id": "day"}),
    "polars string ids": (table("polars", ids=NAMES), {"sequence_id": "day"}),
    "arrow string ids": (table("arrow", ids=NAMES), {"sequence_id": "day"}),
    "pandas interleaved": (table("pandas", MIXED), {"sequence_id": "day"}),
    "polars interleaved": (table("polars", MIXED, NAMES), {"sequence_id": "day"}),
    "arrow interleaved": (table("arrow", MIXED), {"sequence_id": "day"}),
    "pandas lengths": (table("pandas").drop(columns="day"), {"lengths": LENGTHS}),
    "polars ids beside": (table("polars").drop("day"), {"sequence_id": pl.Series(IDS)}),
    "arrow lengths": (table("arrow").drop_columns("day"), {"lengths": LENGTHS}),
    "list of tables": ([pd.DataFrame(part, columns=["a", "b"]) for part in PARTS], {}),
}
SAME_ORDER = [name for name in FORMS if "interleaved" not in name]


def bits(model):
    values = [getattr(model, name) for name in model._parameters]
    return [[np.asarray(x).tobytes() for x in value] for value in values]


@pytest.fixture(scope="module")
def expected():
    return gaussian().fit(X, lengths=LENGTHS)


@pytest.mark.parametrize("form", FORMS)
def test_fit_is_the_same_for_every_form(form, expected):
    data, how = FORMS[form]
    model = gaussian().fit(data, **how)
    assert bits(model) == bits(expected)
    assert model.score(data, **how) == expected.score(X, lengths=LENGTHS)
    assert_array_equal(model.score_sequences(data, **how), expected.score_sequences(X, LENGTHS))


@pytest.mark.parametrize("form", SAME_ORDER)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_frames", "fit_predict"])
def test_results_come_back_in_the_form_of_the_input(form, method, expected):
    data, how = FORMS[form]
    flat = getattr(expected, method)(X, lengths=LENGTHS)
    found = getattr(gaussian().fit(data, **how), method)(data, **how)
    if form == "cube":
        assert found.shape == (4, 20, *flat.shape[1:])
        fill = -1 if flat.dtype.kind == "i" else 0.0
        for i, part in enumerate(np.split(flat, np.cumsum(LENGTHS)[:-1])):
            assert_array_equal(found[i, : len(part)], part)
            assert np.all(found[i, len(part) :] == fill)
    elif "list of ids" not in form and ("list" in form or form in {"tuple", "sequences"}):
        assert isinstance(found, list)
        assert [len(part) for part in found] == LENGTHS
        assert_array_equal(np.concatenate(found), flat)
    else:
        assert_array_equal(found, flat)


@pytest.mark.parametrize("form", [name for name in FORMS if "interleaved" in name])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "score_frames", "fit_predict"])
def test_results_of_interleaved_rows_are_in_row_order(form, method, expected):
    data, how = FORMS[form]
    found = getattr(gaussian().fit(data, **how), method)(data, **how)
    assert_array_equal(found, getattr(expected, method)(X, lengths=LENGTHS)[MIXED])


def test_results_of_one_array_are_one_array(expected):
    assert expected.predict(X).shape == (40,)
    assert expected.predict_proba(X).shape == (40, 2)
    assert expected.score_samples(X)[1].shape == (40, 2)
    assert expected.decode(X)[1].dtype == np.int64
    cube = expected.predict(PADDED[3:])
    assert cube.shape == (1, 20)


def test_a_list_of_one_sequence_is_a_list(expected):
    found = expected.predict([X])
    assert len(found) == 1
    assert_array_equal(found[0], expected.predict(X))


def test_sequences_of_one_frame_are_sequences():
    single = [row[None] for row in X]
    with pytest.warns(hmmem.StarvedStateWarning, match="state 0 was never left; its row of transmat was kept"):
        model = gaussian().fit(single)
    with pytest.warns(hmmem.StarvedStateWarning):
        assert bits(model) == bits(gaussian().fit(X, lengths=np.ones(40, dtype=int)))
    assert [len(path) for path in model.predict(single)] == [1] * 40


def test_a_list_of_frames_is_one_sequence():
    assert bits(gaussian().fit(X.tolist())) == bits(gaussian().fit(X))
    assert bits(gaussian().fit([list(row) for row in X])) == bits(gaussian().fit(X))
    assert bits(gaussian().fit([tuple(row) for row in X])) == bits(gaussian().fit(X))


def test_hmmlearn_positional_lengths_are_recognised(expected):
    assert bits(gaussian().fit(X, LENGTHS)) == bits(expected)
    assert bits(gaussian().fit(X, np.array(LENGTHS))) == bits(expected)
    assert expected.score(X, LENGTHS) == expected.score(X, lengths=LENGTHS)
    assert_array_equal(expected.predict(X, LENGTHS), expected.predict(X, lengths=LENGTHS))
    assert expected.decode(X, LENGTHS)[0] == expected.decode(X, lengths=LENGTHS)[0]
    assert_array_equal(expected.fit_predict(X, LENGTHS), expected.fit_predict(X, lengths=LENGTHS))


@pytest.mark.parametrize(
    "y", [None, np.zeros(40), np.ones(40, dtype=int), ["a"] * 40, [0.5] * 40, [-1, 41], [[40]], "labels"]
)
def test_anything_else_as_y_is_ignored(y):
    assert positional_lengths(X, y) is None
    assert bits(gaussian().fit(X, y)) == bits(gaussian().fit(X))


def test_positional_lengths_that_do_not_add_up_are_not_taken_for_labels():
    with pytest.raises(ValueError, match=r"y has 2 integers and X 40 rows; as lengths, .* they add up to 19"):
        gaussian().fit(X, [7, 12])


def test_positional_lengths_are_for_one_flat_array_alone():
    assert_array_equal(positional_lengths(X, [20, 20]), [20, 20])
    assert positional_lengths(PARTS, [20, 20]) is None
    assert positional_lengths(PADDED, [2, 2]) is None
    assert positional_lengths(hmmem.Sequences.from_lengths(X, LENGTHS), LENGTHS) is None


# ---- NUMBERS OF EVERY KIND ------------------------------------------------------------------------------------------


def memory_map(values, folder):
    path = folder / "X.npy"
    np.save(path, values)
    return np.load(path, mmap_mode="r")


EXACT = {
    "lists": lambda x, _: x.tolist(),
    "fortran": lambda x, _: np.asfortranarray(x),
    "strided": lambda x, _: np.repeat(x, 3, axis=0)[::3],
    "reversed twice": lambda x, _: x[::-1].copy()[::-1],
    "read-only": lambda x, _: np.frombuffer(x.tobytes()).reshape(x.shape),
    "big-endian": lambda x, _: x.astype(">f8"),
    "unaligned": lambda x, _: np.frombuffer(b"\0" + x.tobytes(), offset=1).reshape(x.shape),
    "memory-mapped": memory_map,
    "objects": lambda x, _: x.astype(object),
    "pandas": lambda x, _: pd.DataFrame(x),
    "pandas objects": lambda x, _: pd.DataFrame(x.astype(object)),
    "pandas nullable": lambda x, _: pd.DataFrame(x).astype("Float64"),
    "polars": lambda x, _: pl.DataFrame(x),
}


def counts():
    return np.round(np.abs(X) * 2)


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.PoissonHMM, hmmem.GaussianMixture])
def test_numbers_of_every_kind_give_the_same_fit_and_never_change(kind, cls, tmp_path):
    values = np.ascontiguousarray(counts() if cls is hmmem.PoissonHMM else X)
    data = EXACT[kind](values, tmp_path)
    before = np.array(data, dtype=np.float64).tobytes()
    model, same = cls(2, random_state=0, tol=1e-3).fit(data), cls(2, random_state=0, tol=1e-3).fit(values)
    assert bits(model) == bits(same)
    assert model.score(data) == same.score(values)
    assert_array_equal(np.ravel(model.predict(data)), same.predict(values))
    assert np.array(data, dtype=np.float64).tobytes() == before


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8", "int32", ">i4", "uint64", "bool"])
@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.PoissonHMM, hmmem.GaussianMixture, hmmem.CategoricalHMM])
def test_narrow_numbers_give_the_fit_of_the_same_numbers(dtype, cls):
    values = (counts() % 2 if dtype == "bool" else counts()).astype(dtype)
    before = values.tobytes()
    wide = values.astype(np.float64 if cls is not hmmem.CategoricalHMM else np.int64)
    if cls is hmmem.CategoricalHMM and values.dtype.kind in "fb":
        wide = wide.astype(np.float64 if values.dtype.kind == "f" else bool)
    model, same = cls(2, random_state=0, tol=1e-3), cls(2, random_state=0, tol=1e-3)
    assert bits(model.fit(values)) == bits(same.fit(wide))
    assert model.score(values) == same.score(wide)
    assert values.tobytes() == before


def test_fractional_float32_is_fitted_in_double_precision():
    single = X.astype(np.float32)
    assert bits(gaussian().fit(single)) == bits(gaussian().fit(single.astype(np.float64)))


def test_fit_never_changes_lengths_or_ids():
    lengths, ids = np.array(LENGTHS), IDS[MIXED].copy()
    gaussian().fit(X, lengths=lengths)
    gaussian().fit(X[MIXED], sequence_id=ids)
    assert_array_equal(lengths, LENGTHS)
    assert_array_equal(ids, IDS[MIXED])


# ---- refused --------------------------------------------------------------------------------------------------------


def holding(value, dtype=float):
    values = X.astype(dtype)
    values[5, 1] = value
    return values


REFUSED = {
    "complex": (X + 1j, ValueError, "Complex data not supported"),
    "complex objects": ((X + 1j).astype(object), (TypeError, ValueError), "complex|float|number"),
    "sparse": (scipy.sparse.csr_matrix(X), TypeError, "[Ss]parse"),
    "sparse array": (scipy.sparse.csr_array(X), TypeError, "[Ss]parse"),
    "infinite": (holding(np.inf), ValueError, "X contains infinity in frame 5, feature 1; X must be finite"),
    "minus infinite": (holding(-np.inf), ValueError, "X contains infinity in frame 5, feature 1"),
    "nan": (holding(np.nan), ValueError, "X contains NaN in frame 5, feature 1; missing values are not supported"),
    "nan float32": (holding(np.nan, np.float32), ValueError, "X contains NaN in frame 5, feature 1"),
    "none": (holding(None, object), ValueError, "X contains NaN in frame 5, feature 1"),
    "NA": (holding(pd.NA, object), ValueError, "X contains NaN in frame 5, feature 1"),
    "none in a list": (holding(None, object).tolist(), ValueError, "NaN in frame 5, feature 1"),
    "nullable": (pd.DataFrame(holding(None, object)).astype("Float64"), ValueError, "NaN in frame 5, feature 1"),
    "polars null": (pl.DataFrame({"a": [1.0, None, 2.0, 3.0]}), ValueError, "NaN in frame 1, feature 0"),
    "words": (np.full((4, 1), "word"), ValueError, "X must hold numbers; .*'word'"),
    "objects": (np.array([[object()], [1.0]], dtype=object), (TypeError, ValueError), "object|float|number"),
    "1-D": (X[:, 0], ValueError, r"Expected 2D array, got 1D array instead.*reshape\(-1, 1\)"),
    "a number": (3.0, ValueError, "2D array"),
    "4-D": (X[None, None], ValueError, "dim 4|expected <= 2|4 dim"),
    "no frames": (np.empty((0, 2)), ValueError, r"0 sample\(s\)"),
    "no features": (np.empty((5, 0)), ValueError, r"0 feature\(s\)"),
    "empty list": ([], ValueError, "array|sample|empty"),
    "string": ("X.csv", ValueError, "X must hold numbers; could not convert string to float: 'X.csv'"),
    "None": (None, (TypeError, ValueError), "None|NoneType|array"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("cls", [hmmem.GaussianHMM, hmmem.GaussianMixture])
def test_fit_refuses_data_that_are_no_frames(case, cls):
    data, error, message = REFUSED[case]
    with pytest.raises(error, match=re.compile(message, re.DOTALL)):
        cls(1).fit(data)


@pytest.mark.parametrize("case", ["complex", "infinite", "nan", "1-D", "sparse"])
def test_a_refused_input_leaves_the_fit_as_it_was(case, expected):
    data, error, _ = REFUSED[case]
    before, kept = dict(expected.__dict__), bits(expected)
    for method in ("fit", "score", "predict", "predict_proba", "score_frames"):
        with pytest.raises(error):
            getattr(expected, method)(data)
    assert expected.__dict__ == before
    assert all(expected.__dict__[key] is value for key, value in before.items())
    assert bits(expected) == kept


def test_another_width_is_refused_by_every_method(expected):
    for method in ("score", "predict", "predict_proba", "decode", "score_frames", "score_sequences", "segments"):
        with pytest.raises(ValueError, match="X has 1 features, but GaussianHMM is expecting 2 features"):
            getattr(expected, method)(X[:, :1])


LENGTH_CASES = {
    "too few": ([7, 12], ValueError, "lengths must add up to the frames of X; they add up to 19 and X has 40"),
    "too many": ([30, 30], ValueError, "they add up to 60 and X has 40"),
    "zero": ([20, 0, 20], ValueError, "sequence 1 has 0 frames; leave empty sequences out"),
    "negative": ([60, -20], ValueError, "lengths must be positive; sequence 1 has -20"),
    "fractions": ([20.5, 19.5], ValueError, "lengths must be a 1-D array of positive integers"),
    "nan": ([np.nan, 40.0], ValueError, "positive integers"),
    "infinite": ([np.inf], ValueError, "positive integers"),
    "booleans": ([True] * 40, ValueError, "positive integers"),
    "strings": (["20", "20"], ValueError, "positive integers"),
    "nested": ([[20, 20]], ValueError, "1-D array of positive integers"),
    "a number": (40, ValueError, "1-D array"),
    "empty": ([], ValueError, "1-D array of positive integers"),
    "None inside": ([20, None], ValueError, "positive integers"),
    "ragged": ([[20], [10, 10]], ValueError, "positive integers"),
}


@pytest.mark.parametrize("case", LENGTH_CASES)
def test_wrong_lengths_are_refused_and_named(case, expected):
    lengths, error, message = LENGTH_CASES[case]
    with pytest.raises(error, match=message):
        gaussian().fit(X, lengths=lengths)
    with pytest.raises(error, match=message):
        expected.predict(X, lengths)


def test_lengths_of_whole_floats_are_taken_as_numbers_of_frames(expected):
    assert_array_equal(check_lengths([7.0, 12.0, 1.0, 20.0], 40), LENGTHS)
    assert check_lengths(np.array(LENGTHS, dtype=np.uint8), 40).dtype == np.int64


@pytest.mark.parametrize(
    ("data", "how", "message"),
    [
        ((X, LENGTHS), {}, "item 1 has shape .4,.*Lengths are passed as lengths=, never inside a tuple"),
        ((X, np.array(LENGTHS)), {}, "lengths="),
        ([X, X[:, 0]], {}, r"item 1 has shape \(40,\); reshape\(-1, 1\) makes a 1-D series one feature"),
        ([X, X[:, :1]], {}, "same number of features; sequence 0 has 2 and sequence 1 has 1"),
        ([X, X[:0]], {}, "sequence 1 of X has no frames; leave empty sequences out"),
        ([X[:0]], {}, "sequence 0 of X has no frames"),
        ([[[1.0, 2.0]], []], {}, "item 1|sequence 1"),
        (PARTS, {"lengths": LENGTHS}, "X is a list of sequences and so cut already; leave lengths out"),
        (PARTS, {"sequence_id": IDS}, "leave sequence_id out"),
        (hmmem.Sequences.from_lengths(X, LENGTHS), {"lengths": LENGTHS}, "Sequences and so cut already"),
        (PADDED, {"sequence_id": IDS}, "three dimensions .* leave sequence_id out"),
        (PADDED, {"lengths": [20, 20, 20]}, "one entry per sequence of X, 4; got 3"),
        (PADDED, {"lengths": [21, 1, 1, 1]}, "at most 20, the second dimension of X; sequence 0 has 21"),
        (PADDED, {"lengths": [20, 0, 1, 1]}, "sequence 1 has 0 frames"),
        (PADDED, {}, "X contains NaN in frame 7"),
        (np.empty((0, 5, 2)), {}, "at least one sequence of one frame"),
        (np.empty((3, 0, 2)), {}, "at least one sequence of one frame"),
        (np.empty((3, 5, 0)), {}, r"0 feature\(s\)"),
        (X, {"lengths": LENGTHS, "sequence_id": IDS}, "lengths and sequence_id both cut X into sequences; pass one"),
        (X, {"sequence_id": IDS[:-1]}, "one entry per row of X, 40; got shape .39,"),
        (X, {"sequence_id": IDS[:, None]}, "one entry per row of X, 40"),
        (X, {"sequence_id": "day"}, "names a column, but X is not a DataFrame; pass one id per row"),
        (X, {"sequence_id": np.where(IDS == 20, np.nan, IDS)}, "sequence_id is missing in row 19; every row needs"),
        (X, {"sequence_id": [None, *IDS[1:]]}, "sequence_id is missing in row 0"),
        (X, {"sequence_id": [pd.NA, *IDS[1:]]}, "sequence_id is missing in row 0"),
        (X, {"sequence_id": np.array(["NaT"] * 40, dtype="datetime64[D]")}, "missing in row 0"),
        (table("pandas"), {"sequence_id": "month"}, "names the column 'month'; X has a, day, b"),
        (table("polars"), {"sequence_id": "month"}, "names the column 'month'; X has a, day, b"),
        (table("arrow"), {"sequence_id": "month"}, "names the column 'month'; X has a, day, b"),
    ],
)
def test_contradictions_are_refused_with_their_mend(data, how, message):
    with pytest.raises(ValueError, match=message):
        gaussian().fit(data, **how)


def test_ids_of_mixed_types_are_identifiers_like_any_other():
    ids = np.empty(40, dtype=object)
    ids[:] = [["one", 2, (3, 4), None.__class__][i] for i in np.repeat(np.arange(4), LENGTHS)]
    assert bits(gaussian().fit(X, sequence_id=ids)) == bits(gaussian().fit(X, lengths=LENGTHS))


def test_read_keeps_what_is_float64_without_a_copy():
    data, layout = read(X, LENGTHS, None, lambda frames: frames)
    assert np.shares_memory(data.frames, X)
    assert_array_equal(layout.offsets, [0, 7, 19, 20, 40])
    frames = gaussian()._check_frames(X, True)
    assert np.shares_memory(frames, X)


def test_layout_gathers_what_restore_spreads():
    data, layout = read(X[MIXED], None, IDS[MIXED], lambda frames: frames)
    assert_array_equal(data.frames, X)
    values = RNG.normal(size=40)
    assert_array_equal(layout.gather(layout.restore(values)), values)
    assert_array_equal(layout.restore(data.frames), X[MIXED])
    _, plain = read(X, None, None, lambda frames: frames)
    assert plain.gather(values) is values
    assert plain.restore(values) is values


def test_sequences_come_in_the_order_of_their_first_rows():
    ids = ["z", "z", "a", "z", "a", "m"]
    data, _ = read(np.arange(6.0)[:, None], None, ids, lambda frames: frames)
    assert [part.ravel().tolist() for part in (data[0], data[1], data[2])] == [[0, 1, 3], [2, 4], [5]]


def test_mixture_takes_tables_and_ignores_order():
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = hmmem.GaussianMixture(2, random_state=0).fit(frame)
    assert bits(model) == bits(hmmem.GaussianMixture(2, random_state=0).fit(X))
    assert_array_equal(model.predict(frame), model.predict(pl.DataFrame(X, schema=["a", "b"])))
    assert bits(hmmem.GaussianMixture(2, random_state=0).fit(pl.DataFrame(X))) == bits(model)


def test_negative_and_fractional_counts_are_refused_and_named():
    for value, what in ((-1.0, "Negative values in data"), (0.5, "Fractions in data")):
        data = counts()
        data[3, 1] = value
        with pytest.raises(ValueError, match=f"{what} passed to PoissonHMM: X must hold counts.*frame 3, feature 1 is"):
            hmmem.PoissonHMM(2).fit(data)


def test_sequence_ids_in_a_table_work_for_every_method():
    frame = table("pandas", MIXED)
    model = gaussian().fit(frame, sequence_id="day")
    assert model.feature_names_in_.tolist() == ["a", "b"]
    runs = model.segments(frame, sequence_id="day")
    assert_array_equal(runs, model.segments(pd.DataFrame(X, columns=["a", "b"]), LENGTHS))
    assert model.bic(frame, sequence_id="day") > model.aic(frame, sequence_id="day")
    assert model.decode(frame, sequence_id="day")[0] <= model.score(frame, sequence_id="day")
