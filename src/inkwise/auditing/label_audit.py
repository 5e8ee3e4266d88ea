"""The audit of a data set's labels: training judges, finding suspects, writing the findings."""

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from inkwise.auditing.decision_page import write_page
from inkwise.auditing.duplicates import NEAR, find_duplicates
from inkwise.auditing.findings import Audit
from inkwise.auditing.judges import FOLDS, SEEDS, audit_recipe, judge
from inkwise.auditing.suspects import find_outliers, find_suspects
from inkwise.data.catalogue import load_either, refuse_two
from inkwise.data.dataset import Dataset
from inkwise.data.label_corrections import write_decisions
from inkwise.errors import ArgumentError
from inkwise.system.extras import require_training
from inkwise.system.files import write_json
from inkwise.system.folders import claim_folder, claim_next, file_name
from inkwise.system.machine import describe_machine, library_versions
from inkwise.system.progress import SILENT, Progress
from inkwise.system.tables import write_csv

SCHEMA = "inkwise-audit/1"
DEFAULT_PARENT = Path("audits")


def audit(
    dataset: str | Dataset | None = None,
    split: str = "train",
    *,
    data: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Audit:
    """Find probably wrong labels, near-duplicates and outliers, and write a page about them.

    Several models are trained, which are quick to train. The audit of the test split uses the test
    labels, which is its purpose. Do not use its findings to choose anything about a model that is
    tested on these images.

    Parameters
    ----------
    dataset : str or Dataset, optional
        The data set, which may be your own, or the name of one in the catalogue, by default
        ``auto``.
    split : {"train", "test"}
        The split to audit. The training split includes the images that a training sets aside for
        validation.
    data : path-like, optional
        Your data set in any form that `inkwise.load_data` takes, in place of `dataset`.
    data_dir : path-like, optional
        Where the data set's files are.
    output : path-like, optional
        The directory to write, new or empty; by default the next free one under ``audits/``.
    progress : Progress, optional
        Receives notices, steps, and the progress of downloads and of each training.

    Returns
    -------
    Audit

    Raises
    ------
    InkwiseError
        One of its subclasses: the name is unknown, the data are not available or too few, the
        directory is in use or cannot be written, or a library is not installed.

    Examples
    --------
    >>> import inkwise
    >>> digits = inkwise.load_dataset("optdigits")
    >>> train, test = digits.train.take(range(200)), digits.test
    >>> few = inkwise.Dataset("few", "Few digits", digits.class_names, train, test, "here")
    >>> audit = inkwise.audit(few, "test", output="audits/few")
    >>> audit.probabilities.shape
    (359, 10)
    >>> audit.page_path.name
    'audit.html'
    """
    require_training("an audit")
    if split not in ("train", "test"):
        raise ArgumentError(f"unknown split {split!r}: use train or test")
    refuse_two(dataset, data)
    images = load_either(dataset or "auto", data, data_dir, progress)
    if images.notice:
        progress.notice(images.notice)
    recipe = audit_recipe(len(images.train))
    recipe.describe_network(images.image_size, len(images.class_names))  # raises if it does not fit
    name = f"{file_name(images.name)}-{split}"
    path = claim_next(DEFAULT_PARENT, name) if output is None else claim_folder(output)
    try:
        probabilities = judge(images, split, progress)
        progress.step("Looking for duplicates")
        suspects, wrong = find_suspects(getattr(images, split).labels, probabilities)
        found = Audit(
            path,
            images,
            split,
            probabilities,
            suspects,
            wrong,
            find_duplicates(images, split),
            find_outliers(probabilities),
        )
        _write(found, recipe.to_dict())
    except BaseException:  # including Ctrl-C
        with contextlib.suppress(OSError):  # a directory that is not empty stays
            path.rmdir()
        raise
    return found


def _write(audit: Audit, recipe: dict[str, Any]) -> None:
    names, labels, suggested = audit.dataset.class_names, audit.images.labels, audit.suggested
    own = audit.probabilities[np.arange(len(labels)), labels]
    largest, margins = audit.probabilities.max(axis=1), audit.margins
    write_decisions(
        audit.labels_path,
        audit.decisions(),
        ("verdict", "probability_given", "probability_suggested", "margin"),
        (
            (
                "probably wrong" if rank < audit.wrong else "doubtful",
                *(f"{figures[index]:.6f}" for figures in (own, largest, margins)),
            )
            for rank, index in enumerate(audit.suspects)
        ),
    )
    write_csv(
        audit.path / "duplicates.csv",
        [
            "split",
            "index",
            "label",
            "other_split",
            "other_index",
            "other_label",
            "kind",
            "distance",
        ],
        (
            [
                audit.split,
                pair.index,
                names[pair.label],
                pair.other_split,
                pair.other_index,
                names[pair.other_label],
                "exact" if pair.exact else "near",
                f"{pair.distance:.6f}",
            ]
            for pair in audit.duplicates
        ),
    )
    write_csv(
        audit.path / "outliers.csv",
        ["split", "index", "label", "suggested", "probability_suggested"],
        (
            [
                audit.split,
                index,
                names[labels[index]],
                names[suggested[index]],
                f"{largest[index]:.6f}",
            ]
            for index in audit.outliers
        ),
    )
    document = {
        "schema": SCHEMA,
        "dataset": {
            "name": audit.dataset.name,
            "title": audit.dataset.title,
            "source": audit.dataset.source,
            "sha256": audit.dataset.sha256,
            "class_names": list(names),
        },
        "split": audit.split,
        "images": len(labels),
        "suspects": len(audit.suspects),
        "probably_wrong": audit.wrong,
        "duplicates": len(audit.duplicates),
        "near": NEAR,
        "recipe": recipe,
        "folds": FOLDS if audit.split == "train" else None,
        "models": FOLDS * SEEDS,
        "machine": {**describe_machine(), "versions": library_versions()},
    }
    write_json(audit.path / "audit.json", document)
    write_page(audit, document)
