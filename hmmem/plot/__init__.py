"""Pictures of fitted models; matplotlib is imported when the first one is drawn."""

from __future__ import annotations

from hmmem.plot.figure import plot_fit, require_plottable
from hmmem.plot.shown import places

__all__ = ["places", "plot_fit", "require_plottable"]
