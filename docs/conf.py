"""Settings of the documentation: ``sphinx-build -W -b html docs docs/_build``."""

from __future__ import annotations

import re
from typing import Any

import hmmem

project = "hmmem"
author = "the hmmem developers"
copyright = "the hmmem developers"
version = release = hmmem.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "myst_parser",
    "numpydoc",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "literal"

html_theme = "furo"
html_title = f"hmmem {release}"
html_show_sphinx = False

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # the types stand in the Parameters sections, with shapes and formulas
numpydoc_show_class_members = False  # the class template lists them
numpydoc_class_members_toctree = False


def skip_inherited_from_scikit_learn(
    app: Any, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what scikit-learn adds to every estimator: its texts refer to pages of its own manual."""
    module = getattr(member, "__module__", None) or ""
    if re.fullmatch(r"set_\w+_request", name) or module.split(".")[0] == "sklearn":
        return True
    return None


def setup(app: Any) -> None:
    """Connect the hook; Sphinx calls this."""
    app.connect("autodoc-skip-member", skip_inherited_from_scikit_learn)
