"""Symbols of any type, alphabets that are learnt or declared, and symbols that are new."""

from __future__ import annotations

import datetime as dt
import math
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import hmmem
from hmmem.alphabet import DENSE, Alphabet

PATTERN = np.array([0, 0, 1, 2, 0, 1, 1, 2, 2, 2, 0, 1, 0, 0, 2, 1] * 4)
DAYS = [dt.date(2024, 1, d) for d in (1, 2, 3)]
TYPES = {
    "integers": [0, 1, 2],
    "offset integers": [-5, 10, 7_000_000],
    "strings": ["calm", "rain", "sun"],
    "unicode": ["a\u0308", "\u00e4", "\u96e8"],
    "floats": [0.5, 1.25, 3.0],
    "dates": DAYS,
    "datetimes": [dt.datetime(2024, 1, d, 12, 30) for d in (1, 2, 3)],
    "tuples": [("a", 1), ("a", 2), ("b", 1)],
    "bytes": [b"a", b"b", b"c"],
}


def objects(values):
    out = np.empty((len(values), 1), dtype=object)
    for i, value in enumerate(values):
        out[i, 0] = value
    return out


def fit(X, **arguments):
    return hmmem.CategoricalHMM(2, random_state=0, **{"tol": 1e-4, **arguments}).fit(X)


def by_hand(startprob, transmat, emissionprob, **arguments):
    model = hmmem.CategoricalHMM(len(startprob), **arguments)
    model.startprob_, model.transmat_, model.emissionprob_ = (
        np.array(startprob),
        np.array(transmat),
        np.array(emissionprob),
    )
    return model


COIN = ([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])


def hand_likelihood(columns):
    """p(x) of the COIN chain for likelihoods (T, 2), summed over all paths."""
    startprob, transmat, _ = map(np.array, COIN)
    alpha = startprob * columns[0]
    for column in columns[1:]:
        alpha = (alpha @ transmat) * column
    return math.log(alpha.sum())


# ---- the alphabet itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
def test_alphabet_sorts_what_it_learns_and_inverts(kind):
    symbols = TYPES[kind]
    column = objects([symbols[i] for i in (2, 0, 1, 2)])[:, 0]
    alphabet = Alphabet.learn(column)
    assert alphabet.symbols == tuple(symbols)
    assert_array_equal(alphabet.encode(column), [2, 0, 1, 2])
    assert alphabet.decode(np.array([2, 0])).tolist() == [symbols[2], symbols[0]]


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "bytes"])
def test_alphabet_survives_json_with_its_types(kind):
    import json

    alphabet = Alphabet(tuple(TYPES[kind]))
    found = Alphabet.from_json(json.loads(json.dumps(alphabet.to_json())), size=3)
    assert found == alphabet
    assert Alphabet.from_json(alphabet.to_json(counted=False)) == alphabet
    assert [type(symbol) for symbol in found.symbols] == [type(symbol) for symbol in alphabet.symbols]


def test_alphabet_keeps_nested_tuples_and_mixed_types_in_json():
    alphabet = Alphabet((("a", (1, 2.5)), True, 1.5, "1", dt.date(2024, 2, 29), 7))
    found = Alphabet.from_json(alphabet.to_json())
    assert found == alphabet
    assert [type(s) for s in found.symbols] == [tuple, bool, float, str, dt.date, int]


def test_alphabet_of_a_type_that_files_cannot_hold_says_which_they_can():
    with pytest.raises(ValueError, match="symbol b'a' of type bytes cannot be saved; use integers, floats, booleans"):
        Alphabet((b"a", b"b")).to_json()


def test_alphabet_of_integers_is_zero_to_the_largest():
    assert Alphabet.learn(np.array([3, 1])).symbols == (0, 1, 2, 3)
    assert Alphabet.learn(np.array([3, -1])).symbols == (-1, 3)
    assert Alphabet.learn(np.array([10 * DENSE, 3])).symbols == (3, 10 * DENSE)
    assert_array_equal(Alphabet.learn(np.array([3, 1])).encode(np.array([3, 4, -1, 0])), [3, -1, -1, 0])


def test_alphabet_of_types_that_do_not_compare_comes_by_first_appearance():
    column = objects(["b", 3, ("x",), "a", 3])[:, 0]
    assert Alphabet.learn(column).symbols == ("b", 3, ("x",), "a")


def test_alphabet_treats_numpy_scalars_as_plain_values():
    column = objects([np.int64(3), 3, np.float64(0.5), np.str_("a")])[:, 0]
    alphabet = Alphabet.learn(column)
    assert alphabet.symbols == (3, 0.5, "a")
    assert Alphabet.declared([np.int64(3), np.datetime64("2024-01-01")]).symbols == (3, dt.date(2024, 1, 1))


