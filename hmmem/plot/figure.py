"""The figure of a fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hmmem.plot.emissions import draw_ellipses, draw_heat_map, draw_history, draw_marginal
from hmmem.plot.moments import moments
from hmmem.plot.over_time import draw_feature, draw_posteriors, draw_sequences, draw_symbols
from hmmem.plot.shown import Shown, show_data
from hmmem.plot.style import INK, state_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_fit", "require_plottable"]

_MOST_PANELS = 6
_MOST_LABELS = 21
_LEGEND_COLUMNS = 7


def plot_fit(
    estimator: Any,
    X: Any,
    lengths: Any = None,
    sequence_id: Any = None,
    names: list[str] | None = None,
    index: Any = None,
    path: str | Path | None = None,
    index_name: str | None = None,
) -> Figure:
    """Return a figure of data, states and the course of a fit.

    Hidden Markov models: every feature over time, on the means of the decoded states and their range of two standard
    deviations; the posteriors below; at the right the distribution of the frames and the objective after every update.
    Mixtures: the data with the components, and the objective.

    Parameters
    ----------
    estimator : GaussianHMM, CategoricalHMM, PoissonHMM or GaussianMixture
        Fitted, or with its parameters set.
    X, lengths, sequence_id
        The data, as in ``fit``. More than 1000 frames are drawn as bins, with the lowest and the highest value of each.
    names : list of str, optional
        Names of the D features; default: those of the training data, or x0, x1, ...
    index : array-like of shape (N,), optional
        Time of each frame, numbers or datetime64, increasing; used for a single sequence. The name of a pandas or
        polars series is the label of the axis.
    path : str or path, optional
        File to write, 1200 pixels wide if it is a png; one that exists is replaced only once the new one is whole.
    index_name : str, optional
        Label of the axis of time; default: the name that ``index`` has, or "time", or "frame" without an index.

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot, so that nothing needs to be closed.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If data, names or index do not fit the model.

    Examples
    --------
    >>> import hmmem as hmm
    >>> quakes = hmm.load_dataset("earthquakes")
    >>> model = hmm.PoissonHMM(3, random_state=0).fit(quakes.X)
    >>> figure = hmm.plot_fit(model, quakes.X, index=quakes.index)
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['x0', 'posterior', '', '']
    """
    require_plottable(path)
    from matplotlib.figure import Figure

    shown = show_data(estimator, X, lengths, sequence_id, index)
    names = _feature_names(estimator, shown.X.shape[1], names)
    colours = state_colours(shown.gamma.shape[1])
    if hasattr(estimator, "transmat_"):
        panels = min(shown.X.shape[1], _MOST_PANELS)
        figure = Figure(figsize=(12, 5.2 if panels == 1 else 2.0 + 1.6 * panels), dpi=100, layout="constrained")
        if len(shown.offsets) > 2:
            index = None
        label = "frame" if index is None else index_name or str(getattr(index, "name", None) or "time")
        dates = index is not None and np.asarray(index).dtype.kind == "M"
        _draw_chain(figure, estimator, shown, names, colours, label, dates)
    else:
        figure = Figure(figsize=(12, 5.2), dpi=100, layout="constrained")
        _draw_mixture(figure, estimator, shown, names, colours)
    _head(figure, estimator, shown, colours)
    if path is not None:
        _save(figure, path)
    return figure


def require_plottable(path: str | Path | None) -> None:
    """Raise an error if matplotlib is missing or cannot write such a file; cheap to ask before a long fit."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise ImportError("drawing needs matplotlib; install it with: pip install hmmem[plot]") from error
    if path is None:
        return
    known = FigureCanvasBase.get_supported_filetypes()
    ending = os.path.splitext(path)[1].lower().removeprefix(".")
    if ending not in known:
        raise ValueError(f"the picture {os.fspath(path)} must end in .png, .pdf, .svg or .jpg; got {ending!r}")


def _save(figure: Figure, path: str | Path) -> None:
    from hmmem.files.atomic import replacing

    with replacing(path) as file:
        figure.savefig(file, format=os.path.splitext(path)[1].lower().removeprefix("."))


def _feature_names(estimator: Any, D: int, names: list[str] | None) -> list[str]:
    if names is None:
        names = [str(name) for name in getattr(estimator, "feature_names_in_", [f"x{d}" for d in range(D)])]
    if len(names) != D:
        raise ValueError(f"names must have one entry per feature of X, {D}; got {len(names)}")
    return names


def _draw_chain(
    figure: Figure, estimator: Any, shown: Shown, names: list[str], colours: list[str], label: str, dates: bool
) -> None:
    """Panels of a hidden Markov model: features above posteriors at the left, the model at the right."""
    D = min(len(names), _MOST_PANELS)
    found = moments(estimator)
    left, right = _cells(figure, D)
    panels: list[Any] = []
    for cell in left[:-1]:
        panels.append(figure.add_subplot(cell, sharex=panels[0] if panels else None))
        panels[-1].tick_params(labelbottom=False)
    strip = figure.add_subplot(left[-1], sharex=panels[0])
    if found is None:
        side = figure.add_subplot(right[0])
        _draw_categorical(panels, side, estimator, shown, names, colours)
    else:
        mean, cov = found
        sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
        for d, axes in enumerate(panels):
            draw_feature(axes, shown, d, names[d], mean[:, d], sd[:, d], colours)
        if len(names) == 1:
            side = figure.add_subplot(right[0], sharey=panels[0])
            counts = hasattr(estimator, "lambdas_")
            draw_marginal(side, shown, mean[:, 0], sd[:, 0], shown.shares, counts, colours)
        else:
            side = figure.add_subplot(right[0])
            draw_ellipses(side, shown, names, mean, cov, colours)
    draw_posteriors(strip, shown, colours, dates, label)
    draw_sequences([*panels, strip], shown)
    last = figure.add_subplot(right[1])
    report = getattr(estimator, "fit_report_", None)
    if report is not None:
        draw_history(last, report)
    else:
        states = [str(k) for k in range(len(colours))]
        draw_heat_map(last, np.asarray(estimator.transmat_), states, states, "transitions")


