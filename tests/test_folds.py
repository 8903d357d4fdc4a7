"""Folds of whole sequences."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import hmmem

LENGTHS = np.array([5, 1, 30, 7, 7, 12, 3, 9, 2, 4])
X = np.random.default_rng(0).normal(size=(LENGTHS.sum(), 1)) + 4.0 * (np.arange(80) % 6 < 3)[:, None]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("n_splits", [2, 3, 10])
def test_split_deals_every_sequence_once_and_whole(n_splits, shuffle):
    folds = hmmem.SequenceKFold(LENGTHS, n_splits, shuffle=shuffle, random_state=3)
    ids, tested = folds.groups(), []
    pairs = list(folds.split(X))
    assert len(pairs) == folds.get_n_splits() == n_splits
    for train, test in pairs:
        assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(80))
        assert not set(ids[train]) & set(ids[test])
        assert np.all(np.diff(test) > 0)
        assert np.all(np.diff(train) > 0)
        tested += test.tolist()
    assert_array_equal(np.sort(tested), np.arange(80))


def test_split_balances_frames():
    sizes = [len(test) for _, test in hmmem.SequenceKFold(LENGTHS, 2).split()]
    assert sizes == [40, 40]
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 100, size=200)
    sizes = [len(test) for _, test in hmmem.SequenceKFold(lengths, 5).split()]
    assert max(sizes) - min(sizes) <= lengths.max()


def test_groups_number_the_rows():
    assert_array_equal(hmmem.SequenceKFold([2, 1, 3], 2).groups(), [0, 0, 1, 2, 2, 2])


def test_split_is_deterministic_and_the_seed_matters_only_with_shuffle():
    def tests(**arguments):
        return [test.tolist() for _, test in hmmem.SequenceKFold([4] * 12, 3, **arguments).split()]

    assert tests() == tests(random_state=9)
    assert tests(shuffle=True, random_state=1) == tests(shuffle=True, random_state=1)
    assert tests(shuffle=True, random_state=1) != tests(shuffle=True, random_state=2)
    folds = hmmem.SequenceKFold([4] * 12, 3, shuffle=True, random_state=np.random.default_rng(4))
    assert [t.tolist() for _, t in folds.split()] == [t.tolist() for _, t in folds.split()]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([3, 4], 3), ValueError, "n_splits must be at most the number of sequences, 2; got 3"),
        (([3, 4], 1), ValueError, "n_splits must be at least 2; got 1"),
        (([3, 4], 2.0), TypeError, "n_splits must be an integer"),
        (([3, 0], 2), ValueError, "sequence 1 has 0 frames"),
        (([3.5, 1], 2), ValueError, "positive integers"),
        ((["a", "b"], 2), ValueError, "positive integers"),
        ((7, 2), ValueError, "1-D array"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        hmmem.SequenceKFold(*arguments)


def test_split_refuses_another_number_of_rows():
    with pytest.raises(ValueError, match="X has 79 rows, but the lengths of this SequenceKFold add up to 80"):
        next(hmmem.SequenceKFold(LENGTHS, 2).split(X[:-1]))


def test_grid_search_with_sequence_k_fold_scores_whole_sequences():
    folds = hmmem.SequenceKFold(LENGTHS, 3)
    ids = folds.groups()
    model = hmmem.GaussianHMM(2, random_state=0, n_iter=5, tol=None)
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(model, {"n_components": [1, 2]}, cv=folds).fit(X, sequence_id=ids)
    for k, (train, test) in enumerate(folds.split(X)):
        for row, n in enumerate([1, 2]):
            one = clone(model).set_params(n_components=n).fit(X[train], sequence_id=ids[train])
            lengths = np.unique(ids[test], return_counts=True)[1]
            assert search.cv_results_[f"split{k}_test_score"][row] == one.score(X[test], lengths=lengths)
