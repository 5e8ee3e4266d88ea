"""Every method in the same trials.

After J. Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv:1810.03292.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from inkwise.errors import ArgumentError
from inkwise.explanation.gradients import Gradients
from inkwise.explanation.neighbours import make_neighbours
from inkwise.explanation.occlusion import occlusion_map
from inkwise.explanation.receptive_field import Field, last_field
from inkwise.model import Model
from inkwise.networks.as_torch import build
from inkwise.networks.layers import Conv, Dense, Flatten, MaxPool
from inkwise.networks.named import NETWORKS
from inkwise.networks.network import Network
from tests.explanation.marks import draw_marks, trained, untrained
from tests.strokes import strokes

Image = NDArray[np.uint8]
Follow = Callable[[Image, int, int | None], NDArray[np.float32]]


def occlude(model: Model) -> Follow:
    return lambda image, label, against: occlusion_map(model, image, label, against)


def integrate(model: Model) -> Follow:
    return Gradients(model).integrated_gradients


def look_at_maps(model: Model) -> Follow:
    return Gradients(model).grad_cam


METHODS = {"occlusion": occlude, "integrated gradients": integrate, "Grad-CAM": look_at_maps}

SPLIT, CORNERS = draw_marks(15, seed=3)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> Callable[[Model], Follow]:
    return METHODS[request.param]


def share_at_the_mark(follow: Follow, against_next: bool = False) -> float:
    """Return the mean share of what speaks for the class that lies within two pixels of it."""
    shares = []
    for image, label, corner in zip(SPLIT.images, SPLIT.labels, CORNERS, strict=True):
        other = int(label + 1) % 3 if against_next else None
        values = follow(image, int(label), other).clip(0)
        top, left = (corner - 2).clip(0)
        bottom, right = corner + 7
        if values.any():
            shares.append(values[top:bottom, left:right].sum() / values.sum())
    assert len(shares) > len(SPLIT) / 2
    return float(np.mean(shares))


@pytest.mark.usefixtures("trains")
@pytest.mark.parametrize("against_next", [False, True])
def test_evidence_is_found_where_it_lies(
    method: Callable[[Model], Follow], against_next: bool
) -> None:
    # A tenth of the pixels, and a quarter of the ink, lie there.
    ink = share_at_the_mark(lambda image, *_: image.astype(np.float32))
    assert ink < 0.27

    found = share_at_the_mark(method(trained()), against_next)

    assert found > 1.5 * ink
    assert found > 1.3 * share_at_the_mark(method(untrained()), against_next)


@pytest.mark.usefixtures("trains")
def test_random_weights_give_another_map(method: Callable[[Model], Follow]) -> None:
    knowing, ignorant = method(trained()), method(untrained())
    agreements = []
    for image, label in zip(SPLIT.images, SPLIT.labels, strict=True):
        # Of the ink alone: that blank paper has 0 in both would make any two maps alike.
        values, others = (
            np.abs(follow(image, int(label), None)[image > 0]) for follow in (knowing, ignorant)
        )
        if values.std() > 0 and others.std() > 0:
            agreements.append(spearmanr(values, others).statistic)

    assert len(agreements) > len(SPLIT) / 2
    assert abs(np.mean(agreements)) < 0.4


@pytest.mark.usefixtures("trains")
def test_a_difference_of_classes_turns_its_sign_with_them() -> None:
    image = SPLIT.images[0]
    for method in (occlude, integrate):
        follow = method(trained())
        np.testing.assert_allclose(follow(image, 0, 2), -follow(image, 2, 0), atol=2e-4)
        alone = follow(image, 0, None) - follow(image, 2, None)
        np.testing.assert_allclose(follow(image, 0, 2), alone, atol=2e-4)


@pytest.mark.usefixtures("trains")
def test_shares_of_integrated_gradients_add_up_to_what_the_ink_adds() -> None:
    model = trained()
    gradients = Gradients(model)
    blank = np.zeros_like(SPLIT.images[:1])
    for image in SPLIT.images[:8]:
        logits = model.logits(np.concatenate([image[None], blank])).astype(np.float64)
        for label, against in ((0, None), (1, 2)):
            rise = logits[0] - logits[1]
            expected = rise[label] - (0 if against is None else rise[against])
            values = gradients.integrated_gradients(image, label, against)
            assert values.sum() == pytest.approx(expected, rel=0.02, abs=0.1)
            assert not values[image == 0].any()


@pytest.mark.usefixtures("trains")
def test_occlusion_is_that_of_captum() -> None:
    from captum.attr import Occlusion

    model = trained()  # of 30×30 pixels, where patches of 6, moved by 2, end at the border
    module = build(model.network)
    module.load_state_dict({name: torch.tensor(array) for name, array in model.weights.items()})
    for image, label in zip(SPLIT.images[:5], SPLIT.labels[:5].tolist(), strict=True):
        with torch.no_grad():
            expected = Occlusion(module).attribute(
                torch.from_numpy(image).float()[None, None] / 255,
                sliding_window_shapes=(1, 6, 6),
                strides=(1, 2, 2),
                target=label,
            )
        np.testing.assert_allclose(occlusion_map(model, image, label), expected[0, 0], atol=2e-5)


@pytest.mark.usefixtures("trains")
def test_a_patch_as_large_as_the_image_takes_all_that_the_ink_adds() -> None:
    model, image = trained(), SPLIT.images[1]
    logits = model.logits(np.stack([image, np.zeros_like(image)]))

    values = occlusion_map(model, image, 2, side=30)

    np.testing.assert_allclose(values, logits[0, 2] - logits[1, 2], rtol=1e-5)


@pytest.mark.usefixtures("trains")
def test_occlusion_of_blank_paper_is_nothing() -> None:
    model = trained()
    image = np.zeros((30, 30), np.uint8)
    assert not occlusion_map(model, image).any()

    image[12:17, 12:17] = 255
    values = occlusion_map(model, image, stride=1)

    assert values[7:22, 7:22].any()
    values[7:22, 7:22] = 0  # what a patch of 6 pixels that touches the ink can reach
    assert not values.any()


@pytest.mark.usefixtures("trains")
def test_occlusion_and_neighbours_need_no_training_library(tmp_path: Path) -> None:
    model = trained().save(tmp_path / "model")
    near = make_neighbours(trained(), SPLIT).save(tmp_path / "neighbours.npz")
    script = f"""if True:
        import sys
        import numpy as np
        from inkwise import Model
        from inkwise.explanation.neighbours import Neighbours
        from inkwise.explanation.occlusion import occlusion_map
        model = Model.load({str(model)!r})
        image = np.full((30, 30), 255, np.uint8)
        occlusion_map(model, image)
        Neighbours.load({str(near)!r}).nearest(model, image)
        print({{"torch", "captum", "sklearn", "scipy", "matplotlib", "onnx"}} & {{*sys.modules}})"""

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("set()\n", "")


@pytest.mark.usefixtures("trains")
def test_occlusion_leaves_the_image_as_it_is_and_follows_the_likeliest_class() -> None:
    model, image = trained(), SPLIT.images[3].copy()
    values = occlusion_map(model, image)

    assert (image == SPLIT.images[3]).all()
    assert values.dtype == np.float32
    assert values.shape == image.shape
    (label,) = model.predict(image[None])
    np.testing.assert_array_equal(values, occlusion_map(model, image, int(label)))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"label": 3}, "there is no class 3: the last one is 2"),
        ({"label": 0, "against": -1}, "there is no class -1"),
        ({"label": 1, "against": 1}, "cannot be compared with itself: name another one"),
        ({"stride": 7}, "the stride must lie between 1 and the patch's side of 6, not 7"),
        ({"side": 31}, "the patch must have 1 to 30 pixels a side, not 31"),
        ({"side": 0}, "not 0"),
        ({"stride": 0}, "not 0"),
    ],
)
@pytest.mark.usefixtures("trains")
def test_occlusion_refuses_what_makes_no_sense(arguments: dict[str, int], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        occlusion_map(trained(), SPLIT.images[0], **arguments)


def test_grad_cam_puts_places_where_their_pixels_are() -> None:
    """One filter that passes a lone dot on: the map must be brightest at the dot."""
    network = Network(
        (32, 32), (Conv(1, 3, "relu"), MaxPool(2), Conv(1, 3, "relu"), Flatten(), Dense(2))
    )
    weights = {
        line_name: np.zeros(shape, np.float32)
        for line in network.summary()
        for line_name, shape in line.parameters.items()
    }
    weights["conv1.weight"][..., 1, 1] = weights["conv2.weight"][..., 1, 1] = 1
    weights["dense1.weight"][0] = 1
    gradients = Gradients(Model(network, weights, ("dot", "none")))
    for row, column in ((9, 9), (12, 20), (21, 10), (20, 23)):
        image = np.zeros((32, 32), np.uint8)
        image[row, column] = 255

        values = gradients.grad_cam(image, 0)

        brightest = np.unravel_index(values.argmax(), values.shape)
        # The pooling knows the dot's place to a pixel.
        assert np.abs(np.subtract(brightest, (row, column))).max() <= 1


def test_fields_of_the_named_networks() -> None:
    fields = {name: last_field(network((28, 28), 10, 0.0)) for name, network in NETWORKS.items()}

    assert fields == {
        "case-study": Field("conv3", (3, 3), side=18, first=(8.5, 8.5), step=4),
        "swift": Field("conv2", (4, 4), side=16, first=(7.5, 7.5), step=4),
        "precise": Field("conv4", (2, 2), side=24, first=(11.5, 11.5), step=4),
        "ensemble": None,
        "perceptron": None,
        "lenet-5": Field("conv3", (1, 1), side=32, first=(13.5, 13.5), step=4),
        "small-vgg": Field("conv4", (7, 7), side=16, first=(1.5, 1.5), step=4),
        "small-resnet": Field("residual3", (7, 7), side=25, first=(3.0, 3.0), step=4),
    }


def test_a_pooled_convolution_looks_where_its_pool_does() -> None:
    network = Network((28, 28), (Conv(4, 5, "relu"), MaxPool(2), Flatten(), Dense(3, "relu")))

    assert last_field(network) == Field("conv1", (12, 12), side=6, first=(2.5, 2.5), step=2)


def test_a_network_without_convolution_has_no_grad_cam() -> None:
    model = strokes()
    assert last_field(model.network) is None
    with pytest.raises(ArgumentError, match="a single network with a convolution"):
        Gradients(model).grad_cam(np.zeros((28, 28), np.uint8), 0)
