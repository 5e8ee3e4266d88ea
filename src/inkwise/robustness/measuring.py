"""How robust runs are: their images made worse, measured, drawn, and written into the runs."""

import os
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.data.download import ProgressBar
from inkwise.data.splits import split_dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.pages.drawing import to_bytes
from inkwise.robustness.curves import SEED, Robustness, measure_models
from inkwise.robustness.panels import robustness_panels
from inkwise.runs.directory import Run
from inkwise.system.extras import require_training
from inkwise.system.files import write_bytes

IMAGES = 2_000
"""How many images are drawn if nothing else is said."""

_BRING_YOUR_DATA = (
    "pass what it was trained on, in Python, to inkwise.measure_robustness(run, dataset=...)"
)


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
    on_notice: Callable[[str], object] | None = None,
    on_download: Callable[[str], ProgressBar] | None = None,
    on_step: Callable[[str, int, int], object] | None = None,
) -> list[Robustness]:
    """Measure how right runs' models stay on images that get worse; write it into the runs.

    Each run gets ``robustness.json`` and the figure ``robustness``.

    Parameters
    ----------
    runs : Run or path-like, or several
        Of one data set.
    baseline : Run or path-like, optional
        A run to compare each of the others with. Nothing is written into it.
    split : {"test", "validation", "train"}
        Set apart as the runs' recipes say.
    images : int
        How many of the split's images to draw, each class at its share, always the same ones; all
        where there are no more.
    through_ink : bool
        Let every image go through `inkwise.ink.normalise` first, as a user's picture does.
    attacks : bool
        Attack the models with FGSM and PGD, too.
    dataset : Dataset, optional
        For runs on images of your own: those they were trained on.
    data_dir : path-like, optional
        A folder with MNIST's four files; by default the one that the first run was trained from.
    on_notice : callable, optional
        Told in a line which images are taken.
    on_download : callable, optional
        Given a file's name, returns what draws its download.
    on_step : callable, optional
        Told what is being done, how many steps are finished, and of how many.

    Returns
    -------
    list of Robustness
        One a run, in their order, and the baseline's at the end, where there is one.

    Raises
    ------
    RunError
        There is no such run, or it has no model; they are not of one data set, or `split` is not
        the same images to each; or the data set is not what they were trained on.
    ArgumentError
        There is no such split, no run, or fewer than one image to draw; or as from
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
        raise ArgumentError("there is no run to measure: name one at least")
    if images < 1:
        raise ArgumentError(f"at least one image is drawn, not {images}")
    everyone = [*measured]
    if baseline is not None:
        everyone.append(baseline if isinstance(baseline, Run) else Run(baseline))
    first = measured[0]
    for other in everyone[1:]:
        _check_comparable(first, other, split)
    models = {name: run.model for name, run in zip(_names(everyone), everyone, strict=True)}
    if dataset is None:
        dataset = first.load_dataset(_BRING_YOUR_DATA, data_dir, on_download)
    else:
        first.check_dataset(dataset, _BRING_YOUR_DATA)
    whole = split_dataset(dataset, first.recipe.holdout, first.recipe.seed)[split]
    drawn = whole.take(_draw(whole.labels, images))
    if on_notice is not None:
        on_notice(
            f"{len(drawn):,} of the {len(whole):,} images of {dataset.name}, {split} split, each "
            f"class at its share, drawn with seed {SEED}"
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
        on_step=on_step,
    )
    against = results[-1] if baseline is not None else None
    for run, result in zip(measured, results, strict=False):
        path = run.save_robustness(result, against)
        figure = robustness_panels(result, against)
        write_bytes(run.figures_path / f"{path.stem}.png", to_bytes(figure, "png"))
        write_bytes(run.figures_path / f"{path.stem}.svg", to_bytes(figure, "svg"))
    return results


def _draw(labels: NDArray[np.int64], images: int) -> NDArray[np.intp]:
    """Draw places, int (M,), ascending, each class at its share to an image, however small."""
    if images >= len(labels):
        return np.arange(len(labels))
    shuffled = np.random.default_rng(SEED).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    return np.sort(by_class[np.arange(images) * len(labels) // images])


def _check_comparable(first: Run, other: Run, split: str) -> None:
    if first.record["dataset"]["sha256"] != other.record["dataset"]["sha256"]:
        raise RunError(
            f"{first.path} and {other.path} were trained on different data sets: "
            "compare runs of one"
        )
    drawn = [(run.recipe.holdout, run.recipe.seed) for run in (first, other)]
    if split != "test" and drawn[0] != drawn[1]:
        raise RunError(
            f"the {split} images of {first.path} and {other.path} are not the same: compare them "
            "on the test split"
        )


def _names(runs: Sequence[Run]) -> list[str]:
    """Call each run by its folder, or by its path where two folders have one name."""
    names = [run.path.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise ArgumentError(f"a run is named twice among {', '.join(names)}: name each once")
    return names