def _cells(figure: Figure, D: int) -> tuple[list[Any], list[Any]]:
    """Cells of D features and the posteriors, and two cells at their right; for one feature the rows are aligned."""
    if D == 1:
        grid = figure.add_gridspec(2, 2, width_ratios=[3.3, 1], height_ratios=[2.3, 1])
        return [grid[0, 0], grid[1, 0]], [grid[0, 1], grid[1, 1]]
    outer = figure.add_gridspec(1, 2, width_ratios=[3.3, 1])
    left = outer[0].subgridspec(D + 1, 1, height_ratios=[1.2] * D + [1])
    right = outer[1].subgridspec(2, 1, height_ratios=[1.6, 1])
    return [left[row] for row in range(D + 1)], [right[0], right[1]]


def _draw_categorical(
    panels: list[Any], side: Any, estimator: Any, shown: Shown, names: list[str], colours: list[str]
) -> None:
    tables = estimator.emissionprob_ if isinstance(estimator.emissionprob_, list) else [estimator.emissionprob_]
    alphabets = getattr(estimator, "symbols_", [tuple(range(table.shape[1])) for table in tables])
    for c, axes in enumerate(panels):
        codes = {symbol: code for code, symbol in enumerate(alphabets[c])}
        column = np.array([codes.get(symbol, np.nan) for symbol in shown.X[:, c].tolist()], dtype=np.float64)
        draw_symbols(axes, shown, column, alphabets[c], names[c], colours)
    labels = [
        f"{names[c]}: {symbol}" if len(tables) > 1 else str(symbol)
        for c, alphabet in enumerate(alphabets)
        for symbol in alphabet
    ]
    states = [f"state {k}" for k in range(len(colours))]
    # a row per symbol, upwards as in the panel over time
    draw_heat_map(side, np.concatenate([table.T for table in tables]), labels, states, "emissions", upwards=True)


def _draw_mixture(figure: Figure, estimator: Any, shown: Shown, names: list[str], colours: list[str]) -> None:
    found = moments(estimator)
    assert found is not None
    mean, cov = found
    report = getattr(estimator, "fit_report_", None)
    grid = figure.add_gridspec(1, 2, width_ratios=[2.2, 1])
    main = figure.add_subplot(grid[0, 0] if report is not None else grid[0, :])
    if len(names) == 1:
        weights = np.asarray(estimator.weights_)
        draw_marginal(main, shown, mean[:, 0], np.sqrt(cov[:, 0, 0]), weights, False, colours, upright=True)
        main.set_xlabel(names[0])
        main.set_ylabel("density")
    else:
        draw_ellipses(main, shown, names, mean, cov, colours)
    if report is not None:
        draw_history(figure.add_subplot(grid[0, 1]), report)


def _head(figure: Figure, estimator: Any, shown: Shown, colours: list[str]) -> None:
    """The title, and what each colour means."""
    from matplotlib.patches import Patch

    n, N, D = len(shown.offsets) - 1, len(shown.X), shown.X.shape[1]
    size = f"{N:,} frames".replace(",", " ") + (f" in {n} sequences" if n > 1 else "")
    left_out = f", first {_MOST_PANELS} of {D} features" if D > _MOST_PANELS and hasattr(estimator, "transmat_") else ""
    what = "state" if hasattr(estimator, "transmat_") else "component"
    figure.suptitle(f"{type(estimator).__name__}   {size}{left_out}", x=0.01, ha="left", fontsize=12, color=INK)
    if len(colours) > _MOST_LABELS:
        return
    handles = [
        Patch(facecolor=colour, alpha=0.85, label=f"{what} {k}  {share:.0%}")
        for k, (colour, share) in enumerate(zip(colours, shown.shares, strict=True))
    ]
    columns = min(len(handles), _LEGEND_COLUMNS)
    figure.legend(
        handles=[handles[k] for k in _by_rows(len(handles), columns)], loc="outside upper right", ncols=columns,
        title="share of the best path" if what == "state" else "share of frames", frameon=False, fontsize=9,
        title_fontsize=9, alignment="right", labelcolor=INK, handlelength=1.2, columnspacing=1.4,
    )  # fmt: skip


def _by_rows(n: int, columns: int) -> list[int]:
    """The order in which a legend, which is filled column by column, reads row by row.

    Examples
    --------
    >>> _by_rows(5, 3)
    [0, 3, 1, 4, 2]
    """
    return [k for column in range(columns) for k in range(column, n, columns)]
