"""Make an environment with all five peers: ``python tests/benchmarks/make_env.py FOLDER [pip options]``.

The versions are those of the tables in docs/benchmarks.md; hmmem is installed from this checkout, editable. At the end
every library is imported in the new environment and its version compared. Needs nothing but Python (3.11 or 3.12: mixle
runs on no other). Torch's ordinary wheels for Linux carry gigabytes of CUDA; the small ones come with the pip options
``--extra-index-url https://download.pytorch.org/whl/cpu``.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PINS = {
    "numpy": "2.4.6",
    "scipy": "1.17.1",
    "numba": "0.68.1",
    "hmmlearn": "0.3.3",
    "scikit-learn": "1.9.1",
    "dynamax": "1.0.3",
    "jax": "0.10.2",
    "jaxlib": "0.10.2",
    "pomegranate": "1.1.2",
    "torch": "2.13.0",
    "mixle": "0.8.2",
    "tbb": "2021.13.1",  # the layer that mixle's own extra installs for Numba
    "matplotlib": "3.11.2",
}
CHECK = """
import sys
from importlib import import_module
from importlib.metadata import version
for module, pin in {pins}:
    import_module(module)
    print(f"{{module:12}} {{pin}}")
import hmmem
print(f"hmmem        {{hmmem.__version__}} ({{hmmem.__file__}})")
"""
IMPORTED_AS = {"scikit-learn": "sklearn", "tbb": None, "jaxlib": None}


def make(folder: Path, options: list[str]) -> Path:
    """Make or complete the environment; return its Python."""
    if not (folder / "pyvenv.cfg").exists():
        venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    pins = [f"{name}=={pin}" for name, pin in PINS.items() if name != "tbb" or sys.platform == "linux"]
    subprocess.run([python, "-m", "pip", "install", *options, *pins, "-e", str(CHECKOUT)], check=True)
    return python


def check(python: Path) -> None:
    """Import every library in the environment and compare its version with the pin."""
    names = {IMPORTED_AS.get(name, name): pin for name, pin in PINS.items() if IMPORTED_AS.get(name, name) is not None}
    script = CHECK.format(pins=list(names.items()))
    for name, pin in PINS.items():
        script += f'\nassert version("{name}").split("+")[0] == "{pin}", "{name} is " + version("{name}")'
    subprocess.run([python, "-c", script], check=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        sys.exit(
            f"Python {sys.version.split()[0]} came; run this with 3.11 or 3.12, the only ones that mixle supports."
        )
    interpreter = make(Path(sys.argv[1]), sys.argv[2:])
    check(interpreter)
    print(f"\nAll are there. From {CHECKOUT}: {interpreter} -m tests.benchmarks")
