"""Objects to model files and back: one table from names of kinds to classes."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from hmmem.files.model_file import ModelFileError, read_model, write_model

__all__ = ["Storable", "load", "register", "save"]

# A file names only a kind. Which module that means is written here, in the library, never in a file; and it is
# imported when the first file of the kind is read.
HOMES: dict[str, str] = {
    "GaussianHMM": "hmmem.estimators.gaussian_hmm:GaussianHMM",
    "CategoricalHMM": "hmmem.estimators.categorical_hmm:CategoricalHMM",
    "PoissonHMM": "hmmem.estimators.poisson_hmm:PoissonHMM",
    "GaussianMixture": "hmmem.estimators.gaussian_mixture:GaussianMixture",
}
_registered: dict[str, type[Any]] = {}


class Storable(Protocol):
    """What a class needs so that its objects can be saved."""

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return all that the object is: ``meta`` for JSON, and arrays by name."""
        ...

    @classmethod
    def from_arrays(cls, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Return the object that ``to_arrays`` described, after checking every value: a file is not to be trusted."""
        ...


C = TypeVar("C", bound=type[Any])


def register(kind: str) -> Callable[[C], C]:
    """Return a class decorator that makes objects of a class of your own work with ``save`` and ``load``.

    The classes of hmmem are known already. Yours must be imported before a file of its kind is loaded.

    Parameters
    ----------
    kind : str
        The name that stands in the file: letters, digits, underscores and inner dots.

    Raises
    ------
    ValueError
        The kind belongs to another class.
    TypeError
        The class lacks ``to_arrays`` or ``from_arrays``.

    Examples
    --------
    >>> import os, tempfile
    >>> @register("lab.Scale")
    ... class Scale:
    ...     def __init__(self, factors):
    ...         self.factors = factors
    ...
    ...     def to_arrays(self):
    ...         return {}, {"factors": self.factors}
    ...
    ...     @classmethod
    ...     def from_arrays(cls, meta, arrays):
    ...         return cls(arrays["factors"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "scale.hmmem")
    ...     save(Scale(np.array([2.0, 3.0])), path)
    ...     load(path).factors
    array([2., 3.])
    """

    def add(cls: C) -> C:
        missing = [name for name in ("to_arrays", "from_arrays") if not callable(getattr(cls, name, None))]
        if missing:
            raise TypeError(f"{cls.__name__} cannot be registered: it has no method {missing[0]}")
        # The same class comes again when a module is reloaded or a notebook cell is run twice.
        holder = HOMES.get(kind) or (_address(_registered[kind]) if kind in _registered else _address(cls))
        if holder != _address(cls):
            raise ValueError(f"the kind {kind!r} belongs to {holder}; register {cls.__name__} under another name")
        _registered[kind] = cls
        return cls

    return add


def save(obj: Storable, path: str | os.PathLike[str]) -> None:
    """Write an object to one model file, whole or not at all.

    Parameters
    ----------
    obj : Storable
        An object of a class of hmmem or of a registered class. A subclass is a class of its own.
    path : str or PathLike
        Where to write; an old file is replaced only by a complete new one.

    Raises
    ------
    TypeError
        The class is not registered.
    FileNotFoundError, OSError
        The folder does not exist, or the system refused.
    """
    kind = _kind_of(type(obj))
    meta, arrays = obj.to_arrays()
    write_model(path, kind, meta, arrays)


def load(path: str | os.PathLike[str]) -> Any:
    """Return the object that a model file holds. No code from the file is run.

    Parameters
    ----------
    path : str or PathLike
        A file written by :func:`save`.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ModelFileError
        The file is damaged, hostile, newer, of an unknown kind, or its values are not those of a model.
    """
    kind, meta, arrays = read_model(path)
    cls = _class_of(kind, path)
    try:
        return cls.from_arrays(meta, arrays)
    except KeyError as error:
        raise ModelFileError(f"{os.fspath(path)} is not a complete {kind}: it has no {error}") from error
    except (TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        raise ModelFileError(f"{os.fspath(path)} does not hold a valid {kind}: {error}") from error


def _address(cls: type[Any]) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _kind_of(cls: type[Any]) -> str:
    """The name under which objects of ``cls`` are stored."""
    for kind, registered in _registered.items():
        if registered is cls:
            return kind
    for kind, home in HOMES.items():
        if home == _address(cls):
            return kind
    raise TypeError(
        f"objects of {_address(cls)} cannot be saved: the class is not registered; decorate it with "
        f'@register("{cls.__name__}") and give it to_arrays and from_arrays'
    )


def _class_of(kind: str, path: str | os.PathLike[str]) -> type[Any]:
    """The class that objects of ``kind`` have."""
    if kind in _registered:
        return _registered[kind]
    if kind not in HOMES:
        known = ", ".join(sorted({*HOMES, *_registered}))
        raise ModelFileError(
            f"{os.fspath(path)} holds a {kind!r}, a kind that is not known here (known: {known}); "
            f"import the module that registers it, or upgrade hmmem"
        )
    module, _, name = HOMES[kind].partition(":")
    cls: type[Any] = getattr(importlib.import_module(module), name)
    return cls
