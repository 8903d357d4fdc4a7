from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import hmmem
from hmmem.plot import plot_fit, require_plottable
from hmmem.plot.moments import moments
from hmmem.plot.shown import MOST_BINS, show_data
from hmmem.plot.style import OKABE_ITO, state_colours


def by_ylabel(figure: Figure, label: str):
    return next(axes for axes in figure.axes if axes.get_ylabel() == label)


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def spans(axes) -> list[tuple[str, float, float]]:
    """Label, begin and end of every coloured stretch of the background, in order of time."""
    found = []
    for collection in axes.collections:
        if str(collection.get_label()).startswith("state"):
            for path in collection.get_paths():
                x = path.vertices[:, 0]
                found.append((str(collection.get_label()), float(x.min()), float(x.max())))
    return sorted(found, key=lambda span: span[1])


@pytest.fixture(scope="module")
def quakes():
    data = hmmem.load_dataset("earthquakes")
    return data, hmmem.PoissonHMM(3, random_state=0).fit(data.X)


@pytest.fixture(scope="module")
def walk():
    """A model of two features by hand, and three sequences of it."""
    model = hmmem.GaussianHMM(2)
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])
    model.means_, model.covars_ = np.array([[0.0, 1.0], [5.0, -2.0]]), np.array([[1.0, 4.0], [0.25, 1.0]])
    lengths = [30, 1, 19]
    X, _ = model.sample(lengths=lengths, random_state=0)
    return model, X, lengths


def test_plot_fit_draws_data_and_decoded_segments(quakes):
    data, model = quakes
    figure = plot_fit(model, data.X, names=["count"])
    axes = by_ylabel(figure, "count")
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_ydata(), data.X[:, 0])
    np.testing.assert_array_equal(line.get_xdata(), np.arange(107))
    runs = model.segments(data.X)
    expected = [(f"state {run['state']}", run["start"] - 0.5, run["end"] - 0.5) for run in runs]
    assert spans(axes) == expected


def test_plot_fit_draws_the_rate_of_each_segment(quakes):
    data, model = quakes
    axes = by_ylabel(plot_fit(model, data.X, names=["count"]), "count")
    lines = next(c for c in axes.collections if type(c).__name__ == "LineCollection")
    heights = [segment[0, 1] for segment in lines.get_segments()]
    np.testing.assert_array_equal(heights, model.lambdas_[model.segments(data.X)["state"], 0])
    colours = [to_hex(colour).upper() for colour in lines.get_colors()]
    assert colours == [OKABE_ITO[k] for k in model.segments(data.X)["state"]]


def test_plot_fit_stacks_the_posteriors_to_one(quakes):
    data, model = quakes
    strip = by_ylabel(plot_fit(model, data.X), "posterior")
    gamma = model.predict_proba(data.X)
    assert len(strip.collections) == 3
    for k, area in enumerate(strip.collections):
        vertices = area.get_paths()[0].vertices
        at = vertices[np.isclose(vertices[:, 0], 10.5)][:, 1]
        assert at.min() == pytest.approx(gamma[10:12, :k].sum(axis=1).min(), abs=1e-12)
        assert at.max() == pytest.approx(gamma[10:12, : k + 1].sum(axis=1).max(), abs=1e-12)
    assert strip.get_ylim() == (0, 1)


def test_plot_fit_draws_the_whole_history(quakes):
    data, model = quakes
    figure = plot_fit(model, data.X)
    axes = figure.axes[-1]
    assert axes.get_title(loc="left") == f"objective {model.fit_report_.objective:.2f} nats"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), model.fit_report_.history)


def test_plot_fit_marks_the_ends_of_restarts():
    data = hmmem.load_dataset("earthquakes")
    model = hmmem.PoissonHMM(3, n_init=4, random_state=0).fit(data.X)
    (points,) = plot_fit(model, data.X).axes[-1].collections
    np.testing.assert_allclose(
        np.asarray(points.get_offsets())[:, 1], [restart.objective for restart in model.fit_report_.restarts]
    )


def test_plot_fit_shows_transitions_where_there_is_no_report(walk):
    model, X, lengths = walk
    figure = plot_fit(model, X, lengths)
    assert titles(figure)[-1] == "transitions"
    np.testing.assert_array_equal(figure.axes[-1].images[0].get_array(), model.transmat_)


def test_plot_fit_uses_times(quakes):
    data, model = quakes
    axes = by_ylabel(plot_fit(model, data.X, names=["count"], index=data.index), "count")
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), data.index)
    rates = hmmem.load_dataset("fedfunds")
    figure = plot_fit(hmmem.GaussianHMM(2, random_state=0).fit(rates.X), rates.X, index=rates.index)
    figure.canvas.draw()
    labels = [label.get_text() for label in by_ylabel(figure, "posterior").get_xticklabels()]
    assert "1980" in labels


