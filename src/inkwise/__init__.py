"""inkwise: train a handwritten-digit CNN, evaluate it honestly, look at every mistake.

>>> import inkwise
>>> run = inkwise.train("case-study", dataset="optdigits", epochs=1)  # doctest: +SKIP
>>> run.evaluation.accuracy  # doctest: +SKIP
Estimate(value=..., low=..., high=...)
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# ONNX Runtime from 1.29 on else keeps an id in the home directory and reports to its makers.
# It reads this when it is imported, and so do the processes that this one starts.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Names are looked up when they are used, so that importing inkwise imports nothing heavy.
_HOMES = {
    "Answer": "inkwise.model",
    "Dataset": "inkwise.data.dataset",
    "Evaluation": "inkwise.evaluation.evaluation",
    "InkwiseError": "inkwise.errors",
    "Model": "inkwise.model",
    "Recipe": "inkwise.recipe",
    "Run": "inkwise.run",
    "Split": "inkwise.data.dataset",
    "compare": "inkwise.comparing",
    "audit": "inkwise.auditing.audit",
    "describe_datasets": "inkwise.data.catalogue",
    "evaluate": "inkwise.study",
    "explain": "inkwise.explanation.explanation",
    "export_model": "inkwise.export.formats",
    "get_recipe": "inkwise.recipes",
    "import_keras": "inkwise.export.keras_files",
    "load_dataset": "inkwise.data.catalogue",
    "load_folder": "inkwise.data.folder",
    "load_pretrained": "inkwise.pretrained",
    "measure_robustness": "inkwise.robustness",
    "resume": "inkwise.study",
    "serve": "inkwise.serving.server",
    "train": "inkwise.study",
    "write_explanation": "inkwise.explanation.page",
    "write_map": "inkwise.explanation.map",
    "write_notebook": "inkwise.report.notebook",
    "write_report": "inkwise.report.page",
}

__all__ = [
    "Answer",
    "Dataset",
    "Evaluation",
    "InkwiseError",
    "Model",
    "Recipe",
    "Run",
    "Split",
    "audit",
    "compare",
    "describe_datasets",
    "evaluate",
    "explain",
    "export_model",
    "get_recipe",
    "import_keras",
    "load_dataset",
    "load_folder",
    "load_pretrained",
    "measure_robustness",
    "resume",
    "serve",
    "train",
    "write_explanation",
    "write_map",
    "write_notebook",
    "write_report",
]

if TYPE_CHECKING:
    from inkwise.auditing.audit import audit
    from inkwise.comparing import compare
    from inkwise.data.catalogue import describe_datasets, load_dataset
    from inkwise.data.dataset import Dataset, Split
    from inkwise.data.folder import load_folder
    from inkwise.errors import InkwiseError
    from inkwise.evaluation.evaluation import Evaluation
    from inkwise.explanation.explanation import explain
    from inkwise.explanation.map import write_map
    from inkwise.explanation.page import write_explanation
    from inkwise.export.formats import export_model
    from inkwise.export.keras_files import import_keras
    from inkwise.model import Answer, Model
    from inkwise.pretrained import load_pretrained
    from inkwise.recipe import Recipe
    from inkwise.recipes import get_recipe
    from inkwise.report.notebook import write_notebook
    from inkwise.report.page import write_report
    from inkwise.robustness import measure_robustness
    from inkwise.run import Run
    from inkwise.serving.server import serve
    from inkwise.study import evaluate, resume, train


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
