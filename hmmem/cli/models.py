"""What commands ask a model, alike for hidden Markov models and mixtures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hmmem.cli.data import Data, as_text, read_data
from hmmem.cli.outcome import say
from hmmem.cli.wording import option_names


@dataclass(frozen=True)
class Model:
    """An estimator and the file where it is.

    Attributes
    ----------
    estimator : Estimator
    path : str
    """

    estimator: Any
    path: str

    @classmethod
    def load(cls, path: str) -> Model:
        """Return the fitted model of a file."""
        from hmmem.files.registry import load

        model = cls(load(path), path)
        if not model.estimator.__sklearn_is_fitted__():
            raise ValueError(f"{path} holds a {model.kind} that was never fitted; fit it first")
        return model

    @property
    def kind(self) -> str:
        """Name of the estimator's class."""
        return type(self.estimator).__name__

    @property
    def is_mixture(self) -> bool:
        """Whether frames are independent under the model."""
        return not hasattr(self.estimator, "transmat_")

    @property
    def names(self) -> tuple[str, ...] | None:
        """Columns that the model was fitted to, if it knows them."""
        names = getattr(self.estimator, "feature_names_in_", None)
        return None if names is None else tuple(map(str, names))

    def read(
        self, source: str, columns: str | None, id_column: str | None, lengths_file: str | None, time: str | None = None
    ) -> Data:
        """Return data for this model; what is left out of the table is told on standard error."""
        symbols = getattr(self.estimator, "symbols_", None)
        width = getattr(self.estimator, "n_features_in_", None)
        data = read_data(
            source, columns, id_column, lengths_file, symbols=symbols is not None, time=time, expected=self.names,
            width=width or 0,
        )  # fmt: skip
        if width is not None and data.X.shape[1] != width:
            raise ValueError(
                f"{source} gives {data.X.shape[1]} columns ({', '.join(data.names)}); the model was fitted to {width};"
                " choose with --columns"
            )
        self._tell_unused(data)
        if symbols is None:
            return data
        text = [c for c, column in enumerate(symbols) if column and all(isinstance(symbol, str) for symbol in column)]
        return replace(data, X=as_text(data.X, text))

    def _tell_unused(self, data: Data) -> None:
        """A model file does not say how its training data were cut, but a column that is not its own may."""
        if not data.unused:
            return
        one = len(data.unused) == 1
        names = ", ".join(map(repr, data.unused))
        text = f"the column{'' if one else 's'} {names} {'is' if one else 'are'} not used"
        if not data.cut and not self.is_mixture:
            text += f", and all {len(data.X)} rows are one sequence; --id names a column that tells sequences apart"
        say("note", text)

    def path_of(self, data: Data, algorithm: str) -> np.ndarray:
        """Return the state of each row, (N,)."""
        with _columns_are_checked():
            if self.is_mixture:
                return self.estimator.predict(data.X)
            return self.estimator.decode(data.X, algorithm=algorithm, **data.cut)[1]

    def posteriors(self, data: Data) -> np.ndarray:
        """Return the probability of each state at each row, (N, K)."""
        with _columns_are_checked():
            return self.estimator.predict_proba(data.X, **self._cut(data))

    def segments(self, data: Data) -> np.ndarray:
        """Return the runs, a structured array."""
        if self.is_mixture:
            raise ValueError(
                f"{self.path} holds a {self.kind}, whose frames are independent, so that there are no segments; "
                f"hmmem decode gives the component of each frame"
            )
        with _columns_are_checked():
            return self.estimator.segments(data.X, **data.cut)

    def scores(self, data: Data) -> np.ndarray:
        """Return the log-likelihood of each sequence, (n,)."""
        with _columns_are_checked():
            if not self.is_mixture:
                return self.estimator.score_sequences(data.X, **data.cut)
            frames = self.estimator.score_samples(data.X)
        return np.bincount(data.sequence, weights=frames)

    def criteria(self, data: Data) -> dict[str, float]:
        """Return AIC and BIC."""
        with _columns_are_checked():
            return {name: getattr(self.estimator, name)(data.X, **self._cut(data)) for name in ("aic", "bic")}

    def _cut(self, data: Data) -> dict[str, Any]:
        return {} if self.is_mixture else data.cut


@contextmanager
def _columns_are_checked() -> Iterator[None]:
    """Hold back scikit-learn's remark that an array has no column names: they were compared when it was read."""
    with warnings.catch_warnings(), option_names():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        yield
