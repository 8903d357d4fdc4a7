"""``hmmem segment``: the runs of equal states."""

from __future__ import annotations

from hmmem.cli.models import Model
from hmmem.cli.options import (
    ColumnsOption,
    DataArgument,
    FormatOption,
    IdOption,
    LengthsOption,
    ModelArgument,
    OutputOption,
)
from hmmem.cli.output import chosen, require_writable, write_columns


def segment(
    model: ModelArgument,
    data: DataArgument,
    columns: ColumnsOption = None,
    id_column: IdOption = None,
    lengths: LengthsOption = None,
    output: OutputOption = None,
    format: FormatOption = None,
) -> int:
    """Write the runs of equal states along the best path, one row each.

    The columns are sequence, start and end (frames within the sequence, from 0, the end excluded), state, and
    posterior, the mean probability of that state over the run.
    """
    chosen(output, format)
    require_writable(output)
    loaded = Model.load(model)
    found = loaded.read(data, columns, id_column, lengths)
    runs = loaded.segments(found)
    table = {name: runs[name] for name in ("start", "end", "state", "posterior")}
    write_columns({"sequence": found.labels[runs["sequence"]], **table}, output, format)
    return 0
