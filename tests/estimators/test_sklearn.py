"""What scikit-learn expects of an estimator: its own checks, cloning, seeds, pipelines and searches."""

from __future__ import annotations

import dataclasses
import math
import pickle
import warnings

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator

import hmmem

HMMS = (hmmem.GaussianHMM, hmmem.CategoricalHMM, hmmem.PoissonHMM)
ALL = (*HMMS, hmmem.GaussianMixture)


class RoundingPoissonHMM(hmmem.PoissonHMM):
    """Counts out of the fractions that scikit-learn's checks feed; negative and missing values stay what they are."""

    def _check_frames(self, X, reset):
        values = np.asarray(X)
        if values.dtype.kind == "O" and values.ndim == 2 and isinstance(values[0, 0], (int, float)):
            values = values.astype(np.float64)
        if values.dtype.kind == "f" and values.ndim == 2 and np.isfinite(values).all():
            rounded = np.round(values)
            X = type(X)(rounded, columns=X.columns) if hasattr(X, "columns") else rounded
        return super()._check_frames(X, reset)


DEPENDENT = {
    "check_methods_sample_order_invariance": "frames of one sequence depend on each other, so their order matters",
    "check_methods_subset_invariance": "frames of one sequence depend on each other, so a part is another sequence",
}


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (hmmem.GaussianHMM(), DEPENDENT),
        (hmmem.CategoricalHMM(), DEPENDENT),
        (RoundingPoissonHMM(), DEPENDENT),
        (hmmem.GaussianMixture(), {}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_check_estimator_fails_only_where_frames_depend_on_each_other(estimator, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant features and unconverged fits are part of the checks' data
        results = check_estimator(estimator, expected_failed_checks=expected, on_fail=None, on_skip=None)
    failed = {r["check_name"] for r in results if r["status"] in {"failed", "xfail"}}
    assert failed == set(expected)
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}  # it needs an environment variable
    assert len(results) >= 40


@pytest.mark.parametrize("cls", ALL)
def test_tags_differ_from_the_default_only_in_what_the_data_are(cls):
    tags, default = get_tags(cls()), get_tags(sklearn.base.BaseEstimator())
    assert tags.no_validation is False
    assert tags._skip_test is False
    assert tags.input_tags.two_d_array is True
    given, usual = dataclasses.asdict(tags), dataclasses.asdict(default)
    changed = {name for name in usual["input_tags"] if given["input_tags"][name] != usual["input_tags"][name]}
    allowed = {hmmem.PoissonHMM: {"positive_only"}, hmmem.CategoricalHMM: {"categorical", "string"}}
    assert changed == allowed.get(cls, set())
    assert {name for name in usual if given[name] != usual[name]} <= {"input_tags"}


# ---- data -----------------------------------------------------------------------------------------------------------


def frames_for(cls, seed=0, n=120):
    rng = np.random.default_rng(seed)
    if cls is hmmem.CategoricalHMM:
        return rng.integers(3, size=(n, 1))
    if cls is hmmem.PoissonHMM:
        return rng.poisson(np.repeat([2.0, 9.0], n // 2)[:, None]).astype(float)
    return rng.normal(size=(n, 2)) + 4.0 * (np.arange(n) % 20 < 10)[:, None]


def fitted_arrays(model):
    names = list(type(model)._parameters)
    return {name: np.asarray(getattr(model, name)) for name in names}


def assert_same_bits(a, b):
    for name, value in fitted_arrays(a).items():
        assert value.tobytes() == fitted_arrays(b)[name].tobytes(), name


# ---- parameters, clones, seeds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", ALL)
def test_constructor_stores_arguments_untouched(cls):
    marker = {name: object() for name in cls().get_params()}
    model = cls(**marker)
    assert model.get_params() == marker
    assert {name: getattr(model, name) for name in marker} == marker


@pytest.mark.parametrize("cls", ALL)
def test_set_params_of_the_number_of_updates_is_honoured(cls):
    limit = "max_iter" if cls is hmmem.GaussianMixture else "n_iter"
    model = cls(2, random_state=0, tol=None)
    assert model.set_params(**{limit: 3}) is model
    assert model.fit(frames_for(cls)).n_iter_ == 3
    assert model.set_params(**{limit: 7}).fit(frames_for(cls)).n_iter_ == 7


def test_set_params_of_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="nonsense"):
        hmmem.GaussianHMM().set_params(nonsense=1)


def test_clone_keeps_the_start_and_drops_the_fit():
    start = np.array([[0.0, 0.0], [4.0, 4.0]])
    model = hmmem.GaussianHMM(2, means_init=start, random_state=3).fit(frames_for(hmmem.GaussianHMM))
    copy = clone(model)
    assert np.array_equal(copy.means_init, start)
    assert not hasattr(copy, "means_")
    with pytest.raises(NotFittedError):
        copy.predict(frames_for(hmmem.GaussianHMM))
    assert_same_bits(copy.fit(frames_for(hmmem.GaussianHMM)), model)


@pytest.mark.parametrize("cls", ALL)
def test_fit_again_with_the_same_seed_gives_the_same_bits(cls):
    X = frames_for(cls)
    model = cls(2, random_state=5).fit(X)
    first = pickle.loads(pickle.dumps(model))
    assert_same_bits(model.fit(X), first)
    assert_same_bits(cls(2, random_state=5).fit(X), first)
    assert model.random_state == 5


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_fit_and_sample_do_not_consume_a_generator(cls, make):
    X, rng = frames_for(cls), make(11)
    untouched = pickle.dumps(make(11))
    model = cls(2, random_state=rng).fit(X)
    assert model.random_state is rng
    assert pickle.dumps(rng) == untouched
    drawn = model.sample(5)[0]
    assert np.array_equal(drawn, model.sample(5)[0])
    assert np.array_equal(model.sample(5, random_state=rng)[0], drawn)
    assert pickle.dumps(rng) == untouched
    assert_same_bits(cls(2, random_state=make(11)).fit(X), model)


@pytest.mark.parametrize("cls", ALL)
def test_fit_does_not_touch_the_global_generator(cls):
    np.random.seed(0)  # noqa: NPY002  the global generator is what this test watches
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    cls(2).fit(frames_for(cls))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("cls", ALL)
def test_pickle_keeps_every_prediction(cls):
    X = frames_for(cls)
    model = cls(2, random_state=1).fit(X)
    copy = pickle.loads(pickle.dumps(model))
    assert copy.score(X) == model.score(X)
    assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert copy.fit_report_.history == model.fit_report_.history


@pytest.mark.parametrize("cls", ALL)
def test_methods_before_fit_say_what_to_do(cls):
    with pytest.raises(NotFittedError, match=r"call fit, or set .*transmat_|call fit, or set weights_"):
        cls(2).predict(frames_for(cls))


@pytest.mark.parametrize("cls", HMMS)
def test_labels_as_y_are_ignored(cls):
    X = frames_for(cls)
    plain = cls(2, random_state=0).fit(X)
    labels = np.arange(len(X)) % 2
    assert_same_bits(cls(2, random_state=0).fit(X, labels), plain)
    assert plain.score(X, labels) == plain.score(X)
    assert_same_bits(cls(2, random_state=0).fit(X, [str(x) for x in labels]), plain)


# ---- searches -------------------------------------------------------------------------------------------------------


def ragged(seed=0, n=8):
    rng = np.random.default_rng(seed)
    sequences = []
    for length in rng.integers(12, 30, size=n):
        states = (np.arange(length) // 6) % 2
        sequences.append(rng.normal(size=(length, 1)) + 5.0 * states[:, None])
    return sequences


GRID = {"n_components": [1, 2]}


def by_hand(folds, score_of_fold):
    """Mean score of each candidate over hand-made folds."""
    return [np.mean([score_of_fold(k, train, test) for train, test in folds]) for k in GRID["n_components"]]


def test_grid_search_over_a_list_of_sequences():
    X = ragged()
    search = GridSearchCV(hmmem.GaussianHMM(random_state=0), GRID, cv=KFold(4)).fit(X)
    expected = by_hand(
        list(KFold(4).split(X)),
        lambda k, train, test: (
            hmmem.GaussianHMM(k, random_state=0).fit([X[i] for i in train]).score([X[i] for i in test])
        ),
    )
    assert np.array_equal(search.cv_results_["mean_test_score"], expected)
    assert search.best_params_ == {"n_components": 2}
    assert [len(path) for path in search.best_estimator_.predict(X)] == [len(x) for x in X]


def test_grid_search_over_a_three_dimensional_array():
    X = np.stack([sequence[:12] for sequence in ragged()])
    search = GridSearchCV(hmmem.GaussianHMM(random_state=0), GRID, cv=KFold(4)).fit(X)
    expected = by_hand(
        list(KFold(4).split(X)),
        lambda k, train, test: hmmem.GaussianHMM(k, random_state=0).fit(X[train]).score(X[test]),
    )
    assert np.array_equal(search.cv_results_["mean_test_score"], expected)
    assert search.best_estimator_.predict(X).shape == (8, 12)


@pytest.mark.parametrize("shuffled", [False, True], ids=["adjacent", "interleaved"])
def test_grid_search_over_one_array_with_sequence_id(shuffled):
    sequences = ragged()
    ids = np.repeat(np.arange(len(sequences)), [len(x) for x in sequences])
    rows = np.concatenate(sequences)
    if shuffled:  # a stable order within each sequence, the sequences mixed into each other
        order = np.argsort(np.concatenate([np.arange(len(x)) for x in sequences]), kind="stable")
        rows, ids = rows[order], ids[order]
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(hmmem.GaussianHMM(random_state=0), GRID, cv=GroupKFold(4))
        search.fit(rows, groups=ids, sequence_id=ids)
        folds = list(GroupKFold(4).split(rows, groups=ids))

    def score(k, train, test):
        model = hmmem.GaussianHMM(k, random_state=0)
        parts = [[rows[part][ids[part] == i] for i in dict.fromkeys(ids[part])] for part in (train, test)]
        return model.fit(parts[0]).score(parts[1])

    for j, (train, test) in enumerate(folds):
        assert not set(ids[train]) & set(ids[test])
        for c, k in enumerate(GRID["n_components"]):
            assert search.cv_results_[f"split{j}_test_score"][c] == score(k, train, test)
    assert np.array_equal(search.cv_results_["mean_test_score"], by_hand(folds, score))


def test_cross_val_score_with_sequence_k_fold_keeps_sequences_whole():
    sequences = ragged()
    lengths = [len(x) for x in sequences]
    cv = hmmem.SequenceKFold(lengths, n_splits=4)
    ids, rows = cv.groups(), np.concatenate(sequences)
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(hmmem.GaussianHMM(2, random_state=0), rows, cv=cv, params={"sequence_id": ids})
    expected = []
    for train, test in cv.split(rows):
        model = hmmem.GaussianHMM(2, random_state=0).fit(rows[train], sequence_id=ids[train])
        expected.append(model.score(rows[test], sequence_id=ids[test]))
    assert np.array_equal(scores, expected)


def test_cross_val_score_is_deterministic():
    X = ragged()
    model = hmmem.GaussianHMM(2, random_state=4)
    first = cross_val_score(model, X, cv=KFold(4, shuffle=True, random_state=1))
    assert np.array_equal(first, cross_val_score(model, X, cv=KFold(4, shuffle=True, random_state=1)))
    assert not hasattr(model, "means_")


def test_grid_search_runs_for_the_mixture():
    X = frames_for(hmmem.GaussianMixture)
    search = GridSearchCV(hmmem.GaussianMixture(random_state=0), GRID, cv=KFold(3)).fit(X)
    expected = by_hand(
        list(KFold(3).split(X)),
        lambda k, train, test: hmmem.GaussianMixture(k, random_state=0).fit(X[train]).score(X[test]),
    )
    assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-15)


def test_grid_search_over_iterations_uses_them():
    search = GridSearchCV(hmmem.GaussianHMM(2, random_state=0, tol=None), {"n_iter": [1, 4]}, cv=KFold(2)).fit(ragged())
    assert search.best_estimator_.n_iter_ == search.best_params_["n_iter"]


# ---- pipelines ------------------------------------------------------------------------------------------------------


def test_pipeline_with_a_scaler_is_the_fit_of_scaled_data():
    X = frames_for(hmmem.GaussianHMM)
    scaled = StandardScaler().fit_transform(X)
    pipeline = make_pipeline(StandardScaler(), hmmem.GaussianHMM(2, random_state=0)).fit(X)
    alone = hmmem.GaussianHMM(2, random_state=0).fit(scaled)
    assert_same_bits(pipeline[-1], alone)
    assert np.array_equal(pipeline.predict(X), alone.predict(scaled))
    assert np.array_equal(pipeline.predict_proba(X), alone.predict_proba(scaled))
    assert pipeline.score(X) == alone.score(scaled)


def test_pipeline_passes_sequence_id_and_lengths():
    X = frames_for(hmmem.GaussianHMM)
    ids = np.repeat(np.arange(6), 20)
    alone = hmmem.GaussianHMM(2, random_state=0).fit(StandardScaler().fit_transform(X), sequence_id=ids)
    named = make_pipeline(StandardScaler(), hmmem.GaussianHMM(2, random_state=0))
    assert_same_bits(named.fit(X, gaussianhmm__lengths=[20] * 6)[-1], alone)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(StandardScaler(), hmmem.GaussianHMM(2, random_state=0)).fit(X, sequence_id=ids)
        scaled = StandardScaler().fit_transform(X)
        assert np.array_equal(routed.predict(X, sequence_id=ids), alone.predict(scaled, sequence_id=ids))
        assert np.array_equal(routed.predict_proba(X, sequence_id=ids), alone.predict_proba(scaled, sequence_id=ids))
    assert_same_bits(routed[-1], alone)


def test_set_output_and_feature_names_follow_the_table():
    import pandas as pd

    X = pd.DataFrame(frames_for(hmmem.GaussianHMM), columns=["a", "b"])
    model = hmmem.GaussianHMM(2, random_state=0).fit(X)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[["b", "a"]])
    assert math.isfinite(model.score(X))
