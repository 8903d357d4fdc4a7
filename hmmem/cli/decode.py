"""``hmmem decode``: the state of every frame."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import numpy as np
import typer

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
from hmmem.cli.output import chosen, free_name, require_writable, write_columns


class Algorithm(StrEnum):
    """Ways to decode."""

    viterbi = "viterbi"
    map = "map"


def decode(
    model: ModelArgument,
    data: DataArgument,
    columns: ColumnsOption = None,
    id_column: IdOption = None,
    lengths: LengthsOption = None,
    time: TimeOption = None,
    algorithm: Annotated[
        Algorithm, typer.Option(help="The best path as a whole, or the most probable state of each frame.")
    ] = Algorithm.viterbi,
    proba: Annotated[bool, typer.Option("--proba", help="Also the probability of every state: p0, p1, ...")] = False,
    output: OutputOption = None,
    format: FormatOption = None,
) -> int:
    """Write the state of every frame, in the order of the rows of DATA.

    The columns are sequence (identifier, or its number from 0), frame (within the sequence, from 0), the column of
    --time if there is one, state, and posterior, the probability of that state given the whole sequence.
    """
    chosen(output, format)
    require_writable(output)
    loaded = Model.load(model)
    found = loaded.read(data, columns, id_column, lengths, time)
    path = loaded.path_of(found, algorithm.value)
    gamma = loaded.posteriors(found)
    states = {"state": path, "posterior": gamma[np.arange(len(path)), path]}
    if proba:
        states |= {f"p{k}": gamma[:, k] for k in range(gamma.shape[1])}
    table = {"sequence": found.labels[found.sequence], "frame": found.frame}
    if time is not None:
        table[free_name(time, {*table, *states})] = found.index
    table |= states
    write_columns(table, output, format)
    return 0
