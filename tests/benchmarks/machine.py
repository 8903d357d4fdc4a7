"""Where a run took place: the machine and the versions of all libraries."""

from __future__ import annotations

import datetime
import platform
from pathlib import Path
from typing import Any

from llvmlite import binding

from hmmem import __version__
from hmmem.parallel import n_workers
from tests.benchmarks import peers

LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "jax", "torch", *peers.SECTIONS)


def describe() -> dict[str, Any]:
    """Return date, processor, cores that this process may use, Python, versions of what is installed."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "target": binding.get_host_cpu_name(),
        "cores": n_workers(None),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {"hmmem": __version__, **{name: v for name in LIBRARIES if (v := peers.version_of(name))}},
    }


def processor() -> str:
    """Return the processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def text(machine: dict[str, Any]) -> str:
    """Return the description in two lines."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{machine['date']}; {machine['cores']} cores of {machine['processor']} ({machine['target']}), "
        f"{machine['system']}, Python {machine['python']};\n{versions}."
    )
