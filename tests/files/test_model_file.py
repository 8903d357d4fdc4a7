from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hmmem.files import atomic
from hmmem.files.model_file import ModelFileError, read_model, write_model

ROOT = Path(__file__).parents[2]
META = {"covariance_type": "diag", "n_iter": 500, "tol": 1e-6, "history": [-3.5, -1.25], "floor": None, "ok": True}
ARRAYS = {"means": np.array([[0.5, -0.0], [1.0, 5e-324]]), "startprob": np.array([0.25, 0.75]), "n": np.array(7)}


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "model.hmmem"
    write_model(found, "Toy", META, ARRAYS)
    return found


def bits(array):
    return array.dtype.str, array.shape, array.tobytes()


def forge(path, header=None, members=None, compression=zipfile.ZIP_STORED, sums=None):
    """A model file as a careful attacker builds it: every checksum is right."""
    default = {"format": "hmmem model", "schema": 1, "version": "1", "kind": "Toy", "meta": {}, "arrays": {}}
    text = header if isinstance(header, bytes) else json.dumps({**default, **(header or {})}).encode()
    contents = [("header.json", text), *(members or [])]
    if sums is None:
        sums = "".join(f"{hashlib.sha256(payload).hexdigest()}  {name}\n" for name, payload in contents)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("SHA256SUMS", sums)
        for name, payload in contents:
            archive.writestr(name, payload)
    return path


def npy(text, data=b""):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + text.encode().ljust(117) + b"\n" + data


FLOATS = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 2.2e-308, 1.7976931348623157e308, 0.1])


