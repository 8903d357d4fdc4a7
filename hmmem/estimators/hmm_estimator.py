"""What the estimators of hidden Markov models share."""

from __future__ import annotations

import copy
import math
import re
import warnings
from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np

from hmmem import inputs, starts
from hmmem import parameters as check
from hmmem.chain import MarkovChain
from hmmem.estimators.base import Estimator, same
from hmmem.exceptions import ImpossibleSequenceError, StartIgnoredWarning
from hmmem.hmm import HiddenMarkovModel
from hmmem.inputs import Layout
from hmmem.probabilities import stationary
from hmmem.sequences import Sequences
from hmmem.training import ViterbiTraining

STARTS = ("kmeans", "random", "data", "segments")
#: Letters of the chain's parameters.
CHAIN = {"s": "startprob_", "t": "transmat_"}


class Monitor(NamedTuple):
    """The course of a fit under the names of hmmlearn."""

    converged: bool
    iter: int
    history: list[float]
    tol: float | None
    n_iter: int


class HMMEstimator(Estimator):
    """Base of the hidden Markov model estimators; a family says how its emission starts and is checked."""

    #: Letters of ``params`` and ``init_params`` for the emission's parameters, by attribute.
    _letters: ClassVar[dict[str, str]] = {}
    #: Values of ``init`` that make sense for the family; the first stands in for "kmeans" where that does not.
    _inits: ClassVar[tuple[str, ...]] = STARTS

    # metadata that scikit-learn cuts into folds together with X, once metadata routing is switched on
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"sequence_id": True, "lengths": None}
    __metadata_request__score: ClassVar[dict[str, Any]] = {"sequence_id": True, "lengths": None}
    __metadata_request__predict: ClassVar[dict[str, Any]] = {"sequence_id": True, "lengths": None}
    __metadata_request__predict_proba: ClassVar[dict[str, Any]] = {"sequence_id": True, "lengths": None}

    @abstractmethod
    def _emission_of(self, attributes: dict[str, Any], n_features: int | None) -> Any:
        """Return the checked emission for attributes such as ``means_``."""

    @abstractmethod
    def _target(self, data: Sequences) -> Any:
        """Return an emission that fits the data as a whole, the same in every state."""

    @abstractmethod
    def _seeded(self, target: Any, points: np.ndarray) -> Any:
        """Return an emission whose states sit at the points (K, D)."""

    @property
    def monitor_(self) -> Monitor:
        """What hmmlearn calls so: ``converged, iter, history, tol, n_iter``; :attr:`fit_report_` tells more."""
        if not hasattr(self, "fit_report_"):
            raise AttributeError(f"this {type(self).__name__} instance is not fitted yet; monitor_ comes with fit")
        report = self.fit_report_
        return Monitor(report.converged, report.n_iter, report.history, self.tol, self.n_iter)

    # --- fit --------------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, lengths: Any = None, *, sequence_id: Any = None) -> Self:
        """Estimate the parameters by EM.

        Parameters
        ----------
        X : array (N, D), list of arrays (T, D), array (n, T, D), DataFrame or Sequences
            The frames of one or more sequences.
        y : ignored
            Present for scikit-learn. hmmlearn's positional ``fit(X, lengths)`` is recognised: integers, fewer than the
            frames, that add up to their number.
        lengths : array-like of int, shape (n,), optional
            Frames of each sequence in X, or the used part of each row of a 3-D X.
        sequence_id : array-like (N,) or str, optional
            Identifier of each row's sequence, or the DataFrame column that holds it.

        Returns
        -------
        self
            With the fitted attributes and ``fit_report_``.

        Raises
        ------
        ValueError
            If X, lengths or an argument is not as described; the estimator is then unchanged.
        ImpossibleSequenceError
            If every sequence has probability zero under the start.

        Notes
        -----
        Cost per update and frame: K^2 and the family's density and moments, K times. Ctrl-C ends the fit with the model
        of the last whole update.
        """
        with self._all_or_nothing():
            self._check_arguments()
            ignored = self._ignored_starts()
            data, layout = self._read(X, self._lengths(X, y, lengths), sequence_id, reset=True)
            with self._map() as map_:
                models = self._starts(data, layout)
                inside = [model.emission.inside() for model in models]
                models = [HiddenMarkovModel(m.chain, e) for m, (e, _) in zip(models, inside, strict=True)]
                if self.training == "viterbi":
                    hard = [ViterbiTraining(m) for m in models]
                    fitted, report = self._run_em(hard, data, self.n_iter, map_, lambda training: training.model)
                    model = fitted.model
                else:
                    model, report = self._run_em(models, data, self.n_iter, map_)
                report.notes += inside[0][1]
                report.notes += self._notes(model)
                if report.n_impossible:
                    found = model.score_sequences(data, map_)
                    report.impossible_sequences = np.flatnonzero(found == -np.inf).tolist()
            self._adopt(model, report)
        self._warn(report, "n_iter")
        if ignored:
            self._warn_of_ignored_starts(ignored)
        return self

    def fit_predict(self, X: Any, y: Any = None, lengths: Any = None, *, sequence_id: Any = None) -> Any:
        """Fit, and return the states of the same data; see :meth:`fit` and :meth:`predict`."""
        lengths = self._lengths(X, y, lengths)
        return self.fit(X, lengths=lengths, sequence_id=sequence_id).predict(X, lengths, sequence_id=sequence_id)

    def _lengths(self, X: Any, y: Any, lengths: Any) -> Any:
        return inputs.positional_lengths(X, y) if lengths is None else lengths

    def _read(self, X: Any, lengths: Any, sequence_id: Any, reset: bool = False) -> tuple[Sequences, Layout]:
        return inputs.read(X, lengths, sequence_id, lambda frames: self._check_frames(frames, reset))

    def _check_arguments(self) -> None:
        super()._check_arguments()
        check.check_count("n_iter", self.n_iter, 0)
        check.check_choice("algorithm", self.algorithm, ("viterbi", "map"))
        check.check_choice("training", self.training, ("baum-welch", "viterbi"))
        letters = "st" + "".join(self._letters)
        check.check_letters("params", self.params, letters)
        check.check_letters("init_params", self.init_params, letters)
        if isinstance(self.init, str):
            check.check_choice("init", self.init, self._inits)

    # --- starts -----------------------------------------------------------------------------------------------------

    def _starts(self, data: Sequences, layout: Layout) -> list[HiddenMarkovModel]:
        """Return ``n_init`` models to start from."""
        rng = check.generator(self.random_state)
        given = self._given(data)
        target = self._target(data)
        whole = {"startprob_", "transmat_", *self._letters.values()} <= given.keys()
        n = 1 if whole else self.n_init
        return [self._start(data, layout, given, target, child) for child in rng.spawn(n)]

    def _given(self, data: Sequences) -> dict[str, Any]:
        """Return the parameters that the start takes from the user, by attribute name.

        An attribute counts where ``init_params`` leaves its letter out (and for all with ``warm_start``), otherwise the
        constructor's ``*_init``.
        """
        given: dict[str, Any] = {}
        for letter, name in {**CHAIN, **self._letters}.items():
            source = self._source(letter, name)
            if source is not None:
                given[name] = getattr(self, source)
            elif letter not in self.init_params and not self.warm_start:
                raise ValueError(
                    f"init_params={self.init_params!r} leaves {letter!r} out, so the start needs {name};"
                    f" set it, or pass {name}init"
                )
        K = self.n_components
        for letter, name, shape in (("s", "startprob_", (K,)), ("t", "transmat_", (K, K))):
            if name in given:
                given[name] = check.check_probabilities(self._source(letter, name) or name, given[name], shape)
        return given

    def _ignored_starts(self) -> list[str]:
        """Return the attributes set by hand that the start from data is about to replace."""
        fitted = {} if getattr(self, "_model", None) is None else self._attributes_of(self._model)
        names = {**CHAIN, **self._letters}.items()
        return [
            name
            for letter, name in names
            if hasattr(self, name)
            and self._source(letter, name) is None
            and not same(getattr(self, name), fitted.get(name))
        ]

    def _warn_of_ignored_starts(self, ignored: list[str]) -> None:
        letters = "".join(letter for letter in self.init_params if {**CHAIN, **self._letters}[letter] not in ignored)
        warnings.warn(
            f"{', '.join(ignored)} had been set by hand, but init_params={self.init_params!r} started from data"
            f" instead; to start from what is set, pass init_params={letters!r}",
            StartIgnoredWarning,
            stacklevel=3,
        )

    def _source(self, letter: str, name: str) -> str | None:
        """Return the name under which the user gives a parameter of the start: ``means_`` or ``means_init``."""
        kept = self.warm_start or letter not in self.init_params
        if kept and hasattr(self, name):
            return name
        return f"{name}init" if getattr(self, f"{name}init", None) is not None else None

    def _given_emission(self, attributes: dict[str, Any], n_features: int) -> Any:
        """Return the checked emission of a start; an error names the argument that the user gave."""
        try:
            return self._emission_of(attributes, n_features)
        except ValueError as error:
            message = str(error)
            for letter, name in self._letters.items():
                message = re.sub(rf"\b{name}(?!\w)", self._source(letter, name) or name, message)
            raise ValueError(message) from None

    def _start(
        self, data: Sequences, layout: Layout, given: dict[str, Any], target: Any, rng: np.random.Generator
    ) -> HiddenMarkovModel:
        init = self.init
        if isinstance(init, str) and init == self._inits[0] and _is_left_right(given):
            init = "segments"
        states: starts.Segmentation | None = None
        if not isinstance(init, str):
            states = starts.given(layout.gather(self._given_states(init, data.n_frames)))
        elif init == "segments":
            states = starts.segments(data, self.n_components)
        own = {name: given[name] for name in self._letters.values() if name in given}
        emission, labels = target, starts.most_likely(target)
        if len(own) < len(self._letters) or states is not None:
            emission, labels = self._start_emission(data, target, init, states, rng)
        if own:
            emission = self._given_emission({**self._emission_attributes(emission), **own}, data.frames.shape[1])
            emission = self._with_scale(emission, target)
            labels = starts.most_likely(emission) if states is None else labels
        if "startprob_" in given and "transmat_" in given:
            chain = MarkovChain(given["startprob_"], given["transmat_"])
        else:
            counted = starts.chain(data, self.n_components, labels)
            chain = MarkovChain(given.get("startprob_", counted.startprob), given.get("transmat_", counted.transmat))
        return self._with_fixed(HiddenMarkovModel(chain, emission))

    def _start_emission(
        self, data: Sequences, target: Any, init: Any, states: starts.Segmentation | None, rng: np.random.Generator
    ) -> tuple[Any, starts.Labels]:
        """Return the start of the emission and the segmentation that goes with it."""
        K = self.n_components
        if states is not None:
            return starts.of_labels(target, data, states()), states()
        sample = starts.draw(data, rng)
        if init == "random":
            emission = self._seeded(target, self._random_points(target, K, rng))
        elif init == "data":
            emission = self._seeded(target, starts.distinct_frames(sample.X, K, rng))
        else:
            emission = starts.refine(self._seeded(target, starts.seeds(sample.X, K, rng)), sample, target)
        return emission, starts.most_likely(emission)

    def _random_points(self, target: Any, K: int, rng: np.random.Generator) -> np.ndarray:
        return starts.in_order(target.sample(np.zeros(K, dtype=np.int64), rng))

    def _given_states(self, init: Any, n_frames: int) -> np.ndarray:
        states = np.asarray(init)
        if states.shape != (n_frames,) or states.dtype.kind not in "iu":
            raise ValueError(
                f"init must be one of {', '.join(map(repr, self._inits))}, or an integer state for each of the"
                f" {n_frames} frames; got {f'shape {states.shape} of {states.dtype}' if states.ndim else repr(init)}"
            )
        if states.min() < 0 or states.max() >= self.n_components:
            raise ValueError(
                f"init must hold states 0 to {self.n_components - 1}; it holds {states.min()} to {states.max()}"
            )
        return states

    def _with_scale(self, emission: Any, target: Any) -> Any:
        """Give an emission made from parameters the scale of the data, where the family has one."""
        return emission

    def _with_fixed(self, model: HiddenMarkovModel) -> HiddenMarkovModel:
        """Fix the groups whose letters ``params`` leaves out."""
        left_out = {name for letter, name in {"s": "startprob", "t": "transmat"}.items() if letter not in self.params}
        family = {name.rstrip("_") for letter, name in self._letters.items() if letter not in self.params}
        chain, emission = replace(model.chain, fixed=frozenset(left_out)), cast("Any", model.emission)
        return HiddenMarkovModel(chain, replace(emission, fixed=frozenset(family)))

    def _notes(self, model: HiddenMarkovModel) -> list[Any]:
        """Return the family's own notes for the report."""
        return []

    # --- what a model file holds beside the attributes ---------------------------------------------------------------

    def _details(self, model: HiddenMarkovModel) -> dict[str, np.ndarray]:
        return {f"support.{name}": allowed for name, allowed in model.chain.support.items()}

    def _with_details(self, model: HiddenMarkovModel, details: dict[str, np.ndarray]) -> HiddenMarkovModel:
        support = {
            name: check.check_support(f"support.{name}", details[f"support.{name}"], getattr(model.chain, name))
            for name in model.chain.support
        }
        return replace(model, chain=replace(model.chain, support=support))

    # --- attributes and the model -----------------------------------------------------------------------------------

    @abstractmethod
    def _emission_attributes(self, emission: Any) -> dict[str, Any]:
        """Return the attributes of an emission, as copies."""

    def _attributes_of(self, model: HiddenMarkovModel) -> dict[str, Any]:
        chain = {"startprob_": model.chain.startprob.copy(), "transmat_": model.chain.transmat.copy()}
        return chain | self._emission_attributes(model.emission)

    def _fits(self, model: HiddenMarkovModel) -> bool:
        return model.chain.n_states == self.n_components

    def _model_of(self, attributes: dict[str, Any]) -> HiddenMarkovModel:
        K = check.check_count("n_components", self.n_components)
        chain = MarkovChain(
            check.check_probabilities("startprob_", attributes["startprob_"], (K,)),
            check.check_probabilities("transmat_", attributes["transmat_"], (K, K)),
        )
        emission = self._emission_of(attributes, getattr(self, "n_features_in_", None))
        return self._with_fixed(HiddenMarkovModel(chain, emission))

    def _ready(self, X: Any, lengths: Any, sequence_id: Any) -> tuple[HiddenMarkovModel, Sequences, Layout]:
        """Return the model and the data that a method asks about."""
        model = self._current()
        # a model set by hand learns nothing, not even names of features, from the data that it is asked about
        reader = self if hasattr(self, "n_features_in_") else copy.copy(self)
        data, layout = reader._read(X, lengths, sequence_id)
        if data.frames.shape[1] != model.emission.n_features:
            raise ValueError(
                f"X has {data.frames.shape[1]} features, but {type(self).__name__} is expecting"
                f" {model.emission.n_features} features as input"
            )
        return model, data, layout

    # --- what the model says ----------------------------------------------------------------------------------------

    def score(self, X: Any, y: Any = None, lengths: Any = None, *, sequence_id: Any = None) -> float:
        """Return the log-likelihood of all sequences, in nats; -inf if one is impossible.

        The total, as in hmmlearn. A density can exceed 1, so that a log-likelihood can be positive. ``y`` is ignored,
        but for hmmlearn's positional ``score(X, lengths)``.
        """
        model, data, _ = self._ready(X, self._lengths(X, y, lengths), sequence_id)
        with self._map() as map_:
            return math.fsum(model.score_sequences(data, map_))

    def score_sequences(
        self, X: Any, lengths: Any = None, *, sequence_id: Any = None, per_frame: bool = False
    ) -> np.ndarray:
        """Return the log-likelihood of each sequence, (n,) in nats.

        ``per_frame=True`` divides by the number of frames, which makes sequences of different lengths comparable.
        """
        model, data, _ = self._ready(X, lengths, sequence_id)
        with self._map() as map_:
            scores = model.score_sequences(data, map_)
        return scores / data.lengths if per_frame else scores

    def score_frames(self, X: Any, lengths: Any = None, *, sequence_id: Any = None) -> Any:
        """Return log p(x_t | x_1..t-1) of each frame, in nats and in the form of X; they add up to :meth:`score`.

        From the first impossible frame of a sequence on it is -inf.
        """
        model, data, layout = self._ready(X, lengths, sequence_id)
        with self._map() as map_:
            return layout.restore(model.score_frames(data, map_), padding=0.0)

    def score_samples(self, X: Any, lengths: Any = None, *, sequence_id: Any = None) -> tuple[float, Any]:
        """Return the log-likelihood of all sequences and the posteriors of the states, as in hmmlearn."""
        log_likelihood, gamma, layout = self._smooth(X, lengths, sequence_id)
        return log_likelihood, layout.restore(gamma, padding=0.0)

    def predict_proba(self, X: Any, lengths: Any = None, *, sequence_id: Any = None) -> Any:
        """Return p(s_t | x), the posteriors given each whole sequence, (N, K) or in the form of X.

        These are smoothed: they look at the future of each frame.

        Raises
        ------
        ImpossibleSequenceError
            If a sequence has probability zero; it names the sequence and its first impossible frame.
        """
        return self.score_samples(X, lengths, sequence_id=sequence_id)[1]

    def decode(
        self, X: Any, lengths: Any = None, algorithm: str | None = None, *, sequence_id: Any = None
    ) -> tuple[float, Any]:
        """Return log p(x, path) and the path.

        Parameters
        ----------
        X, lengths
            As in :meth:`fit`.
        algorithm : {"viterbi", "map"}, optional
            ``viterbi``: the path that is most probable as a whole. ``map``: the most probable state at each frame; such
            a path may be impossible. Default: the constructor's.
        sequence_id
            As in :meth:`fit`.

        Returns
        -------
        log_prob : float
            log p(x, path) of the path that is returned, in nats, added over the sequences; -inf for an impossible path.
        states : array (N,), or in the form of X
            Ties go to the lowest state; 3-D input is filled up with -1.

        Raises
        ------
        ImpossibleSequenceError
            If a sequence has probability zero.
        """
        algorithm = check.check_choice(
            "algorithm", self.algorithm if algorithm is None else algorithm, ("viterbi", "map")
        )
        model, data, layout = self._ready(X, lengths, sequence_id)
        with self._map() as map_:
            if algorithm == "viterbi":
                path, log_prob = model.decode(data, map_)
                self._refuse_impossible(model, data, log_prob)
            else:
                log_likelihood, gamma, _ = model.smooth(data, map_)
                self._refuse_impossible(model, data, log_likelihood)
                path = gamma.argmax(axis=1)
                log_prob = model.path_log_prob(data, path)
        return math.fsum(log_prob), layout.restore(path)

    def predict(self, X: Any, lengths: Any = None, *, sequence_id: Any = None) -> Any:
        """Return the path of :meth:`decode`, (N,) int64 or in the form of X."""
        return self.decode(X, lengths, sequence_id=sequence_id)[1]

    def segments(self, X: Any, lengths: Any = None, *, sequence_id: Any = None) -> np.ndarray:
        """Return the runs of equal states along the decoded path.

        Returns
        -------
        ndarray of shape (runs,)
            A structured array with the fields ``sequence``, ``start``, ``end`` (frames within the sequence, the end
            excluded), ``state`` and ``posterior`` (mean posterior probability of the state over the run).
        """
        model, data, _ = self._ready(X, lengths, sequence_id)
        with self._map() as map_:
            log_likelihood, gamma, _ = model.smooth(data, map_)
            self._refuse_impossible(model, data, log_likelihood)
            path = model.decode(data, map_)[0] if self.algorithm == "viterbi" else gamma.argmax(axis=1)
        cut = np.concatenate([[True], path[1:] != path[:-1]])
        cut[data.offsets[:-1]] = True
        start = np.flatnonzero(cut)
        end = np.append(start[1:], len(path))
        sequence = np.searchsorted(data.offsets, start, side="right") - 1
        posterior = np.add.reduceat(gamma[np.arange(len(path)), path], start) / (end - start)
        fields = [("sequence", "i8"), ("start", "i8"), ("end", "i8"), ("state", "i8"), ("posterior", "f8")]
        runs = np.empty(len(start), dtype=fields)
        runs["sequence"], runs["state"], runs["posterior"] = sequence, path[start], np.minimum(posterior, 1.0)
        runs["start"], runs["end"] = start - data.offsets[sequence], end - data.offsets[sequence]
        return runs

    def expected_counts(self, X: Any, lengths: Any = None, *, sequence_id: Any = None) -> np.ndarray:
        """Return the expected number of transitions from state i to state j given the data, (K, K)."""
        model, data, _ = self._ready(X, lengths, sequence_id)
        with self._map() as map_:
            log_likelihood, _, counts = model.smooth(data, map_)
        self._refuse_impossible(model, data, log_likelihood)
        return counts

    def expected_durations(self) -> np.ndarray:
        """Return the mean number of frames that a visit to each state lasts, 1 / (1 - transmat[k, k]), (K,)."""
        with np.errstate(divide="ignore"):
            return 1.0 / (1.0 - np.diag(self._current().chain.transmat))

    def get_stationary_distribution(self) -> np.ndarray:
        """Return pi (K,) with pi transmat = pi.

        Raises
        ------
        ValueError
            If several classes of states are recurrent; the message names them.
        """
        return stationary(self._current().chain.transmat)

    def sample(
        self, n_samples: int = 1, random_state: Any = None, currstate: int | None = None, *, lengths: Any = None
    ) -> tuple[Any, np.ndarray]:
        """Return frames and states drawn from the model.

        Parameters
        ----------
        n_samples : int
            Number of frames of one sequence.
        random_state : int, Generator, RandomState or None
            Default: the constructor's.
        currstate : int, optional
            State of the first frame; default: drawn from ``startprob_``.
        lengths : array-like of int, optional
            Lengths of several sequences, in place of ``n_samples``.

        Returns
        -------
        X : ndarray of shape (N, D)
            Frames, those of several sequences one behind the other.
        states : ndarray of shape (N,)
            Their states.
        """
        model = self._current()
        rng = check.generator(self.random_state if random_state is None else random_state)
        lengths = [check.check_count("n_samples", n_samples)] if lengths is None else inputs.check_lengths(lengths)
        if currstate is not None and check.check_count("currstate", currstate, 0) >= self.n_components:
            raise ValueError(f"currstate must be a state, 0 to {self.n_components - 1}; got {currstate}")
        frames, states = model.sample(lengths, rng, currstate)
        return self._symbols(frames), states

    def aic(self, X: Any, lengths: Any = None, *, sequence_id: Any = None) -> float:
        """Return Akaike's criterion, -2 log L + 2 p; lower is better. Only free parameters count."""
        return -2 * self.score(X, lengths=lengths, sequence_id=sequence_id) + 2 * self._current().n_free_parameters

    def bic(self, X: Any, lengths: Any = None, *, sequence_id: Any = None) -> float:
        """Return the Bayesian criterion, -2 log L + p log N with N frames; lower is better."""
        model, data, _ = self._ready(X, lengths, sequence_id)
        with self._map() as map_:
            log_likelihood = math.fsum(model.score_sequences(data, map_))
        return -2 * log_likelihood + model.n_free_parameters * math.log(data.n_frames)

    def _symbols(self, frames: np.ndarray) -> Any:
        return frames

    def _smooth(self, X: Any, lengths: Any, sequence_id: Any) -> tuple[float, np.ndarray, Layout]:
        model, data, layout = self._ready(X, lengths, sequence_id)
        with self._map() as map_:
            log_likelihood, gamma, _ = model.smooth(data, map_)
        self._refuse_impossible(model, data, log_likelihood)
        return math.fsum(log_likelihood), gamma, layout

    def _refuse_impossible(self, model: HiddenMarkovModel, data: Sequences, scores: np.ndarray) -> None:
        """Raise an error that names the first impossible sequence and frame, if there is one."""
        if not np.any(scores == -np.inf):
            return
        i = int(np.argmax(scores == -np.inf))
        frames = model.score_frames(data[[i]])
        t = int(np.argmax(frames == -np.inf))
        raise ImpossibleSequenceError(
            f"sequence {i} of X has probability zero under the model: no allowed path explains its frame {t}"
            f" after the frames before it"
        )


def _is_left_right(given: dict[str, Any]) -> bool:
    """Whether the user's chain starts in state 0 and never goes back."""
    if "transmat_" not in given or len(given["transmat_"]) < 2:
        return False
    start = given.get("startprob_")
    forward = not np.tril(given["transmat_"], -1).any()
    return forward and (start is None or bool(start[0] == 1.0))
