"""Draw the pictures of the documentation: ``python docs/make_pictures.py`` writes them to docs/_static."""

from __future__ import annotations

from pathlib import Path

import hmmem

FOLDER = Path(__file__).parent / "_static"


def main() -> None:
    """Fit models as README.md and docs/getting-started.md do, and draw them."""
    FOLDER.mkdir(exist_ok=True)
    quakes = hmmem.load_dataset("earthquakes")
    for picture, chain in (
        ("earthquakes3.png", hmmem.PoissonHMM(3, n_init=9, random_state=0)),  # README.md
        ("earthquakes.png", hmmem.PoissonHMM(2, tol=1e-10, random_state=1)),
    ):
        hmmem.plot_fit(
            chain.fit(quakes.X),
            quakes.X,
            names=["earthquakes per year"],
            index=quakes.index,
            index_name="year",
            path=FOLDER / picture,
        )
    geyser = hmmem.load_dataset("old_faithful")
    mixture = hmmem.GaussianMixture(2, random_state=0).fit(geyser.X)
    names = ["eruption, minutes", "wait, minutes"]
    hmmem.plot_fit(mixture, geyser.X, names=names, path=FOLDER / "old_faithful.png")


if __name__ == "__main__":
    main()