def test_plot_fit_keeps_sequences_apart(walk):
    model, X, lengths = walk
    figure = plot_fit(model, X, lengths, names=["east", "north"])
    axes = by_ylabel(figure, "north")
    y = axes.lines[0].get_ydata()
    assert np.flatnonzero(np.isnan(y)).tolist() == [30, 32]
    np.testing.assert_array_equal(y[~np.isnan(y)], X[:, 1])
    assert [text.get_text() for text in by_ylabel(figure, "east").texts] == ["sequence 0", "sequence 1", "sequence 2"]
    assert "50 frames in 3 sequences" in figure.get_suptitle()
    ends = {end for _, _, end in spans(axes)}
    assert {29.5, 30.5, 49.5} <= ends


def test_plot_fit_takes_every_form_of_input(walk):
    model, X, lengths = walk
    parts = np.split(X, np.cumsum(lengths)[:-1])
    expected = plot_fit(model, X, lengths).axes[0].lines[0].get_ydata()
    np.testing.assert_array_equal(plot_fit(model, parts).axes[0].lines[0].get_ydata(), expected)
    # rows of the sequences in turns; each stays in its order, and sequences come in the order of their first rows
    ids = np.repeat([0, 1, 2], lengths)
    turns = np.argsort(np.concatenate([np.arange(n) for n in lengths]), kind="stable")
    found = plot_fit(model, X[turns], sequence_id=ids[turns]).axes[0].lines[0].get_ydata()
    np.testing.assert_array_equal(found, expected)


def test_plot_fit_draws_ellipses_of_one_and_two_deviations(walk):
    model, X, lengths = walk
    figure = plot_fit(model, X, lengths)
    axes = next(axes for axes in figure.axes if axes.get_xlabel() == "x0")
    rings = [line for line in axes.lines if len(line.get_xdata()) > 10]
    assert len(rings) == 4
    for line, (k, radius) in zip(rings, [(0, 1), (0, 2), (1, 1), (1, 2)], strict=True):
        away = (np.array(line.get_data()).T - model.means_[k]) / np.sqrt(model.covars_[k])
        np.testing.assert_allclose(np.hypot(*away.T), radius, rtol=1e-12)


def test_plot_fit_of_a_mixture_scatters_components():
    data = hmmem.load_dataset("old_faithful")
    mixture = hmmem.GaussianMixture(2, random_state=0).fit(data.X)
    figure = plot_fit(mixture, data.X, names=list(data.columns))
    main, history = figure.axes
    (points,) = main.collections
    np.testing.assert_array_equal(points.get_offsets(), data.X)
    found = [to_hex(colour).upper() for colour in points.get_facecolors()]
    assert found == [OKABE_ITO[k] for k in mixture.predict(data.X)]
    assert (main.get_xlabel(), main.get_ylabel()) == ("eruptions", "waiting")
    np.testing.assert_array_equal(history.lines[0].get_ydata(), mixture.fit_report_.history)


def test_plot_fit_of_a_mixture_of_one_feature_draws_densities():
    X = hmmem.load_dataset("galaxies").X
    mixture = hmmem.GaussianMixture(3, random_state=0).fit(X)
    main = plot_fit(mixture, X, names=["velocity"]).axes[0]
    *components, total = main.lines
    grid = total.get_xdata()
    np.testing.assert_allclose(total.get_ydata(), np.exp(mixture.score_samples(grid[:, None])), rtol=1e-9)
    assert len(components) == 3


def test_plot_fit_marginal_is_that_of_the_states(quakes):
    data, model = quakes
    figure = plot_fit(model, data.X)
    side = next(axes for axes in figure.axes if axes.get_title(loc="left") == "distribution")
    *curves, total = side.lines
    shares = np.bincount(model.predict(data.X), minlength=3) / 107
    at = np.flatnonzero(total.get_ydata() == 20)[0]
    from scipy.stats import poisson

    expected = shares * poisson.pmf(20, model.lambdas_[:, 0])
    np.testing.assert_allclose([curve.get_xdata()[at] for curve in curves], expected, rtol=1e-12)
    assert sum(patch.get_width() * patch.get_height() for patch in side.patches) == pytest.approx(1)


