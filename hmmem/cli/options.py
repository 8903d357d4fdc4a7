"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """Formats of tables."""

    csv = "csv"
    json = "json"


DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A .csv, .tsv, .parquet, .npy or .npz file with one row per frame, - for CSV on standard input, or "
        "the name of a bundled data set (see: hmmem datasets).",
        show_default=False,
    ),
]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file written by hmmem fit.", show_default=False)
]
ColumnsOption = Annotated[
    str | None,
    typer.Option("--columns", metavar="A,B", help="Columns to use; default: those of the model, or all others."),
]
IdOption = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="Column that tells which sequence a row belongs to."),
]
TimeOption = Annotated[
    str | None,
    typer.Option("--time", metavar="COLUMN", help="Column of times to write beside the states; no part of the data."),
]
LengthsOption = Annotated[
    str | None,
    typer.Option("--lengths", metavar="FILE", help="Numbers of frames of the sequences: text or .npy."),
]
OutputOption = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where to write; default: standard output."),
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="Default: by the ending of the output, otherwise csv.", show_default=False),
]
