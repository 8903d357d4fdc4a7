"""``hmmem score``: log-likelihoods."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from hmmem.cli.models import Model
from hmmem.cli.options import (
    ColumnsOption,
    DataArgument,
    Format,
    FormatOption,
    IdOption,
    LengthsOption,
    ModelArgument,
    OutputOption,
)
from hmmem.cli.output import chosen, require_writable, write_columns, write_json


def score(
    model: ModelArgument,
    data: DataArgument,
    columns: ColumnsOption = None,
    id_column: IdOption = None,
    lengths: LengthsOption = None,
    per_frame: Annotated[bool, typer.Option("--per-frame", help="Divide by the number of frames.")] = False,
    output: OutputOption = None,
    format: FormatOption = None,
) -> int:
    """Write the log-likelihood of every sequence, in nats.

    The columns are sequence, frames and log_likelihood, which is -inf for an impossible sequence. As JSON: an object
    with the total, and the rows under "sequences".
    """
    asked = chosen(output, format)
    require_writable(output)
    loaded = Model.load(model)
    found = loaded.read(data, columns, id_column, lengths)
    scores = loaded.scores(found)
    shown = scores / found.lengths if per_frame else scores
    table = {"sequence": found.labels, "frames": found.lengths, "log_likelihood": shown}
    if asked is Format.csv:
        write_columns(table, output, asked)
        return 0
    total, frames = math.fsum(scores), len(found.X)
    rows = zip(*(column.tolist() for column in table.values()), strict=True)
    write_json(
        {
            "log_likelihood": total / frames if per_frame else total,
            "frames": frames,
            "per_frame": per_frame,
            "sequences": [dict(zip(table, row, strict=True)) for row in rows],
        },
        output,
    )
    return 0