def test_plot_fit_of_symbols_shows_them_and_their_probabilities():
    symbols = np.array((["sun", "sun", "rain"] * 10 + ["snow", "rain", "snow"] * 10) * 2).reshape(-1, 1)
    model = hmmem.CategoricalHMM(2, random_state=0).fit(symbols)
    figure = plot_fit(model, symbols, names=["sky"])
    axes = by_ylabel(figure, "sky")
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["rain", "snow", "sun"]
    codes = {"rain": 0, "snow": 1, "sun": 2}
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [codes[symbol] for symbol in symbols[:, 0]])
    heat = next(axes for axes in figure.axes if axes.get_title(loc="left") == "emissions")
    np.testing.assert_array_equal(heat.images[0].get_array(), model.emissionprob_.T)


def test_plot_fit_of_several_columns_of_symbols_has_a_panel_each():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 3, 60), rng.integers(0, 2, 60)])
    model = hmmem.CategoricalHMM(2, random_state=0, n_iter=3, tol=None).fit(X)
    figure = plot_fit(model, X, names=["a", "b"])
    np.testing.assert_array_equal(by_ylabel(figure, "b").lines[0].get_ydata(), X[:, 1])
    heat = next(axes for axes in figure.axes if axes.get_title(loc="left") == "emissions")
    assert heat.images[0].get_array().shape == (5, 2)


def test_plot_fit_thins_long_data_but_keeps_their_extremes():
    model = hmmem.GaussianHMM(2)
    model.startprob_, model.transmat_ = np.array([0.5, 0.5]), np.array([[0.999, 0.001], [0.001, 0.999]])
    model.means_, model.covars_ = np.array([[0.0], [9.0]]), np.ones((2, 1))
    X, _ = model.sample(20_000, random_state=0)
    X[12_345] = 60.0
    shown = show_data(model, X, None, None, None)
    assert len(shown.bins) - 1 <= MOST_BINS
    x, y = shown.line(0)
    assert len(y) <= 2 * MOST_BINS
    assert x[y.argmax()] == 12_345
    assert y.min() == X.min()
    np.testing.assert_allclose(shown.bin_gamma.sum(axis=1), 1)
    _, ends, states = shown.runs
    assert ends[-1] == 19_999.5
    assert len(states) < 200


def test_plot_fit_names_states_and_their_shares(quakes):
    data, model = quakes
    (legend,) = plot_fit(model, data.X).legends
    shares = np.bincount(model.predict(data.X), minlength=3) / 107
    assert [text.get_text() for text in legend.get_texts()] == [f"state {k}  {shares[k]:.0%}" for k in range(3)]


def test_plot_fit_of_many_features_says_which_are_shown():
    X = np.random.default_rng(0).normal(size=(40, 9))
    figure = plot_fit(hmmem.GaussianHMM(2, random_state=0, n_iter=2, tol=None).fit(X), X)
    assert "first 6 of 9 features" in figure.get_suptitle()
    assert [axes.get_ylabel() for axes in figure.axes[:7]] == ["x0", "x1", "x2", "x3", "x4", "x5", "posterior"]


def test_plot_fit_works_at_the_extremes(tmp_path):
    model = hmmem.GaussianHMM(1)
    model.startprob_, model.transmat_ = np.ones(1), np.ones((1, 1))
    model.means_, model.covars_ = np.zeros((1, 1)), np.ones((1, 1))
    plot_fit(model, np.zeros((1, 1)), path=tmp_path / "one.png")
    many = hmmem.PoissonHMM(25)
    many.startprob_, many.transmat_ = np.full(25, 0.04), np.full((25, 25), 0.04)
    many.lambdas_ = np.arange(1.0, 26.0)[:, None]
    assert plot_fit(many, np.arange(30)[:, None], path=tmp_path / "many.png").legends == []


def test_plot_fit_writes_1200_pixels_and_replaces_only_by_whole_files(quakes, tmp_path):
    data, model = quakes
    path = tmp_path / "q.png"
    plot_fit(model, data.X, path=path)
    width, height = np.frombuffer(path.read_bytes()[16:24], dtype=">u4")
    assert (width, height) == (1200, 520)
    plot_fit(model, data.X, path=tmp_path / "q.svg")
    assert "<svg" in (tmp_path / "q.svg").read_text()
    with pytest.raises(ValueError, match=r"must end in \.png"):
        plot_fit(model, data.X, path=tmp_path / "q.doc")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["q.png", "q.svg"]


