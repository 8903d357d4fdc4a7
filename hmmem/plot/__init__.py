"""Pictures of fitted models; matplotlib is imported when the first one is drawn."""

from __future__ import annotations

from hmmem.plot.figure import plot_fit, require_plottable

__all__ = ["plot_fit", "require_plottable"]
