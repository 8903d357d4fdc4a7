"""What all estimators share: reading input, running EM, reports, files."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data

from hmmem import parameters as check
from hmmem.em import fit_em
from hmmem.estimators.progress import progress
from hmmem.exceptions import (
    ConvergenceWarning,
    ImpossibleSequenceWarning,
    MonotonicityWarning,
    SingularWarning,
    StarvedStateWarning,
)
from hmmem.parallel import thread_map
from hmmem.report import FitReport
from hmmem.sequences import BLOCK_SIZE

#: Arguments of hmmlearn and scikit-learn that have no place here, and what takes theirs.
REPLACED = {
    "min_covar": "use variance_floor, a floor of the maximisation relative to the variance of each feature",
    "reg_covar": "use variance_floor, a floor of the maximisation relative to the variance of each feature",
    "implementation": "leave it out: scaled recursions, with log space where they cannot vouch for the result",
}
_PRIORS = (
    "startprob_prior transmat_prior means_prior means_weight covars_prior covars_weight emissionprob_prior"
    " lambdas_prior lambdas_weight"
)
REPLACED |= {
    "n_states": "n_components is the number of states",
    "init": "init_params names the kind of start",
    "max_iter": "n_iter is the largest number of updates",
    "n_iter": "max_iter is the largest number of updates",
    "verbose_interval": "leave it out: verbose=True shows every update",
}
REPLACED |= dict.fromkeys(
    _PRIORS.split(), "leave it out: fits are maximum likelihood; zeros, collapse and starved states are taken care of"
)


class Estimator(BaseEstimator):
    """Base of all estimators: the only place where a fit changes an object."""

    #: Fitted arrays that make up the model: attribute names, in the order of the files.
    _parameters: ClassVar[tuple[str, ...]] = ()
    fit_report_: FitReport

    def __new__(cls, *args: Any, **arguments: Any) -> Self:
        """Refuse arguments of other libraries by name; the constructors only store what they are given."""
        known = cls.__signature__.parameters
        for name in arguments.keys() - known.keys():
            near = difflib.get_close_matches(name, known, 1)
            hint = REPLACED.get(name) or (f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}")
            raise TypeError(f"{cls.__name__} has no argument {name!r}; {hint}")
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # introspection must see the constructor's arguments, not those of __new__
        signature = inspect.signature(cls.__init__)
        cls.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])

    # --- input ------------------------------------------------------------------------------------------------------

    def _check_frames(self, X: Any, reset: bool) -> np.ndarray:
        """Check X (N, D) of numbers; what is float64 already is not copied. ``reset``: X says what the features are."""
        X = _plain_numbers(X)
        _refuse_flat(X)
        reset = reset or not hasattr(self, "n_features_in_")
        try:
            X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite=False)
        except ValueError as error:
            if "could not convert" in str(error):
                raise ValueError(f"X must hold numbers; {_where_text(X) or error}") from None
            raise
        for start in range(0, len(X), BLOCK_SIZE):
            piece = X[start : start + BLOCK_SIZE]
            if not np.isfinite(piece).all():
                t, d = np.argwhere(~np.isfinite(piece))[0]
                what, mend = "infinity", "X must be finite"
                if np.isnan(piece[t, d]):
                    what, mend = "NaN", "missing values are not supported; leave these frames out or fill them in"
                raise ValueError(f"X contains {what} in frame {start + t}, feature {d}; {mend}")
        return X

    def _check_arguments(self) -> None:
        """Check the constructor's arguments, those that all estimators share; nothing has changed before."""
        check.check_count("n_components", self.n_components)
        check.check_count("n_init", self.n_init)
        for name in ("tol", "param_tol", "max_time"):
            check.check_number(name, getattr(self, name), optional=True)
        if self.n_jobs is not None and check.check_count("n_jobs", self.n_jobs, -1024) == 0:
            raise ValueError("n_jobs must not be 0; None or -1 use all cores")
        if self.callback is not None and not callable(self.callback):
            raise TypeError(
                f"callback must be callable as callback(iteration, objective, model); got {self.callback!r}"
            )

    # --- fitting ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Leave the object as it was if anything goes wrong inside."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _run_em(
        self, starts: list[Any], data: Any, n_iter: int, map: Any, shown: Callable[[Any], Any] | None = None
    ) -> tuple[Any, FitReport]:
        """Run EM under this estimator's arguments; ``shown`` makes of a model what the user's callback sees."""
        own = self.callback

        def shown_callback(iteration: int, objective: float, model: Any) -> object:
            return own(iteration, objective, model if shown is None else shown(model))

        with progress(self.verbose, n_iter, len(starts), None if own is None else shown_callback) as tell:
            return fit_em(
                starts, data, n_iter=n_iter, tol=self.tol, param_tol=self.param_tol, max_time=self.max_time,
                callback=tell, map=map,
            )  # fmt: skip

    def _warn(self, report: FitReport, n_iter_name: str) -> None:
        """Issue at most one warning of each class."""
        level = 3
        if report.fall:
            warnings.warn(
                f"the objective fell by {report.fall:.3g} nats, more than rounding explains", MonotonicityWarning, level
            )
        if report.stop_reason == "singular":
            warnings.warn(
                "a variance reached zero and variance_floor=0 does not hold it up; this is the last valid model. Set"
                " variance_floor=1e-3, or n_init above 1",
                SingularWarning,
                level,
            )
        if report.stop_reason in {"max_iter", "time"} and (self.tol is not None or self.param_tol is not None):
            limit = n_iter_name if report.stop_reason == "max_iter" else "max_time"
            # no figures of this fit: in a loop over fits Python then shows the same warning once
            warnings.warn(
                f"stopped by {limit}={getattr(self, limit)} before a stopping rule was met (tol={self.tol},"
                f" param_tol={self.param_tol}); increase {limit}, or loosen the rule; fit_report_ tells more",
                ConvergenceWarning,
                level,
            )
        if report.starved:
            warnings.warn("; ".join(report.starved), StarvedStateWarning, level)
        if report.n_impossible:
            named = ", ".join(map(str, report.impossible_sequences[:5]))
            more = ", ..." if len(report.impossible_sequences) > 5 else ""
            warnings.warn(
                f"{report.n_impossible} sequences have probability zero and were left out: {named}{more}",
                ImpossibleSequenceWarning,
                level,
            )

    def _adopt(self, model: Any, report: FitReport) -> None:
        """Take over a fitted model: the last step of a fit."""
        for name, value in self._attributes_of(model).items():
            setattr(self, name, value)
        self._model = model
        self.fit_report_ = report
        self.converged_ = report.converged
        self.n_iter_ = report.n_iter

    def _attributes_of(self, model: Any) -> dict[str, Any]:
        """Return the fitted attributes of a model, as copies."""
        raise NotImplementedError

    def _model_of(self, attributes: dict[str, Any]) -> Any:
        """Return the model that these attributes describe, checked."""
        raise NotImplementedError

    def _fits(self, model: Any) -> bool:
        """Return whether a model is what the constructor's arguments ask for; they may have changed since the fit."""
        raise NotImplementedError

    def _details(self, model: Any) -> dict[str, np.ndarray]:
        """Return what a fitted model knows beyond its attributes, for the model file."""
        return {}

    def _with_details(self, model: Any, details: dict[str, np.ndarray]) -> Any:
        """Return the model with what :meth:`_details` gave, checked."""
        return model

    def _current(self) -> Any:
        """Return the model that the attributes describe now: the fitted one, or one set by hand."""
        missing = [name for name in self._parameters if not hasattr(self, name)]
        if missing:
            raise NotFittedError(
                f"this {type(self).__name__} instance is not fitted yet; call fit, or set {', '.join(missing)}"
            )
        attributes = {name: getattr(self, name) for name in self._parameters}
        known = getattr(self, "_model", None)
        if known is not None and self._fits(known):
            fitted = self._attributes_of(known)
            if all(same(attributes[name], fitted[name]) for name in self._parameters):
                return known
        return self._model_of(attributes)

    def __sklearn_is_fitted__(self) -> bool:
        return all(hasattr(self, name) for name in self._parameters)

    def _map(self) -> Any:
        """A context that gives the map of this estimator's threads."""
        return thread_map(self.n_jobs)

    # --- files ------------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the estimator to one file, atomically; read it back with :func:`hmmem.load`.

        Parameters
        ----------
        path : str or path
            The file; one that exists is replaced only once the new one is whole.

        Notes
        -----
        Saved are the constructor's arguments, the fitted attributes and the report, floats bit by bit. A callback, and
        a ``random_state`` that is an object rather than a seed, are not saved.
        """
        from hmmem.files import registry  # loaded by those who save

        registry.save(self, path)

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what a model file holds: JSON values and arrays."""
        meta: dict[str, Any] = {"params": {}, "fitted": {}}
        arrays: dict[str, np.ndarray] = {}
        for name, value in self.get_params(deep=False).items():
            if name == "callback" or (name == "random_state" and not isinstance(value, (int, np.integer, type(None)))):
                value = None
            self._store(f"params.{name}", value, meta["params"], arrays, name)
        missing = [name for name in self._parameters if not hasattr(self, name)]
        if missing and len(missing) < len(self._parameters):
            raise NotFittedError(
                f"this {type(self).__name__} is set in part; set {', '.join(missing)} before it is saved"
            )
        if hasattr(self, "fit_report_"):
            meta["report"] = self.fit_report_.to_json()
        known = getattr(self, "_model", None)
        if not missing and self._current() is known:  # a file that could not be read again is not written
            arrays.update({f"details.{name}": values for name, values in self._details(known).items()})
        for name in self._stored():
            if hasattr(self, name):
                self._store(f"fitted.{name}", getattr(self, name), meta["fitted"], arrays, name)
        return meta, arrays

    def _stored(self) -> tuple[str, ...]:
        """Names of the attributes that a file keeps."""
        return (*self._parameters, "n_features_in_", "feature_names_in_", "converged_", "n_iter_")

    @staticmethod
    def _store(key: str, value: Any, meta: dict[str, Any], arrays: dict[str, np.ndarray], name: str) -> None:
        if hasattr(value, "to_numpy"):
            value = value.to_numpy()
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            meta[name] = {"list": [str(x) for x in value]}
        elif isinstance(value, np.ndarray):
            arrays[key] = value
        elif isinstance(value, (list, tuple)) and any(isinstance(x, np.ndarray) for x in value):
            meta[name] = {"arrays": len(value)}
            for i, x in enumerate(value):
                arrays[f"{key}.{i}"] = np.asarray(x)
        else:
            meta[name] = {"value": value}

    @classmethod
    def from_arrays(cls, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Return the estimator of a model file, every parameter checked."""

        def restore(group: str) -> dict[str, Any]:
            values: dict[str, Any] = {}
            for name, entry in meta[group].items():
                if "list" in entry:
                    values[name] = np.array(entry["list"], dtype=object)
                elif "arrays" in entry:
                    values[name] = [arrays[f"{group}.{name}.{i}"] for i in range(entry["arrays"])]
                else:
                    values[name] = entry["value"]
            prefix = f"{group}."
            whole = {key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)}
            values.update({name: array for name, array in whole.items() if "." not in name})
            return values

        estimator = cls(**restore("params"))
        fitted = restore("fitted")
        allowed = set(estimator._stored())
        if not set(fitted) <= allowed:
            raise ValueError(f"a {cls.__name__} has no attribute {sorted(set(fitted) - allowed)[0]!r}")
        missing = [name for name in cls._parameters if name not in fitted]
        if missing and len(missing) < len(cls._parameters):
            raise ValueError(
                f"a fitted {cls.__name__} has {', '.join(cls._parameters)}; {', '.join(missing)} is missing"
            )
        if "n_features_in_" in fitted:
            check.check_count("n_features_in_", fitted["n_features_in_"])
        if "n_iter_" in fitted:
            check.check_count("n_iter_", fitted["n_iter_"], 0)
        if not isinstance(fitted.get("converged_", False), bool):
            raise ValueError(f"converged_ must be true or false; got {fitted['converged_']!r:.80}")
        estimator._restore(fitted)
        estimator._check_arguments()
        details = {key[8:]: array for key, array in arrays.items() if key.startswith("details.")}
        if details and hasattr(estimator, "_model"):
            estimator._model = estimator._with_details(estimator._model, details)
        if "report" in meta:
            estimator.fit_report_ = FitReport.from_json(meta["report"])
        return estimator

    def _restore(self, fitted: dict[str, Any]) -> None:
        """Set the fitted attributes and check that they make a model."""
        for name, value in fitted.items():
            setattr(self, name, value)
        if self.__sklearn_is_fitted__():
            self._model = self._current()


def same(a: Any, b: Any) -> bool:
    """Return whether two parameters are the same arrays, or lists of them, bit by bit."""
    if isinstance(b, list):
        return isinstance(a, list) and len(a) == len(b) and all(map(same, a, b))
    if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
        return a is b
    return a is b or (a.shape == b.shape and a.dtype == b.dtype and bool((a == b).all()))


def _refuse_flat(X: Any) -> None:
    """Raise an error for what has no two dimensions, with the mend for a series."""
    if X is None or type(X) is dict or hasattr(X, "__next__"):
        raise ValueError(f"X must be an array of shape (frames, features); got {type(X).__name__}")
    shape = np.shape(X) if isinstance(X, (list, tuple)) and not any(hasattr(x, "__len__") for x in X) else None
    shape = getattr(X, "shape", shape)
    if shape is not None and len(shape) == 1:
        if shape[0] == 0:
            raise ValueError("X holds no frames: found array with 0 sample(s); at least one frame is needed")
        raise ValueError(
            f"Expected 2D array, got 1D array instead: X has shape {tuple(shape)}. Reshape your data: a series of one"
            " feature is X.reshape(-1, 1), one row per frame"
        )


def _where_text(X: Any) -> str:
    """Name the first column of a table that holds text."""
    if not hasattr(X, "columns"):
        return ""
    for name in X.columns:
        try:
            np.asarray(X[name], dtype=np.float64)
        except (TypeError, ValueError):
            kind = X[name].dtype
            return f"column {name!r} holds {kind}; drop it, or pass sequence_id={name!r} if it names the sequences"
    return ""


def _plain_numbers(X: Any) -> Any:
    """Objects that are numbers become float64, None and NA become NaN; anything else is left to the checks."""
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError("X is masked, and missing values are not supported; leave these frames out or fill them in")
    if isinstance(X, np.ndarray) and X.dtype.kind in "mMSU":
        first = f", such as {str(X.flat[0])!r}" if X.size else ""
        raise ValueError(f"X must hold numbers; got {X.dtype}{first}")
    if isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 2:
        try:
            return np.array([[np.nan if _is_missing(x) else x for x in row] for row in X], dtype=np.float64)
        except (TypeError, ValueError):
            return X
        except OverflowError:
            raise ValueError("X holds integers beyond double precision; rescale X") from None
    return X


def _is_missing(x: Any) -> bool:
    return x is None or type(x).__name__ == "NAType"
