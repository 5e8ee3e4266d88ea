"""Measuring the robustness of runs, and writing the results and figures into the runs."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.data.splits import split_dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.pages.drawing import to_bytes
from inkwise.robustness.curves import SEED, Robustness, measure_models
from inkwise.robustness.panels import robustness_panels
from inkwise.runs.directory import Run
from inkwise.runs.original_data import load_original_data
from inkwise.system.extras import require_training
from inkwise.system.files import write_bytes, write_json
from inkwise.system.progress import SILENT, Progress

IMAGES = 2_000
"""Default number of images to draw."""


def measure_robustness(
    runs: Run | str | os.PathLike[str] | Iterable[Run | str | os.PathLike[str]],
    *,
    baseline: Run | str | os.PathLike[str] | None = None,
    split: str = "test",
    images: int = IMAGES,
    through_ink: bool = False,
    attacks: bool = False,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> list[Robustness]:
    """Measure the accuracy of runs' models on corrupted images, and write it into the runs.

    Each run gets ``robustness.json`` and the figure ``robustness``.

    Parameters
    ----------
    runs : Run or path-like, or several
        One run or several, all trained on the same data set.
    baseline : Run or path-like, optional
        A run to compare each of the others with. Nothing is written into it.
    split : {"test", "validation", "train"}
        The split to draw images from, divided as the runs' recipes say.
    images : int
        Number of images to draw from the split, each class in proportion, always the same ones. All
        images are used if the split has no more.
    through_ink : bool
        Whether to preprocess every image by `inkwise.ink.normalise` first, as a user's picture is.
    attacks : bool
        Whether to attack the models with FGSM and PGD as well.
    dataset : Dataset, optional
        The data set that the runs were trained on; needed only if it was your own.
    data_dir : path-like, optional
        Where the data set's files are; by default the one that the first run was trained from.
    progress : Progress, optional
        Receives notices, downloads and steps.

    Returns
    -------
    list of Robustness
        One result for each run, in their order, followed by that of the baseline, if any.

    Raises
    ------
    RunError
        A run does not exist or has no model; the runs are of different data sets, or their splits
        consist of different images; or the data set is not the one they were trained on.
    ArgumentError
        There is no such split, there are no runs, or the number of images is below 1; or as from
        `inkwise.robustness.curves.measure_models`.
    DataError, ModelError, StorageError, LibraryError
        As from `inkwise.evaluate`.

    Examples
    --------
    >>> import inkwise
    >>> (robustness,) = inkwise.measure_robustness("runs/small", images=50)
    >>> len(robustness.corruptions)
    15
    >>> 0 < robustness.mean_error < 1
    True
    """
    require_training("measuring robustness")
    given = [runs] if isinstance(runs, Run | str | os.PathLike) else [*runs]
    measured = [each if isinstance(each, Run) else Run(each) for each in given]
    if not measured:
        raise ArgumentError("there is no run to measure: name at least one")
    if images < 1:
        raise ArgumentError(f"the number of images must be at least 1, not {images}")
    everyone = [*measured]
    if baseline is not None:
        everyone.append(baseline if isinstance(baseline, Run) else Run(baseline))
    first = measured[0]
    for other in everyone[1:]:
        _check_comparable(first, other, split)
    models = {name: run.model for name, run in zip(_names(everyone), everyone, strict=True)}
    dataset = load_original_data(first, dataset, data_dir, progress)
    whole = split_dataset(dataset, *first.division)[split]
    drawn = whole.take(_draw(whole.labels, images))
    progress.notice(
        f"{len(drawn):,} of the {len(whole):,} images of {dataset.name}, {split} split, each "
        f"class in proportion, drawn with seed {SEED}"
        if len(drawn) < len(whole)
        else f"All {len(whole):,} images of {dataset.name}, {split} split"
    )
    results = measure_models(
        models,
        drawn,
        dataset.name,
        split,
        through_ink=through_ink,
        attacks=attacks,
        progress=progress,
    )
    against = results[-1] if baseline is not None else None
    for run, result in zip(measured, results, strict=False):
        path = write_json(run.path / f"{_name(result)}.json", result.to_dict(against))
        figure = robustness_panels(result, against)
        write_bytes(run.figures_path / f"{path.stem}.png", to_bytes(figure, "png"))
        write_bytes(run.figures_path / f"{path.stem}.svg", to_bytes(figure, "svg"))
    return results


def _name(result: Robustness) -> str:
    """Return the name of the files, which tells another split than test, and preprocessing."""
    split = "" if result.split == "test" else f"-{result.split}"
    return f"robustness{split}{'-through-ink' if result.through_ink else ''}"


def _draw(labels: NDArray[np.int64], images: int) -> NDArray[np.intp]:
    """Draw indices, int (M,), ascending, with each class in proportion to within one image."""
    if images >= len(labels):
        return np.arange(len(labels))
    shuffled = np.random.default_rng(SEED).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.sort(by_class[np.arange(images) * len(labels) // images])


def _check_comparable(first: Run, other: Run, split: str) -> None:
    if first.record["dataset"]["sha256"] != other.record["dataset"]["sha256"]:
        raise RunError(
            f"{first.path} and {other.path} were trained on different data sets: "
            "compare runs on the same data set"
        )
    if split != "test" and first.division != other.division:
        raise RunError(
            f"the {split} images of {first.path} and {other.path} are not the same: compare them "
            "on the test split"
        )


def _names(runs: Sequence[Run]) -> list[str]:
    """Return the name of each run's folder, or the paths if two folders have the same name."""
    names = [run.path.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise ArgumentError(f"a run is named twice among {', '.join(names)}: name each run once")
    return names
