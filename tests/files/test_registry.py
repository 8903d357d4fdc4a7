from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hmmem.files import registry
from hmmem.files.model_file import ModelFileError, write_model
from hmmem.files.registry import load, register, save

ROOT = Path(__file__).parents[2]


class Scale:
    """The smallest class that can be saved."""

    def __init__(self, factors, unit):
        self.factors = factors
        self.unit = unit

    def to_arrays(self):
        return {"unit": self.unit}, {"factors": self.factors}

    @classmethod
    def from_arrays(cls, meta, arrays):
        factors = arrays["factors"]
        if factors.ndim != 1:
            raise ValueError(f"factors must have shape (D,); got {factors.shape}")
        return cls(factors, meta["unit"])


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "HOMES", dict(registry.HOMES))


def test_load_returns_what_save_was_given(tmp_path):
    register("Scale")(Scale)
    save(Scale(np.array([0.1, -0.0]), "m"), tmp_path / "m")
    read = load(tmp_path / "m")
    assert type(read) is Scale
    assert read.unit == "m"
    assert read.factors.tobytes() == np.array([0.1, -0.0]).tobytes()


def test_load_imports_the_home_of_a_kind_on_first_use(tmp_path, monkeypatch):
    (tmp_path / "distant_home.py").write_text(
        "class Far:\n"
        "    def to_arrays(self):\n        return {}, {}\n"
        "    @classmethod\n    def from_arrays(cls, meta, arrays):\n        return cls()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry.HOMES["Far"] = "distant_home:Far"
    write_model(tmp_path / "m", "Far", {}, {})
    assert "distant_home" not in sys.modules
    read = load(tmp_path / "m")
    assert (type(read).__module__, type(read).__name__) == ("distant_home", "Far")
    save(read, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()
    monkeypatch.delitem(sys.modules, "distant_home")


def test_registry_imports_no_other_room():
    code = (
        "import sys\nimport hmmem.files.registry, hmmem.files.tables\n"
        "sys.exit(' '.join(m for m in sys.modules if m.startswith('hmmem.') and not m.startswith('hmmem.files'))"
        " or ' '.join({'pyarrow', 'pandas', 'scipy', 'numba'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == ""


def test_load_of_an_unknown_kind_names_the_known_ones(tmp_path):
    write_model(tmp_path / "m", "os.system", {}, {})
    with pytest.raises(ModelFileError, match=r"'os\.system'.*known: CategoricalHMM, GaussianHMM.*import the module"):
        load(tmp_path / "m")


def test_load_names_the_file_when_its_values_are_not_those_of_a_model(tmp_path):
    register("Scale")(Scale)
    path = tmp_path / "m"
    for meta, arrays, message in [
        ({}, {"factors": np.ones(2)}, "m is not a complete Scale: it has no 'unit'"),
        ({"unit": "m"}, {"factors": np.ones((2, 2))}, r"m does not hold a valid Scale: factors must have shape \(D,\)"),
    ]:
        write_model(path, "Scale", meta, arrays)
        with pytest.raises(ModelFileError, match=message):
            load(path)


def test_save_refuses_classes_that_are_not_registered(tmp_path):
    register("Scale")(Scale)

    class Finer(Scale):
        pass

    with pytest.raises(TypeError, match=r'Finer cannot be saved.*decorate it with @register\("Finer"\)'):
        save(Finer(np.ones(2), "m"), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_register_refuses_a_kind_that_is_taken():
    register("Scale")(Scale)
    assert register("Scale")(Scale) is Scale

    class Other(Scale):
        pass

    with pytest.raises(ValueError, match=r"'Scale' belongs to .*:Scale; register Other under another name"):
        register("Scale")(Other)
    with pytest.raises(ValueError, match=r"'GaussianHMM' belongs to hmmem\.estimators\.gaussian_hmm:GaussianHMM"):
        register("GaussianHMM")(Scale)


def test_register_refuses_classes_without_the_two_methods():
    with pytest.raises(TypeError, match="int cannot be registered: it has no method to_arrays"):
        register("int")(int)
