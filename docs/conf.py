"""Build the documentation with Sphinx: `make docs` writes it to docs/_build/html."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from commands import write_commands, write_names  # noqa: E402, it is beside this file

import inkwise  # noqa: E402

project = "inkwise"
author = "The inkwise developers"
project_copyright = "The inkwise developers"
release = version = inkwise.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
]
exclude_patterns = ["_build", "_templates", "**.ipynb_checkpoints"]
templates_path = ["_templates"]
default_role = "autolink"

# Reference: a page for each public name, from its docstring.
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings state types, shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the pages' template lists them

# The tutorial is run while the documentation is built; its outputs are kept until its code changes
# or docs/_build is removed.
nb_execution_mode = "cache"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
nb_execution_in_temp = True
nb_merge_streams = True
nb_output_stderr = "remove"  # notes of other libraries; an error stops the build

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = "inkwise"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "logo": {"text": "inkwise"},
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars: dict[str, list[str]] = {"index": [], "tutorial": []}

# The public names, in the order of the reference.
KINDS = {
    "Train, evaluate, report": [
        "train",
        "fit",
        "Fit",
        "resume",
        "evaluate",
        "write_report",
        "write_notebook",
        "get_recipe",
        "read_recipe",
        "Recipe",
        "Network",
        "Run",
        "Evaluation",
    ],
    "Use a model": ["load_pretrained", "read", "Model", "Answer", "Number", "Numbers", "serve"],
    "Many pictures": ["answer_pictures", "Tally"],
    "Forms": ["read_form", "Form", "write_form_page", "write_sheet", "learn_sheet"],
    "Look closer": [
        "compare",
        "sweep",
        "cross_validate",
        "explain",
        "write_explanation",
        "write_map",
        "measure_robustness",
        "audit",
    ],
    "Data": [
        *(
            "load_dataset",
            "load_data",
            "load_folder",
            "find_pictures",
            "describe_datasets",
            "Dataset",
            "Split",
        ),
    ],
    "Other formats": ["export_model", "import_model"],
    "Progress and errors": ["Progress", "InkwiseError"],
}


def write_page(app: Any, error: Exception | None) -> None:
    """Put the page that one draws on into the site, where it works as anywhere."""
    if error is None and app.builder.format == "html":
        inkwise.export_model("pretrained", "web", Path(app.outdir) / "draw")


def setup(app: Any) -> None:
    """Write the pages that are made from the program, before Sphinx looks for pages."""
    reference = HERE / "reference"
    app.connect("config-inited", lambda *_: write_commands(reference / "commands.md"))
    app.connect("build-finished", write_page)
    app.connect(
        "config-inited", lambda *_: write_names(reference / "api.md", inkwise.__all__, KINDS)
    )
