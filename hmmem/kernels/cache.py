"""Compiled kernels on disk, so that only the first process after an installation compiles.

Numba's own cache watches the file of each function alone: after an edit of a helper or a constant in another file, or
an upgrade that keeps the dates of files, it goes on running the old code. Here a compiled kernel is found under the
version of hmmem and the content of every source file of this folder, and, as in Numba, under the processor and the
versions of all that had a hand in compiling. A file that does not hold what was written to it counts for nothing.

All that touches the insides of Numba is in this module and in :mod:`hmmem.kernels.options`. Where Numba does not look
as expected, every process compiles for itself; Numba's own cache would be no substitute, since it can be stale.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import pickle
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from llvmlite import binding
from numba import config

from hmmem import __version__

try:
    from numba.core.caching import NullCache, _Cache
    from numba.core.compiler import CompileResult
    from numba.core.runtime import rtsys
    from numba.core.serialize import dumps

    METHODS = {"cache_path", "load_overload", "save_overload", "enable", "disable", "flush"}
    KNOWN = (
        _Cache.__abstractmethods__ == METHODS
        and list(inspect.signature(_Cache.load_overload).parameters) == ["self", "sig", "target_context"]
        and list(inspect.signature(_Cache.save_overload).parameters) == ["self", "sig", "data"]
    )
except (ImportError, AttributeError):
    KNOWN = False

__all__ = ["attach", "fingerprint", "folders"]

SOURCES = Path(globals().get("__file__", "")).parent
PREFIX, SUFFIX = "hmmem-kernels-", ".compiled"
#: Fingerprints whose kernels stay in a folder, those used last: other versions and environments may share it.
KEPT = 4
#: Seconds within which a folder counts as used just now.
RECENTLY = 86400.0
#: Settings of Numba that change what is compiled.
SETTINGS = ("BOUNDSCHECK", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "OPT", "SLP_VECTORIZE")


def fingerprint() -> str | None:
    """Return the version of hmmem and the content of all kernels as a name; None where there is no source to read."""
    try:
        files = sorted((entry.path, entry.stat()) for entry in _sources(SOURCES))
        return _digest(tuple((path, s.st_mtime_ns, s.st_size, s.st_ino) for path, s in files)) if files else None
    except OSError:  # inside an archive, or without sources
        return None


def _sources(folder: str | os.PathLike[str]) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield entry
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _sources(entry.path)


@functools.lru_cache(maxsize=1)
def _digest(state: tuple[tuple[str, int, int, int], ...]) -> str:
    """Read the files once, as long as their dates, sizes and places stay as they are."""
    content = hashlib.sha256(__version__.encode())
    for path, *_ in state:
        with open(path, "rb") as file:
            source = file.read()
        content.update(f"\0{os.path.relpath(path, SOURCES)}\0{len(source)}\0".encode() + source)
    return content.hexdigest()[:16]


def folders(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Return where compiled kernels are looked for, and kept if it can be written: the first that serves.

    HMMEM_CACHE names one folder, or says ``off``. Without it: NUMBA_CACHE_DIR if that is set; else ``__pycache__``
    beside the kernels, then the user's cache folder.
    """
    chosen = environment.get("HMMEM_CACHE", "").strip()
    if chosen.lower() in {"0", "off", "no", "false"}:
        return []
    if chosen.lower() not in {"", "1", "on", "yes", "true"}:
        return [Path(chosen).expanduser().absolute()]
    if environment.get("NUMBA_CACHE_DIR"):
        return [Path(environment["NUMBA_CACHE_DIR"]).absolute()]
    found = [SOURCES / "__pycache__"]
    with suppress(RuntimeError):  # a user without a home
        found.append(_of_user(environment))
    return found


