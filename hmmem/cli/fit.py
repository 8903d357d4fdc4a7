"""``hmmem fit``: train a model on a table."""

from __future__ import annotations

import inspect
import math
import sys
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
import typer

from hmmem.cli.cells import rising_columns
from hmmem.cli.data import Data, read_data
from hmmem.cli.models import Model
from hmmem.cli.options import ColumnsOption, DataArgument, IdOption, LengthsOption
from hmmem.cli.outcome import INTERRUPTED, say
from hmmem.cli.output import require_writable, write_json
from hmmem.cli.wording import option_names, option_of, report_text


class Kind(StrEnum):
    """Kinds of models."""

    gaussian = "gaussian"
    categorical = "categorical"
    poisson = "poisson"
    mixture = "mixture"


def _number_or_none(text: str) -> float | str:
    try:
        return text if text == "none" else float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor none") from None


def fit(
    data: DataArgument,
    output: Annotated[str, typer.Option("-o", "--output", metavar="MODEL", help="The model file to write.")],
    states: Annotated[int, typer.Option("-k", "--states", metavar="N", min=1, help="Number of states or components.")],
    model: Annotated[
        Kind, typer.Option("-m", "--model", help="What a state emits; mixture: no chain.")
    ] = Kind.gaussian,
    columns: ColumnsOption = None,
    id_column: IdOption = None,
    lengths: LengthsOption = None,
    time: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column for the time axis of the plot.")] = None,
    covariance: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="spherical, diag, tied or full. Default: diag, for a mixture full."),
    ] = None,
    n_iter: Annotated[int | None, typer.Option(metavar="N", help="Largest number of updates. Default: 500.")] = None,
    tol: Annotated[
        Any,
        typer.Option(
            metavar="NATS",
            parser=_number_or_none,
            help="Least gain per frame, or none to do all updates. Default: 1e-6.",
        ),
    ] = None,
    param_tol: Annotated[
        float | None, typer.Option(metavar="X", help="Stop also when no parameter moves by more than this.")
    ] = None,
    restarts: Annotated[int, typer.Option(metavar="N", help="Number of starts; the best result is kept.")] = 1,
    init: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="kmeans, random, data, segments; mixture: also k-means++, random_from_data."),
    ] = None,
    training: Annotated[
        str | None, typer.Option(metavar="NAME", help="baum-welch, or viterbi for hard paths. Default: baum-welch.")
    ] = None,
    variance_floor: Annotated[
        float | None, typer.Option(metavar="X", help="Least share of a feature's variance. Default: 1e-3.")
    ] = None,
    unknown: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT", help="Symbols that training does not show: error, ignore or floor. Default: error."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed; the same command gives the same model.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", help="Threads; the result is the same. Default: all.")
    ] = None,
    max_time: Annotated[float | None, typer.Option(metavar="SECONDS", help="Stop after this long.")] = None,
    plot: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw data, states and objective: png, pdf, svg.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no summary.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Progress also when this is no terminal.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write a summary to standard output, as JSON.")] = False,
) -> int:
    """Train a model by EM and write it to a file.

    Each row of DATA is a frame, in order of time; --id or --lengths cut the rows into sequences. The file is written
    once the fit is over, also when Ctrl-C ended it: then it holds the model of the last whole update.
    """
    options = {
        "covariance_type": covariance, "n_iter": n_iter, "tol": tol, "param_tol": param_tol, "n_init": restarts,
        "init": init, "training": training, "variance_floor": variance_floor, "unknown": unknown, "random_state": seed,
        "n_jobs": jobs, "max_time": max_time,
    }  # fmt: skip
    require_writable(output)
    if plot is not None:
        from hmmem.plot import places, require_plottable

        require_plottable(plot)
        require_writable(plot)
    found = read_data(data, columns, id_column, lengths, symbols=model is Kind.categorical, time=time)
    times = found.times
    if columns is None:
        for name in rising_columns(found.X, found.names, found.sequence)[:1]:
            say("warning", f"{name!r} rises with every row; if it is the time, use --time {name}, or choose --columns")
    cut = {} if model is Kind.mixture else found.cut
    with option_names():
        if plot is not None and times is not None and len(found.labels) == 1:
            places(times)  # refuses times that do not increase while nothing has been done yet
        estimator = _estimator(model, states, options)
        estimator.set_params(verbose=not quiet and (verbose or sys.stderr.isatty()))
        estimator.fit(found.X, **cut)
    estimator.set_params(verbose=False)
    if found.have_names:
        estimator.feature_names_in_ = np.array(found.names, dtype=object)
    estimator.save(output)
    report = estimator.fit_report_
    if plot is not None:
        from hmmem.plot import plot_fit

        plot_fit(
            estimator, found.X, names=list(found.names), index=times, path=plot, index_name=found.index_name, **cut
        )
    if json:
        write_json(_summary(estimator, found, output))
    if not quiet:
        size = f"{states} {'components' if model is Kind.mixture else 'states'}, {_count(len(found.X), 'frame')}"
        where = f"{size} of {_count(len(found.labels), 'sequence')} ({', '.join(found.names)})"
        sys.stderr.write(f"{output}: {type(estimator).__name__}, {where}\n{report_text(report)}\n")
    if report.stop_reason == "interrupted":
        say("warning", f"interrupted; {output} holds the model after {_count(report.n_iter, 'whole update')}")
        return INTERRUPTED
    return 0


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _estimator(kind: Kind, states: int, options: dict[str, Any]) -> Any:
    """The estimator for the options that were given; those that do not apply to its kind are refused."""
    cls = _class_of(kind)
    names = {"n_iter": "max_iter", "init": "init_params"} if kind is Kind.mixture else {}
    known = inspect.signature(cls).parameters
    arguments = {}
    for name, value in options.items():
        if value is None:
            continue
        own = names.get(name, name)
        if own not in known:
            raise ValueError(f"{option_of(name)} does not apply to --model {kind.value}; leave it out")
        arguments[own] = None if value == "none" else value
    return cls(states, **arguments)


def _class_of(kind: Kind) -> Any:
    if kind is Kind.gaussian:
        from hmmem.estimators.gaussian_hmm import GaussianHMM

        return GaussianHMM
    if kind is Kind.categorical:
        from hmmem.estimators.categorical_hmm import CategoricalHMM

        return CategoricalHMM
    if kind is Kind.poisson:
        from hmmem.estimators.poisson_hmm import PoissonHMM

        return PoissonHMM
    from hmmem.estimators.gaussian_mixture import GaussianMixture

    return GaussianMixture


def _summary(estimator: Any, data: Data, output: str) -> dict[str, Any]:
    model = Model(estimator, output)
    report = estimator.fit_report_
    return {
        "model": output,
        "kind": model.kind,
        "states": estimator.n_components,
        "columns": list(data.names),
        "sequences": len(data.labels),
        "frames": len(data.X),
        "objective": report.objective,
        "objective_per_frame": report.objective / report.weight,
        "log_likelihood": math.fsum(model.scores(data)),
        **model.criteria(data),
        "updates": report.n_iter,
        "converged": report.converged,
        "stop_reason": report.stop_reason,
        "seconds": report.seconds,
        "impossible_sequences": report.impossible_sequences,
        "notes": [note.text for note in report.notes],
        "restarts": [restart._asdict() for restart in report.restarts],
    }
