"""How Sphinx builds the site: ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "bitspike"
author = "the authors of bitspike"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "reference_pages",
    "notebooks",
]
html_theme = "furo"
html_title = "bitspike"
html_static_path = ["_static"]
html_css_files = ["site.css"]
exclude_patterns = ["_build"]

# A name in single backticks is one of Python; reference_pages finds it wherever it is.
default_role = "py:obj"
toc_object_entries_show_parents = "hide"

autosummary_generate = False
autodoc_typehints = "none"  # reference_pages adds them
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Shapes", "Dtypes"]

myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]  # $x$, and ```math, as GitHub shows them
myst_fence_as_directive = ["math"]
