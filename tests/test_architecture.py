"""The house rules that can be checked by reading the source: who may import whom, and what a kernel looks like."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hmmem"

# Imports run one way: a room (a module or a folder of hmmem) uses rooms of lower lines, or of its own without a circle.
LAYERS = (
    {"exceptions"},
    {
        "alphabet",
        "datasets",
        "files",
        "kernels",
        "lanes",
        "parameters",
        "probabilities",
        "report",
        "sequences",
        "statistics",
    },
    {"em", "folds", "inputs", "parallel"},
    {"chain", "emissions"},
    {"decoding", "functions", "recursions", "segments", "survivors"},
    {"hmm", "mixture", "training"},
    {"starts"},
    {"estimators"},
    {"compat", "plot", "selftesting", "warming"},
    {"cli"},
    {"__main__"},
)
HEIGHT = {room: height for height, rooms in enumerate(LAYERS) for room in rooms}
MODELS = {"hmm", "mixture", "chain", "emissions"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8"), str(path)) for name, path in MODULES.items()}


def room(module: str) -> str:
    """``em`` of ``hmmem.em``, ``kernels`` of ``hmmem.kernels.scaled``, nothing of ``hmmem`` itself."""
    return module.partition(".")[2].partition(".")[0]


def imports(module: str) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, wherever in it: lazily, or for its types alone."""
    package = module.split(".") if MODULES[module].name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)


def imports_inside(module: str) -> Iterator[tuple[int, str]]:
    """Line and name of the modules of hmmem that a module imports, each once; ``hmmem`` itself for a public name."""
    inside = {
        (line, name if name in MODULES else name.rpartition(".")[0] or name)
        for line, name in imports(module)
        if name.split(".")[0] == "hmmem" and name != "hmmem.__version__"
    }
    yield from sorted(inside)


def where(module: str, line: int) -> str:
    return f"{MODULES[module].relative_to(ROOT)}:{line}"


def test_every_room_has_a_layer():
    unknown = {room(module) for module in MODULES if room(module)} - HEIGHT.keys()
    assert not unknown, f"give these a line in LAYERS, and a sentence on the architecture page: {sorted(unknown)}"


def serves_hmmlearn(module: str, target: str) -> bool:
    """``from hmmem import hmm`` finds the estimators there on request, as scripts written for hmmlearn expect."""
    return (module, target) == ("hmmem.hmm", "hmmem")


def test_imports_run_one_way():
    upward = [
        f"{where(module, line)}: {room(module)} imports {target}"
        for module in MODULES
        if room(module) in HEIGHT
        for line, target in imports_inside(module)
        if HEIGHT.get(room(target), len(LAYERS)) > HEIGHT[room(module)] and not serves_hmmlearn(module, target)
    ]
    assert not upward, "\n".join(["upward imports (hmmem itself is the top: import from the module)", *upward])


@pytest.mark.parametrize("unit", ["modules", "rooms"])
def test_imports_have_no_circle(unit):
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        if not room(module):
            continue  # hmmem/__init__.py only names what others define
        for _, target in imports_inside(module):
            start, end = (module, target) if unit == "modules" else (room(module), room(target))
            if start != end or unit == "modules":
                graph.setdefault(start, set()).add(end)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("circular import: " + " <- ".join(error.args[1]))


def test_names_are_imported_by_string_only_where_they_are_registered():
    """``files`` and the lazy public names look upward by name; anywhere else that would hide an upward import."""
    hidden = [
        f"{where(module, node.lineno)}: {ast.unparse(node)}"
        for module, tree in TREES.items()
        if room(module) not in {"", "files"}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}
    ]
    assert not hidden, "\n".join(hidden)


def test_only_kernels_import_numba():
    users = [
        f"{where(module, line)}: {name}"
        for module in MODULES
        if room(module) != "kernels"
        for line, name in imports(module)
        if name.split(".")[0] in {"numba", "llvmlite"}
    ]
    assert not users, "\n".join(users)


def test_em_imports_no_model():
    models = [
        f"{where(module, line)}: {target}"
        for module in MODULES
        if room(module) in {"em", "parallel"}
        for line, target in imports_inside(module)
        if room(target) in MODELS
    ]
    assert not models, "\n".join(models)


def kernel_modules() -> list[str]:
    """Modules of kernels: not options and cache, nor the vector type and its twin, which kernels are written with."""
    others = {"hmmem.kernels.options", "hmmem.kernels.cache", "hmmem.kernels.simd.vector", "hmmem.kernels.simd.twin"}
    return [name for name in MODULES if room(name) == "kernels" and name not in others]


def test_kernels_carry_the_agreed_flags():
    """Every function is decorated by ``kernel`` alone, and what gives vectors by ``inline``: flags as in options.py."""
    odd = []
    for module in kernel_modules():
        for node in ast.walk(TREES[module]):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
                decorators = [ast.unparse(each) for each in getattr(node, "decorator_list", [])]
                if decorators != ["inline" if module == "hmmem.kernels.simd" else "kernel"]:
                    odd.append(f"{where(module, node.lineno)}: {getattr(node, 'name', 'lambda')} has {decorators}")
    assert not odd, "\n".join(odd)


def test_kernels_have_a_docstring():
    bare = [
        f"{where(module, node.lineno)}: {node.name}"
        for module in kernel_modules()
        for node in TREES[module].body
        if isinstance(node, ast.FunctionDef) and not ast.get_docstring(node)
    ]
    assert not bare, "\n".join(bare)


def test_kernel_flags_keep_infinities_and_threads():
    """-inf means impossible, so no flag may assume it away; threads run side by side; OpenMP stays out."""
    options = pytest.importorskip("hmmem.kernels.options", exc_type=ModuleNotFoundError)

    @options.kernel
    def twice(x):
        return 2.0 * x

    flags = twice.targetoptions
    assert flags["nopython"] is True
    assert flags["nogil"] is True
    assert flags["error_model"] == "numpy"
    assert not flags.get("parallel", False)
    assert flags["fastmath"] == {"contract", "nsz", "arcp"}


def test_no_path_of_one_machine_is_written_down():
    folders = "|".join(["home", "mnt", "root", "tmp", "Users", "work"])
    path = re.compile(rf"""(?:^|[\s"'`(=])(?:/(?:{folders})/|\.\./shared\b)""", flags=re.M)
    code = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    prose = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "datasets").rglob("*.md"), *ROOT.glob("*.md")]
    found = [
        f"{file.relative_to(ROOT)}: {match.group().strip()}"
        for file in [*code, *prose]
        for match in path.finditer(file.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)
