"""Compiled kernels are kept on disk, never run stale, and never stand in the way.

Most tests run processes on a package of two small kernels beside the real decorators, so that compiling is quick.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from hmmem.kernels import cache

PACKAGE = Path(cache.__file__).parents[1]

HELPER = """
from __future__ import annotations
from hmmem.kernels.options import inline, kernel

FACTOR = 2.0

@inline
def plus(x):
    return x + 0.5

@kernel
def add(x, y, out):
    for i in range(x.size):
        out[i] += y
"""
WORK = """
from __future__ import annotations
from hmmem.kernels.helper import FACTOR, add, plus
from hmmem.kernels.options import kernel

@kernel
def scale(x, out):
    for i in range(x.size):
        out[i] = FACTOR * plus(x[i])
    add(x, 7.0, out)
    add(x, out[0], out)
"""
#: (2 * 1.5 + 7) and (2 * 2.5 + 7), plus the first of them.
RESULT = [20.0, 22.0]
RUN = """
import json
import numpy as np
from hmmem.kernels.work import scale
out = np.empty(2)
scale(np.array([1.0, 2.0]), out)
print(json.dumps([out.tolist(), sum(scale.stats.cache_hits.values()), sum(scale.stats.cache_misses.values())]))
"""


class Site:
    """A folder with a small hmmem, and processes that use it."""

    def __init__(self, root: Path) -> None:
        self.root, self.kernels = root, root / "hmmem" / "kernels"
        self.inside, self.of_user = self.kernels / "__pycache__", root / "of-user"
        self.kernels.mkdir(parents=True)
        shutil.copy(PACKAGE / "__init__.py", root / "hmmem")
        for name in ("__init__.py", "options.py", "cache.py"):
            shutil.copy(PACKAGE / "kernels" / name, self.kernels)
        (self.kernels / "helper.py").write_text(HELPER)
        (self.kernels / "work.py").write_text(WORK)

    def start(self, code: str = RUN, **environment: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HMMEM_", "NUMBA_"))}
        places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(self.of_user))
        # no .pyc: a file that changes within the resolution of its date must not be Python's own stale cache
        own = {"PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1", **places}
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code],
            env={**kept, **own, **environment}, cwd=self.root, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, code: str = RUN, **environment: str) -> Any:
        return outcome(self.start(code, **environment))

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a source file and nothing else about it: its date and, with texts of one length, its size stay."""
        path = self.root / "hmmem" / name
        status, text = path.stat(), path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


class Outcome(NamedTuple):
    out: list[float]
    loaded: int
    compiled: int


def outcome(process: subprocess.Popen[str]) -> Any:
    printed, complaints = process.communicate(timeout=120)
    assert process.returncode == 0, complaints
    assert complaints == ""
    return Outcome(*json.loads(printed))


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.compiled"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose kernels one process has compiled; not to be changed."""
    site = Site(tmp_path_factory.mktemp("site"))
    assert site.run() == (RESULT, 0, 1)
    return site


@pytest.fixture
def warm(compiled: Site, tmp_path: Path) -> Site:
    """The same, to be changed."""
    site = Site(tmp_path)
    shutil.copytree(compiled.inside, site.inside)
    return site


def test_later_processes_load_what_the_first_compiled(warm: Site) -> None:
    names = [path.name.split("-")[0] for path in kept(warm.inside)]
    assert names == ["helper.add", "work.scale"]
    assert warm.run() == (RESULT, 1, 0)
    assert kept(warm.of_user) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "result"),
    [
        ("kernels/helper.py", "FACTOR = 2.0", "FACTOR = 4.0", [26.0, 30.0]),
        ("kernels/helper.py", "x + 0.5", "x - 0.5", [16.0, 18.0]),
        ("kernels/helper.py", "out[i] += y", "out[i] -= y", [0.0, 2.0]),
        ("kernels/work.py", "7.0", "5.0", [16.0, 18.0]),
    ],
    ids=["constant", "inlined function", "kernel that a kernel calls", "the kernel itself"],
)
def test_edit_of_any_file_is_compiled_at_once(warm: Site, name: str, old: str, new: str, result: list[float]) -> None:
    warm.edit(name, old, new)
    assert warm.run() == (result, 0, 1)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("__init__.py", '__version__ = "', '__version__ = "1'), ("kernels/options.py", '"nsz", "arcp"', '"nsz"')],
    ids=["upgrade", "flags"],
)
def test_upgrade_and_other_flags_compile_anew(warm: Site, name: str, old: str, new: str) -> None:
    warm.edit(name, old, new)
    assert warm.run() == (RESULT, 0, 1)