def test_plot_fit_leaves_pyplot_alone(quakes):
    import matplotlib.pyplot as plt

    data, model = quakes
    before = plt.get_fignums()
    plot_fit(model, data.X)
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["a", "b"]}, "names must have one entry per feature of X, 1; got 2"),
        ({"index": [1, 2]}, "index must have one entry per frame, 107; got shape (2,)"),
        ({"index": np.zeros(107)}, "index must increase"),
        ({"index": np.full(107, "a")}, "index must hold numbers or datetime64"),
    ],
)
def test_plot_fit_refuses_what_does_not_fit(quakes, arguments, message):
    data, model = quakes
    with pytest.raises(ValueError, match=re.escape(message)):
        plot_fit(model, data.X, **arguments)


def test_plot_fit_accepts_a_frame_with_names(quakes):
    import pandas as pd

    data, _ = quakes
    frame = pd.DataFrame({"count": data.X[:, 0], "place": ["a"] * 50 + ["b"] * 57})
    model = hmmem.PoissonHMM(2, random_state=0).fit(frame, sequence_id="place")
    figure = plot_fit(model, frame, sequence_id="place")
    assert figure.axes[0].get_ylabel() == "count"
    assert "in 2 sequences" in figure.get_suptitle()


def test_require_plottable_names_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    with pytest.raises(ImportError, match=r"pip install hmmem\[plot\]"):
        require_plottable(None)


def test_plot_fit_names_the_axis_of_time(quakes):
    import pandas as pd

    data, model = quakes

    def label(**arguments):
        return by_ylabel(plot_fit(model, data.X, **arguments), "posterior").get_xlabel()

    assert label() == "frame"
    assert label(index=data.index) == "time"
    assert label(index=data.index, index_name="year") == "year"
    assert label(index=pd.Series(data.index, name="year")) == "year"
    assert label(index_name="year") == "frame"  # there is no time that the name could belong to


def test_plot_fit_shows_whole_ellipses():
    data = hmmem.load_dataset("old_faithful")
    axes = plot_fit(hmmem.GaussianMixture(2, random_state=0).fit(data.X), data.X).axes[0]
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    for line in axes.lines:
        points = np.array(line.get_data()).T
        assert (points > low).all()
        assert (points < high).all()
    wide = hmmem.GaussianMixture(1)
    wide.weights_, wide.means_ = np.ones(1), np.zeros((1, 2))
    wide.covariances_ = np.array([np.diag([1e6, 1e-2])])
    axes = plot_fit(wide, np.array([[-1.0, 0.0], [1.0, 0.1], [0.0, -0.1]])).axes[0]
    assert np.ptp(axes.get_xlim()) < 10  # the data stay visible in a component that is far too wide


def test_plot_fit_explains_the_marks_of_restarts():
    data = hmmem.load_dataset("earthquakes")
    model = hmmem.PoissonHMM(3, n_init=4, random_state=0).fit(data.X)
    (text,) = plot_fit(model, data.X).axes[-1].get_legend().get_texts()
    assert text.get_text() == "where each of 4 starts ended"


def test_plot_fit_legend_reads_by_rows_and_says_what_the_shares_are():
    data = hmmem.load_dataset("sunspots")
    model = hmmem.GaussianHMM(9, random_state=0, n_iter=3, tol=None).fit(data.X)
    figure = plot_fit(model, data.X)
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "share of the best path"
    places = {text.get_text().split("  ")[0]: text.get_window_extent() for text in legend.get_texts()}
    assert sorted(places, key=lambda name: (-round(places[name].y0), places[name].x0)) == [
        f"state {k}" for k in range(9)
    ]


def test_state_colours_are_distinct_for_any_number():
    for K in (1, 7, 8, 21, 22, 40):
        colours = state_colours(K)
        assert len(set(colours)) == K
    assert state_colours(7) == list(OKABE_ITO)
    channels = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in state_colours(14)])
    apart = np.linalg.norm(channels[:, None] - channels, axis=2)
    assert apart[~np.eye(14, dtype=bool)].min() > 40  # no two of them look alike


def test_moments_agree_for_all_covariance_types():
    full = np.array([[[2.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [0.0, 3.0]]])
    compact = {
        "full": full,
        "tied": full[0],
        "diag": np.array([[2.0, 1.0], [1.0, 3.0]]),
        "spherical": np.array([2.0, 3.0]),
    }
    expected = {
        "full": full,
        "tied": np.stack([full[0], full[0]]),
        "diag": np.array([np.diag([2.0, 1.0]), np.diag([1.0, 3.0])]),
        "spherical": np.array([np.eye(2) * 2, np.eye(2) * 3]),
    }
    for name, values in compact.items():
        model = hmmem.GaussianHMM(2, name)
        model.means_, model.covars_ = np.zeros((2, 2)), values
        found = moments(model)
        assert found is not None
        np.testing.assert_array_equal(found[1], expected[name])