@pytest.mark.parametrize(
    ("symbols", "message"), [([], "at least one symbol"), (["a", "b", "a"], "distinct; 'a' comes twice")]
)
def test_declared_alphabet_refuses_what_is_no_set(symbols, message):
    with pytest.raises(ValueError, match=message):
        Alphabet.declared(symbols)


# ---- the estimator --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
def test_fit_of_any_type_is_the_fit_of_its_codes(kind):
    X = objects([TYPES[kind][i] for i in PATTERN])
    model, plain = fit(X), fit(PATTERN[:, None])
    assert model.symbols_ == [tuple(TYPES[kind])]
    assert model.emissionprob_.tobytes() == plain.emissionprob_.tobytes()
    assert model.transmat_.tobytes() == plain.transmat_.tobytes()
    assert_array_equal(model.predict(X), plain.predict(PATTERN[:, None]))
    drawn, states = model.sample(30, random_state=1)
    codes, same = plain.sample(30, random_state=1)
    assert_array_equal(states, same)
    assert drawn[:, 0].tolist() == [TYPES[kind][i] for i in codes[:, 0]]


@pytest.mark.parametrize(
    "X",
    [
        np.array(["calm", "rain", "sun"])[PATTERN][:, None],
        [["calm", "rain", "sun"][i : i + 1] for i in PATTERN],
        pd.DataFrame({"sky": np.array(["calm", "rain", "sun"])[PATTERN]}),
        pd.DataFrame({"sky": pd.Categorical(np.array(["calm", "rain", "sun"])[PATTERN])}),
        pd.DataFrame({"sky": pd.array(np.array(["calm", "rain", "sun"])[PATTERN], dtype="string")}),
        pl.DataFrame({"sky": np.array(["calm", "rain", "sun"])[PATTERN]}),
        pl.DataFrame({"sky": np.array(["calm", "rain", "sun"])[PATTERN]}).to_arrow(),
    ],
    ids=["strings", "lists", "pandas", "pandas categories", "pandas strings", "polars", "arrow"],
)
def test_fit_of_strings_is_the_same_from_every_container(X):
    model, plain = fit(X), fit(PATTERN[:, None])
    assert model.symbols_ == [("calm", "rain", "sun")]
    assert model.emissionprob_.tobytes() == plain.emissionprob_.tobytes()
    assert model.score(X) == plain.score(PATTERN[:, None])


def test_booleans_are_symbols():
    X = (PATTERN > 0)[:, None]
    assert fit(X).symbols_ == [(False, True)]
    assert fit(X).sample(3)[0].dtype == bool
    assert_array_equal(fit(X).emissionprob_, fit(X.astype(int)).emissionprob_)


def test_dates_of_numpy_are_dates():
    X = np.array(DAYS, dtype="datetime64[D]")[PATTERN][:, None]
    model = fit(X)
    assert model.symbols_ == [tuple(DAYS)]
    assert model.score(X) == model.score(objects([DAYS[i] for i in PATTERN]))


def test_lists_of_tuples_are_tuples_not_columns():
    X = [[TYPES["tuples"][i]] for i in PATTERN]
    model = fit(X)
    assert model.n_features_in_ == 1
    assert model.symbols_ == [tuple(TYPES["tuples"])]


def test_mixed_types_stay_what_they_are():
    X = [[["1", 1, 2.5][i]] for i in PATTERN]
    model = fit(X)
    assert model.symbols_ == [("1", 1, 2.5)]
    assert [type(symbol) for symbol in model.symbols_[0]] == [str, int, float]
    assert model.emissionprob_.tobytes() == fit(PATTERN[:, None]).emissionprob_.tobytes()


def test_mixed_types_in_a_list_of_sequences_stay_what_they_are():
    rows = [[["1", 1, 2.5][i]] for i in PATTERN]
    model = fit([rows[:20], rows[20:]])
    assert model.symbols_ == [("1", 1, 2.5)]
    assert [len(path) for path in model.predict([rows[:20], rows[20:]])] == [20, 44]


def test_columns_have_their_own_alphabets_and_are_independent_given_the_state():
    other = np.roll(PATTERN, 1) % 2
    X = np.column_stack([PATTERN, other])
    model = fit(X)
    assert model.symbols_ == [(0, 1, 2), (0, 1)]
    assert [table.shape for table in model.emissionprob_] == [(2, 3), (2, 2)]
    alpha = model.startprob_
    total = 0.0
    for t, (a, b) in enumerate(X):
        alpha = (alpha if t == 0 else alpha @ model.transmat_) * model.emissionprob_[0][:, a]
        alpha = alpha * model.emissionprob_[1][:, b]
        total += math.log(alpha.sum())
        alpha = alpha / alpha.sum()
    assert model.score(X) == pytest.approx(total, rel=1e-12)