def test_settings_of_numba_that_change_code_have_code_of_their_own(warm: Site) -> None:
    assert warm.run(NUMBA_BOUNDSCHECK="1") == (RESULT, 0, 1)
    assert warm.run() == (RESULT, 1, 0)


def test_kernel_that_changes_between_import_and_compilation_is_not_kept(site: Site) -> None:
    late = (
        "from pathlib import Path\nfrom hmmem.kernels.work import scale\n"
        "path = Path('hmmem/kernels/helper.py')\npath.write_text(path.read_text() + 'LATE = 1')\n"
    )
    assert site.run(late + RUN) == (RESULT, 0, 1)
    assert kept(site.root) == []


def test_kernel_that_is_edited_and_imported_again_is_not_taken_from_the_cache(warm: Site) -> None:
    again = (
        "from importlib import reload\nfrom pathlib import Path\nimport hmmem.kernels.work as work\n"
        "path = Path('hmmem/kernels/work.py')\npath.write_text(path.read_text().replace('7.0', '5.0'))\nreload(work)\n"
    )
    before = kept(warm.inside)
    assert warm.run(again + RUN).out == [16.0, 18.0]
    assert kept(warm.inside) == before


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def forge(path: Path) -> None:
    """Nonsense with a right checksum."""
    path.write_bytes(hashlib.sha256(b"nonsense").digest() + b"nonsense")


def test_damaged_files_are_compiled_again_and_mended(warm: Site) -> None:
    for damages in ((empty, cut), (flip, forge)):
        for damage, path in zip(damages, kept(warm.inside), strict=True):
            damage(path)
        assert warm.run() == (RESULT, 0, 1)
    assert warm.run() == (RESULT, 1, 0)


def test_file_that_cannot_be_read_or_replaced_is_kept_elsewhere(warm: Site) -> None:
    for path in kept(warm.inside):
        path.unlink()
        path.mkdir()
    assert warm.run() == (RESULT, 0, 1)
    assert len(kept(warm.of_user)) == 2
    assert warm.run() == (RESULT, 1, 0)


def test_installation_that_cannot_be_written_keeps_kernels_for_the_user(site: Site) -> None:
    site.inside.write_text("a file where a folder should be: nobody can write there, not even an administrator")
    assert site.run() == (RESULT, 0, 1)
    assert len(kept(site.of_user)) == 2
    assert site.run() == (RESULT, 1, 0)


def test_nothing_that_can_be_written_is_no_fault(site: Site) -> None:
    site.inside.write_text("")
    site.of_user.write_text("")
    assert site.run() == (RESULT, 0, 1)
    assert kept(site.root) == []


def test_hmmem_cache_switches_off(warm: Site) -> None:
    before = kept(warm.root)
    warm.edit("kernels/work.py", "7.0", "5.0")
    assert warm.run(HMMEM_CACHE="off") == ([16.0, 18.0], 0, 1)
    assert kept(warm.root) == before


def test_hmmem_cache_names_the_folder(site: Site) -> None:
    assert site.run(HMMEM_CACHE=str(site.root / "new" / "chosen")) == (RESULT, 0, 1)
    assert site.run(HMMEM_CACHE=str(site.root / "new" / "chosen")) == (RESULT, 1, 0)
    assert len(kept(site.root / "new")) == len(kept(site.root)) == 2


def test_processes_that_compile_at_once_agree(site: Site) -> None:
    both = [site.start(), site.start()]
    assert [outcome(process).out for process in both] == [RESULT, RESULT]
    assert [path.name for path in site.inside.rglob("*.tmp")] == []
    assert site.run() == (RESULT, 1, 0)


def test_old_kernels_make_room_and_what_is_not_ours_stays(site: Site) -> None:
    for age in range(6):
        home = site.inside / f"{cache.PREFIX}{age:016x}"
        home.mkdir(parents=True)
        (home / "work.scale-0.compiled").touch()
        (home / "work.scale-0.compiled.0.tmp").touch()
        if age == 5:
            (home / "notes.txt").touch()
        os.utime(home, (1e9 - age, 1e9 - age))
    site.run()
    left = sorted(path.name.removeprefix(cache.PREFIX) for path in site.inside.iterdir())
    assert [f"{age:016x}" in left for age in range(6)] == [True, True, True, False, False, True]
    assert len(left) == cache.KEPT + 1
    assert [path.name for path in (site.inside / f"{cache.PREFIX}{5:016x}").iterdir()] == ["notes.txt"]


def test_package_in_an_archive_works_without_a_cache(site: Site) -> None:
    archive = shutil.make_archive(str(site.root / "archive"), "zip", site.root, "hmmem")
    shutil.rmtree(site.root / "hmmem")
    assert site.run(PYTHONPATH=archive) == (RESULT, 0, 1)
    assert kept(site.root) == []


