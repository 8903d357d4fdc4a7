"""The pages of the documentation run: a reader who types what they show gets what they show.

In README.md and every page of ``docs/`` the fenced ``python`` blocks are run in order, in one namespace per page, in an
empty folder that holds ``datasets/``. If the next fenced block is ``text``, it is what the block before it prints;
three dots stand for anything. Shell blocks are not run.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shutil
import textwrap
import warnings
from pathlib import Path
from typing import NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if path.is_file()]
FLAGS = doctest.ELLIPSIS | doctest.REPORT_UDIFF
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)(?P=fence)`* *$", flags=re.M | re.S
)


class Block(NamedTuple):
    language: str
    body: str
    line: int  # of its first line in the page


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(
            language=match["info"].strip(),
            body=textwrap.dedent(match["body"]),
            line=text.count("\n", 0, match.start("body")) + 1,
        )
        for match in FENCE.finditer(text)
    ]


def plain(text: str) -> str:
    """Without spaces at the ends of lines and empty lines at the end."""
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n"


def run_page(page: Path, text: str) -> None:
    """Run the Python blocks of a page and compare what they print."""
    namespace = {"__name__": "__main__"}
    found = blocks(text)
    for block, following in zip(found, [*found, None][1:], strict=True):
        if block.language != "python":
            continue
        code = compile("\n" * (block.line - 1) + block.body, str(page), "exec")  # tracebacks show the line of the page
        with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(code, namespace)
        if following is None or following.language != "text":
            continue
        want, got = plain(following.body), plain(printed.getvalue())
        checker = doctest.OutputChecker()
        if not checker.check_output(want, got, FLAGS):
            difference = checker.output_difference(doctest.Example(block.body, want), got, FLAGS)
            pytest.fail(f"{page.name}, line {following.line}: the block above prints something else\n{difference}")


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """An empty folder with the data sets, and pictures that need no screen."""
    shutil.copytree(ROOT / "datasets", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    yield tmp_path
    plt.close("all")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_runs_as_shown(page, reader):
    run_page(page, page.read_text(encoding="utf-8"))


def page_of(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def test_run_page_keeps_one_namespace_and_compares_what_is_printed(reader):
    text = page_of("```python", "x = 2", "```", "so", "```python", "print(x + 1)", "```", "", "```text", "3", "```")
    run_page(Path("page.md"), text)
    with pytest.raises(pytest.fail.Exception, match=r"page\.md, line 10"):
        run_page(Path("page.md"), text.replace("x = 2", "x = 3"))


def test_run_page_leaves_shell_blocks_and_prose_in_between_alone(reader):
    text = page_of("```sh", "exit 1", "```", "```python", "print('a')", "```", "```sh", "```", "```text", "b", "```")
    run_page(Path("page.md"), text)
    assert [block.language for block in blocks(text)] == ["sh", "python", "sh", "text"]


def test_run_page_takes_a_page_of_prose_alone(reader):
    run_page(Path("page.md"), "Formulas, and nothing to run.\n")


def test_run_page_treats_warnings_as_errors(reader):
    with pytest.raises(UserWarning, match="careful"):
        run_page(Path("page.md"), page_of("```python", "import warnings", "warnings.warn('careful')", "```"))


def test_run_page_runs_in_a_folder_of_its_own(reader):
    run_page(Path("page.md"), page_of("```python", "open('here.txt', 'w').close()", "```"))
    assert sorted(os.listdir(reader)) == ["datasets", "here.txt"]


def test_blocks_of_lists_lose_their_indent():
    text = page_of("1. First", "", "   ```python", "   if True:", "       x = 1", "   ```")
    assert blocks(text) == [Block(language="python", body="if True:\n    x = 1\n", line=4)]
