"""The decorators of all kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import config, njit, typeof, types

from hmmem.kernels import cache

#: All kernels that have been imported, by name: ``scaled.forward``. Empty with the JIT switched off.
KERNELS: dict[str, Any] = {}

#: contract, nsz and arcp alone: nnan and ninf would take away the meaning of -inf (impossible) and nan (a fault).
_compiled = njit(error_model="numpy", nogil=True, fastmath={"contract", "nsz", "arcp"})
#: For pieces of kernels that take and give vectors, which cannot cross the border to Python.
inline = njit(error_model="numpy", nogil=True, forceinline=True, fastmath={"contract", "nsz", "arcp"})


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, once; see :mod:`hmmem.kernels.cache` for what later processes do."""
    compiled = _compiled(function)
    if config.DISABLE_JIT:  # compiled code does not warn of infinities either
        return np.errstate(all="ignore")(compiled)
    _take_read_only(compiled)
    _take_constants(compiled)
    home, _, module = function.__module__.partition("hmmem.kernels.")
    if module and not home and function.__qualname__ == function.__name__:  # the fingerprint covers nothing else
        name = f"{module}.{function.__qualname__}"
        KERNELS[name] = compiled
        cache.attach(compiled, name)
    return compiled


def _take_read_only(compiled: Any) -> None:
    """Let read-only arrays run the code of writable ones, for which Numba would compile a second version.

    A kernel writes into arrays alone that its caller made; data and parameters may be read-only: memory-mapped files,
    models that came from another process. Nothing is added to a call but the first one with read-only arrays.
    """
    compile_for, insert = getattr(compiled, "_compile_for_args", None), getattr(compiled, "_insert", None)
    if compile_for is None or insert is None:  # a Numba with other insides compiles the second version
        return
    known: dict[tuple[int, ...], object] = {}

    def compile_for_any(*args: Any, **kwargs: Any) -> Any:
        alike = [_writable(argument) for argument in args]
        entry_point = compile_for(*alike, **kwargs)
        if any(a is not b for a, b in zip(alike, args, strict=True)):
            codes, first = tuple(typeof(argument)._code for argument in args), object()
            if known.setdefault(codes, first) is first:  # of several threads one: twice would be ambiguous
                insert(list(codes), entry_point, False)
        return entry_point

    compiled._compile_for_args = compile_for_any


def _take_constants(compiled: Any) -> None:
    """Let another kernel that gives a constant run the code for any number: it is no reason for a second version."""
    template_for = getattr(compiled, "get_call_template", None)
    if template_for is not None:
        compiled.get_call_template = lambda args, kws: template_for(
            tuple(map(types.unliteral, args)), {name: types.unliteral(each) for name, each in kws.items()}
        )


def _writable(argument: Any) -> Any:
    """Return a small array of the same type but for that, in place of a read-only one."""
    if isinstance(argument, np.ndarray) and argument.flags.c_contiguous and not argument.flags.writeable:
        return np.empty((0,) * argument.ndim, argument.dtype)
    return argument
