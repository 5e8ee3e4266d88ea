"""The JSON documents of a run: what they must hold, so that who reads them need not check."""

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, NamedTuple

from inkwise.data.splits import SPLIT_NAMES
from inkwise.evaluation.slices import SCHEMA as SLICES_SCHEMA

RUN_SCHEMA = "inkwise-run/1"
ROBUSTNESS_SCHEMA = "inkwise-robustness/1"
GAINS_SCHEMA = "inkwise-gains/1"


class Both(NamedTuple):
    """A form, and what values of that form must fulfil as well."""

    form: Any
    test: Callable[[Any], bool]


def has_form(value: object, form: Any) -> bool:
    """Tell whether a JSON value has a form.

    Parameters
    ----------
    value : object
        Any JSON value.
    form : type, list, dict, tuple or Both
        ``str``, ``bool`` or ``NoneType``; ``int`` for counts and indices, from 0; ``float`` for
        finite numbers, whole ones as well; a list with the form of all elements; a dict with the
        forms of the entries that there must be, or with the form of all entries under ``str``; a
        tuple of alternatives.

    Examples
    --------
    >>> has_form({"name": "mnist", "images": 7}, {"images": int})
    True
    >>> has_form([1, -2], [int])
    False
    """
    match form:
        case Both(inner, test):
            return has_form(value, inner) and test(value)
        case tuple():
            return any(has_form(value, each) for each in form)
        case [inner]:
            return isinstance(value, list) and all(has_form(each, inner) for each in value)
        case dict():
            if not isinstance(value, Mapping):
                return False
            if str in form:
                return all(has_form(each, form[str]) for each in value.values())
            return all(name in value and has_form(value[name], form[name]) for name in form)
    if form in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
        # Larger ones stand in no document, and overflow where they are computed with.
        whole = isinstance(value, int) and 0 <= value < 2**63
        return whole if form is int else -1e15 < value < 1e15
    return type(value) is form


_SHARE = Both(float, lambda value: 0 <= value <= 1)
_ESTIMATE = {"value": _SHARE, "low": _SHARE, "high": _SHARE}
_CURVE = Both(
    {"severity": int, "points": [{"level": float, **_ESTIMATE}]},
    lambda curve: curve["severity"] in [point["level"] for point in curve["points"]],
)

_DATASET = {
    "name": str,
    "title": str,
    "source": str,
    "sha256": str,
    "class_names": Both([str], lambda names: len({*names}) == len(names)),
}

EARLIER_FORM = {**_DATASET, "holdout": {"method": str, "share": float}, "seed": int}
"""Form of what describes the data that a model was trained on before others go on from it."""

START_FORM = {
    "model": str,
    "sha256": str,
    "class_names": [str],
    "own_images": int,
    "earlier": (NoneType, EARLIER_FORM),
}
"""Form of the entry ``start`` of ``run.json``, which not every run has."""

_OPTIONAL = {
    "start": START_FORM,
    "drawn": {"train": int, "validation": int, "sha256": str},
    "model": str,
}
"""Forms of the entries of ``run.json`` that not every run has."""

_RUN = Both(
    {
        "status": str,
        "dataset": _DATASET,
        "splits": Both({str: int}, lambda splits: {*SPLIT_NAMES} <= splits.keys()),
        "labels": (
            NoneType,
            {
                "file": str,
                "sha256": str,
                "changed": Both({str: int}, lambda parts: {"train", "test"} <= parts.keys()),
            },
        ),
        "notices": [str],
        "engine": str,
        "machine": {
            "processor": str,
            "instructions": str,
            "device": str,
            "cores": int,
            "threads": int,
            "versions": Both({str: str}, lambda versions: "inkwise" in versions),
        },
    },
    lambda run: all(has_form(run.get(name), (NoneType, form)) for name, form in _OPTIONAL.items()),
)

FORMS: Mapping[str, Any] = {
    RUN_SCHEMA: _RUN,
    SLICES_SCHEMA: {
        "comparisons": int,
        "sentences": [str],
        "slices": [
            {
                "name": str,
                "bound": str,
                "images": int,
                "errors": int,
                "accuracy": _ESTIMATE,
                "rest": _ESTIMATE,
                "p": _SHARE,
                "significant": bool,
            }
        ],
        "confusions": [{"true": str, "predicted": str, "indices": [int], "sentences": [str]}],
    },
    GAINS_SCHEMA: {
        "tests": [
            {
                "name": str,
                "title": str,
                "images": int,
                "wrong_before": [int],
                "wrong_after": [int],
            }
        ]
    },
    ROBUSTNESS_SCHEMA: {
        "images": int,
        "split": str,
        "mean_error": _SHARE,
        "clean": _ESTIMATE,
        "corruptions": Both({str: _CURVE}, lambda curves: len(curves) > 0),
        "baseline": (NoneType, {"model": str}),
    },
}
"""The form of each kind of document, by its schema; of others only the schema is looked at."""
