"""A map of many images: images with similar feature vectors lie close together."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.errors import ArgumentError
from inkwise.model import Model
from inkwise.pages.drawing import GRID, INK, WRONG, new_figure, short, styled, to_bytes
from inkwise.runs.directory import Run
from inkwise.runs.models import find_model
from inkwise.runs.original_data import load_original_splits
from inkwise.system.extras import require_training
from inkwise.system.files import write_bytes
from inkwise.system.progress import SILENT, Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


IMAGES = 2_000
"""Default number of images on a map."""

AXES = 50
"""Number of principal axes of the feature vectors that t-SNE works on."""

LEAST = 10
"""Smallest number of images on a map."""

PERPLEXITY = 30.0
"""Perplexity of t-SNE: roughly, the number of neighbours that each image has."""


@dataclasses.dataclass(frozen=True, eq=False)
class Map:
    """The positions of images on a map, and their true and predicted classes.

    Parameters
    ----------
    points : ndarray of float32, shape (M, 2)
        Positions. Only which images are near each other means anything: the axes, the sizes of
        groups and the distances between groups do not.
    indices : ndarray of int64, shape (M,)
        Indices of the images in the split, ascending.
    labels, predicted : ndarray of int64, shape (M,)
        True and predicted class of each image.
    class_names : tuple of str
        The names of the classes.
    drawn_from, mistakes : int
        Number of images in the split, and number of them that the model misclassifies.
    """

    points: NDArray[np.float32]
    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    class_names: tuple[str, ...]
    drawn_from: int
    mistakes: int

    def __len__(self) -> int:
        return len(self.indices)


def make_map(model: Model, split: Split, count: int = IMAGES, seed: int = 0) -> Map:
    """Lay images out in the plane by their feature vectors, the inputs of the model's last layer.

    The feature vectors are reduced to 50 principal axes by PCA, and to two dimensions by t-SNE.
    The misclassified images come first, up to the count, because they are the most interesting
    ones; the other images are drawn at random.

    Parameters
    ----------
    model : Model
        The model that gives the feature vectors and the predictions.
    split : Split
        The images to draw from.
    count : int
        Number of images on the map, at least 10; all images if the split has fewer.
    seed : int
        Seed of the random draw. The layout has a fixed seed of its own.

    Returns
    -------
    Map

    Raises
    ------
    ArgumentError
        The count is below 10, or the split has fewer images.
    LibraryError
        The libraries of the extra ``train`` are not installed.

    References
    ----------
    L. van der Maaten, G. Hinton, "Visualizing data using t-SNE", JMLR 9, 2008.
    """
    require_training("a map")
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if min(count, len(split)) < LEAST:
        raise ArgumentError(f"a map needs at least {LEAST} images, not {min(count, len(split))}")
    predicted = model.predict(split.images)
    order = np.random.default_rng(seed).permutation(len(split))
    wrong = predicted[order] != split.labels[order]
    kept = np.sort(np.concatenate([order[wrong], order[~wrong]])[:count])  # (M,)
    features = model.features(split.images[kept])  # (M, F)
    axes = min(AXES, *features.shape)
    reduced = PCA(axes, random_state=0).fit_transform(features)  # (M, axes)
    perplexity = min(PERPLEXITY, (len(kept) - 1) / 3)
    layout = TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1)
    return Map(
        layout.fit_transform(reduced).astype(np.float32),
        kept.astype(np.int64),
        split.labels[kept],
        predicted[kept],
        model.class_names,
        len(split),
        int(wrong.sum()),
    )


def write_map(
    run: Run | str | os.PathLike[str],
    split: str = "test",
    *,
    count: int = IMAGES,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Draw the map of a split into a run's figures, as ``map.png`` and ``map.svg``.

    Parameters
    ----------
    run : Run or path-like
        The run, or its directory.
    split : {"test", "validation", "train"}
        The split whose images are drawn. The files of another split than the test split have its
        name in theirs, as in ``map-validation.png``.
    count : int
        Number of images, as for `make_map`.
    dataset : Dataset, optional
        Your own data set, if the run was trained on one.
    data_dir : path-like, optional
        Where the data set's files are; by default the one that the run was trained from.
    progress : Progress, optional
        Receives notices and the progress of downloads.

    Returns
    -------
    Path
        The PNG file.

    Raises
    ------
    InkwiseError
        As from `make_map`, `inkwise.runs.models.find_model` and
        `inkwise.runs.original_data.load_original_splits`.

    Examples
    --------
    >>> import inkwise
    >>> inkwise.write_map("runs/small", count=100).name
    'map.png'
    """
    require_training("a map")
    run = run if isinstance(run, Run) else Run(run)
    model = find_model(run.path)
    images = load_original_splits(run, dataset, data_dir, progress)[split]
    progress.notice(f"Laying out {min(count, len(images)):,} images, which takes some seconds")
    record = run.record
    title = f"{run.origin} on {record['dataset']['title']}: the {split} split"
    figure = draw_map(make_map(model, images, count), title)
    name = "map" if split == "test" else f"map-{split}"
    for kind in ("svg", "png"):
        path = write_bytes(run.figures_path / f"{name}.{kind}", to_bytes(figure, kind))
    return path


