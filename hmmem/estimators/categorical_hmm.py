"""Hidden Markov models with categorical emissions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np
from sklearn.utils.validation import validate_data

from hmmem import parameters as check
from hmmem import starts
from hmmem.alphabet import UNKNOWN, Alphabet
from hmmem.emissions.categorical import NO_INFORMATION, Categorical
from hmmem.estimators.hmm_estimator import HMMEstimator
from hmmem.hmm import HiddenMarkovModel
from hmmem.inputs import Layout
from hmmem.sequences import Sequences


class CategoricalHMM(HMMEstimator):
    """Hidden Markov model whose states emit symbols; several columns are independent given the state.

    Symbols are integers, strings, floats, booleans, dates, or tuples of these. Non-negative integers are their own
    codes, 0 .. max, as in hmmlearn; other symbols are learnt from the training data and sorted.

    Parameters
    ----------
    n_components : int
        Number of states K.
    n_features : int or sequence of int, optional
        Number of integer symbols of each column, where the training data may not show all. Excludes ``symbols``.
    symbols : sequence, or list of sequences, optional
        Declared alphabet, in the order of the codes; one per column for several columns.
    unknown : {"error", "ignore", "floor"}
        What a symbol outside the alphabet does: an error that names it; nothing (likelihood 1 in every state); or the
        probability ``unknown_prob`` in every state, taken from the other symbols in proportion.
    unknown_prob : float
        Probability of all unknown symbols together, for ``unknown="floor"``.
    n_iter : int
        Largest number of EM updates.
    tol : float or None
        Stop when an update gains less than this, in nats per frame. None: no such rule.
    param_tol : float or None
        Stop when no probability changes by more than this. With ``tol=None`` and ``param_tol=None`` exactly ``n_iter``
        updates are done.
    n_init : int
        Number of starts: each gets 10 updates, the best third goes on, the best is kept.
    init : {"random", "segments"} or array of shape (N,)
        ``random``: Dirichlet rows around the overall frequencies (a left-right chain that is given makes it
        ``segments``); ``segments``: each sequence cut evenly over the states in order; or a state for every frame.
    init_params : str
        Letters of what the start computes from data: s startprob, t transmat, e emissionprob. What is left out is taken
        from the attribute set by hand.
    params : str
        Letters of what EM updates; what is left out stays as it starts and does not count in AIC and BIC.
    max_time : float or None
        Stop after this many seconds.
    random_state : int, Generator, RandomState or None
        Seed; never changed or consumed.
    algorithm : {"viterbi", "map"}
        Default of :meth:`decode` and :meth:`predict`.
    training : {"baum-welch", "viterbi"}
        ``viterbi``: segmental k-means, which maximises log p(x, path).
    n_jobs : int or None
        Threads; None and -1: all cores. The result is the same, bit by bit.
    verbose : bool
        Show progress on standard error.
    callback : callable, optional
        ``callback(iteration, objective, model)`` after every update; the fit stops when it returns True.
    warm_start : bool
        Start from the attributes of the fit before.
    startprob_init, transmat_init, emissionprob_init : array-like, optional
        Parts of the start, which survive ``clone``: shapes (K,), (K, K), (K, V); a list of (K, V_c) for
        several columns.

    Attributes
    ----------
    startprob_ : ndarray of shape (K,)
        ``startprob_[k] = p(s_1 = k)``.
    transmat_ : ndarray of shape (K, K)
        ``transmat_[i, j] = p(s_t = j | s_t-1 = i)``.
    emissionprob_ : ndarray of shape (K, V), or list of ndarray for several columns
        ``emissionprob_[k, v] = p(x_t = symbols_[0][v] | s_t = k)``; rows sum to 1 over the known symbols.
    symbols_ : list of tuple
        The alphabet of each column, in the order of the codes.
    fit_report_ : FitReport
        History, stop reason, notes, restarts.
    converged_ : bool
        Whether a stopping rule was met.
    n_iter_ : int
        Number of updates.

    Examples
    --------
    >>> import numpy as np, hmmem as hmm
    >>> X = np.array(["walk", "shop", "clean", "clean", "walk", "walk"] * 20).reshape(-1, 1)
    >>> model = hmm.CategoricalHMM(2, random_state=1).fit(X)
    >>> model.symbols_
    [('clean', 'shop', 'walk')]
    """

    _letters: ClassVar[dict[str, str]] = {"e": "emissionprob_"}
    _parameters = ("startprob_", "transmat_", "emissionprob_")
    _inits = ("random", "segments")

    def __init__(
        self,
        n_components: int = 1,
        *,
        n_features: Any = None,
        symbols: Any = None,
        unknown: str = "error",
        unknown_prob: float = 1e-6,
        n_iter: int = 500,
        tol: float | None = 1e-6,
        param_tol: float | None = None,
        n_init: int = 1,
        init: Any = "random",
        init_params: str = "ste",
        params: str = "ste",
        max_time: float | None = None,
        random_state: Any = None,
        algorithm: str = "viterbi",
        training: str = "baum-welch",
        n_jobs: int | None = None,
        verbose: bool = False,
        callback: Any = None,
        warm_start: bool = False,
        startprob_init: Any = None,
        transmat_init: Any = None,
        emissionprob_init: Any = None,
    ) -> None:
        self.n_components = n_components
        self.n_features = n_features
        self.symbols = symbols
        self.unknown = unknown
        self.unknown_prob = unknown_prob
        self.n_iter = n_iter
        self.tol = tol
        self.param_tol = param_tol
        self.n_init = n_init
        self.init = init
        self.init_params = init_params
        self.params = params
        self.max_time = max_time
        self.random_state = random_state
        self.algorithm = algorithm
        self.training = training
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback
        self.warm_start = warm_start
        self.startprob_init = startprob_init
        self.transmat_init = transmat_init
        self.emissionprob_init = emissionprob_init

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _check_arguments(self) -> None:
        super()._check_arguments()
        check.check_choice("unknown", self.unknown, UNKNOWN)
        prob = check.check_number("unknown_prob", self.unknown_prob)
        if self.unknown == "floor" and not 0 < (prob or 0) < 1:
            raise ValueError(f"unknown_prob must lie between 0 and 1 for unknown='floor'; got {self.unknown_prob}")
        if self.n_features is not None and self.symbols is not None:
            raise ValueError("n_features and symbols both declare the alphabet; pass one of them")
        if self.symbols is not None and not isinstance(self.symbols, (Sequence, np.ndarray)):
            raise TypeError(f"symbols must be a list of symbols, or one list for each column; got {self.symbols!r}")

    # --- symbols ----------------------------------------------------------------------------------------------------

    def _read(self, X: Any, lengths: Any, sequence_id: Any, reset: bool = False) -> tuple[Sequences, Layout]:
        if isinstance(X, (list, tuple)) and X and isinstance(X[0], list) and X[0] and isinstance(X[0][0], list):
            X = [_symbol_array(sequence) for sequence in X]
        data, layout = super()._read(X, lengths, sequence_id, reset)
        return Sequences(data.frames, data.offsets, data.per_frame, data.per_sequence, np.int64), layout

    def _check_frames(self, X: Any, reset: bool) -> np.ndarray:
        """Return codes (N, C) int64."""
        X = _symbol_array(X)
        X = validate_data(
            self, X, reset=reset or not hasattr(self, "n_features_in_"), dtype=None, ensure_all_finite=False
        )
        if X.dtype.kind == "c":
            raise ValueError(
                "Complex data not supported: symbols are integers, strings, floats, booleans, dates or tuples"
            )
        _refuse_missing(X)
        alphabets = self._alphabets(X) if reset else self._known_alphabets(X.shape[1])
        if len(alphabets) != X.shape[1]:
            raise ValueError(f"X has {X.shape[1]} columns, and alphabets are declared for {len(alphabets)}")
        if reset:
            self.symbols_ = [alphabet.symbols for alphabet in alphabets]
        codes = [self._encode(X[:, c], alphabet, c) for c, alphabet in enumerate(alphabets)]
        return np.column_stack(codes)

    def _alphabets(self, X: np.ndarray) -> list[Alphabet]:
        C = X.shape[1]
        if self.symbols is not None or self.n_features is not None:
            return self._declared(C)
        sizes = self._given_sizes(C)
        learnt = [Alphabet.learn(X[:, c]) for c in range(C)]
        return [_widened(alphabet, size) for alphabet, size in zip(learnt, sizes, strict=True)]

    def _given_sizes(self, C: int) -> list[int | None]:
        """Number of symbols per column that a given emissionprob implies."""
        given = self.emissionprob_init
        if given is None and (self.warm_start or "e" not in self.init_params):
            given = getattr(self, "emissionprob_", None)
        if given is None:
            return [None] * C
        tables = given if C > 1 and isinstance(given, (list, tuple)) else [given]
        if len(tables) != C:
            raise ValueError(f"emissionprob_ must be a list of one table for each column of X, {C}; got {len(tables)}")
        return [np.shape(table)[1] if np.ndim(table) == 2 else None for table in tables]

    def _declared(self, C: int) -> list[Alphabet]:
        """Return the alphabets that ``symbols`` or ``n_features`` declare for C columns."""
        if self.symbols is None:
            return [Alphabet(tuple(range(n))) for n in self._counts(C)]
        nested = C > 1 or (len(self.symbols) > 0 and all(isinstance(s, (list, np.ndarray)) for s in self.symbols))
        return [Alphabet.declared(column) for column in (self.symbols if nested else [self.symbols])]

    def _counts(self, C: int) -> list[int]:
        """Return the numbers of symbols that ``n_features`` declares for C columns."""
        counts = self.n_features if isinstance(self.n_features, Iterable) else [self.n_features] * C
        return [check.check_count("n_features", n) for n in counts]

    def _known_alphabets(self, C: int) -> list[Alphabet]:
        if hasattr(self, "symbols_"):
            return [Alphabet(tuple(symbols)) for symbols in self.symbols_]
        if self.symbols is not None or self.n_features is not None:
            return self._declared(C)
        tables = self._tables(self.emissionprob_)
        return [Alphabet(tuple(range(table.shape[1]))) for table in tables]

    def _encode(self, column: np.ndarray, alphabet: Alphabet, c: int) -> np.ndarray:
        codes = alphabet.encode(column)
        if not (codes < 0).any():
            return codes
        if self.unknown == "error":
            new = dict.fromkeys(column[codes < 0].tolist())
            named = ", ".join(map(repr, list(new)[:5])) + (", ..." if len(new) > 5 else "")
            t = int(np.argmax(codes < 0))
            raise ValueError(
                f"X holds symbols that the model does not know: {named} (first in frame {t}, column {c}); declare them"
                " before the fit by symbols= or n_features=, or pass unknown='ignore' or unknown='floor'"
            )
        return np.where(codes < 0, NO_INFORMATION if self.unknown == "ignore" else len(alphabet), codes)

    def _symbols(self, frames: np.ndarray) -> Any:
        known = self._known_alphabets(frames.shape[1])
        columns = [alphabet.decode(frames[:, c]) for c, alphabet in enumerate(known)]
        if len({column.dtype for column in columns}) == 1:
            return np.column_stack(columns) if columns[0].dtype.kind != "O" else np.array(columns, dtype=object).T
        return np.array(columns, dtype=object).T

    # --- emission ---------------------------------------------------------------------------------------------------

    def _current(self) -> Any:
        model = super()._current()
        floor = self.unknown_prob if self.unknown == "floor" else 0.0
        if model.emission.unknown_prob == floor:
            return model
        # the policy is asked for, not learnt: it may change after the fit
        return replace(model, emission=replace(model.emission, unknown_prob=floor))

    def _tables(self, emissionprob: Any) -> list[np.ndarray]:
        several = isinstance(emissionprob, (list, tuple)) and np.ndim(emissionprob[0]) == 2
        tables = list(emissionprob) if several else [emissionprob]
        sizes = self._sizes(len(tables))
        if len(sizes) != len(tables):
            raise ValueError(f"emissionprob_ must hold one table per column, {len(sizes)}; got {len(tables)}")
        checked = []
        for c, (table, V) in enumerate(zip(tables, sizes, strict=True)):
            name = f"emissionprob_[{c}]" if several else "emissionprob_"
            if V is None:
                V = np.shape(table)[1] if np.ndim(table) == 2 else 1
            checked.append(check.check_probabilities(name, table, (self.n_components, V)))
        return checked

    def _sizes(self, C: int) -> list[int | None]:
        """Number of symbols of each column, as far as they are known: those of the fit, or declared ones."""
        if hasattr(self, "symbols_"):
            return [len(symbols) for symbols in self.symbols_]
        if self.symbols is not None:
            return [len(alphabet) for alphabet in self._declared(C)]
        return [None] * C if self.n_features is None else list(self._counts(C))

    def _emission_of(self, attributes: dict[str, Any], n_features: int | None) -> Categorical:
        tables = self._tables(attributes["emissionprob_"])
        if n_features is not None and len(tables) != n_features:
            raise ValueError(f"emissionprob_ must hold one table per column of X, {n_features}; got {len(tables)}")
        return Categorical(tuple(tables), self.unknown_prob if self.unknown == "floor" else 0.0)

    def _emission_attributes(self, emission: Categorical) -> dict[str, Any]:
        tables = [table.copy() for table in emission.tables]
        return {"emissionprob_": tables[0] if len(tables) == 1 else tables}

    def _target(self, data: Sequences) -> Categorical:
        K = self.n_components
        sizes = [len(symbols) for symbols in self.symbols_]
        floor = self.unknown_prob if self.unknown == "floor" else 0.0
        blank = Categorical(tuple(np.full((K, V), 1 / V) for V in sizes), floor)
        pieces = data.pieces(max(K, len(sizes)))
        total = None
        for piece in pieces:
            part = blank.statistics(piece.X, np.ones((piece.n_frames, K)))
            total = part if total is None else total + part
        assert total is not None
        counts = tuple(count + 1.0 for count in total.counts)
        return Categorical(tuple(count / count.sum(axis=1, keepdims=True) for count in counts), floor)

    def _seeded(self, target: Categorical, points: np.ndarray) -> Categorical:
        return target

    def _start_emission(
        self,
        data: Sequences,
        target: Categorical,
        init: Any,
        states: starts.Segmentation | None,
        rng: np.random.Generator,
    ) -> tuple[Any, starts.Labels]:
        if states is None:
            rows = tuple(_around(table, rng) for table in target.tables)
            emission = Categorical(rows, target.unknown_prob)
            return emission, starts.most_likely(emission)
        emission, labels = super()._start_emission(data, target, init, states, rng)
        # counts plus one: a symbol that a segment lacks is not thereby forbidden
        weight = starts.occupancy(data, self.n_components, states())[:, None]
        tables = tuple((table * weight + 1.0) / (weight + table.shape[1]) for table in emission.tables)
        return Categorical(tables, target.unknown_prob), labels

    # --- files ------------------------------------------------------------------------------------------------------

    def _details(self, model: HiddenMarkovModel) -> dict[str, np.ndarray]:
        emission = cast("Categorical", model.emission)
        masks = enumerate(emission.support or ())
        return super()._details(model) | {f"support.emissionprob.{c}": allowed for c, allowed in masks}

    def _with_details(self, model: HiddenMarkovModel, details: dict[str, np.ndarray]) -> HiddenMarkovModel:
        model = super()._with_details(model, details)
        emission = cast("Categorical", model.emission)
        names = [f"support.emissionprob.{c}" for c in range(len(emission.tables))]
        pairs = zip(names, emission.tables, strict=True)
        support = tuple(check.check_support(name, details[name], table) for name, table in pairs)
        return replace(model, emission=replace(emission, support=support))

    def _stored(self) -> tuple[str, ...]:
        return ("symbols_", *super()._stored())

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what a model file holds: JSON values and arrays."""
        meta, arrays = super().to_arrays()
        if hasattr(self, "symbols_"):
            columns = [Alphabet(tuple(symbols)).to_json() for symbols in self.symbols_]
            meta["fitted"]["symbols_"] = {"value": columns}
        if self.symbols is not None:
            C = len(getattr(self, "symbols_", [()]))
            columns = [alphabet.to_json(counted=False) for alphabet in self._declared(C)]
            meta["params"]["symbols"] = {"value": {"columns": columns}}
        return meta, arrays

    def _restore(self, fitted: dict[str, Any]) -> None:
        if isinstance(self.symbols, dict):
            declared = [list(Alphabet.from_json(column).symbols) for column in self.symbols["columns"]]
            self.symbols = declared if len(declared) > 1 else declared[0]
        if "symbols_" in fitted:
            tables = fitted["emissionprob_"]
            sizes = [np.shape(table)[-1] for table in (tables if isinstance(tables, list) else [tables])]
            columns = fitted["symbols_"]
            if len(columns) != len(sizes):
                raise ValueError(f"emissionprob_ must hold one table per column, {len(columns)}; got {len(sizes)}")
            pairs = zip(columns, sizes, strict=True)
            fitted["symbols_"] = [Alphabet.from_json(column, size).symbols for column, size in pairs]
        super()._restore(fitted)