@pytest.mark.parametrize(
    "array",
    [
        FLOATS,
        np.frombuffer(struct.pack("<Q", 0xFFF8DEADBEEF0001), dtype=np.float64),
        FLOATS[[0, 1, 2, 3, 4, 8]].astype(np.float32),
        np.array([-(2**63), 2**63 - 1]),
        np.array([2**64 - 1], dtype=np.uint64),
        np.array([[True, False], [False, True]]),
        np.array(3.5),
        np.array(False),
        np.empty((0,)),
        np.empty((3, 0, 2), dtype=np.int64),
        np.array(["sun", "räin", "🌧"]),
        np.array([], dtype="U"),
        np.array(["2024-02-29", "NaT"], dtype="datetime64[D]"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_read_model_returns_the_same_bits(tmp_path, array):
    write_model(tmp_path / "m", "Toy", {}, {"a": array})
    assert bits(read_model(tmp_path / "m")[2]["a"]) == bits(array)


@given(
    arrays=st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}(\.[a-z0-9_]{1,8})?", fullmatch=True),
        npst.arrays(
            st.sampled_from([np.float64, np.int64, np.bool_]), npst.array_shapes(min_dims=0, min_side=0, max_side=4)
        ),
        max_size=4,
    ),
    meta=st.dictionaries(
        st.text(max_size=8).filter(lambda key: key != "__float__"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    ),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_read_model_inverts_write_model(tmp_path, arrays, meta):
    write_model(tmp_path / "m", "Toy", meta, arrays)
    kind, meta_read, read = read_model(tmp_path / "m")
    assert (kind, meta_read) == ("Toy", meta)
    assert {name: bits(array) for name, array in read.items()} == {name: bits(array) for name, array in arrays.items()}


def test_write_model_normalises_memory_order_and_byte_order(tmp_path):
    table = np.arange(12.0).reshape(3, 4)
    for name, array in {"fortran": np.asfortranarray(table), "big": table.astype(">f8"), "c": table}.items():
        write_model(tmp_path / name, "Toy", {}, {"a": array})
    strided = np.zeros((6, 8))
    strided[::2, ::2] = table
    write_model(tmp_path / "strided", "Toy", {}, {"a": strided[::2, ::2]})
    assert len({(tmp_path / name).read_bytes() for name in ("fortran", "big", "c", "strided")}) == 1
    read = read_model(tmp_path / "big")[2]["a"]
    assert read.flags.writeable
    assert read.flags.c_contiguous
    assert bits(read) == bits(table)


def test_write_model_gives_equal_bytes_for_equal_content(tmp_path, path):
    write_model(tmp_path / "other", "Toy", dict(reversed(META.items())), dict(reversed(ARRAYS.items())))
    assert (tmp_path / "other").read_bytes() == path.read_bytes()


def test_write_model_keeps_non_finite_numbers_and_numpy_scalars_of_meta(tmp_path):
    meta = {"a": np.inf, "b": [-np.inf, np.nan], "c": np.int64(3), "d": np.float64(0.1), "e": (1, 2), "f": np.True_}
    write_model(tmp_path / "m", "Toy", meta, {})
    read = read_model(tmp_path / "m")[1]
    assert np.isnan(read["b"].pop())
    assert read == {"a": np.inf, "b": [-np.inf], "c": 3, "d": 0.1, "e": [1, 2], "f": True}


def test_model_file_is_readable_by_common_tools(path):
    with np.load(path, allow_pickle=False) as archive:
        assert bits(archive["means"]) == bits(ARRAYS["means"])
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("header.json"))["schema"] == 1
        lines = archive.read("SHA256SUMS").decode().splitlines()
        assert lines == [f"{hashlib.sha256(archive.read(n)).hexdigest()}  {n}" for n in archive.namelist()[1:]]


@pytest.mark.parametrize(
    ("kind", "meta", "arrays", "message"),
    [
        ("Toy", {}, {"a": np.array([1, None])}, r"arrays\['a'\] has dtype object"),
        ("Toy", {}, {"a": np.array([1j])}, "complex128"),
        ("Toy", {}, {"a": np.zeros(2, dtype="f8,i4")}, "dtype"),
        ("Toy", {}, {"a": np.ma.masked_array([1.0], [True])}, "masked array"),
        ("Toy", {}, {"../a": np.zeros(1)}, "name of an array"),
        ("Toy", {}, {"a\n": np.zeros(1)}, "name of an array"),
        ("Toy", {}, {f"a{i}": np.zeros(1) for i in range(1001)}, "1001 entries"),
        ("", {}, {}, "kind must be"),
        (5, {}, {}, "kind must be"),
        ("Toy", [], {}, "meta must be a dict"),
        ("Toy", {"a": [1, {"b": print}]}, {}, r"meta\['a'\]\[1\]\['b'\] is of type builtin_function"),
        ("Toy", {"a": np.zeros(2)}, {}, "arrays go into the arrays"),
        ("Toy", {1: 2}, {}, "keys of JSON are text"),
        ("Toy", {"__float__": "inf"}, {}, "rename it"),
        ("Toy", {"a": "x" * (17 << 20)}, {}, "put large parts into arrays"),
    ],
)
def test_write_model_refuses_what_it_cannot_keep(path, kind, meta, arrays, message):
    before = path.read_bytes()
    with pytest.raises((TypeError, ValueError), match=message):
        write_model(path, kind, meta, arrays)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_write_model_refuses_meta_that_contains_itself(tmp_path):
    meta = {}
    meta["self"] = meta
    with pytest.raises(ValueError, match="contains itself"):
        write_model(tmp_path / "m", "Toy", meta, {})


# Writing whole or not at all


def test_write_model_into_a_missing_folder_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist; create it first"):
        write_model(tmp_path / "nowhere" / "m", "Toy", {}, {})
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        write_model(tmp_path, "Toy", {}, {})
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match="a device or a pipe"):
            write_model(tmp_path / "pipe", "Toy", {}, {})


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), MemoryError()]
)
def test_write_model_leaves_the_old_file_when_it_fails(path, monkeypatch, step, error):
    def fail(*args):
        raise error

    before = path.read_bytes()
    monkeypatch.setattr(atomic.os, step, fail)
    with pytest.raises(type(error)):
        write_model(path, "Toy", {}, {"a": np.zeros(1000)})
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_replacing_removes_the_part_that_was_written(path):
    before = path.read_bytes()

    def write_half():
        with atomic.replacing(path) as file:
            file.write(b"half")
            file.flush()
            assert len(os.listdir(path.parent)) == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_write_model_succeeds_where_a_folder_cannot_be_synced(path, monkeypatch):
    real = os.fsync
    calls = []

    def fail_on_second(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fail_on_second)
    write_model(path, "New", {}, {})
    assert read_model(path)[0] == "New"


def child(code, path):
    return [sys.executable, "-c", f"import numpy as np, os, sys\npath = {str(path)!r}\n{code}"]