def test_columns_of_different_types_fit_as_their_codes():
    sky = np.array(["calm", "rain", "sun"], dtype=object)[PATTERN]
    flag = (PATTERN > 0).astype(object)
    mixed = np.column_stack([sky, flag])
    codes = np.column_stack([PATTERN, PATTERN > 0]).astype(int)
    model, plain = fit(mixed), fit(codes)
    assert model.symbols_ == [("calm", "rain", "sun"), (False, True)]
    for a, b in zip(model.emissionprob_, plain.emissionprob_, strict=True):
        assert a.tobytes() == b.tobytes()
    assert model.sample(4)[0].shape == (4, 2)
    assert isinstance(model.sample(4)[0][0, 1], bool)


def test_table_with_columns_of_different_types_fits_as_its_codes():
    frame = pd.DataFrame({"sky": np.array(["calm", "rain", "sun"])[PATTERN], "wet": PATTERN > 0})
    model = fit(frame)
    assert model.symbols_ == [("calm", "rain", "sun"), (False, True)]
    assert fit(pl.from_pandas(frame)).symbols_ == model.symbols_


def test_declared_symbols_fix_codes_and_sizes():
    X = np.array(["sun", "rain"])[PATTERN % 2][:, None]
    model = fit(X, symbols=["fog", "sun", "rain"])
    assert model.symbols_ == [("fog", "sun", "rain")]
    assert model.emissionprob_.shape == (2, 3)
    assert_allclose(model.emissionprob_[:, 0], 0.0, atol=1e-300)
    assert_array_equal(model.sample(20, random_state=0)[0][:, 0] != "fog", True)
    two = fit(np.hstack([X, X]), symbols=[["sun", "rain"], ["rain", "sun"]])
    assert two.symbols_ == [("sun", "rain"), ("rain", "sun")]


def test_declared_symbols_may_be_the_letters_of_a_string():
    model = fit(np.array(list("ACG"))[PATTERN][:, None], symbols="ACGT")
    assert model.symbols_ == [("A", "C", "G", "T")]
    assert model.score([["T"]]) == -math.inf


def test_sequences_of_different_types_are_not_turned_into_text():
    numbers, words = (PATTERN % 2)[:, None], np.array(["a", "b"])[PATTERN % 2][:, None]
    assert fit([numbers, words]).symbols_ == [(0, 1, "a", "b")]


def test_declared_integers_need_not_be_dense():
    model = fit(np.array([10, 20, 40])[PATTERN][:, None], symbols=[40, 10, 20])
    assert model.symbols_ == [(40, 10, 20)]
    assert_allclose(
        model.emissionprob_[:, [1, 2, 0]].sum(axis=0) > 0, True
    )  # each of the three symbols was seen in some state


@pytest.mark.parametrize("n_features", [5, np.int64(5), [5]])
def test_n_features_declares_more_integers_than_the_data_show(n_features):
    model = fit(PATTERN[:, None], n_features=n_features)
    assert model.symbols_ == [(0, 1, 2, 3, 4)]
    assert model.emissionprob_.shape == (2, 5)
    assert model.score([[0], [4]]) == -math.inf


def test_n_features_per_column():
    model = fit(np.column_stack([PATTERN, PATTERN]), n_features=[3, 6])
    assert [table.shape[1] for table in model.emissionprob_] == [3, 6]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_features": 3, "symbols": [0, 1, 2]}, ValueError, "n_features and symbols both declare the alphabet"),
        ({"n_features": 0}, ValueError, "n_features must be at least 1; got 0"),
        ({"n_features": 2.5}, TypeError, "n_features must be an integer"),
        ({"n_features": "ab"}, TypeError, "n_features must be an integer"),
        ({"n_features": [3, 3]}, ValueError, "X has 1 columns, and alphabets are declared for 2"),
        ({"symbols": [0, 1, 1]}, ValueError, "symbols must be distinct; 1 comes twice"),
        ({"symbols": []}, ValueError, "symbols must hold at least one symbol"),
        ({"symbols": 5}, TypeError, "symbols must be a list of symbols, or one list for each column; got 5"),
        ({"symbols": {"a", "b"}}, TypeError, "symbols must be a list of symbols"),
        ({"symbols": [[0, 1, 2], [0, 1]]}, ValueError, "X has 1 columns, and alphabets are declared for 2"),
        ({"symbols": [0, [1]]}, ValueError, r"symbols must be hashable, and one list for each column of X; \[1\] is"),
        ({"unknown": "warn"}, ValueError, "unknown must be one of 'error', 'ignore', 'floor'; got 'warn'"),
        ({"unknown": "floor", "unknown_prob": 0.0}, ValueError, "unknown_prob must lie between 0 and 1"),
        ({"unknown": "floor", "unknown_prob": 1.0}, ValueError, "unknown_prob must lie between 0 and 1"),
        ({"unknown_prob": -0.1}, ValueError, "unknown_prob must be a finite number of at least 0"),
        ({"unknown_prob": "1"}, TypeError, "unknown_prob must be a number"),
    ],
)
def test_wrong_declarations_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        fit(PATTERN[:, None], **arguments)


