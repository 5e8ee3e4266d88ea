"""The engine's operations on images give OpenCV's and Pillow's results."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.browser.engine import Engine

pytestmark = pytest.mark.browser

Levels = NDArray[np.uint8]
Case = tuple[str, Callable[..., Any]]


def scene(seed: int, kind: str) -> Levels:
    """Return noise, a smooth picture or the mask of one, of a random size."""
    random = np.random.default_rng(seed)
    height, width = random.integers(20, 130, 2).tolist()
    if kind == "noise":
        return random.integers(0, 256, (height, width)).astype(np.uint8)
    coarse = random.integers(0, 256, (height // 5, width // 5)).astype(np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return smooth if kind == "smooth" else (smooth > 150).astype(np.uint8)


def morphology() -> list[Case]:
    cases: list[Case] = []
    kinds = {"dilate": cv2.MORPH_DILATE, "erode": cv2.MORPH_ERODE}
    kinds |= {"open": cv2.MORPH_OPEN, "close": cv2.MORPH_CLOSE}
    slant = np.eye(11, dtype=np.uint8)
    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    kernels = {
        **{
            f"raster.rectangle({high}, {wide})": np.ones((high, wide), np.uint8)
            for high, wide in ((3, 3), (5, 5), (1, 7), (1, 10), (4, 1), (6, 6), (17, 21))
        },
        **{
            f"raster.ellipse({side})": cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
            for side in (1, 2, 3, 4, 5, 6, 9, 20)
        },
        "raster.kernelOf(11, 11, (row, column) => row === column)": slant,
        "raster.kernelOf(11, 11, (row, column) => row === 10 - column)": slant[::-1].copy(),
        "raster.kernelOf(3, 3, (row, column) => row !== 1 || column !== 1)": ring,
    }
    for name, kind in kinds.items():
        for kernel, shape in kernels.items():
            cases.append(
                (
                    f"raster.{name}(one, {kernel})",
                    lambda one, kind=kind, shape=shape: cv2.morphologyEx(one, kind, shape),
                )
            )
    return cases


def sizes() -> list[Case]:
    cases: list[Case] = []
    for down, across in ((2, 2), (3, 3), (1.4, 2.6), (3.7, 1)):

        def reduced(one: Levels, down: float = down, across: float = across) -> Any:
            height, width = math.ceil(one.shape[0] / down), math.ceil(one.shape[1] / across)
            return cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA)

        size = f"Math.ceil(one.height / {down}), Math.ceil(one.width / {across})"
        cases.append((f"raster.resize(one, {size}, 'area')", reduced))
    cases.append(
        (
            "raster.resize(one, one.height * 3 + 2, one.width * 4 + 3, 'linear')",
            lambda one: cv2.resize(
                one,
                (one.shape[1] * 4 + 3, one.shape[0] * 3 + 2),
                interpolation=cv2.INTER_LINEAR,
            ),
        )
    )
    for wide, high in ((20, 20), (20, 7), (7, 20), (150, 140), (25, 140)):
        cases.append(
            (
                f"raster.resizeBicubic(one, {high}, {wide})",
                lambda one, size=(wide, high): Image.fromarray(one).resize(
                    size, Image.Resampling.BICUBIC
                ),
            )
        )
    cases += [
        (
            f"raster.reduce(one.data, one.height, one.width, 1, {factor})",
            lambda one, factor=factor: Image.fromarray(one).reduce(factor),
        )
        for factor in (2, 3, 7)
    ]
    return cases


def smoothing() -> list[Case]:
    cases: list[Case] = [
        (f"raster.medianBlur(one, {side})", lambda one, side=side: cv2.medianBlur(one, side))
        for side in (3, 5, 41)
    ]
    cases += [
        (
            f"raster.gaussianBlur(one, {sigma})",
            lambda one, sigma=sigma: cv2.GaussianBlur(one, (0, 0), sigma),
        )
        for sigma in (0.6, 0.817, 1.2, 1.5)
    ]
    borders = {
        "black": cv2.BORDER_CONSTANT,
        "replicate": cv2.BORDER_REPLICATE,
        "reflect": cv2.BORDER_REFLECT,
    }
    cases += [
        (
            f"raster.copyMakeBorder(one, 9, '{name}')",
            lambda one, border=border: cv2.copyMakeBorder(one, 9, 9, 9, 9, border),
        )
        for name, border in borders.items()
    ]
    return cases


def arithmetic() -> list[Case]:
    cases: list[Case] = []
    for number in (3.4, -2.6, 0.5, 1.5, 2.5):
        cases += [
            (
                f"raster.subtractScalar(one, {number})",
                lambda one, number=number: cv2.subtract(one, number),
            ),
            (f"raster.addScalar(one, {number})", lambda one, number=number: cv2.add(one, number)),
        ]
    for alpha, beta in ((1.37, -20.5), (2.5, 0.0), (255 / 77, -31 * 255 / 77)):
        cases.append(
            (
                f"raster.convertScaleAbs(one, {alpha}, {beta})",
                lambda one, alpha=alpha, beta=beta: cv2.convertScaleAbs(
                    one, alpha=alpha, beta=beta
                ),
            )
        )
    return cases


@pytest.mark.parametrize(
    ("kinds", "cases"),
    [
        (("noise", "smooth", "mask"), morphology()),
        (("noise", "smooth"), sizes()),
        (("noise", "smooth"), smoothing()),
        (("noise",), arithmetic()),
    ],
    ids=["morphology", "sizes", "smoothing", "arithmetic"],
)
def test_images_come_out_the_same(
    engine: Engine, kinds: tuple[str, ...], cases: list[Case]
) -> None:
    expressions = ", ".join(expression for expression, _ in cases)
    for seed, kind in enumerate(kinds):
        one = scene(seed, kind)
        results = engine(
            f"const raster = await load('raster.js'); return [{expressions}];", one=one
        )
        for (expression, reference), result in zip(cases, results, strict=True):
            np.testing.assert_array_equal(result, np.asarray(reference(one)), expression)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_masks_are_measured_the_same(engine: Engine, share: float) -> None:
    for seed in range(4):
        smooth = scene(seed, "smooth")
        scattered = np.random.default_rng(seed).random(smooth.shape) < share
        for mask in ((smooth < 255 * share), scattered):
            one = mask.astype(np.uint8)
            found = engine(
                """
                const raster = await load('raster.js');
                return {
                  ...raster.connectedComponents(one),
                  distance: raster.distanceTransform(one),
                  filled: raster.fillHoles(one),
                  hull: raster.hullArea(one),
                  bounds: raster.bounds(one),
                  turned: raster.bounds(raster.transpose(one)),
                };
                """,
                one=one,
            )
            _, labels, stats, centres = cv2.connectedComponentsWithStatsWithAlgorithm(
                one, 8, cv2.CV_32S, cv2.CCL_GRANA
            )
            left, top, wide, high, area = stats.T
            np.testing.assert_array_equal(found["labels"], labels.ravel())
            np.testing.assert_array_equal(found["area"], area)
            for name, side in (
                ("left", left),
                ("top", top),
                ("right", left + wide),
                ("bottom", top + high),
            ):
                np.testing.assert_array_equal(found[name][1:], side[1:], name)
            np.testing.assert_allclose(found["centres"][2:], centres[1:].ravel(), rtol=1e-12)
            distance = cv2.distanceTransform(one, cv2.DIST_L2, 5)
            np.testing.assert_allclose(found["distance"], distance.ravel(), atol=1e-4)
            outlines, _ = cv2.findContours(one, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            filled = cv2.drawContours(np.zeros_like(one), outlines, -1, 1, cv2.FILLED)
            np.testing.assert_array_equal(found["filled"], filled)
            hull = np.zeros_like(one)
            cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(one)), 1)
            assert found["hull"] == hull.sum()
            x, y, wide, high = cv2.boundingRect(one)
            assert found["bounds"] == [y, x, y + high, x + wide]
            assert found["turned"] == [x, y, x + wide, y + high]


def test_an_enlargement_differs_by_a_level_in_few_pixels(engine: Engine) -> None:
    for factor in (2, 3, 5):
        one = scene(factor, "noise")
        larger = engine(
            "const raster = await load('raster.js');"
            "return raster.resize(one, one.height * by, one.width * by, 'cubic');",
            one=one,
            by=factor,
        )
        reference = cv2.resize(one, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        difference = np.abs(larger.astype(int) - reference)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


def test_numbers_of_images_are_the_same(engine: Engine) -> None:
    for seed, kind in enumerate(("noise", "smooth")):
        one = scene(seed, kind)
        found = engine(
            "const raster = await load('raster.js');"
            "const level = raster.otsu(raster.histogram(one));"
            "return [level, raster.mean(one), ...raster.extremes(one)];",
            one=one,
        )
        level, _ = cv2.threshold(one, 0, 255, cv2.THRESH_OTSU)
        assert found == pytest.approx([level, one.mean(), one.min(), one.max()], rel=1e-12)


def test_colours_are_weighed_and_blurred_the_same(engine: Engine) -> None:
    random = np.random.default_rng(4)
    one = random.integers(0, 256, (57, 43, 3)).astype(np.uint8)
    weights = [0.62, -0.3, 0.08, 76.5]
    found = engine(
        "const raster = await load('raster.js'); return [raster.weigh(one, weights),"
        "raster.boxBlur(Float32Array.from(one.data), one.height, one.width, 3, 19)];",
        one=one,
        weights=weights,
    )
    np.testing.assert_array_equal(found[0], cv2.transform(one, np.array([weights])))
    blurred = cv2.blur(one.astype(np.float32), (19, 19), borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(found[1], blurred.ravel(), atol=1e-3)


def test_a_slanted_and_scaled_image_is_the_same(engine: Engine) -> None:
    for seed, zoom in enumerate((0.4, 0.9, 1.7)):
        one = scene(seed, "smooth")
        forward = np.array([[zoom, -0.1, 4.3], [-0.12 * zoom, zoom, 3.2]])
        found = engine(
            "const raster = await load('raster.js');"
            "return [raster.warpAffine(one, forward, 32, 90),"
            "raster.invertAffineTransform(forward)];",
            one=one,
            forward=forward.tolist(),
        )
        np.testing.assert_array_equal(found[0], cv2.warpAffine(one, forward, (90, 32)))
        np.testing.assert_allclose(found[1], cv2.invertAffineTransform(forward), rtol=1e-12)
