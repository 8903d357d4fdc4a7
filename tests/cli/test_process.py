"""The command line as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hmmem

COMMAND = [sys.executable, "-m", "hmmem"]


def start(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, **options)


def test_version_is_printed(run):
    assert run("--version") == (0, f"hmmem {hmmem.__version__}\n", "")
    done = start("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"hmmem {hmmem.__version__}\n", "")


def test_help_lists_every_command_with_examples(run):
    result = run()
    assert result.code == 0
    for name in ("fit", "decode", "segment", "score", "sample", "show", "convert", "datasets"):
        assert f" {name} " in result.out
        own = run(name, "--help")
        assert own.code == 0
        assert f"hmmem {name}" in own.out.split("Examples:")[1]
    assert run("--help").out == run("-h").out == result.out
    assert run("fit", "-h").out == run("fit", "--help").out


def test_help_leaves_heavy_packages_alone():
    code = "import sys; from hmmem.cli import main; main(['--help']); print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "hmmem.cli.app" in modules
    assert not modules & {"matplotlib", "numba", "pandas", "polars", "pyarrow", "scipy", "sklearn"}


def test_readme_session_works_from_the_shell(tmp_path):
    fit = start("fit", "earthquakes", "--model", "poisson", "--states", 3, "-o", "q.hmmem", cwd=tmp_path)
    assert (fit.returncode, fit.stdout) == (0, "")
    assert "update" not in fit.stderr.splitlines()[0]  # no progress where nobody watches
    segments = start("segment", "q.hmmem", "earthquakes", cwd=tmp_path)
    assert (segments.returncode, segments.stderr) == (0, "")
    assert segments.stdout.startswith("sequence,start,end,state,posterior\n0,0,")


def test_wrong_input_ends_with_two_and_one_line(tmp_path):
    done = start("fit", "no.csv", "-k", 2, "-o", "m.hmmem", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "hmmem: error: no.csv does not exist\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise there")
def test_reader_that_goes_away_is_no_error(tmp_path):
    (tmp_path / "big.csv").write_text("x\n" + "1\n" * 50_000)
    command = [*COMMAND, "convert", "big.csv", "big.npy"]
    subprocess.run(command, cwd=tmp_path, check=True)
    start("fit", "nile", "-k", 1, "-o", "m.hmmem", "-q", cwd=tmp_path)
    process = subprocess.Popen(
        [*COMMAND, "sample", "m.hmmem", "-n", "50000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent differently there")
def test_interrupt_leaves_the_model_of_the_last_update(tmp_path):
    command = ["fit", "sunspots", "-k", "12", "--n-iter", "10000000", "--tol", "none", "-o", "m.hmmem", "--verbose"]
    process = subprocess.Popen(
        [*COMMAND, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("update 20 "):
            break
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("hmmem: warning: interrupted; m.hmmem holds the model after ")
    assert hmmem.load(Path(tmp_path, "m.hmmem")).n_iter_ >= 20