# ---- symbols that are new -------------------------------------------------------------------------------------------


def test_unknown_symbols_are_an_error_that_names_them():
    model = fit(np.array(["calm", "rain", "sun"])[PATTERN][:, None])
    message = (
        r"X holds symbols that the model does not know: 'fog', 'hail' \(first in frame 1, column 0\); declare them"
        r" before the fit by symbols= or n_features=, or pass unknown='ignore' or unknown='floor'"
    )
    for method in ("score", "predict", "predict_proba", "decode", "score_frames"):
        with pytest.raises(ValueError, match=message):
            getattr(model, method)([["sun"], ["fog"], ["hail"], ["fog"]])
    with pytest.raises(ValueError, match=r"0, 1, 2, 3, 4, \.\.\."):
        model.score([[i] for i in range(10)])


@pytest.mark.parametrize("symbol", [3, -1, 10**12])
def test_integers_out_of_range_are_an_error_that_names_them(symbol):
    for model in (fit(PATTERN[:, None]), by_hand(*COIN)):
        with pytest.raises(ValueError, match=re.escape(f"does not know: {symbol} (first in frame 2, column 0)")):
            model.score([[0], [1], [symbol]])
        with pytest.raises(ValueError, match="does not know"):
            model.predict([[0], [1], [symbol]])


def test_declared_symbols_refuse_others_in_fit():
    with pytest.raises(ValueError, match="does not know: 2"):
        fit(PATTERN[:, None], n_features=2)
    with pytest.raises(ValueError, match="does not know: 'sun'"):
        fit([["rain"], ["sun"]], symbols=["rain"])


def test_ignored_symbols_say_nothing():
    B = np.array(COIN[2])
    model = by_hand(*COIN, unknown="ignore")
    assert model.score([[0], [9], [2]]) == pytest.approx(hand_likelihood([B[:, 0], np.ones(2), B[:, 2]]), rel=1e-13)
    assert model.score([[9], [9]]) == pytest.approx(0.0, abs=1e-15)
    assert_allclose(model.predict_proba([[9]]), [COIN[0]], rtol=1e-15)


def test_floored_symbols_have_the_declared_probability_in_every_state():
    B = np.array(COIN[2])
    model = by_hand(*COIN, unknown="floor", unknown_prob=0.01)
    known = 0.99 * B
    expected = hand_likelihood([known[:, 0], np.full(2, 0.01), known[:, 2]])
    assert model.score([[0], [9], [2]]) == pytest.approx(expected, rel=1e-13)
    assert model.score([[9], [-4]]) == pytest.approx(2 * math.log(0.01), rel=1e-13)
    # nothing is lost: all known symbols and the one extra symbol have total probability one
    one_frame = [math.exp(model.score([[v]])) for v in (0, 1, 2, 9)]
    assert sum(one_frame) == pytest.approx(1.0, rel=1e-13)


@pytest.mark.parametrize("unknown", ["ignore", "floor"])
def test_unknown_symbols_in_fit_leave_the_known_ones_in_proportion(unknown):
    X = np.array([0, 0, 1, 7, 0, 1, 7, 0])[:, None]
    model = hmmem.CategoricalHMM(1, n_features=2, unknown=unknown, unknown_prob=0.05, random_state=0).fit(X)
    assert_allclose(model.emissionprob_, [[4 / 6, 2 / 6]], rtol=1e-12)
    factor = 1.0 if unknown == "ignore" else 0.95
    extra = 0.0 if unknown == "ignore" else 2 * math.log(0.05)
    assert model.score(X) == pytest.approx(4 * math.log(factor * 4 / 6) + 2 * math.log(factor * 2 / 6) + extra)


