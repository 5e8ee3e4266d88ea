import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from inkwise.networks.as_torch import build
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Conv, Dense, Flatten, Residual
from inkwise.networks.network import Network, complete
from inkwise.training.named_recipes import get_recipe
from inkwise.training.recipe import SGD, Muon, Recipe
from inkwise.training.step import CapturedStep, Step, to_inputs

RATE = 0.5
RECIPE = get_recipe("case-study", optimiser=SGD(RATE, momentum=0))
IMAGES = torch.arange(20 * 12, dtype=torch.uint8).view(20, 3, 4)
LABELS = torch.arange(20) % 5
NETWORK = Network((3, 4), (Conv(4, 2, "relu"), Flatten(), Dense(5)))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 5))


def weight_of(module: nn.Sequential, layer: int) -> Tensor:
    """Copy a layer's weight."""
    weight = module[layer].weight
    assert isinstance(weight, Tensor)
    return weight.detach().clone()


def step_of(module: nn.Module, recipe: Recipe = RECIPE) -> Step:
    return Step(module, IMAGES, LABELS, recipe)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_a_step_goes_down_the_gradient_of_the_smoothed_loss(smoothing: float) -> None:
    index = torch.tensor([3, 19, 0, 8])
    ours, reference = network(), network()
    step_of(ours, get_recipe(RECIPE, label_smoothing=smoothing))(index)
    functional.cross_entropy(
        reference(to_inputs(IMAGES[index])), LABELS[index], label_smoothing=smoothing
    ).backward()
    for trained, parameter in zip(ours.parameters(), reference.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(trained, parameter - RATE * parameter.grad)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_class_weights_multiply_the_losses_of_their_images(smoothing: float) -> None:
    weights = torch.tensor([1.0, 0.25, 3.0, 0.0, 2.0])
    ours, reference = network(), network()
    recipe = get_recipe(RECIPE, label_smoothing=smoothing)
    step = Step(ours, IMAGES, LABELS, recipe, weights)
    step(torch.arange(20))
    logits = reference(to_inputs(IMAGES))
    losses = functional.cross_entropy(logits, LABELS, reduction="none", label_smoothing=smoothing)
    (losses * weights[LABELS]).mean().backward()  # as Keras averages, and not over the weights
    for trained, parameter in zip(ours.parameters(), reference.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(trained, parameter - RATE * parameter.grad)
    told = functional.cross_entropy(logits.detach(), LABELS, reduction="none")
    torch.testing.assert_close(step.losses, told)
    torch.testing.assert_close(step.totals[0], told.sum())


@pytest.mark.parametrize("share", [0.1, 0.9, 1.1, 10])
def test_gradients_are_clipped_by_their_norm_together(share: float) -> None:
    ours, reference = network(), network()
    functional.cross_entropy(reference(to_inputs(IMAGES)), LABELS).backward()
    gradients = [parameter.grad for parameter in reference.parameters()]
    norm = torch.cat([it.flatten() for it in gradients if it is not None]).norm()
    step_of(ours, get_recipe(RECIPE, clip_norm=float(share * norm)))(torch.arange(20))
    for trained, parameter in zip(ours.parameters(), reference.parameters(), strict=True):
        assert parameter.grad is not None
        expected = parameter - RATE * parameter.grad * min(share, 1)
        torch.testing.assert_close(trained, expected, rtol=1e-4, atol=1e-6)


def test_a_layers_l2_adds_to_the_gradient_of_its_weights_alone() -> None:
    layers = (Residual((Conv(1, 1, l2=0.25),)), Flatten(), Dense(4, "relu", l2=0.5), Dense())
    described = complete((3, 4), layers, 5)
    torch.manual_seed(0)
    ours = build(described)
    reference = copy.deepcopy(ours)
    step_of(ours, get_recipe(RECIPE, network=layers))(torch.arange(20))

    squares = {
        name: parameter.square().sum()
        for name, parameter in reference.named_parameters()
        if name.endswith("weight")
    }
    loss = functional.cross_entropy(reference(to_inputs(IMAGES)), LABELS)
    (loss + squares["residual1.layers.conv1.weight"] / 4 + squares["dense1.weight"] / 2).backward()
    for trained, parameter in zip(ours.parameters(), reference.parameters(), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(trained, parameter - RATE * parameter.grad)


def test_losses_and_totals_are_those_of_the_images_without_smoothing() -> None:
    module = network()
    step = step_of(module, get_recipe(RECIPE, label_smoothing=0.2))
    with torch.no_grad():
        logits = module(to_inputs(IMAGES))
    expected = functional.cross_entropy(logits, LABELS, reduction="none")
    right = logits.argmax(1) == LABELS
    step.scale_learning_rates(0)  # so that the second batch meets the same weights
    batches = (torch.tensor([7, 2, 11]), torch.tensor([5]))
    for index in batches:
        step(index)
    seen = torch.cat(batches)
    torch.testing.assert_close(step.losses[seen], expected[seen])
    assert (step.losses > 0).sum() == len(seen)
    torch.testing.assert_close(
        step.totals, torch.stack([expected[seen].sum(), right[seen].sum().float()])
    )


def test_learning_rates_are_multiples_of_the_recipes() -> None:
    moved = []
    for factor in (1.0, 0.25):
        module = network()
        step = step_of(module)
        step.scale_learning_rates(0.5)  # does not add up
        step.scale_learning_rates(factor)
        step(torch.arange(4))
        moved.append(weight_of(module, 1) - weight_of(network(), 1))
    torch.testing.assert_close(moved[1], 0.25 * moved[0])


def test_a_frozen_first_layer_stays_and_the_others_learn_on() -> None:
    module = network()
    step = step_of(module)
    step(torch.arange(10))
    first, last = (weight_of(module, layer) for layer in (1, 3))
    assert not torch.equal(first, weight_of(network(), 1))
    step.freeze_first_layer()
    step(torch.arange(10))
    assert torch.equal(weight_of(module, 1), first)
    assert not torch.equal(weight_of(module, 3), last)


def test_the_average_follows_the_weights() -> None:
    module = network()
    step = step_of(module, get_recipe(RECIPE, averaging=0.5))
    assert step.averaged is not module
    expected = weight_of(module, 1)
    for number, index in enumerate(torch.arange(20).split(4), start=1):
        step(index)
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * weight_of(module, 1)
    average = step.averaged.state_dict()["1.weight"]
    torch.testing.assert_close(average, expected)
    assert not torch.equal(average, weight_of(module, 1))


@pytest.mark.parametrize(("outliers", "clip_norm"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.05)])
def test_members_learn_as_each_would_alone(outliers: float, clip_norm: float) -> None:
    other = Network((3, 4), (Flatten(), Dense(5)))
    recipe = get_recipe(
        RECIPE,
        optimiser=SGD(RATE),
        label_smoothing=0.1,
        outliers=outliers,
        clip_norm=clip_norm,
    )
    torch.manual_seed(0)
    together = build(Ensemble((NETWORK, other)))
    alone = [copy.deepcopy(member) for member in together.children()]
    losses, totals = [], []
    for module in (together, *alone):
        torch.manual_seed(1)  # the same outliers
        step = step_of(module, recipe)
        for index in torch.arange(20).split(4):
            step(index)
        losses.append(step.losses)
        totals.append(step.totals)
    for member, expected in zip(together.children(), alone, strict=True):
        for trained, parameter in zip(member.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(trained, parameter)
    torch.testing.assert_close(losses[0], (losses[1] + losses[2]) / 2)
    torch.testing.assert_close(totals[0], (totals[1] + totals[2]) / 2)


def test_every_second_outlier_is_augmented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "inkwise.training.step.augmentation_of_outliers", lambda _: lambda images: images * 0 + 7
    )
    seen: list[Tensor] = []
    module = network()
    module.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    step_of(module, get_recipe(RECIPE, outliers=0.5, augment=True))(torch.arange(20))
    (inputs,) = seen
    augmented = (inputs[20:] == 7).flatten(1).all(dim=1)
    assert augmented.tolist() == [True, False] * 5


@pytest.mark.parametrize("units", ["BF16", None])
def test_mixed_precision_needs_a_processor_with_units_for_it(
    units: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkwise.training.step.bfloat16_units", lambda: units)
    computed_in = []
    trained = {}
    for mixed in (True, False):
        module = network()
        module[1].register_forward_hook(lambda *call: computed_in.append(call[2].dtype))
        step_of(module, get_recipe(RECIPE, mixed_precision=mixed))(torch.arange(20))
        trained[mixed] = module.state_dict()
    assert computed_in == [torch.bfloat16 if units else torch.float32, torch.float32]
    for name, weight in trained[True].items():
        assert weight.dtype == torch.float32
        torch.testing.assert_close(weight, trained[False][name], rtol=0.02, atol=0.02)
        assert units or torch.equal(weight, trained[False][name])


def test_the_first_layers_of_all_members_freeze() -> None:
    torch.manual_seed(0)
    module = build(Ensemble((NETWORK, NETWORK)))
    step = step_of(module)
    step.freeze_first_layer()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    step(torch.arange(10))
    moved = {name for name, value in module.state_dict().items() if (value != before[name]).any()}
    assert moved == {f"member{n}.dense1.{role}" for n in (1, 2) for role in ("weight", "bias")}


def test_without_averaging_the_module_itself_is_kept() -> None:
    module = network()
    assert step_of(module).averaged is module


def test_a_step_goes_on_as_if_it_had_not_been_stored() -> None:
    recipe = get_recipe(RECIPE, optimiser=Muon(), averaging=0.9)
    batches = torch.arange(20).split(4)
    torch.manual_seed(0)
    whole = build(NETWORK)
    step = Step(whole, IMAGES, LABELS, recipe)
    for index in batches:
        step(index)

    torch.manual_seed(0)
    first = Step(build(NETWORK), IMAGES, LABELS, recipe)
    for index in batches[:2]:
        first(index)
    state = {name: value.clone() for name, value in first.state().items()}
    resumed = build(NETWORK)  # other weights
    second = Step(resumed, IMAGES, LABELS, recipe)
    second.restore(state)
    for index in batches[2:]:
        second(index)
    for name, value in step.state().items():
        assert torch.equal(second.state()[name], value), name


def test_grey_levels_become_shares_of_full_ink() -> None:
    inputs = to_inputs(torch.tensor([[[0, 51, 255]], [[1, 2, 3]]], dtype=torch.uint8))
    assert (inputs.dtype, inputs.shape) == (torch.float32, (2, 1, 1, 3))
    torch.testing.assert_close(
        inputs[:, 0, 0], torch.tensor([[0, 0.2, 1], [1 / 255, 2 / 255, 3 / 255]])
    )


class Tape:
    """Stands in for a CUDA graph: recording a step does not run it, playing back does."""

    recording: "Tape | None" = None
    made = 0

    def __init__(self) -> None:
        Tape.made += 1
        self.index = torch.empty(0)
        self.run: Any = None

    def replay(self) -> None:
        self.run(self.index)


class Worker:
    """A step that notes the images it is given."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []

    def __call__(self, index: Tensor) -> None:
        if Tape.recording is not None:
            Tape.recording.index, Tape.recording.run = index, self._work
        else:
            self._work(index)

    def _work(self, index: Tensor) -> None:
        self.seen.append(index.tolist())


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> type[Tape]:
    @contextlib.contextmanager
    def record(tape: Tape) -> Iterator[None]:
        Tape.recording = tape
        yield
        Tape.recording = None

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Tape)
    monkeypatch.setattr(torch.cuda, "graph", record)
    monkeypatch.setattr(Tape, "made", 0)
    return Tape


def test_a_recorded_step_does_every_batch_once(tapes: type[Tape]) -> None:
    worker = Worker()
    captured = CapturedStep(worker)  # type: ignore[arg-type]
    batches = [*torch.arange(48).split(5)]  # the last has three
    for index in batches:
        captured(index)
    assert worker.seen == [index.tolist() for index in batches]
    assert tapes.made == 1


def test_a_step_that_changes_is_recorded_anew(tapes: type[Tape]) -> None:
    worker = Worker()
    captured = CapturedStep(worker)  # type: ignore[arg-type]
    batches = [*torch.arange(40).split(4)]
    for number, index in enumerate(batches):
        if number == 6:
            captured.forget()
        captured(index)
    assert worker.seen == [index.tolist() for index in batches]
    assert tapes.made == 2
