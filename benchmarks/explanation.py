"""Measure on validation images how far explanations can be trusted, to choose their parameters.

For occlusion it compares sizes and strides of the patch. For each method it measures whether the
map depends on what the network has learnt, whether it is similar for another seed, and whether the
ink that it marks matters. For the nearest neighbours it compares spaces of feature vectors.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from record import write_record
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

import inkwise
from inkwise.data.dataset import Split
from inkwise.explanation.gradients import Gradients
from inkwise.explanation.neighbours import IMAGES
from inkwise.explanation.occlusion import occlusion_map
from inkwise.model import Model
from inkwise.networks.as_torch import build, get_weights
from inkwise.runs.original_data import load_original_splits

Image = NDArray[np.uint8]
Values = NDArray[np.floating[Any]]
Follow = Callable[[Image, int, int], Values]
STEPS = np.linspace(0, 0.5, 11)
"""Shares of the ink that are removed."""


def lead_that_is_left(model: Model, image: Image, values: Values, label: int, other: int) -> float:
    """Remove pixels of ink by descending value; return the mean share of the lead that is left."""
    ink = np.flatnonzero(image)
    order = ink[np.argsort(-values.flat[ink], kind="stable")]
    copies = np.repeat(image.reshape(1, -1), len(STEPS), axis=0)
    for copy, share in zip(copies, STEPS, strict=True):
        copy[order[: round(share * len(order))]] = 0
    logits = model.logits(copies.reshape(-1, *image.shape)).astype(np.float64)
    leads = logits[:, label] - logits[:, other]
    return float((leads / leads[0]).mean())


def correlate(one: Values, other: Values, image: Image) -> float:
    """Return the rank correlation over the pixels with ink; NaN if a map is constant."""
    one, other = one[image > 0], other[image > 0]
    return float(spearmanr(one, other).statistic) if one.std() * other.std() > 0 else float("nan")


def measure_patches(model: Model, images: Image) -> dict[str, Any]:
    """Compare sizes and strides of the occlusion patch."""
    found: dict[str, Any] = {}
    for side in (3, 4, 5, 6, 7, 9):
        for stride in (1, 2, 3):
            left, agreement, seconds = [], [], []
            for image in images:
                label, other = (int(k) for k in np.argsort(-model.logits(image[None])[0])[:2])
                start = time.process_time()
                values = occlusion_map(model, image, label, other, side=side, stride=stride)
                seconds.append(time.process_time() - start)
                left.append(lead_that_is_left(model, image, values, label, other))
                finest = occlusion_map(model, image, label, other, side=side, stride=1)
                agreement.append(correlate(values, finest, image))
            found[f"side {side}, stride {stride}"] = {
                "lead_left": float(np.mean(left)),
                "agreement_with_stride_1": float(np.nanmean(agreement)),
                "milliseconds": 1e3 * float(np.median(seconds)),
            }
    return found


def measure_methods(model: Model, another_seed: Model, images: Image) -> dict[str, Any]:
    """Compare each method's maps with those for other weights, and with the effect of the ink."""
    torch.manual_seed(0)
    weights = get_weights(build(model.network))
    random = Model(model.network, weights, model.class_names)
    generator = np.random.default_rng(0)
    methods: dict[str, Callable[[Model], Follow]] = {
        "occlusion": lambda model: lambda *follow: occlusion_map(model, *follow, stride=1),
        "integrated gradients": lambda model: Gradients(model).integrated_gradients,
        "Grad-CAM": lambda model: Gradients(model).grad_cam,
        "at random": lambda _: lambda image, *_: generator.random(image.shape),
    }
    found: dict[str, Any] = {}
    for name, method in methods.items():
        own, others, randoms = method(model), method(another_seed), method(random)
        figures: list[tuple[float, ...]] = []
        for image in images:
            label, other = (int(k) for k in np.argsort(-model.logits(image[None])[0])[:2])
            values = own(image, label, other)
            figures.append(
                (
                    correlate(values, randoms(image, label, other), image),
                    correlate(values, others(image, label, other), image),
                    lead_that_is_left(model, image, values, label, other),
                )
            )
        names = ("random_weights", "another_seed", "lead_left")
        found[name] = dict(zip(names, np.nanmean(figures, axis=0).tolist(), strict=True))
    return found


def measure_spaces(model: Model, train: Split, validation: Split) -> dict[str, Any]:
    """Compare spaces in which to find the nearest training images."""
    kept = train.take(np.random.default_rng(0).permutation(len(train))[:IMAGES])
    said = model.predict(validation.images)

    def pixels(split: Split) -> Values:
        return split.images.reshape(len(split), -1) / np.float64(255)

    def directions(split: Split) -> Values:
        features = model.features(split.images)
        return features / np.linalg.norm(features, axis=1, keepdims=True)

    spaces: dict[str, tuple[Values, Values]] = {
        "pixels": (pixels(kept), pixels(validation)),
        "logits": (model.logits(kept.images), model.logits(validation.images)),
        "features": (model.features(kept.images), model.features(validation.images)),
        "directions": (directions(kept), directions(validation)),
    }
    for axes in (16, 32, 64, 128):
        pca = PCA(axes, random_state=0).fit(spaces["directions"][0])
        both = [pca.transform(values) for values in spaces["directions"]]
        spaces[f"directions, {axes} axes"] = both[0].astype(np.float16), both[1]
    found: dict[str, Any] = {}
    whole: NDArray[np.int64] | None = None
    for name, (points, asked) in spaces.items():
        near = NearestNeighbors(n_neighbors=8).fit(points).kneighbors(asked, return_distance=False)
        if name == "directions":
            whole = near
        votes = [np.bincount(kept.labels[row]).argmax() for row in near]
        apart = pixels(validation)[:, None] - pixels(kept)[near]
        figures = {
            "vote_is_the_answer": float(np.mean(votes == said)),
            "distance_in_pixels": float(np.linalg.norm(apart, axis=2).mean()),
        }
        if whole is not None:
            shared = [len({*a} & {*b}) for a, b in zip(near.tolist(), whole.tolist(), strict=True)]
            figures["of_eight_the_same_as_directions"] = float(np.mean(shared))
        found[name] = figures
    return found


def main() -> None:
    """Measure one run beside another of the same recipe, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run on MNIST")
    parser.add_argument("another", type=Path, help="a run of the same recipe with another seed")
    parser.add_argument("--images", type=int, default=40)
    arguments = parser.parse_args()
    run = inkwise.Run(arguments.run)
    model = run.model
    splits = load_original_splits(run)
    chosen = np.random.default_rng(0).permutation(len(splits.validation))[: arguments.images]
    images = splits.validation.images[chosen]
    torch.set_num_threads(1)
    another = inkwise.Run(arguments.another).model
    some = splits.validation.take(np.arange(min(1_000, len(splits.validation))))
    figures = {
        "recipe": run.recipe.name,
        "images": len(images),
        "methods": measure_methods(model, another, images),
        "neighbours": measure_spaces(model, splits.train, some),
        "patches": measure_patches(model, images),
    }
    print(write_record(f"explanation-{run.recipe.name}", figures))


if __name__ == "__main__":
    main()