def test_write_model_leaves_the_old_file_when_the_disk_refuses_midway(path):
    resource = pytest.importorskip("resource")
    before = path.read_bytes()
    code = f"""
import resource
from hmmem.files.model_file import write_model
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, {resource.RLIM_INFINITY}))
try:
    write_model(path, "Toy", {{}}, {{"a": np.zeros(100_000)}})
except OSError as error:
    sys.exit(3)
"""
    assert subprocess.run(child(code, path), cwd=ROOT, check=False, timeout=60).returncode == 3
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_write_model_leaves_the_old_file_when_the_process_is_killed(path):
    before = path.read_bytes()
    code = """
import time
from hmmem.files import atomic
from hmmem.files.model_file import write_model
def wait(descriptor):
    sys.stdout.write("written\\n")
    sys.stdout.flush()
    time.sleep(60)
atomic.os.fsync = wait
write_model(path, "Toy", {}, {"a": np.zeros(1000)})
"""
    with subprocess.Popen(child(code, path), cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        process.kill()
    assert path.read_bytes() == before
    assert read_model(path)[0] == "Toy"


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_write_model_gives_ordinary_permissions_and_keeps_old_ones(tmp_path):
    old = os.umask(0o027)
    try:
        write_model(tmp_path / "m", "Toy", {}, {})
    finally:
        os.umask(old)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o640
    (tmp_path / "m").chmod(0o604)
    write_model(tmp_path / "m", "New", {}, {})
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o604


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_write_model_follows_a_symbolic_link(tmp_path, path):
    link = tmp_path / "latest"
    link.symlink_to(path)
    write_model(link, "New", {}, {})
    assert link.is_symlink()
    assert read_model(path)[0] == "New"


# Hostile and damaged files


def test_read_model_refuses_every_truncation(path):
    content = path.read_bytes()
    for length in range(0, len(content), 50):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError, match=r"model\.hmmem "):
            read_model(path)


def test_read_model_refuses_flipped_bytes_or_returns_the_same(path):
    rng = np.random.default_rng(0)
    content = path.read_bytes()
    wanted = {name: bits(array) for name, array in ARRAYS.items()}
    refused = 0
    for position in rng.integers(len(content), size=200):
        damaged = bytearray(content)
        damaged[position] ^= rng.integers(1, 256)
        path.write_bytes(damaged)
        try:
            kind, meta, arrays = read_model(path)
        except ModelFileError:
            refused += 1
        else:
            assert (kind, meta) == ("Toy", META)
            assert {name: bits(array) for name, array in arrays.items()} == wanted
    assert refused > 120


def test_read_model_refuses_flipped_bytes_of_every_payload(path):
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        places = [(m.header_offset + 30 + len(m.filename), m.file_size) for m in archive.infolist()]
    for start, size in places:
        for position in range(start, start + size, 17):
            damaged = bytearray(content)
            damaged[position] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(ModelFileError, match="damaged"):
                read_model(path)


