from __future__ import annotations

import io
import json
import math
import os
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hmmem.files import delimited
from hmmem.files.tables import Table, read_lengths, read_table, write_table


@pytest.fixture
def write(tmp_path):
    def make(text, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def same(column, wanted, dtype):
    assert column.dtype == dtype
    np.testing.assert_array_equal(column, np.array(wanted, dtype=dtype))


def test_read_table_reads_columns_by_their_kind(write):
    table = read_table(write("day,flow,sky,gap\n1,0.5,sun,\n2,-1e-3,rain,4\n3,inf,NA,NA\n"))
    assert table.names == ["day", "flow", "sky", "gap"]
    assert table.n_rows == 3
    same(table["day"], [1, 2, 3], np.int64)
    same(table["flow"], [0.5, -1e-3, np.inf], np.float64)
    same(table["sky"], ["sun", "rain", "NA"], object)
    same(table["gap"], [np.nan, 4, np.nan], np.float64)
    assert table.is_text("sky")
    assert not table.is_text("gap")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1,2\n3,4\n", ["x0", "x1"]),
        ("1,\n3,4\n", ["x0", "x1"]),
        ("nan,NA\n3,4\n", ["x0", "x1"]),
        ("1,a\n3,4\n", ["1", "a"]),
        (",flow\n3,4\n", ["x0", "flow"]),
        ("\n\n a , b \n\n3,4\n\n", ["a", "b"]),
        ("\ufeffa,b\r\n3,4\r\n", ["a", "b"]),
        ('"a,\nb",c\n3,4\n', ["a,\nb", "c"]),
    ],
)
def test_read_table_finds_the_header_by_its_rule(write, text, names):
    table = read_table(write(text))
    assert table.names == names
    assert [table[name][-1] for name in names] == [3, 4]
    assert table.n_rows == (1 if names != ["x0", "x1"] else 2)


def test_read_table_header_can_be_stated(write):
    path = write("A\nC\nG\n")
    assert read_table(path)["A"].tolist() == ["C", "G"]
    assert read_table(path, header=False)["x0"].tolist() == ["A", "C", "G"]
    assert read_table(write("2019,2020\n1,2\n"), header=True).names == ["2019", "2020"]


def test_read_table_of_a_header_alone_has_no_rows(write):
    table = read_table(write("a,b\n"))
    assert table.n_rows == 0
    assert table.matrix().shape == (0, 2)


@pytest.mark.parametrize("rows", [3, 1500])
def test_read_table_is_the_same_by_the_fast_and_the_general_way(write, monkeypatch, rows):
    rng = np.random.default_rng(0)
    lines = [f'{i - 5},{rng.normal()!r},"{rng.integers(9)}", {rng.exponential()!r}' for i in range(rows)]
    path = write("\n".join(["i,a,q,b", *lines]))
    fast = read_table(path)
    monkeypatch.setattr(delimited, "_read_numbers", lambda *args: None)
    general = read_table(path)
    assert fast.lines is None
    assert general.lines is not None
    for name in ("i", "a", "q", "b"):
        same(fast[name], general[name], general[name].dtype)
    assert [fast[name].dtype for name in fast.names] == [np.int64, np.float64, np.int64, np.float64]


@pytest.mark.parametrize(
    ("cell", "wanted", "dtype"),
    [
        ("0.5", 0.5, np.float64),
        ("", np.nan, np.float64),
        ("1e3", 1000.0, np.float64),
        ("9223372036854775807", 2**63 - 1, np.int64),
        ("9223372036854775808", "9223372036854775808", object),
        ("rain", "rain", object),
        ("1_000", "1_000", object),
    ],
)
def test_read_table_looks_at_every_cell_not_only_the_first_thousand(write, cell, wanted, dtype):
    column = read_table(write("a,b\n" + "7,1.5\n" * 1200 + f"{cell},1.5\n"))["a"]
    assert column.dtype == dtype
    np.testing.assert_equal(column[-1], wanted)
    np.testing.assert_equal(column[0], "7" if dtype is object else 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t\.csv is empty"),
        ("\n\n", r"t\.csv is empty"),
        ("a,b\n1,2\n\n1,2,3\n", r"t\.csv, line 4: 3 cells; expected 2"),
        ("a,b\n" + "1,2\n" * 1500 + "1\n", r"line 1502: 1 cells; expected 2"),
        ("a,a\n1,2\n", "several columns named 'a'"),
        (b"a,b\n\xff,2\n", "is not UTF-8"),
        (b"a,b\n" + b"1,2\n" * 20_000 + b"\xff,2\n", "is not UTF-8"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
    ],
)
def test_read_table_refuses_bad_text_with_its_place(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(text))


