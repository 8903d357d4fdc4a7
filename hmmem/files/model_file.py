"""The model file: one zip of JSON and arrays that cannot run code.

Members, all stored without compression and with a fixed date, so that the same content gives the same bytes:

=================  =======================================================================================
``SHA256SUMS``     the SHA-256 of every other member, as ``sha256sum --check`` reads it
``header.json``    ``format``, ``schema``, ``version`` of the library, ``kind``, ``meta``, and dtype and shape
                   of each array
``<name>.npy``     one array each, little-endian, C order
=================  =======================================================================================

Because nothing is compressed, no member can be larger than the file: what a damaged or hostile file claims is
compared with the size of the file before any memory is taken. The checksums find damage and careless edits; they are
no signature, so whoever builds an object from a file still checks its parameters.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import stat
from collections.abc import Mapping
from typing import Any

import numpy as np

from hmmem.files.atomic import replacing
from hmmem.files.npy import MAX_DIMENSIONS, decode_array, encode_array, npy_size, parse_dtype
from hmmem.files.stored_zip import MALFORMED, BoundedFile, RefusalError, StoredZip, pack
from hmmem.files.strict_json import decode_json, encode_json, plain_json

__all__ = ["SCHEMA", "ModelFileError", "read_model", "write_model"]

SCHEMA = 1
MAX_ARRAYS = 1000
MAX_HEADER = 16 << 20
_MAX_SUMS = 1 << 20
_FORMAT = "hmmem model"
_HEADER, _SUMS = "header.json", "SHA256SUMS"
_NAME = re.compile(r"(?=.{1,100}\Z)[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")


class ModelFileError(ValueError):
    """A file is not a model file, is damaged, or holds what this version does not read.

    The message names the file and the reason.
    """


def write_model(
    path: str | os.PathLike[str], kind: str, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    path : str or PathLike
        Where to write. An old file stays as it was unless the new one is complete on the disk.
    kind : str
        What the content is: at most 100 letters, digits, underscores and inner dots.
    meta : mapping
        What JSON can hold, see :func:`hmmem.files.strict_json.plain_json`; infinities and NaN included.
    arrays : mapping of str to ndarray
        At most 1000; booleans, integers, floats up to 64 bits, text or dates. Names as for ``kind``. Every bit of the
        values is kept; byte order and memory order are normalised.

    Raises
    ------
    TypeError
        Something in ``meta`` or ``arrays`` cannot be written without pickle.
    ValueError
        A name, or ``meta`` or the number of arrays beyond its bound.
    FileNotFoundError, OSError
        The folder does not exist, or the system refused.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "toy.hmmem")
    ...     write_model(path, "Toy", {"tol": 1e-6}, {"means": np.array([0.5, 2.0])})
    ...     read_model(path)
    ('Toy', {'tol': 1e-06}, {'means': array([0.5, 2. ])})
    """
    names: list[tuple[str, Any]] = [("kind", kind), *(("the name of an array", name) for name in arrays)]
    for what, name in names:
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise ValueError(f"{what} must be 1 to 100 letters, digits, underscores and inner dots; got {name!r:.120}")
    if len(arrays) > MAX_ARRAYS:
        raise ValueError(f"arrays has {len(arrays)} entries; a model file holds at most {MAX_ARRAYS}")
    if not isinstance(meta, Mapping):
        raise TypeError(f"meta must be a dict; got {type(meta).__name__}")
    shapes: dict[str, dict[str, Any]] = {}
    payloads: dict[str, bytes] = {}
    for name in sorted(arrays):
        dtype, shape, payloads[f"{name}.npy"] = encode_array(arrays[name], f"arrays[{name!r}]")
        shapes[name] = {"dtype": dtype.str, "shape": list(shape)}
    header = {"format": _FORMAT, "schema": SCHEMA, "version": _version(), "kind": kind, "arrays": shapes}
    payloads = {_HEADER: encode_json({**header, "meta": plain_json(meta, "meta")}), **payloads}
    if len(payloads[_HEADER]) > MAX_HEADER:
        raise ValueError(f"meta takes more than {MAX_HEADER} bytes of JSON; put large parts into arrays")
    sums = "".join(f"{hashlib.sha256(payload).hexdigest()}  {name}\n" for name, payload in payloads.items())
    payloads = {_SUMS: sums.encode("ascii"), **payloads}
    with replacing(path) as file:
        file.write(pack(payloads))


