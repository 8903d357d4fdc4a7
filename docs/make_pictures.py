"""Draw the pictures of the documentation: ``python docs/make_pictures.py`` writes them to docs/_static."""

from __future__ import annotations

from pathlib import Path

import hmmem

FOLDER = Path(__file__).parent / "_static"


def main() -> None:
    """Fit two models as docs/getting-started.md does, and draw them."""
    FOLDER.mkdir(exist_ok=True)
    quakes = hmmem.load_dataset("earthquakes")
    chain = hmmem.PoissonHMM(2, tol=1e-10, random_state=1).fit(quakes.X)
    hmmem.plot_fit(chain, quakes.X, names=["earthquakes per year"], index=quakes.index, path=FOLDER / "earthquakes.png")
    geyser = hmmem.load_dataset("old_faithful")
    mixture = hmmem.GaussianMixture(2, random_state=0).fit(geyser.X)
    names = ["eruption, minutes", "wait, minutes"]
    hmmem.plot_fit(mixture, geyser.X, names=names, path=FOLDER / "old_faithful.png")


if __name__ == "__main__":
    main()
