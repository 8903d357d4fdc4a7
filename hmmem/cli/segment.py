"""``hmmem segment``: the runs of equal states."""

from __future__ import annotations

import numpy as np

from hmmem.cli.models import Model
from hmmem.cli.options import (
    ColumnsOption,
    DataArgument,
    FormatOption,
    IdOption,
    LengthsOption,
    ModelArgument,
    OutputOption,
    TimeOption,
)
from hmmem.cli.output import chosen, require_writable, write_columns


def segment(
    model: ModelArgument,
    data: DataArgument,
    columns: ColumnsOption = None,
    id_column: IdOption = None,
    lengths: LengthsOption = None,
    time: TimeOption = None,
    output: OutputOption = None,
    format: FormatOption = None,
) -> int:
    """Write the runs of equal states along the best path, one row each.

    The columns are sequence, start and end (frames within the sequence, from 0, the end excluded), with --time year
    also first_year and last_year (of the first and the last frame, both included), state, and posterior, the mean
    probability of that state over the run.
    """
    chosen(output, format)
    require_writable(output)
    loaded = Model.load(model)
    found = loaded.read(data, columns, id_column, lengths, time)
    runs = loaded.segments(found)
    table = {"sequence": found.labels[runs["sequence"]], "start": runs["start"], "end": runs["end"]}
    if time is not None and found.index is not None:
        rows = np.argsort(found.sequence, kind="stable")  # those of a sequence together, as the runs count them
        before = np.cumsum(found.lengths) - found.lengths
        first, last = (rows[before[runs["sequence"]] + frame] for frame in (runs["start"], runs["end"] - 1))
        table |= {f"first_{time}": found.index[first], f"last_{time}": found.index[last]}
    write_columns({**table, "state": runs["state"], "posterior": runs["posterior"]}, output, format)
    return 0
