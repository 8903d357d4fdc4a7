"""A model file as JSON for people and other programs, and back, bit by bit."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from hmmem.files.atomic import replacing
from hmmem.files.model_file import ModelFileError, read_model, write_model
from hmmem.files.npy import parse_dtype
from hmmem.files.registry import load
from hmmem.files.strict_json import decode_json, plain_json

FORMAT = "hmmem model as JSON"
SCHEMA = 1
# kinds of dtypes that JSON values come as, by the kind of the array they were
_KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "fiu", "U": "U", "M": "U", "m": "U"}


def model_to_json(path: str, output: str) -> None:
    """Write the content of a model file as JSON text.

    Floats are written by their repr, so that reading them gives the same bits. One row of an array is one line.
    """
    kind, meta, arrays = read_model(path)
    record = {"format": FORMAT, "schema": SCHEMA, "kind": kind, "meta": plain_json(meta, "meta")}
    entries = ",\n".join(f"    {json.dumps(name)}: {_array_text(array, name)}" for name, array in arrays.items())
    head = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    text = head.removesuffix("\n}") + ',\n  "arrays": {' + (f"\n{entries}\n  " if entries else "") + "}\n}\n"
    with replacing(output) as file:
        file.write(text.encode("utf-8"))


def json_to_model(path: str, output: str) -> None:
    """Write the model file that a JSON text describes, after every check that loading one makes.

    Raises
    ------
    ValueError
        Not such JSON, or not a model.
    """
    with open(path, "rb") as file:
        payload = file.read()
    try:
        kind, meta, arrays = _content(decode_json(payload))
        with tempfile.TemporaryDirectory() as folder:
            trial = os.path.join(folder, "trial")
            write_model(trial, kind, meta, arrays)
            try:
                load(trial)
            except ModelFileError as error:
                raise ValueError(str(error).removeprefix(trial).strip()) from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a model as JSON: {error}") from error
    write_model(output, kind, meta, arrays)


def _array_text(array: np.ndarray, name: str) -> str:
    """One array: its type, its shape, and its values nested like the array."""
    values = plain_json((array.astype(str) if array.dtype.kind in "mM" else array).tolist(), name)
    dtype = array.dtype.newbyteorder("<").str
    return f'{{"dtype": "{dtype}", "shape": {list(array.shape)}, "values": {_nested(values, 6)}}}'


def _nested(values: Any, indent: int) -> str:
    if not isinstance(values, list) or not any(isinstance(item, list) for item in values):
        return json.dumps(values, ensure_ascii=False, allow_nan=False)
    inside = (",\n" + " " * indent).join(_nested(item, indent + 2) for item in values)
    return "[\n" + " " * indent + inside + "\n" + " " * (indent - 2) + "]"


def _content(record: Any) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
    """Kind, meta and arrays, each of the right type."""
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f'it lacks "format": "{FORMAT}"')
    schema, kind, meta, entries = (record.get(key) for key in ("schema", "kind", "meta", "arrays"))
    if schema != SCHEMA:
        raise ValueError(f"its schema is {schema!r:.80}, this version reads {SCHEMA}; upgrade hmmem if that is newer")
    if not isinstance(kind, str) or not isinstance(meta, Mapping) or not isinstance(entries, Mapping):
        raise ValueError("it needs a text kind, and the objects meta and arrays")
    return kind, dict(meta), {name: _array(name, entry) for name, entry in entries.items()}


def _array(name: str, entry: Any) -> np.ndarray:
    if not isinstance(entry, Mapping) or set(entry) != {"dtype", "shape", "values"}:
        raise ValueError(f"the array {name!r} must have dtype, shape and values")
    dtype, shape = parse_dtype(entry["dtype"]), entry["shape"]
    values = np.array(entry["values"])  # raises for ragged rows
    if values.size == 0 and isinstance(shape, list) and 0 in shape:
        return np.empty(shape, dtype)
    if values.size and values.dtype.kind not in _KINDS[dtype.kind]:
        raise ValueError(f"the array {name!r} is declared as {dtype} and holds {values.dtype} values")
    if not isinstance(shape, list) or list(values.shape) != shape:
        raise ValueError(f"the array {name!r} is declared with the shape {shape!r:.80} and holds {list(values.shape)}")
    array = np.array(entry["values"], dtype=dtype)
    if dtype.kind in "iu" and values.size and (array != values).any():
        raise ValueError(f"the array {name!r} holds integers that {dtype} cannot")
    return array