def test_read_model_refuses_what_is_no_model_file(tmp_path):
    path = tmp_path / "m"
    with pytest.raises(FileNotFoundError, match="m does not exist; give the path of a model file"):
        read_model(path)
    with pytest.raises(ModelFileError, match="is a folder"):
        read_model(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ModelFileError, match="is not a model file of hmmem"):
        read_model(path)
    path.write_bytes(b"1,2,3\n4,5,6\n")
    with pytest.raises(ModelFileError, match="is not a model file of hmmem"):
        read_model(path)
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    with pytest.raises(ModelFileError, match=r"is a zip, but not a model file of hmmem: it lacks header\.json"):
        read_model(tmp_path / "a.npz")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ModelFileError, match="a device or a pipe"):
            read_model(tmp_path / "pipe")


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("trapped",))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_read_model_never_unpickles(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "m"
    path.write_bytes(pickle.dumps(Trap(), protocol=protocol))
    with pytest.raises(ModelFileError, match="pickle" if protocol > 1 else "is not a model file"):
        read_model(path)
    payload = npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", path.read_bytes())
    for dtype in ("|O", "<f8"):
        forge(path, {"arrays": {"a": {"dtype": dtype, "shape": [1]}}}, [("a.npy", payload)])
        with pytest.raises(ModelFileError, match="dtype"):
            read_model(path)
    assert os.listdir(tmp_path) == ["m"]


def test_read_model_refuses_a_newer_schema_before_looking_further(tmp_path):
    path = forge(tmp_path / "m", {"schema": 3, "arrays": [], "shards": {}}, [("shard.bin", b"1")])
    with pytest.raises(
        ModelFileError, match=r"was written by a newer hmmem \(schema 3, this one reads 1\); upgrade hmmem$"
    ):
        read_model(path)


def refused_cheaply(path, message):
    """The refusal comes before memory is taken."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=message):
            read_model(path)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


EIGHT_TB = {"dtype": "<f8", "shape": [1_000_000, 1_000_000]}


def test_read_model_refuses_headers_that_claim_8_tb(tmp_path):
    payload = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }", b"\0" * 16)
    path = forge(tmp_path / "both", {"arrays": {"a": EIGHT_TB}}, [("a.npy", payload)])
    refused_cheaply(path, r"claims an array 'a' .* 8000000000128 bytes; it holds 144")
    path = forge(tmp_path / "npy", {"arrays": {"a": {"dtype": "<f8", "shape": [2]}}}, [("a.npy", payload)])
    refused_cheaply(path, r"the \.npy header is not that of an array of dtype float64 and shape \(2,\)")
    path = forge(tmp_path / "empty", {"arrays": {"a": {"dtype": "<f8", "shape": [0, 1 << 61]}}}, [("a.npy", payload)])
    refused_cheaply(path, "claims an array")


def test_read_model_refuses_compressed_members(tmp_path):
    payload = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4000000,), }", bytes(32_000_000))
    path = forge(
        tmp_path / "m",
        {"arrays": {"a": {"dtype": "<f8", "shape": [4_000_000]}}},
        [("a.npy", payload)],
        compression=zipfile.ZIP_DEFLATED,
    )
    assert path.stat().st_size < 50_000
    refused_cheaply(path, "has a compressed member")
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refused_cheaply(forge(tmp_path / "m", compression=method), "has a compressed member")


def test_read_model_refuses_compressed_arrays_beside_a_stored_header(tmp_path):
    shape = {"dtype": "<f8", "shape": [1000]}
    payload = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000,), }", bytes(8000))
    path = forge(tmp_path / "m", {"arrays": {"a": shape}}, [("a.npy", payload)])
    with zipfile.ZipFile(path) as archive:
        contents = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents:
            method = zipfile.ZIP_DEFLATED if name == "a.npy" else zipfile.ZIP_STORED
            archive.writestr(name, content, compress_type=method)
    refused_cheaply(path, "claims more bytes than it has|compressed member")


def test_read_model_refuses_a_zip_directory_that_lies(path):
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    entry = content.index(b"PK\x01\x02")
    for offset, value, message in [
        (entry + 20, struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0), "claims 4294967280 bytes|damaged"),
        (end + 12, struct.pack("<I", 0x7FFFFFFF), "damaged"),
        (end + 16, struct.pack("<I", 0xFFFFFFF0), "damaged"),
    ]:
        path.write_bytes(content[:offset] + value + content[offset + len(value) :])
        refused_cheaply(path, message)


def test_read_model_refuses_a_directory_larger_than_any_model_has(path):
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    start = content.index(b"PK\x01\x02")
    filler = bytes((3 << 20) - (end - start))
    head = content[: end + 12] + struct.pack("<I", 3 << 20) + content[end + 16 :]
    path.write_bytes(head[:end] + filler + head[end:])
    refused_cheaply(path, r"claims 3145728 bytes where at most 1048576 are possible")


def test_read_model_refuses_members_that_share_bytes(tmp_path):
    shape = {"dtype": "<f8", "shape": [1000]}
    payload = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000,), }", bytes(8000))
    path = forge(tmp_path / "m", {"arrays": {"a": shape, "b": shape}}, [("a.npy", payload), ("b.npy", payload)])
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        first, second = archive.getinfo("a.npy").header_offset, archive.getinfo("b.npy").header_offset
    end, start = content.rindex(b"PK\x05\x06"), content.index(b"PK\x01\x02")
    directory = content[start:end].replace(struct.pack("<I", second) + b"b.npy", struct.pack("<I", first) + b"b.npy")
    tail = content[end : end + 16] + struct.pack("<I", second) + content[end + 20 :]
    path.write_bytes(content[:second] + directory + tail)
    with pytest.raises(ModelFileError, match="claims more bytes than it has"):
        read_model(path)


@pytest.mark.parametrize("name", ["b.npy", "../a.npy", "/a.npy", "a.pkl", "a/", "C:\\a.npy"])
def test_read_model_refuses_unexpected_members(tmp_path, name):
    with pytest.raises(ModelFileError, match="is missing from it or does not belong in it"):
        read_model(forge(tmp_path / "m", members=[(name, b"")]))


@pytest.mark.parametrize("name", ["../a", "/a", "a/b", "", "a\n", "a" * 101, ".a"])
def test_read_model_refuses_array_names_that_are_paths(tmp_path, name):
    path = forge(tmp_path / "m", {"arrays": {name: {"dtype": "<f8", "shape": [0]}}}, [(f"{name}.npy", b"")])
    with pytest.raises(ModelFileError, match="which no model file may have"):
        read_model(path)


def test_read_model_refuses_missing_and_double_and_too_many_members(tmp_path):
    with pytest.raises(ModelFileError, match=r"'a\.npy' is missing"):
        read_model(forge(tmp_path / "m", {"arrays": {"a": EIGHT_TB}}))
    with pytest.warns(UserWarning, match="Duplicate name"):
        forge(tmp_path / "m", members=[("a.npy", b""), ("a.npy", b"")])
    with pytest.raises(ModelFileError, match="two members of the same name"):
        read_model(tmp_path / "m")
    with pytest.raises(ModelFileError, match="has 1203 members"):
        read_model(forge(tmp_path / "m", members=[(f"a{i}.npy", b"") for i in range(1201)]))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"\xff\xfe{}", "damaged"),
        (b"[1, 2]", "not a model file"),
        (b'{"format": "docx"}', "not a model file"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'{"format": "hmmem model", "schema": 1, "schema": 1}', "duplicate keys"),
        (b'{"format": "hmmem model", "schema": NaN}', "bare NaN"),
        (b'{"format": "hmmem model", "schema": -Infinity}', "bare -Infinity"),
        (b'{"format": "hmmem model", "schema": 1e999}', "too large"),
        (b'{"format": "hmmem model", "schema": ' + b"9" * 5000 + b"}", "damaged"),
        (b'{"format": "hmmem model", "schema": {"__float__": "1"}}', "__float__"),
        ({"schema": True}, "no valid schema"),
        ({"schema": 0}, "no valid schema"),
        ({"schema": "1"}, "no valid schema"),
        ({"kind": ""}, "valid kind"),
        ({"kind": ["Toy"]}, "valid kind"),
        ({"meta": []}, "meta or arrays"),
        ({"arrays": None}, "meta or arrays"),
        ({"arrays": {"a": {"dtype": "<f8"}}}, "does not state dtype and shape"),
        ({"arrays": {"a": {"dtype": "<f8", "shape": [-1]}}}, "expected a list of whole numbers"),
        ({"arrays": {"a": {"dtype": "<f8", "shape": [True]}}}, "expected a list of whole numbers"),
        ({"arrays": {"a": {"dtype": "<f8", "shape": [1 << 70]}}}, "expected a list of whole numbers"),
        ({"arrays": {"a": {"dtype": "<f8", "shape": 5}}}, "expected a list of whole numbers"),
        ({"arrays": {"a": {"dtype": "<f8", "shape": [1] * 33}}}, "33 dimensions"),
        ({"arrays": {"a": {"dtype": "|O", "shape": [1]}}}, "dtype '|O'"),
        ({"arrays": {"a": {"dtype": "<U0", "shape": [1 << 60]}}}, "dtype '<U0'"),
        ({"arrays": {"a": {"dtype": "<m8[xy]", "shape": [1]}}}, "does not exist"),
        ({"arrays": {"a": {"dtype": [["x", "<f8"]], "shape": [1]}}}, "dtype"),
    ],
)
def test_read_model_refuses_bad_headers(tmp_path, header, message):
    with pytest.raises(ModelFileError, match=message.replace("|", r"\|")):
        read_model(forge(tmp_path / "m", header))


def test_read_model_refuses_wrong_checksums(tmp_path):
    for sums in ("", "\xff", "0" * 64 + "  header.json\n"):
        with pytest.raises(ModelFileError, match="damaged"):
            read_model(forge(tmp_path / "m", sums=sums))
    header = json.dumps({"format": "hmmem model", "schema": 1, "kind": "Toy", "meta": {}, "arrays": {}}).encode()
    sums = f"{hashlib.sha256(header).hexdigest()}  header.json\n"
    with pytest.raises(ModelFileError, match="does not list each member once"):
        read_model(forge(tmp_path / "m", header, sums=sums * 2))


@pytest.mark.parametrize(
    ("dtype", "data", "message"), [("|b1", b"\x07", "other than 0 and 1"), ("<U1", b"\xff\xff\xff\x7f", "do not exist")]
)
def test_read_model_refuses_values_that_numpy_would_trust(tmp_path, dtype, data, message):
    payload = npy(f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': (1,), }}", data)
    path = forge(tmp_path / "m", {"arrays": {"a": {"dtype": dtype, "shape": [1]}}}, [("a.npy", payload)])
    with pytest.raises(ModelFileError, match=message):
        read_model(path)


def test_read_model_refuses_encrypted_members(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="encrypted"):
        read_model(path)