def _of_user(environment: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        local = environment.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "hmmem" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "hmmem"
    chosen = environment.get("XDG_CACHE_HOME", "")
    return (Path(chosen) if os.path.isabs(chosen) else Path.home() / ".cache") / "hmmem"


def attach(dispatcher: Any, name: str) -> None:
    """Keep what a dispatcher compiles, and let it take what another process has kept.

    A kernel that is defined after an edit has no part in it: the fingerprint, taken when the first kernel was imported,
    does not say what that one is made of.
    """
    known = KNOWN and isinstance(getattr(dispatcher, "_cache", None), NullCache)
    if known and FINGERPRINT is not None and fingerprint() == FINGERPRINT:
        dispatcher._cache = DiskCache(name, [folder / f"{PREFIX}{FINGERPRINT}" for folder in FOLDERS])


class DiskCache:
    """The compiled code of one kernel, one file per signature; what Numba asks of a dispatcher's cache."""

    def __init__(self, name: str, homes: list[Path]) -> None:
        self.name, self.homes = name, homes

    @property
    def cache_path(self) -> str | None:
        """The folder that is tried first."""
        return str(self.homes[0]) if self.homes else None

    def enable(self) -> None:
        """Nothing to do: HMMEM_CACHE decides."""

    disable = flush = enable

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled code for a signature, or None."""
        for home in self.homes:
            with suppress(Exception):  # whatever is wrong with a file, compiling is the answer
                symbols, parts = pickle.loads(_read(home / self._file(sig, target_context)))  # noqa: S301  our own code
                _prepare(target_context, symbols)
                return CompileResult._rebuild(target_context, *parts)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write compiled code to the first folder that takes it."""
        with suppress(Exception):  # what cannot be kept is compiled again
            if not self.homes or data.lifted or data.library.has_dynamic_globals or fingerprint() != FINGERPRINT:
                return
            name, content = self._file(sig, data.target_context), dumps((_symbols(data), data._reduce()))
            for home in self.homes:
                with suppress(OSError):
                    _write(home, name, content)
                    return

    def _file(self, sig: Any, target_context: Any) -> str:
        settings = [str(getattr(config, setting, None)) for setting in SETTINGS]
        versions = [numba.__version__, llvmlite.__version__, np.__version__, sys.version, sys.implementation.cache_tag]
        key = repr((str(sig), target_context.codegen().magic_tuple(), versions, settings))
        return f"{self.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}{SUFFIX}"


def _symbols(data: Any) -> list[str]:
    """Names of what compiled code takes from outside."""
    module = data.library._final_module
    outside = (each.name for each in (*module.functions, *module.global_variables) if each.is_declaration)
    return [name for name in outside if not name.startswith("llvm.")]


def _prepare(target_context: Any, symbols: list[str]) -> None:
    """Bring Numba into the state in which loaded code can run.

    Its runtime alone is enough for kernels; all that Numba needs to compile would take 0.2 s more, in every process.
    """
    rtsys.initialize(target_context)
    if not all(binding.address_of_symbol(name) for name in symbols):
        target_context.refresh()


def _read(path: Path) -> bytes:
    content = path.read_bytes()
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise ValueError(f"{path} is damaged")
    home = path.parent
    if time.time() - home.stat().st_mtime > RECENTLY:
        with suppress(OSError):
            os.utime(home)
    return content[32:]


def _write(home: Path, name: str, content: bytes) -> None:
    """Write a file as a whole or not at all: other processes may write or read it at the same time."""
    if not home.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        _tidy(home.parent)
    temporary = home / f"{name}.{secrets.token_hex(8)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(hashlib.sha256(content).digest() + content)
        temporary.replace(home / name)
    finally:
        temporary.unlink(missing_ok=True)


def _tidy(folder: Path) -> None:
    """Remove the kernels of fingerprints that were not among the last ones used."""
    with suppress(OSError):
        homes = [home for home in folder.glob(f"{PREFIX}*") if home.is_dir()]
        for home in sorted(homes, key=lambda each: each.stat().st_mtime, reverse=True)[KEPT:]:
            with suppress(OSError):  # another process removes it, or it holds what is not ours
                for file in (*home.glob(f"*{SUFFIX}"), *home.glob(f"*{SUFFIX}.*.tmp")):
                    file.unlink(missing_ok=True)
                home.rmdir()


#: Taken when the first kernel is imported: what the kernels of this process are made of, as long as no file changes.
FINGERPRINT = fingerprint()
FOLDERS = folders()