def read_model(path: str | os.PathLike[str]) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
    """Return what a model file holds, after every check that needs no knowledge of models.

    Parameters
    ----------
    path : str or PathLike
        A file written by :func:`write_model`.

    Returns
    -------
    kind : str
    meta : dict
    arrays : dict of str to ndarray
        Writable, C order, native byte order, in the order of their names.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ModelFileError
        It is not a model file, or is damaged, edited, written by a newer hmmem, or claims more than it holds. At most
        a few times the size of the file is ever held in memory.
    """
    name = os.fspath(path)
    try:
        status = os.stat(name)
    except FileNotFoundError:
        raise FileNotFoundError(f"{name} does not exist; give the path of a model file") from None
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        raise ModelFileError(f"{name} is {what}; give the path of a model file")
    with BoundedFile(name) as file:
        try:
            return _read(file)
        except RefusalError as refusal:
            raise ModelFileError(f"{name} {refusal}") from refusal.__cause__
        except MALFORMED as error:
            raise ModelFileError(f"{name} is damaged: {error}") from error


def _read(file: BoundedFile) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
    """The content of an open file, or a refusal."""
    start = file.read(4)
    if start[:1] == b"\x80":
        raise RefusalError(
            "looks like a pickle, which could run code; load it where it was made and save it from there"
        )
    if start != b"PK\x03\x04":
        raise RefusalError("is not a model file of hmmem")
    members = StoredZip(file, MAX_ARRAYS + 2)
    if not {_HEADER, _SUMS} <= members.names:
        raise RefusalError(f"is a zip, but not a model file of hmmem: it lacks {_HEADER} or {_SUMS}")
    sums = members.read(_SUMS, _MAX_SUMS).decode("ascii").splitlines()
    kind, meta, wanted = _header(_checked(members, _HEADER, MAX_HEADER, sums))
    odd = members.names ^ {_HEADER, _SUMS, *(f"{name}.npy" for name in wanted)}
    if odd:
        raise RefusalError(f"is damaged or edited: {min(odd)!r:.120} is missing from it or does not belong in it")
    if len(sums) != len(wanted) + 1:
        raise RefusalError(f"is damaged or edited: {_SUMS} does not list each member once")
    members.require_separate()
    arrays = {}
    for name, (dtype, shape) in sorted(wanted.items()):
        claimed, held = npy_size(dtype, shape), members.size(f"{name}.npy")
        if claimed != held:
            raise RefusalError(
                f"claims an array {name!r} of dtype {dtype} and shape {shape}, {claimed} bytes; it holds {held}"
            )
        arrays[name] = decode_array(_checked(members, f"{name}.npy", held, sums), dtype, shape)
    return kind, meta, arrays


def _checked(members: StoredZip, name: str, limit: int, sums: list[str]) -> bytes:
    """The bytes of a member whose checksum is listed."""
    payload = members.read(name, limit)
    if f"{hashlib.sha256(payload).hexdigest()}  {name}" not in sums:
        raise RefusalError(f"is damaged or edited: the checksum of {name} does not match")
    return payload


def _header(payload: bytes) -> tuple[str, dict[str, Any], dict[str, tuple[np.dtype[Any], tuple[int, ...]]]]:
    """Kind, meta, and dtype and shape of each array, from the bytes of the header."""
    header = decode_json(payload)
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise RefusalError("is a zip, but not a model file of hmmem")
    schema = header.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise RefusalError(f"has no valid schema number in its header: {schema!r:.80}")
    if schema > SCHEMA:
        raise RefusalError(f"was written by a newer hmmem (schema {schema}, this one reads {SCHEMA}); upgrade hmmem")
    kind, meta, entries = (header.get(key) for key in ("kind", "meta", "arrays"))
    if not isinstance(kind, str) or _NAME.fullmatch(kind) is None:
        raise RefusalError("has a header without a valid kind")
    if not isinstance(meta, dict) or not isinstance(entries, dict):
        raise RefusalError("has a header without meta or arrays")
    return kind, meta, {name: _entry(name, entry) for name, entry in entries.items()}


def _entry(name: str, entry: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Dtype and shape of one array as the header states them."""
    if _NAME.fullmatch(name) is None:
        raise RefusalError(f"has an array with the name {name!r:.120}, which no model file may have")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape"}:
        raise RefusalError(f"has a header that does not state dtype and shape of the array {name!r}")
    shape = entry["shape"]
    if not isinstance(shape, list) or not all(type(length) is int and 0 <= length < 1 << 62 for length in shape):
        raise RefusalError(f"states the shape {shape!r:.80} for the array {name!r}; expected a list of whole numbers")
    if len(shape) > MAX_DIMENSIONS:
        raise RefusalError(
            f"states {len(shape)} dimensions for the array {name!r}; at most {MAX_DIMENSIONS} are allowed"
        )
    return parse_dtype(entry["dtype"]), tuple(shape)


def _version() -> str:
    """The version of the library, for people who look into a file."""
    try:
        return importlib.metadata.version("hmmem")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