def test_numba_with_other_insides_compiles_in_every_process(warm: Site) -> None:
    other = "from numba.core.caching import _Cache\n_Cache.load_overload = lambda self, signature: None\n"
    assert warm.run(other + RUN) == (RESULT, 0, 1)


def test_kernels_run_without_the_jit(site: Site) -> None:
    plain = RUN.replace("scale.stats.cache_hits.values()", "[]").replace("scale.stats.cache_misses.values()", "[]")
    assert site.run(plain, NUMBA_DISABLE_JIT="1") == (RESULT, 0, 0)


def test_loading_leaves_out_what_only_compiling_needs(warm: Site) -> None:
    count = (
        "from numba.core.base import BaseContext\ncalls = []\nBaseContext.refresh = lambda self: calls.append(self)\n"
    )
    assert warm.run(count + RUN + "assert calls == []\n") == (RESULT, 1, 0)


def test_kernels_have_one_signature_for_read_only_arrays_and_constants(warm: Site) -> None:
    code = """
import json
import numpy as np
from hmmem.kernels.helper import add
from hmmem.kernels.work import scale
results = []
for writable in (False, True, False):
    x, out = np.array([1.0, 2.0]), np.empty(2)
    x.flags.writeable = writable
    scale(x, out)
    results.append(out.tolist())
add(x, 1.0, out)
print(json.dumps([results, len(scale.signatures), len(add.signatures)]))
"""
    assert warm.run(code) == ([RESULT] * 3, 1, 1)
    assert warm.run(code, HMMEM_CACHE="off") == ([RESULT] * 3, 1, 1)


def test_read_only_arrays_are_still_refused_by_the_kernels_of_others(warm: Site) -> None:
    code = """
import json
import numpy as np
from numba import njit
from hmmem.kernels.work import scale

@njit
def change(x):
    x[0] = 5.0

x, out = np.array([1.0, 2.0]), np.empty(2)
x.flags.writeable = False
scale(x, out)
try:
    change(x)
except Exception as error:
    print(json.dumps(["readonly" in str(error), 0, 0]))
"""
    assert warm.run(code).out is True


def test_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inside = PACKAGE / "kernels" / "__pycache__"
    for word in ("off", "0", "OFF", "no", "false"):
        assert cache.folders({"HMMEM_CACHE": word}) == []
    assert cache.folders({"HMMEM_CACHE": str(tmp_path), "NUMBA_CACHE_DIR": "elsewhere"}) == [tmp_path]
    assert cache.folders({"NUMBA_CACHE_DIR": str(tmp_path)}) == [tmp_path]
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache.folders({"HMMEM_CACHE": "on"}) == cache.folders({}) == [inside, tmp_path / ".cache" / "hmmem"]
    assert cache.folders({"XDG_CACHE_HOME": str(tmp_path / "x")}) == [inside, tmp_path / "x" / "hmmem"]
    assert cache.folders({"XDG_CACHE_HOME": "relative"}) == cache.folders({})
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.folders({}) == [inside, tmp_path / "Library" / "Caches" / "hmmem"]
    monkeypatch.setattr(sys, "platform", "win32")
    assert cache.folders({"LOCALAPPDATA": str(tmp_path)}) == [inside, tmp_path / "hmmem" / "Cache"]
    assert cache.folders({}) == [inside, tmp_path / "AppData" / "Local" / "hmmem" / "Cache"]


def test_folders_do_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("could not determine home directory")

    monkeypatch.setattr(Path, "home", homeless)
    assert cache.folders({}) == [PACKAGE / "kernels" / "__pycache__"]


def test_loaded_code_that_needs_more_of_numba_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A symbol that Numba's runtime alone does not define would end the process when the code is called."""

    class Context:
        refreshed = 0

        def refresh(self) -> None:
            self.refreshed += 1

    context = Context()
    monkeypatch.setattr(cache, "rtsys", SimpleNamespace(initialize=lambda target_context: None))
    monkeypatch.setattr(cache, "binding", SimpleNamespace(address_of_symbol={"memcpy": 4096}.get))
    cache._prepare(context, ["memcpy"])
    assert context.refreshed == 0
    cache._prepare(context, ["memcpy", "no_such_symbol"])
    assert context.refreshed == 1


def test_kernels_are_made_of_nothing_from_outside_their_folder() -> None:
    """What they take from elsewhere in hmmem could change unseen: the fingerprint covers one folder and the version."""
    foreign = []
    for path in sorted((PACKAGE / "kernels").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [f"{node.module}.{each.name}" for each in node.names] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            foreign += [
                f"{path.name}: {name}"
                for name in names
                if name.split(".")[0] == "hmmem"
                and name != "hmmem.__version__"
                and not name.startswith("hmmem.kernels")
            ]
    assert foreign == []