def test_unknown_symbols_of_several_columns_are_treated_column_by_column():
    model = hmmem.CategoricalHMM(1, unknown="floor", unknown_prob=0.1)
    model.startprob_, model.transmat_ = np.ones(1), np.ones((1, 1))
    model.emissionprob_ = [np.array([[0.25, 0.75]]), np.array([[0.5, 0.3, 0.2]])]
    assert model.score([[1, 8]]) == pytest.approx(math.log(0.9 * 0.75) + math.log(0.1), rel=1e-13)
    assert model.score([[5, 2]]) == pytest.approx(math.log(0.1) + math.log(0.9 * 0.2), rel=1e-13)
    with pytest.raises(ValueError, match=r"does not know: 8 \(first in frame 0, column 1\)"):
        model.set_params(unknown="error").score([[1, 8]])


def test_models_set_by_hand_take_declared_symbols():
    model = by_hand(*COIN, symbols=["calm", "rain", "sun"])
    assert model.score([["rain"], ["sun"]]) == by_hand(*COIN).score([[1], [2]])
    assert set(model.sample(20, random_state=0)[0][:, 0]) <= {"calm", "rain", "sun"}
    assert not hasattr(model, "symbols_")
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("declared", [{"symbols": list("abcde")}, {"n_features": 5}, {"symbols": "ab"}])
def test_models_set_by_hand_refuse_a_table_of_another_width(declared):
    with pytest.raises(ValueError, match=r"emissionprob_ must have shape \(2, [52]\); got \(2, 3\)"):
        by_hand(*COIN, **declared).score([["a"]])


def test_models_set_by_hand_refuse_another_number_of_tables():
    with pytest.raises(ValueError, match="emissionprob_ must hold one table per column, 2; got 1"):
        by_hand(*COIN, n_features=[3, 2]).sample(3)


def test_models_set_by_hand_do_not_learn_symbols_from_what_they_score():
    model = by_hand(*COIN)
    assert math.isfinite(model.score([[0], [1]]))  # a lower alphabet than the model's
    assert math.isfinite(model.score([[2], [1]]))
    assert model.sample(50, random_state=0)[0].max() <= 2
    with pytest.raises(ValueError, match="does not know: 'rain'"):
        model.score([["rain"]])


def test_start_by_hand_widens_the_alphabet_to_its_table():
    model = hmmem.CategoricalHMM(2, emissionprob_init=np.full((2, 5), 0.2), random_state=0, n_iter=3, tol=None)
    assert model.fit(PATTERN[:, None]).emissionprob_.shape == (2, 5)
    again = by_hand(*COIN).set_params(init_params="", n_iter=2, tol=None)
    assert again.fit((PATTERN % 2)[:, None]).emissionprob_.shape == (2, 3)


# ---- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[0], [None], [1]], "X contains NaN or None in frame 1, column 0; missing symbols are not supported"),
        ([["a"], [None]], "X contains NaN or None in frame 1, column 0"),
        ([["a"], [float("nan")]], "X contains NaN or None in frame 1, column 0"),
        (np.array([[0.0], [np.nan]]), "X contains NaN in frame 1, column 0"),
        (np.array([[0.0], [np.inf]]), "X contains infinity in frame 1, column 0"),
        (np.array([["2024-01-01"], ["NaT"]], dtype="datetime64[D]"), "X contains NaT in frame 1, column 0"),
        (pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}), "X contains NaN.* in frame 1, column 0"),
        (pd.DataFrame({"a": pd.array(["x", None], dtype="string")}), "X contains NaN.* in frame 1, column 0"),
        (pl.DataFrame({"a": ["x", None]}), "X contains NaN or None in frame 1, column 0"),
        (np.array([[1j], [2j]]), "Complex data not supported"),
        (np.array([0, 1, 2]), "Expected 2D array, got 1D array"),
        ([], "."),
        (np.empty((0, 1), dtype=int), r"0 sample\(s\)"),
    ],
)
def test_fit_refuses_missing_symbols_and_no_symbols(X, message):
    with pytest.raises(ValueError, match=message):
        hmmem.CategoricalHMM(1).fit(X)


def test_a_refused_symbol_leaves_the_fit_as_it_was():
    model = fit(PATTERN[:, None])
    before, table = dict(model.__dict__), model.emissionprob_.tobytes()
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.array([[0.0], [np.inf]]))
    with pytest.raises(ValueError, match="does not know"):
        model.set_params(n_features=2).fit(PATTERN[:, None])
    assert {**model.__dict__, "n_features": None} == before
    assert model.emissionprob_.tobytes() == table


def test_another_number_of_columns_is_refused():
    with pytest.raises(ValueError, match="X has 2 features, but CategoricalHMM is expecting 1 features as input"):
        fit(PATTERN[:, None]).predict(np.column_stack([PATTERN, PATTERN]))
