"""Colours that colour-blind people can tell apart, and the look of all axes."""

from __future__ import annotations

from typing import Any

__all__ = ["INK", "MUTED", "OKABE_ITO", "dress", "state_colours"]

#: Okabe and Ito's palette without black, which is the data's.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_SHADES = ((0, 0.0), (0, 0.38), (255, 0.55))  # as it is, towards black, towards white
INK = "#222222"
MUTED = "#8a8a8a"


def state_colours(K: int) -> list[str]:
    """Return one colour per state: seven hues, then their dark and their light shades; steps of a scale beyond 21.

    Examples
    --------
    >>> state_colours(2)
    ['#0072B2', '#E69F00']
    >>> state_colours(9)[7:]
    ['#00476e', '#8f6300']
    """
    if len(_SHADES) * len(OKABE_ITO) < K:
        from matplotlib import colormaps
        from matplotlib.colors import to_hex

        return [to_hex(colormaps["turbo"](k / (K - 1))) for k in range(K)]
    if len(OKABE_ITO) >= K:
        return list(OKABE_ITO[:K])
    return [*OKABE_ITO, *(_mixed(hue, *shade) for shade in _SHADES[1:] for hue in OKABE_ITO)][:K]


def _mixed(colour: str, towards: int, share: float) -> str:
    """A colour mixed with a grey level."""
    channels = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(c + share * (towards - c)):02x}" for c in channels)


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
