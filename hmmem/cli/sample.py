"""``hmmem sample``: frames drawn from a model."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import typer

from hmmem.cli.models import Model
from hmmem.cli.options import FormatOption, ModelArgument, OutputOption
from hmmem.cli.output import chosen, free_name, require_writable, write_columns
from hmmem.cli.wording import option_names
from hmmem.files.tables import read_lengths


def sample(
    model: ModelArgument,
    n: Annotated[int | None, typer.Option("-n", "--frames", metavar="N", help="Number of frames.")] = None,
    lengths: Annotated[
        str | None, typer.Option(metavar="FILE", help="Lengths of several sequences, in place of -n: text or .npy.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="Seed. Default: another draw each time.")] = None,
    output: OutputOption = None,
    format: FormatOption = None,
) -> int:
    """Write frames drawn from a model, and the state of each.

    The columns are those of the training data (x0, x1, ... where they had no names) and state; with --lengths the
    number of the sequence comes first, ready for --id sequence.
    """
    chosen(output, format)
    require_writable(output)
    if (n is None) == (lengths is None):
        raise ValueError("give the number of frames by -n, or those of several sequences by --lengths")
    loaded = Model.load(model)
    arguments: dict[str, Any] = {"random_state": np.random.default_rng(seed)}
    if lengths is None:
        arguments["n_samples"] = n
    elif loaded.is_mixture:
        raise ValueError(f"--lengths does not apply to a {loaded.kind}, whose frames are independent; use -n")
    else:
        arguments["lengths"] = read_lengths(lengths)
    with option_names():
        X, states = loaded.estimator.sample(**arguments)
    if hasattr(loaded.estimator, "lambdas_"):
        X = X.astype(np.int64)  # counts, as the table of the training data had them
    names = loaded.names or tuple(f"x{d}" for d in range(X.shape[1]))
    table: dict[str, Any] = {}
    if lengths is not None:
        table[free_name("sequence", names)] = np.repeat(np.arange(len(arguments["lengths"])), arguments["lengths"])
    table |= {name: X[:, d] for d, name in enumerate(names)}
    write_columns({**table, free_name("state", table): states}, output, format)
    return 0
