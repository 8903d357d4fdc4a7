"""``hmmem show``: a model for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import numpy as np
import typer

from hmmem.cli.models import Model
from hmmem.cli.options import ModelArgument
from hmmem.cli.output import write_json
from hmmem.cli.wording import report_text
from hmmem.plot.moments import moments

_MOST_SYMBOLS = 12
_MOST_COLUMNS = 20
_PIPE_WIDTH = 160  # of text that goes to a file or another program, which has no width of its own


def show(
    model: ModelArgument,
    json: Annotated[bool, typer.Option("--json", help="All parameters as JSON.")] = False,
) -> int:
    """Show the parameters of a model, how long its states last, and how its fit ended."""
    loaded = Model.load(model)
    if json:
        write_json(_record(loaded))
    else:
        _print(loaded)
    return 0


def _record(model: Model) -> dict[str, Any]:
    """What a script wants to know."""
    estimator = model.estimator
    record: dict[str, Any] = {
        "kind": model.kind,
        "states": estimator.n_components,
        "columns": None if model.names is None else list(model.names),
        "parameters": {name.rstrip("_"): getattr(estimator, name) for name in estimator._parameters},
    }
    if hasattr(estimator, "symbols_"):
        record["symbols"] = [list(symbols) for symbols in estimator.symbols_]
    if not model.is_mixture:
        record["expected_durations"] = estimator.expected_durations()
        record["stationary"] = _stationary(estimator)[0]
    record["converged"] = getattr(estimator, "converged_", None)
    record["updates"] = getattr(estimator, "n_iter_", None)
    report = getattr(estimator, "fit_report_", None)
    if report is not None:
        record |= {"objective": report.objective, "stop_reason": report.stop_reason, "seconds": report.seconds or None}
        record["notes"] = [note.text for note in report.notes]
    return record


def _stationary(estimator: Any) -> tuple[np.ndarray | None, str]:
    """The stationary distribution, or why there is none."""
    try:
        return estimator.get_stationary_distribution(), ""
    except ValueError as error:
        return None, str(error)


def _print(model: Model) -> None:
    from rich.console import Console

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    estimator = model.estimator
    what = "components" if model.is_mixture else "states"
    covariance = f", {estimator.covariance_type} covariance" if hasattr(estimator, "covariance_type") else ""
    console.print(f"[bold]{model.kind}[/bold], {estimator.n_components} {what}{covariance}\n")
    _states(console, model)
    if not model.is_mixture:
        names = [str(k) for k in range(estimator.n_components)]
        cells = [[_probability(p) for p in row] for row in np.asarray(estimator.transmat_)]
        _table(console, "Transitions, from row to column", "", names, names, cells)
    if hasattr(estimator, "emissionprob_"):
        _symbols(console, estimator)
    if getattr(estimator, "covariance_type", "") in {"full", "tied"}:
        _covariances(console, model)
    _ending(console, estimator)


def _states(console: Any, model: Model) -> None:
    """One row per state: where it starts, how long it lasts, what it emits."""
    estimator = model.estimator
    columns: dict[str, Iterable[str]] = {}
    reason = ""
    if model.is_mixture:
        columns["weight"] = map(_probability, estimator.weights_)
    else:
        columns["start"] = map(_probability, estimator.startprob_)
        stationary, reason = _stationary(estimator)
        if stationary is not None:
            columns["stationary"] = map(_probability, stationary)
        columns["duration"] = [f"{frames:.4g}" for frames in estimator.expected_durations()]
    found = moments(estimator)
    if found is not None:
        mean, cov = found
        for d, name in enumerate(_feature_names(model, mean.shape[1])):
            if hasattr(estimator, "lambdas_"):
                columns[f"{name} (rate)"] = [f"{rate:.5g}" for rate in mean[:, d]]
            else:
                sd = np.sqrt(cov[:, d, d])
                columns[f"{name} (mean ± sd)"] = [f"{m:.5g} ± {s:.3g}" for m, s in zip(mean[:, d], sd, strict=True)]
    names = [str(k) for k in range(estimator.n_components)]
    _table(
        console, "", "component" if model.is_mixture else "state", columns, names, zip(*columns.values(), strict=True)
    )
    if reason:
        console.print(f"No stationary distribution: {reason}\n", markup=False)


def _symbols(console: Any, estimator: Any) -> None:
    """The probabilities of symbols: one row per symbol, the most telling ones if there are many."""
    tables = estimator.emissionprob_ if isinstance(estimator.emissionprob_, list) else [estimator.emissionprob_]
    states = [f"state {k}" for k in range(estimator.n_components)]
    for c, table in enumerate(map(np.asarray, tables)):
        symbols = estimator.symbols_[c] if hasattr(estimator, "symbols_") else range(table.shape[1])
        shown = np.sort(np.argsort(-table.max(axis=0), kind="stable")[:_MOST_SYMBOLS])
        hidden = table.shape[1] - len(shown)
        title = f"Emissions{f' of column {c}' if len(tables) > 1 else ''}"
        title += f", {hidden} less probable symbols left out" if hidden else ""
        cells = [[_probability(p) for p in table[:, v]] for v in shown]
        _table(console, title, "symbol", states, [str(symbols[v]) for v in shown], cells)


def _covariances(console: Any, model: Model) -> None:
    found = moments(model.estimator)
    if found is None or found[0].shape[1] == 1:
        return
    names = _feature_names(model, found[0].shape[1])
    tied = model.estimator.covariance_type == "tied"
    for k, matrix in enumerate(found[1][:1] if tied else found[1]):
        cells = [[f"{value:.5g}" for value in row] for row in matrix]
        _table(console, "Covariance, the same for all" if tied else f"Covariance of {k}", "", names, names, cells)


def _ending(console: Any, estimator: Any) -> None:
    """How the fit ended, as far as the file knows."""
    report = getattr(estimator, "fit_report_", None)
    if report is not None:
        console.print(report_text(report), markup=False)
    elif hasattr(estimator, "converged_"):
        ended = "converged" if estimator.converged_ else "stopped before convergence"
        updates = "1 update" if estimator.n_iter_ == 1 else f"{estimator.n_iter_} updates"
        console.print(f"The fit {ended} after {updates}.")


def _table(
    console: Any,
    title: str,
    corner: str,
    columns: Iterable[str],
    names: Iterable[str],
    rows: Iterable[Iterable[str]],
) -> None:
    """Print a table with names at its left; one that is too wide is only mentioned."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    columns = list(columns)
    if len(columns) > _MOST_COLUMNS:
        console.print(f"{title or 'Parameters'}: {len(columns)} columns, see --json\n", markup=False)
        return
    if title:
        console.print(f"[bold]{escape(title)}[/bold]")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in (corner, *columns):
        table.add_column(escape(name), justify="right")
    for name, row in zip(names, rows, strict=True):
        table.add_row(escape(name), *row)
    console.print(table)


def _feature_names(model: Model, width: int) -> tuple[str, ...]:
    return model.names or tuple(f"x{d}" for d in range(width))


def _probability(p: float) -> str:
    return f"{p:.4f}" if 0 < p < 1 else f"{p:.0f}"
