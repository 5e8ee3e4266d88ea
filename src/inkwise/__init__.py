"""inkwise: train a handwritten-digit CNN, evaluate it honestly, look at every mistake.

>>> import inkwise
>>> run = inkwise.train("case-study", dataset="optdigits", epochs=1)  # doctest: +SKIP
>>> run.evaluation.accuracy  # doctest: +SKIP
Estimate(value=..., low=..., high=...)
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from inkwise.version import __version__ as __version__

# Without this, ONNX Runtime from version 1.29 on keeps an identifier in the home directory and
# sends usage reports to its makers. It reads the variable when it is imported, and the processes
# that this one starts inherit it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Public names are imported when they are first used, so `import inkwise` imports nothing heavy.
_HOMES = {
    "Answer": "inkwise.model",
    "Dataset": "inkwise.data.dataset",
    "Evaluation": "inkwise.evaluation.results",
    "Fit": "inkwise.training.fit",
    "Form": "inkwise.forms.form",
    "InkwiseError": "inkwise.errors",
    "Model": "inkwise.model",
    "Network": "inkwise.networks.network",
    "Number": "inkwise.reading.numbers",
    "Numbers": "inkwise.reading.numbers",
    "Progress": "inkwise.system.progress",
    "Recipe": "inkwise.training.recipe",
    "Run": "inkwise.runs.directory",
    "Split": "inkwise.data.dataset",
    "Tally": "inkwise.batches.answering",
    "answer_pictures": "inkwise.batches.answering",
    "compare": "inkwise.comparison.compared_runs",
    "audit": "inkwise.auditing.label_audit",
    "cross_validate": "inkwise.trials.cross_validation",
    "describe_datasets": "inkwise.data.catalogue",
    "evaluate": "inkwise.runs.evaluating",
    "explain": "inkwise.explanation.evidence",
    "export_model": "inkwise.export.writing",
    "find_pictures": "inkwise.ink.sources",
    "fit": "inkwise.study",
    "get_recipe": "inkwise.training.named_recipes",
    "import_model": "inkwise.export.importing",
    "learn_sheet": "inkwise.forms.sheet",
    "load_data": "inkwise.data.own_data",
    "load_dataset": "inkwise.data.catalogue",
    "load_folder": "inkwise.data.picture_folder",
    "load_pretrained": "inkwise.model.pretrained",
    "measure_robustness": "inkwise.robustness.measuring",
    "read": "inkwise.model.pretrained",
    "read_form": "inkwise.forms.form",
    "read_recipe": "inkwise.training.recipe_files",
    "resume": "inkwise.study",
    "serve": "inkwise.serving.server",
    "sweep": "inkwise.trials.sweeping",
    "train": "inkwise.study",
    "write_explanation": "inkwise.explanation.picture_page",
    "write_form_page": "inkwise.forms.form_page",
    "write_map": "inkwise.explanation.feature_map",
    "write_notebook": "inkwise.report.notebook",
    "write_report": "inkwise.report.html",
    "write_sheet": "inkwise.forms.sheet",
}

__all__ = [
    "Answer",
    "Dataset",
    "Evaluation",
    "Fit",
    "Form",
    "InkwiseError",
    "Model",
    "Network",
    "Number",
    "Numbers",
    "Progress",
    "Recipe",
    "Run",
    "Split",
    "Tally",
    "answer_pictures",
    "audit",
    "compare",
    "cross_validate",
    "describe_datasets",
    "evaluate",
    "explain",
    "export_model",
    "find_pictures",
    "fit",
    "get_recipe",
    "import_model",
    "learn_sheet",
    "load_data",
    "load_dataset",
    "load_folder",
    "load_pretrained",
    "measure_robustness",
    "read",
    "read_form",
    "read_recipe",
    "resume",
    "serve",
    "sweep",
    "train",
    "write_explanation",
    "write_form_page",
    "write_map",
    "write_notebook",
    "write_report",
    "write_sheet",
]

if TYPE_CHECKING:
    from inkwise.auditing.label_audit import audit
    from inkwise.batches.answering import Tally, answer_pictures
    from inkwise.comparison.compared_runs import compare
    from inkwise.data.catalogue import describe_datasets, load_dataset
    from inkwise.data.dataset import Dataset, Split
    from inkwise.data.own_data import load_data
    from inkwise.data.picture_folder import load_folder
    from inkwise.errors import InkwiseError
    from inkwise.evaluation.results import Evaluation
    from inkwise.explanation.evidence import explain
    from inkwise.explanation.feature_map import write_map
    from inkwise.explanation.picture_page import write_explanation
    from inkwise.export.importing import import_model
    from inkwise.export.writing import export_model
    from inkwise.forms.form import Form, read_form
    from inkwise.forms.form_page import write_form_page
    from inkwise.forms.sheet import learn_sheet, write_sheet
    from inkwise.ink.sources import find_pictures
    from inkwise.model import Answer, Model
    from inkwise.model.pretrained import load_pretrained, read
    from inkwise.networks.network import Network
    from inkwise.reading.numbers import Number, Numbers
    from inkwise.report.html import write_report
    from inkwise.report.notebook import write_notebook
    from inkwise.robustness.measuring import measure_robustness
    from inkwise.runs.directory import Run
    from inkwise.runs.evaluating import evaluate
    from inkwise.serving.server import serve
    from inkwise.study import fit, resume, train
    from inkwise.system.progress import Progress
    from inkwise.training.fit import Fit
    from inkwise.training.named_recipes import get_recipe
    from inkwise.training.recipe import Recipe
    from inkwise.training.recipe_files import read_recipe
    from inkwise.trials.cross_validation import cross_validate
    from inkwise.trials.sweeping import sweep


# Notebooks that earlier versions wrote still import these two modules from here.
_EARLIER = {
    "figures": "inkwise.report.charts",
    "probability_figures": "inkwise.report.probability_charts",
}


def __getattr__(name: str) -> Any:
    if name in _EARLIER:
        return importlib.import_module(_EARLIER[name])
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
