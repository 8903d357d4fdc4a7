"""Panels about the model: what its states emit, its transitions, the course of its fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmmem.plot.shown import Shown
from hmmem.plot.style import INK, MUTED, dress

__all__ = ["draw_ellipses", "draw_heat_map", "draw_history", "draw_marginal"]

_MOST_POINTS = 3000
_WRITTEN = 60  # cells of a heat map that show their number


def draw_marginal(
    axes: Any, shown: Shown, mean: np.ndarray, sd: np.ndarray, weights: np.ndarray, counts: bool, colours: list[str],
    upright: bool = False,
) -> None:  # fmt: skip
    """Draw the distribution of a single feature: a histogram, and the density of each state times its weight."""
    values = shown.X[:, 0].astype(np.float64)
    low, high = values.min(), values.max()
    if counts:
        edges = np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
        edges = edges[0] + np.arange(0, len(edges) + (step := max(1, len(edges) // 16)), step)
        grid = np.arange(max(0, np.floor(low) - 3), np.ceil(high) + 4)
    else:
        edges = np.histogram_bin_edges(values, bins=min(40, max(8, int(1.3 * len(values) ** 0.5))))
        margin = 0.06 * ((high - low) or 1.0)
        grid = np.linspace(low - margin, high + margin, 400)
    axes.hist(
        values, bins=edges, density=True, orientation="vertical" if upright else "horizontal", color="#d9d9d9", zorder=1
    )
    curves = weights[:, None] * _density(grid, mean[:, None], sd[:, None], counts)
    for curve, colour in zip(curves, colours, strict=True):
        axes.plot(*_turned(grid, curve, upright), color=colour, linewidth=2.0, zorder=2)
    axes.plot(*_turned(grid, curves.sum(axis=0), upright), color=INK, linewidth=1.0, linestyle=":", zorder=3)
    if not upright:
        axes.tick_params(labelleft=False)
        axes.set_xlim(left=0)
    axes.ticklabel_format(style="sci", scilimits=(-3, 5))
    dress(axes, "" if upright else "distribution")


def _turned(grid: np.ndarray, curve: np.ndarray, upright: bool) -> tuple[np.ndarray, np.ndarray]:
    return (grid, curve) if upright else (curve, grid)


def _density(grid: np.ndarray, mean: np.ndarray, sd: np.ndarray, counts: bool) -> np.ndarray:
    if counts:
        from scipy.special import gammaln, xlogy

        density: np.ndarray = np.exp(xlogy(grid, mean) - mean - gammaln(grid + 1))
        return density
    return np.exp(-0.5 * ((grid - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))


def draw_ellipses(
    axes: Any, shown: Shown, names: list[str], mean: np.ndarray, cov: np.ndarray, colours: list[str]
) -> None:
    """Draw the first two features against each other, with ellipses of one and two standard deviations."""
    rows = np.arange(0, len(shown.X), max(1, -(-len(shown.X) // _MOST_POINTS)))
    points = shown.X[rows][:, :2].astype(np.float64)
    axes.scatter(
        *points.T,
        c=[colours[k] for k in shown.path[rows]],
        s=12 if len(rows) < 1000 else 5,
        alpha=0.65,
        linewidths=0,
        zorder=1,
    )
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.where(high > low, high - low, 1.0)
    circle = np.linspace(0, 2 * np.pi, 120)
    unit = np.stack([np.cos(circle), np.sin(circle)])
    ends = [low, high]
    for k, colour in enumerate(colours):
        values, vectors = np.linalg.eigh(cov[k][:2, :2])
        axis = vectors * np.sqrt(np.maximum(values, 0))
        for radius in (1, 2):
            x, y = mean[k, :2, None] + radius * axis @ unit
            axes.plot(x, y, color=colour, linewidth=2.0 if radius == 1 else 1.1, zorder=2)
        reach = 2 * np.sqrt(np.diagonal(cov[k])[:2])
        ends += [mean[k, :2] - reach, mean[k, :2] + reach]
        axes.plot(*mean[k, :2], marker="+", color=INK, markersize=9, markeredgewidth=1.6, zorder=3)
    # whole ellipses, unless one is so wide that the data would shrink to a dot
    first, last = np.maximum(np.min(ends, axis=0), low - room), np.minimum(np.max(ends, axis=0), high + room)
    margin = 0.04 * (last - first)
    axes.set_xlim(first[0] - margin[0], last[0] + margin[0])
    axes.set_ylim(first[1] - margin[1], last[1] + margin[1])
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    dress(axes)


def draw_heat_map(
    axes: Any, table: np.ndarray, rows: list[str], columns: list[str], title: str, upwards: bool = False
) -> None:
    """Draw a table of probabilities, (rows, columns)."""
    axes.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto", origin="lower" if upwards else "upper")
    for labels, set_ticks in ((rows, axes.set_yticks), (columns, axes.set_xticks)):
        step = max(1, -(-len(labels) // 20))
        set_ticks(np.arange(0, len(labels), step), [label[:14] for label in labels[::step]])
    if table.size <= _WRITTEN:
        for (i, j), p in np.ndenumerate(table):
            text = f"{p:.2f}" if 0 < p < 1 else f"{p:.0f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if p > 0.55 else INK)
    dress(axes, title)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def draw_history(axes: Any, report: Any) -> None:
    """Draw the objective after every update, and the ends of all restarts."""
    history = np.asarray(report.history)
    updates = np.arange(len(history))
    axes.plot(updates, history, color=INK, linewidth=1.4, marker="o", markersize=2.5 if len(history) <= 100 else 0)
    others = [(r.n_iter, r.objective) for r in report.restarts]
    if others:
        axes.scatter(
            *np.transpose(others), s=22, facecolors="none", edgecolors=MUTED, linewidths=1.0, zorder=1,
            label=f"where each of {len(others)} starts ended",
        )  # fmt: skip
        axes.legend(loc="lower right", frameon=False, fontsize=8, labelcolor=INK, handletextpad=0.2, borderpad=0.1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.set_xlabel("update")
    dress(axes, f"objective {history[-1]:.2f} nats")
