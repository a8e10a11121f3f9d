"""Settings of the documentation: `sphinx-build -W docs site` builds it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "swanbench"
copyright = "the authors of swanbench"  # noqa: A001 - Sphinx's name
extensions = ["myst_parser", "made_pages"]
myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "swanbench"
html_static_path = ["css"]
html_css_files = ["tables.css"]
html_copy_source = False
