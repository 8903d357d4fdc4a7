"""``hmmem convert``: model files to JSON and back, and tables between formats."""

from __future__ import annotations

import os
from typing import Annotated

import numpy as np
import typer

from hmmem.cli.model_json import json_to_model, model_to_json
from hmmem.cli.output import free_name, require_writable
from hmmem.files.atomic import replacing
from hmmem.files.tables import Table, read_table, write_table

TABLES_IN = (".csv", ".tsv", ".parquet", ".npy", ".npz")
TABLES_OUT = (".csv", ".json", ".parquet", ".npy", ".npz")
FOREIGN = (".pkl", ".pickle", ".joblib")


def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A model file, a model as .json, or a table.")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="The file to write; its ending says what it becomes.")],
) -> int:
    """Convert a model file to JSON that people can read, or back; or a table to another format.

    Both ways every float keeps its bits. A model from JSON is checked like any model file. Tables come from .csv, .tsv,
    .parquet, .npy and .npz, and go to .csv, .json, .parquet, .npy and .npz.
    """
    ending, wanted = (os.path.splitext(path)[1].lower() for path in (source, target))
    if ending in FOREIGN:
        raise ValueError(
            f"{source} is a pickle, which could run code, so that it is not opened; load it where it was made, pass "
            "the model to hmmem.from_hmmlearn or hmmem.from_sklearn in Python, then call save"
        )
    require_writable(target)
    if ending in TABLES_IN:
        if wanted not in TABLES_OUT:
            raise ValueError(f"the output {target} has the ending {wanted!r}; a table becomes {', '.join(TABLES_OUT)}")
        _write(read_table(source), target, wanted)
    elif ending == ".json":
        if wanted in {*TABLES_IN, ".json", ""}:
            raise ValueError(
                f"{source} should hold a model as JSON, which becomes a model file; name it like model.hmmem"
            )
        json_to_model(source, target)
    elif wanted == ".json":
        model_to_json(source, target)
    else:
        raise ValueError(
            f"cannot convert {source} to {target}; a model file becomes .json, a table {', '.join(TABLES_OUT)}"
        )
    return 0


def _write(table: Table, target: str, ending: str) -> None:
    if ending == ".npz":
        X = table.matrix(numeric=True)
        with replacing(target) as file:
            if table.lengths is None:
                np.savez(file, X=X)
            else:
                np.savez(file, X=X, lengths=table.lengths)
        return
    if ending == ".npy":
        with replacing(target) as file:
            np.save(file, table.matrix(numeric=True))
        return
    columns = dict(table.columns)
    if table.lengths is not None:
        # A text table has no place for lengths; a column of numbers says the same, and --id reads it.
        name = free_name("sequence", columns)
        columns = {name: np.repeat(np.arange(len(table.lengths)), table.lengths), **columns}
    if ending == ".parquet":
        _write_parquet(columns, target)
    else:
        write_table(target, columns, "json" if ending == ".json" else "csv")


def _write_parquet(columns: dict[str, np.ndarray], target: str) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(f"writing {target} needs pyarrow; install it with: pip install hmmem[arrow]") from error
    with replacing(target) as file:
        pyarrow.parquet.write_table(pyarrow.table({name: pyarrow.array(each) for name, each in columns.items()}), file)
