"""Panels along the axis of time: features, symbols, posteriors."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmmem.plot.shown import Shown
from hmmem.plot.style import INK, MUTED, dress

__all__ = ["draw_feature", "draw_posteriors", "draw_sequences", "draw_symbols"]

_MARKED = 300  # frames that are drawn as points too
_LABELLED = 12  # sequences that are numbered
_DIVIDED = 60  # sequences that are divided by lines
_NAMED = 24  # symbols that have a tick of their own


def _backgrounds(axes: Any, shown: Shown, colours: list[str], alpha: float) -> None:
    """Colour the time that each state has."""
    begin, end, state = shown.runs
    for k, colour in enumerate(colours):
        spans = np.column_stack([begin, end - begin])[state == k]
        if len(spans):
            axes.broken_barh(
                spans, (0, 1), transform=axes.get_xaxis_transform(), facecolors=colour, alpha=alpha, linewidth=0,
                zorder=0, label=f"state {k}",
            )  # fmt: skip


def draw_feature(
    axes: Any, shown: Shown, d: int, name: str, mean: np.ndarray, sd: np.ndarray, colours: list[str]
) -> None:
    """Draw one feature over time, on the mean (K,) of its states and the range of two standard deviations."""
    from matplotlib.collections import PolyCollection

    _backgrounds(axes, shown, colours, alpha=0.13)
    begin, end, state = shown.runs
    low, high = mean[state] - 2 * sd[state], mean[state] + 2 * sd[state]
    corners = ((begin, low), (end, low), (end, high), (begin, high))
    boxes = np.stack([np.column_stack(corner) for corner in corners], axis=1)
    axes.add_collection(
        PolyCollection(list(boxes), facecolors=[colours[k] for k in state], alpha=0.22, linewidths=0, zorder=1),
        autolim=False,
    )
    axes.hlines(mean[state], begin, end, colors=[colours[k] for k in state], linewidth=2.4, zorder=2)
    x, y = shown.line(d)
    few = len(shown.at) <= _MARKED
    binned = len(shown.bins) - 1 < len(shown.at)
    axes.plot(
        x, y, color=INK, linewidth=0.9 if few else 0.6, alpha=0.5 if binned else 1.0, marker="o" if few else None,
        markersize=2.6, zorder=3,
    )  # fmt: skip
    values = np.concatenate([y[np.isfinite(y)], mean])
    margin = 0.06 * (np.ptp(values) or 1.0)
    axes.set_ylim(values.min() - margin, values.max() + margin)
    axes.set_xlim(shown.edges[0], shown.edges[-1])
    axes.set_ylabel(name)
    dress(axes)


def draw_symbols(axes: Any, shown: Shown, codes: np.ndarray, symbols: Any, name: str, colours: list[str]) -> None:
    """Draw the symbols of one column, codes (N,), over time."""
    _backgrounds(axes, shown, colours, alpha=0.28)
    step = np.diff(shown.bins).max()
    marker = {"marker": "|", "markersize": 9} if len(shown.at) > _MARKED else {"marker": "o", "markersize": 3}
    axes.plot(shown.at[::step], codes[::step], linestyle="none", color=INK, zorder=3, **marker)
    V = len(symbols)
    ticks = np.arange(V) if V <= _NAMED else np.linspace(0, V - 1, _NAMED // 2).round().astype(int)
    axes.set_yticks(ticks, [str(symbols[v])[:16] for v in ticks])
    axes.set_ylim(-0.6, V - 0.4)
    axes.set_xlim(shown.edges[0], shown.edges[-1])
    axes.set_ylabel(name)
    dress(axes)


def draw_posteriors(axes: Any, shown: Shown, colours: list[str], dates: bool, xlabel: str) -> None:
    """Draw the probabilities of the states, one above the other."""
    x = np.repeat(shown.edges[shown.bins], 2)[1:-1]
    top = np.cumsum(np.repeat(shown.bin_gamma, 2, axis=0), axis=1)
    bottom = np.concatenate([np.zeros((len(x), 1)), top[:, :-1]], axis=1)
    for k, colour in enumerate(colours):
        axes.fill_between(x, bottom[:, k], top[:, k], color=colour, alpha=0.85, linewidth=0, label=f"state {k}")
    axes.set_xlim(shown.edges[0], shown.edges[-1])
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("posterior")
    axes.set_xlabel(xlabel)
    if dates:
        axes.xaxis_date()
    dress(axes)


def draw_sequences(panels: list[Any], shown: Shown) -> None:
    """Divide the sequences by lines and number them."""
    n = len(shown.offsets) - 1
    if not 1 < n <= _DIVIDED:
        return
    for axes in panels:
        axes.vlines(
            shown.edges[shown.offsets[1:-1]], 0, 1, transform=axes.get_xaxis_transform(), color="white", linewidth=2,
            zorder=4,
        )  # fmt: skip
    if n > _LABELLED:
        return
    for i, (a, b) in enumerate(zip(shown.offsets[:-1], shown.offsets[1:], strict=True)):
        middle = (shown.edges[a] + shown.edges[b]) / 2
        panels[0].text(
            middle, 1.01, f"sequence {i}", transform=panels[0].get_xaxis_transform(), ha="center", va="bottom",
            fontsize=8, color=MUTED,
        )  # fmt: skip
