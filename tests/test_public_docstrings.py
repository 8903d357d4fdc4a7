"""Every public name is documented, and the documented arguments are the real ones."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest
from numpydoc.docscrape import NumpyDocString

import hmmem

NAMES = sorted(name for name in getattr(hmmem, "__all__", ()) if not name.startswith("__"))


def documented(subject: Any, *sections: str) -> list[str]:
    """Names of the arguments in the given sections of a docstring, in order."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpydoc warns of misspelt and repeated sections
        text = NumpyDocString(inspect.getdoc(subject) or "")
    entries = [entry for section in sections for entry in text[section]]
    return [name.strip().lstrip("*") for entry in entries for name in entry.name.split(",")]


def real(subject: Any) -> list[str]:
    """Names of the public arguments of a function, a method or a constructor, in order."""
    names = list(inspect.signature(subject).parameters)
    return [name for name in names if name not in {"self", "cls"} and not name.startswith("_")]


def own_methods(cls: type) -> dict[str, Any]:
    """Public methods and properties that a class of hmmem inherits from no one else's class."""
    found = {}
    for base in reversed(cls.__mro__):
        if base.__module__.split(".")[0] == "hmmem":
            found.update({name: value for name, value in vars(base).items() if not name.startswith("_")})
    return {
        name: getattr(value, "__func__", value)
        for name, value in found.items()
        if callable(value) or isinstance(value, property | classmethod | staticmethod)
    }


def functions() -> list[str]:
    return [name for name in NAMES if inspect.isroutine(getattr(hmmem, name))]


def classes() -> list[str]:
    return [name for name in NAMES if inspect.isclass(getattr(hmmem, name))]


def test_public_names_resolve():
    for name in NAMES:
        assert getattr(hmmem, name) is not None
    assert set(NAMES) <= set(dir(hmmem))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = hmmem.no_such_name


@pytest.mark.parametrize("name", functions())
def test_function_documents_its_arguments(name):
    function = getattr(hmmem, name)
    assert inspect.getdoc(function), f"{name} has no docstring"
    assert documented(function, "Parameters") == real(function)


@pytest.mark.parametrize("name", classes())
def test_class_documents_its_arguments(name):
    cls = getattr(hmmem, name)
    assert inspect.getdoc(cls), f"{name} has no docstring"
    if issubclass(cls, BaseException) or getattr(cls, "_is_protocol", False):
        return
    arguments = real(cls)
    found = documented(cls, "Parameters")
    if not found:  # values name their fields as attributes; a class that others construct has no arguments to tell
        found = [each for each in documented(cls, "Attributes") if each in arguments]
    assert found == arguments


@pytest.mark.parametrize("name", classes())
def test_methods_document_their_arguments(name):
    for method, value in own_methods(getattr(hmmem, name)).items():
        assert inspect.getdoc(value), f"{name}.{method} has no docstring"
        if inspect.isfunction(value) and (found := documented(value, "Parameters")):
            assert found == real(value), f"{name}.{method}"