@styled
def draw_map(images: Map, title: str) -> "Figure":
    """Draw a map: a colour and a name for each class, and a ring round each mistake."""
    import matplotlib as mpl
    from matplotlib.patheffects import withStroke

    figure, axes = new_figure(8.4, 7.6)
    palette = mpl.colormaps["tab10" if len(images.class_names) <= 10 else "tab20"]
    colours = np.array([palette(label % palette.N) for label in images.labels])
    wrong = images.labels != images.predicted
    across, up = images.points.T
    axes.scatter(across[~wrong], up[~wrong], 9, colours[~wrong], alpha=0.6, linewidths=0)
    axes.scatter(across[wrong], up[wrong], 42, colours[wrong], edgecolors=INK, linewidths=1.5)
    halo = [withStroke(linewidth=3, foreground="white")]
    for label, name in enumerate(images.class_names):
        own = images.points[images.labels == label]
        if len(own):
            axes.annotate(
                short(name),
                np.median(own, axis=0),
                ha="center",
                va="center",
                fontsize=17,
                fontweight="bold",
                path_effects=halo,
            )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(GRID)
    axes.set_title(title)
    mistakes = np.flatnonzero(wrong)
    which = (
        f"all {len(mistakes):,}"
        if len(mistakes) == images.mistakes
        else (f"{len(mistakes):,} of {images.mistakes:,}")
    )
    axes.set_xlabel(
        f"{len(images):,} of {images.drawn_from:,} images: {which} mistakes, ringed "
        "(true → predicted), and others drawn at random.\nFeature vectors (the input of the last "
        "layer), by PCA and t-SNE: images close together look similar to the network;\nthe axes, "
        "the sizes of groups and the distances between them mean nothing.",
        fontsize=8.5,
        loc="left",
    )
    _name_mistakes(figure, axes, images, mistakes)
    return figure


def _name_mistakes(
    figure: "Figure", axes: "Axes", images: Map, mistakes: NDArray[np.int64]
) -> None:
    """Write "true → predicted" beside each mistake, unless it would cover another text."""
    from matplotlib.patheffects import withStroke

    figure.draw_without_rendering()  # fixes the layout, so that extents in pixels are known
    taken = [text.get_window_extent() for text in axes.texts]
    inside = axes.get_window_extent()
    names = [short(name) for name in images.class_names]
    for place in mistakes:
        label = axes.annotate(
            f"{names[images.labels[place]]} → {names[images.predicted[place]]}",
            images.points[place],
            (0, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=WRONG,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )
        label.set_in_layout(False)
        for side, rise in ((1, 0), (-1, 0), (1, 8), (1, -8), (-1, 8), (-1, -8)):
            label.xyann = (6 * side, rise)
            label.set_horizontalalignment("left" if side > 0 else "right")
            box = label.get_window_extent()
            if inside.count_contains(box.corners()) == 4 and not box.count_overlaps(taken):
                taken.append(box)
                break
        else:
            label.remove()
