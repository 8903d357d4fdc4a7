"""Colours that colour-blind people can tell apart, and the look of all axes."""

from __future__ import annotations

from typing import Any

__all__ = ["INK", "MUTED", "OKABE_ITO", "dress", "state_colours"]

#: Okabe and Ito's palette without black, which is the data's.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
INK = "#222222"
MUTED = "#8a8a8a"


def state_colours(K: int) -> list[str]:
    """Return one colour per state: Okabe and Ito's for up to seven, otherwise steps of a scale.

    Examples
    --------
    >>> state_colours(2)
    ['#0072B2', '#E69F00']
    """
    if len(OKABE_ITO) < K:
        from matplotlib import colormaps
        from matplotlib.colors import to_hex

        return [to_hex(colormaps["viridis"](k / (K - 1))) for k in range(K)]
    return list(OKABE_ITO[:K])


def dress(axes: Any, title: str = "") -> None:
    """Give axes the look of all: light frames, small text, a title at the left."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(labelsize=9, color=MUTED, labelcolor=INK)
    axes.xaxis.label.set(fontsize=10, color=INK)
    axes.yaxis.label.set(fontsize=10, color=INK)
    if title:
        axes.set_title(title, loc="left", fontsize=10, color=INK)