def test_read_table_refuses_missing_files_folders_and_endings(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.csv does not exist"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(ValueError, match=r"has the ending '\.xlsx'; expected one of \.csv, \.tsv, \.parquet"):
        read_table(tmp_path / "no.xlsx")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_table(tmp_path / "d.csv")


def test_read_table_reads_tabs(write):
    table = read_table(write("a\tb\n1\tx,y\n", "t.TSV"))
    assert (table["a"].tolist(), table["b"].tolist()) == ([1], ["x,y"])


def test_matrix_has_the_common_type_of_its_columns(write):
    table = read_table(write("i,j,x,s\n1,2,0.5,a\n3,4,,b\n"))
    same(table.matrix(["j", "i"]), [[2, 1], [4, 3]], np.int64)
    same(table.matrix(["i", "x"], numeric=True), [[1, 0.5], [3, np.nan]], np.float64)
    same(table.matrix(["s", "i"]), [["a", 1], ["b", 3]], object)
    assert table.matrix().shape == (2, 4)
    assert table.matrix([]).shape == (2, 0)


def test_matrix_names_line_and_column_of_text(write):
    table = read_table(write("a,b\n1,2\n\n3,4\n5,six\n"))
    with pytest.raises(ValueError, match=r"t\.csv, line 5, column 'b': 'six' is not a number"):
        table.matrix(numeric=True)
    with pytest.raises(ValueError, match="row 0, column 'b': 'six' is not a number"):
        Table({"b": np.array(["six"], dtype=object)}).matrix(numeric=True)
    with pytest.raises(ValueError, match="column 'a': holds integers beyond 64 bits"):
        read_table(write("a\n99999999999999999999\n")).matrix(numeric=True)


def test_matrix_with_an_unknown_name_lists_the_names(write):
    with pytest.raises(ValueError, match=r"t\.csv has no column 'c'; it has 'a', 'b'"):
        read_table(write("a,b\n1,2\n")).matrix(["a", "c"])


def test_read_table_reads_npy(tmp_path):
    for array in (np.arange(6).reshape(3, 2), np.asfortranarray(np.arange(6.0).reshape(3, 2)), np.arange(3.0)):
        np.save(tmp_path / "a.npy", array)
        same(read_table(tmp_path / "a.npy").matrix(), array.reshape(3, -1), array.dtype)
    np.save(tmp_path / "a.npy", np.array([[True], [False]]))
    same(read_table(tmp_path / "a.npy")["x0"], [1, 0], np.int64)
    np.save(tmp_path / "a.npy", np.arange(3, dtype=">f4"))
    same(read_table(tmp_path / "a.npy")["x0"], [0, 1, 2], np.float64)


@pytest.mark.parametrize("array", [np.zeros((2, 2, 2)), np.array(1.0), np.array(["a"]), np.array([1j])])
def test_read_table_refuses_arrays_that_are_no_tables(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=r"a\.npy holds an array of shape .* expected numbers of shape"):
        read_table(tmp_path / "a.npy")


def test_read_table_refuses_hostile_npy(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([None]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"a\.npy is not an \.npy file of numbers"):
        read_table(path)
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    path.write_bytes(b"\x93NUMPY\x01\x00\x76\x00" + text.encode().ljust(117) + b"\n")
    with pytest.raises(ValueError, match=r"a\.npy is not an \.npy file of numbers"):
        read_table(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.npy is not an \.npy file of numbers"):
        read_table(path)


def test_read_table_reads_npz(tmp_path):
    path = tmp_path / "a.npz"
    X = np.arange(6.0).reshape(3, 2)
    np.savez(path, X=X, Y=X, lengths=np.array([1, 2], dtype=np.int32))
    table = read_table(path)
    same(table.matrix(), X, np.float64)
    same(table.lengths, [1, 2], np.int64)
    np.savez(path, frames=X, weights=np.ones(3))
    table = read_table(path)
    same(table.matrix(), X, np.float64)
    assert table.lengths is None


def test_read_table_refuses_npz_without_a_clear_table(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.zeros((2, 2)), b=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"holds the arrays \['a', 'b'\]; expected one named 'X'"):
        read_table(path)
    np.savez(path, X=np.zeros((2, 2)), lengths=np.array([1.5]))
    with pytest.raises(ValueError, match="array 'lengths' has shape"):
        read_table(path)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"is not an \.npz file"):
        read_table(path)
    with path.open("wb") as file:
        np.save(file, np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"holds a single array; give it the ending \.npy"):
        read_table(path)
    np.savez(path, X=np.array([None]))
    with pytest.raises(ValueError, match=r"is not an \.npz file of numbers"):
        read_table(path)


def test_read_table_reads_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "i": pa.array([1, 2, 3], pa.int32()),
        "gap": pa.array([1, None, 3]),
        "x": pa.array([0.5, None, math.inf]),
        "flag": pa.array([True, False, True]),
        "s": pa.array(["a", None, "c"]),
        "c": pa.array(["u", "v", "u"]).dictionary_encode(),
        "none": pa.nulls(3),
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    same(table["i"], [1, 2, 3], np.int64)
    same(table["gap"], [1, np.nan, 3], np.float64)
    same(table["x"], [0.5, np.nan, np.inf], np.float64)
    same(table["flag"], [1, 0, 1], np.int64)
    same(table["s"], ["a", "", "c"], object)
    same(table["c"], ["u", "v", "u"], object)
    same(table["none"], [np.nan] * 3, np.float64)
    parquet.write_table(pa.table({"l": pa.array([[1], [2]])}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"t\.parquet, column 'l' has the type list"):
        read_table(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"t\.parquet is not a Parquet file"):
        read_table(tmp_path / "t.parquet")


def test_read_table_without_pyarrow_says_how_to_install_it(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install hmmem\[arrow\]"):
        read_table(write("", "t.parquet"))


def test_read_lengths_reads_text_and_npy(tmp_path, write):
    same(read_lengths(write("3 4\n\n 5\n", "l.txt")), [3, 4, 5], np.int64)
    np.save(tmp_path / "l.npy", np.array([3, 4], dtype=np.uint8))
    same(read_lengths(tmp_path / "l.npy"), [3, 4], np.int64)


@pytest.mark.parametrize("text", ["3\n4.0\n", "3\nfour\n", "3\n-4\n", b"3\n\xff\n"])
def test_read_lengths_refuses_anything_else(write, text):
    with pytest.raises(ValueError, match=r"l\.txt, line 2: .* is not a whole number|l\.txt is not text"):
        read_lengths(write(text, "l.txt"))


def test_read_lengths_refuses_floats_in_npy(tmp_path):
    np.save(tmp_path / "l.npy", np.array([3.0]))
    with pytest.raises(ValueError, match="expected integers of shape"):
        read_lengths(tmp_path / "l.npy")
    with pytest.raises(FileNotFoundError, match=r"no\.txt does not exist"):
        read_lengths(tmp_path / "no.txt")


@given(
    rows=st.lists(
        st.tuples(st.floats(width=64), st.integers(-(2**63), 2**63 - 1), st.text("a,;\"' \nä", min_size=1)), min_size=1
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_read_table_inverts_write_table(tmp_path, rows):
    x, i, s = zip(*rows, strict=True)
    write_table(tmp_path / "t.csv", {"x": np.array(x), "i": np.array(i), "s": list(s)})
    table = read_table(tmp_path / "t.csv")
    same(table["x"], x, np.float64)
    assert np.signbit(table["x"][~np.isnan(x)]).tolist() == np.signbit(np.array(x)[~np.isnan(x)]).tolist()
    same(table["i"], i, np.int64)
    if any(cell.strip() for cell in s):
        assert table["s"].tolist() == list(s)


def test_write_table_writes_json_that_every_reader_takes(tmp_path):
    columns = {
        "x": np.array([0.1, np.nan, -np.inf]),
        "n": [1, np.int64(2), None],
        "s": ["ä", 'q"', ""],
        "ok": np.array([True, False, True]),
        "day": np.array(["2024-01-01", "2024-01-02", "NaT"], dtype="datetime64[ns]"),
    }
    write_table(tmp_path / "t.json", columns, format="json")

    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads((tmp_path / "t.json").read_text("utf-8"), parse_constant=refuse) == [
        {"x": 0.1, "n": 1, "s": "ä", "ok": True, "day": "2024-01-01T00:00:00.000000000"},
        {"x": None, "n": 2, "s": 'q"', "ok": False, "day": "2024-01-02T00:00:00.000000000"},
        {"x": "-inf", "n": None, "s": "", "ok": True, "day": "NaT"},
    ]
    write_table(tmp_path / "t.json", {"x": []}, format="json")
    assert json.loads((tmp_path / "t.json").read_text()) == []


def test_write_table_writes_to_streams_and_standard_output(capsys):
    stream = io.StringIO()
    write_table(stream, {"a": [1.5, None], "b": ["x,y", "z"]})
    assert stream.getvalue() == 'a,b\n1.5,"x,y"\n,z\n'
    write_table("-", {"a": [1]})
    assert capsys.readouterr().out == "a\n1\n"


def test_write_table_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_table(path, {"a": [1]})

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hmmem.files.atomic.os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_table(path, {"a": [2]})
    with pytest.raises(TypeError):
        write_table(path, {"a": [object()]}, format="json")
    assert path.read_text() == "a\n1\n"
    assert os.listdir(tmp_path) == ["t.csv"]


def test_write_table_refuses_uneven_columns_and_other_formats(tmp_path):
    with pytest.raises(ValueError, match=r"same length; got \{'a': 1, 'b': 2\}"):
        write_table(tmp_path / "t", {"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match="format must be"):
        write_table(tmp_path / "t", {"a": [1]}, format="xml")
    assert os.listdir(tmp_path) == []


def test_read_lengths_refuses_numbers_beyond_all_lengths(tmp_path):
    path = tmp_path / "lengths.txt"
    path.write_text("3\n" + "9" * 40 + "\n")
    with pytest.raises(ValueError, match=r"line 2: 9999.* is no length that a sequence can have"):
        read_lengths(path)
    np.save(tmp_path / "lengths.npy", np.array([3, 2**62]))
    with pytest.raises(ValueError, match="holds 4611686018427387904, no length"):
        read_lengths(tmp_path / "lengths.npy")