def _widened(alphabet: Alphabet, size: int | None) -> Alphabet:
    """Return the integers below ``size`` where the training data show only the lower ones."""
    dense = alphabet.symbols == tuple(range(len(alphabet)))
    return Alphabet(tuple(range(size))) if size is not None and dense and size > len(alphabet) else alphabet


def _around(table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return Dirichlet rows whose mean is the table, spread as a uniform row over its symbols would be."""
    V = table.shape[1]
    rows = rng.standard_gamma(np.maximum(table * V, 1e-3)) + 1e-12
    rows = rows * (table > 0)
    return rows / rows.sum(axis=1, keepdims=True)


def _symbol_array(X: Any) -> Any:
    """Nested lists become an object array where NumPy would change the symbols: mixed types, and tuples."""
    if not isinstance(X, (list, tuple)) or not X or not isinstance(X[0], (list, tuple)):
        return X
    width = len(X[0])
    kinds = {type(symbol) for row in X if isinstance(row, (list, tuple)) for symbol in row}
    if len(kinds) <= 1 and not kinds & {tuple}:
        return X
    if any(not isinstance(row, (list, tuple)) or len(row) != width for row in X):
        return X
    out = np.empty((len(X), width), dtype=object)
    for t, row in enumerate(X):
        for c, symbol in enumerate(row):
            out[t, c] = symbol
    return out


def _refuse_missing(X: np.ndarray) -> None:
    if X.dtype.kind in "iubSU":
        return
    if X.dtype.kind == "f":
        missing = ~np.isfinite(X)
        what = "infinity" if np.isinf(X).any() else "NaN"
    elif X.dtype.kind in "mM":
        missing, what = np.isnat(X), "NaT"
    else:
        missing = np.array(
            [[x is None or type(x).__name__ == "NAType" or x != x for x in row] for row in X], dtype=bool
        )
        what = "NaN or None"
    if missing.any():
        t, c = np.argwhere(missing)[0]
        raise ValueError(
            f"X contains {what} in frame {t}, column {c}; missing symbols are not supported: leave these frames out"
        )
