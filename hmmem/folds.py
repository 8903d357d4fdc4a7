"""Cross-validation over whole sequences of one long array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hmmem.inputs import check_lengths
from hmmem.parameters import check_count, generator


class SequenceKFold:
    """K folds of whole sequences, as row indices of one array.

    Folds are balanced by frames: the longest sequences are dealt first, each to the fold with the fewest frames.

    Parameters
    ----------
    lengths : array-like of int, shape (n,)
        Frames of each sequence of the array that will be split.
    n_splits : int
        Number of folds, at most the number of sequences.
    shuffle : bool
        Deal sequences of equal length in random order.
    random_state : int, Generator, RandomState or None
        Seed of the shuffle.

    Examples
    --------
    >>> import numpy as np, hmmem
    >>> X = np.arange(9.0).reshape(-1, 1)
    >>> for train, test in hmmem.SequenceKFold([2, 3, 4], n_splits=3).split(X):
    ...     print(test)
    [5 6 7 8]
    [2 3 4]
    [0 1]
    """

    def __init__(self, lengths: Any, n_splits: int = 5, *, shuffle: bool = False, random_state: Any = None) -> None:
        self.lengths = check_lengths(lengths)
        self.n_splits = check_count("n_splits", n_splits, 2)
        if n_splits > len(self.lengths):
            raise ValueError(f"n_splits must be at most the number of sequences, {len(self.lengths)}; got {n_splits}")
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds; the arguments are scikit-learn's and ignored."""
        return self.n_splits

    def groups(self) -> np.ndarray:
        """Return the number of each row's sequence, (N,): what ``sequence_id=`` takes."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def split(self, X: Any = None, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield row indices (train, test) of whole sequences, for each fold.

        Raises
        ------
        ValueError
            If X has another number of rows than the lengths add up to.
        """
        ids = self.groups()
        if X is not None and len(X) != len(ids):
            raise ValueError(f"X has {len(X)} rows, but the lengths of this SequenceKFold add up to {len(ids)}")
        order = np.arange(len(self.lengths))
        if self.shuffle:
            order = generator(self.random_state).permutation(order)
        order = order[np.argsort(-self.lengths[order], kind="stable")]
        fold, load = np.empty(len(order), dtype=np.int64), np.zeros(self.n_splits, dtype=np.int64)
        for sequence in order:
            fold[sequence] = load.argmin()
            load[fold[sequence]] += self.lengths[sequence]
        for k in range(self.n_splits):
            inside = fold[ids] == k
            yield np.flatnonzero(~inside), np.flatnonzero(inside)
