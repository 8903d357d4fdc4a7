"""``import hmmem`` is light: what it pulls in is checked instead of the time, which depends on the machine."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("matplotlib", "numba", "pandas", "polars", "pyarrow", "rich", "scipy.stats", "sklearn", "typer")


def imported_by(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after one statement."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_import_hmmem_leaves_heavy_packages_alone():
    modules = imported_by("import hmmem")
    assert "hmmem" in modules
    assert [name for name in HEAVY if name in modules] == []


def test_dir_of_hmmem_imports_nothing_more():
    modules = imported_by("import hmmem; dir(hmmem); hmmem.__version__")
    assert [name for name in HEAVY if name in modules] == []
