"""The picture: one panel per section, a group of bars per workload, on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.rows import Row
from tests.benchmarks.tables import TITLES
from tests.benchmarks.timing import by_label

#: hmmem in one strong colour and its lighter tone; peers apart in hue and in lightness.
COLOURS = {
    "hmmem": "#b30000",
    "hmmem, 1 thread": "#f0a090",
    "hmmlearn log": "#08306b",
    "hmmlearn scaling": "#6baed6",
    "hmmlearn": "#08306b",
    "dynamax": "#238b45",
    "pomegranate": "#fdae33",
    "mixle": "#6a51a3",
    "scikit-learn": "#737373",
}
DRAWN = ("em", "viterbi", "gmm")


def draw(rows: Mapping[str, Sequence[Row]], path: str | Path) -> None:
    """Draw the sections that were run and write the picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullFormatter

    sections = [section for section in DRAWN if rows.get(section)]
    if not sections:
        raise ValueError(f"a picture needs one of the sections {', '.join(DRAWN)}")
    figure, panels = pyplot.subplots(len(sections), 1, figsize=(11, 3.6 * len(sections)), squeeze=False)
    for section, axes in zip(sections, panels[:, 0], strict=True):
        shown = rows[section]
        labels = list(dict.fromkeys(t.label for row in shown for t in row.timed))
        width = 0.8 / len(labels)
        for i, label in enumerate(labels):
            x = [g - 0.4 + (i + 0.5) * width for g, row in enumerate(shown) if label in by_label(row.timed)]
            heights = [1e3 * by_label(row.timed)[label].median for row in shown if label in by_label(row.timed)]
            axes.bar(x, heights, 0.92 * width, label=label, color=COLOURS.get(label, "#000000"))
        for g, row in enumerate(shown):
            if row.limit is not None:
                name = "machine's limit" if g == 0 else None
                axes.hlines(
                    1e3 * row.limit, g - 0.42, g + 0.42, colors="black", linestyles="dashed", lw=1.2, label=name
                )
        axes.set_yscale("log")
        lowest = min(min(1e3 * (row.limit or row.ours), 1e3 * row.ours) for row in shown)
        axes.set_ylim(bottom=lowest / 2)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        names = ["\n".join([row.name, *row.text.rsplit(", ", 1)]) for row in shown]
        axes.set_xticks(range(len(shown)), names, fontsize=8)
        axes.set_ylabel("ms, logarithmic")
        axes.set_title(TITLES[section], loc="left", fontweight="bold")
        axes.grid(axis="y", which="major", color="#dddddd", lw=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
