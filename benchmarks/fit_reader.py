"""Fit the prices of the reader's lattice on composed numbers, and write them into the package.

The digits are the pretrained model's own validation images, which it was not trained on: the even
ones are for fitting, the odd ones for `reading.py --split development`. The loss is the negative
logarithm of the probability of what is written, over all ways to cut it.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from compose import KINDS, compose
from torch import Tensor

import inkwise
from inkwise.data.dataset import Split
from inkwise.data.splits import Holdout, split_dataset
from inkwise.errors import NoInkError
from inkwise.ink.finding import find_all_ink
from inkwise.reading.lattice import DIGITS, FILE, MARKS
from inkwise.reading.lattice import inputs as inputs_of
from inkwise.reading.lines import find_lines
from inkwise.reading.numbers import classify
from inkwise.reading.segments import LEAST_CHANCE, Segments, chances, find_segments

HIDDEN, SIEVE = 24, 16
"""Widths of the hidden layers of the prices' network and of the sieve's."""

SIZE = 64
"""Number of lines in a step."""
LABELS = DIGITS + len(MARKS)
SHARES = {
    "apart to overlapping": 0.35,
    "every neighbour touching": 0.25,
    "with marks": 0.25,
    "one to nine digits": 0.15,
}


def held_out_digits(place: int) -> Split:
    """Return the even (0) or the odd (1) validation images of the pretrained model."""
    mnist = inkwise.load_dataset("mnist")
    apart = split_dataset(mnist, Holdout("stratified", 0.05), 0).validation
    return apart.take(np.arange(place, len(apart), 2))


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """A composed line: its segments, what the network says of them, and what is written."""

    segments: Segments
    inputs: np.ndarray
    logits: np.ndarray
    text: list[int]


def make_examples(digits: Split, count: int, seed: int, only: str = "") -> list[Example]:
    """Compose lines and find their segments."""
    model = inkwise.load_pretrained()
    names = [name for name in SHARES if only in name]
    shares = np.array([SHARES[name] for name in names])
    signs = [*map(str, range(DIGITS)), *MARKS]
    examples = []
    for place in range(count):
        generator = np.random.default_rng([seed, place])
        kind = KINDS[str(generator.choice(names, p=shares / shares.sum()))]
        picture, text = compose(digits, kind, generator)
        try:
            lines = find_lines(find_all_ink(picture))
        except NoInkError:
            continue
        if len(lines) != 1:
            continue
        segments = find_segments(lines[0], None)
        if not len(segments.images):
            continue
        logits, scores = classify(
            model, segments.images, model.calibration.lowest_score, model.calibration.temperature
        )
        examples.append(
            Example(
                segments,
                inputs_of(segments, logits, scores),
                logits,
                [signs.index(sign) for sign in text],
            )
        )
    return examples


class Prices(torch.nn.Module):
    """The prices of `inkwise.reading.lattice`, in PyTorch."""

    def __init__(self, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.mean, self.spread = mean, spread
        self.hidden = torch.nn.Linear(len(mean), HIDDEN)
        self.out = torch.nn.Linear(HIDDEN, LABELS)
        self.trust = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, figures: Tensor, logits: Tensor) -> Tensor:
        """Return the price of each label for each segment, (S, labels)."""
        values = ((figures - self.mean) / self.spread).clamp(-6, 6)
        price = self.out(torch.tanh(self.hidden(values)))
        own = torch.nn.functional.pad(self.trust * logits.clamp(-12, 0), (0, len(MARKS)))
        return price + own


def pack(examples: list[Example]) -> dict[str, Tensor]:
    """Pack lines into one set of arrays; segments are found by their line and their cuts."""
    cuts = max(one.segments.cuts for one in examples)
    span = 1 + max(int((one.segments.stops - one.segments.starts).max()) for one in examples)
    where = torch.zeros((len(examples), cuts, span), dtype=torch.long)  # 0: there is none
    first = 1
    for line, one in enumerate(examples):
        starts, stops = one.segments.starts, one.segments.stops
        where[line, stops, stops - starts] = torch.arange(first, first + len(starts))
        first += len(starts)
    length = max(len(one.text) for one in examples)
    text = torch.full((len(examples), length), DIGITS, dtype=torch.long)
    for line, one in enumerate(examples):
        text[line, : len(one.text)] = torch.tensor(one.text)
    return {
        "figures": torch.tensor(np.concatenate([one.inputs for one in examples])),
        "logits": torch.tensor(np.concatenate([one.logits for one in examples])),
        "where": where,
        "text": text,
        "length": torch.tensor([len(one.text) for one in examples]),
        "last": torch.tensor([one.segments.cuts - 1 for one in examples]),
    }


NEVER = -1e4


def loss_of(price: Tensor, lines: dict[str, Tensor]) -> Tensor:
    """Return the negative logarithm of the probability of what is written, (lines,)."""
    whole, right = weights_of(price, lines)
    return (whole - right).clamp(max=30)  # a line whose digits cannot be had teaches nothing


def weights_of(price: Tensor, lines: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return logarithms of the weights of all ways and of those with what is written, (lines,)."""
    price = torch.cat([torch.full((1, LABELS), NEVER), price])
    where, text, length, last = (lines[name] for name in ("where", "text", "length", "last"))
    count, cuts, span = where.shape
    any_ = torch.logsumexp(price, 1)
    # The states of what is written: how many of its signs are behind.
    free = [torch.full((count,), 0.0)]
    state = torch.full((count, text.shape[1] + 1), NEVER)
    state[:, 0] = 0
    bound = [state]
    for stop in range(1, cuts):
        back = min(span - 1, stop)
        here = where[:, stop, 1 : back + 1]  # (lines, back), the nearest cut first
        reach = torch.stack(free[: -back - 1 : -1], 1)
        before = torch.stack(bound[: -back - 1 : -1], 1)  # (lines, back, signs behind)
        free.append(torch.logsumexp(reach + any_[here], 1))
        sign = price[here[:, :, None], text[:, None, :]]
        onward = torch.nn.functional.pad(before[:, :, :-1] + sign, (1, 0), value=NEVER)
        skip = before + price[here, DIGITS][:, :, None]
        bound.append(torch.logsumexp(torch.cat([skip, onward], 1), 1))
    lines_ = torch.arange(count)
    whole = torch.stack(free, 1)[lines_, last]
    right = torch.stack(bound, 1)[lines_, last, length]
    return whole, right


def fit_prices(examples: list[Example], epochs: int) -> Prices:
    """Fit the prices on composed lines."""
    every = np.concatenate([one.inputs for one in examples])
    prices = Prices(*(torch.tensor(each) for each in (every.mean(0), every.std(0) + 1e-3)))
    batches = [pack(examples[start : start + SIZE]) for start in range(0, len(examples), SIZE)]
    optimiser = torch.optim.AdamW(prices.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, epochs * len(batches))
    for epoch in range(epochs):
        total = 0.0
        for place in torch.randperm(len(batches)).tolist():
            batch = batches[place]
            loss = loss_of(prices(batch["figures"], batch["logits"]), batch).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(prices.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: {total / len(batches):.4f}", flush=True)
    return prices


def fit_sieve(examples: list[Example], prices: Prices, steps: int) -> dict[str, np.ndarray]:
    """Fit the sieve: how likely a segment is one thing, given what is written, by rough figures."""
    shares = []
    for start in range(0, len(examples), SIZE):
        batch = pack(examples[start : start + SIZE])
        price = prices(batch["figures"], batch["logits"]).detach().requires_grad_()
        right = weights_of(price, batch)[1]
        (gradient,) = torch.autograd.grad(right.sum(), price)
        shares.append(gradient.sum(1).clamp(0, 1))
    targets = torch.cat(shares)
    rough = torch.tensor(np.concatenate([one.segments.rough for one in examples]))
    mean, spread = rough.mean(0), rough.std(0) + 1e-3
    values = ((rough - mean) / spread).clamp(-6, 6)
    hidden, out = torch.nn.Linear(values.shape[1], SIEVE), torch.nn.Linear(SIEVE, 1)
    optimiser = torch.optim.AdamW([*hidden.parameters(), *out.parameters()])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-2, steps)
    for _ in range(steps):
        some = torch.randint(len(values), (2048,))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            out(torch.tanh(hidden(values[some])))[:, 0], targets[some]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    print(f"sieve: {float(loss.detach()):.4f}")
    return {
        "rough_mean": mean.numpy(),
        "rough_spread": spread.numpy(),
        "sieve": hidden.weight.detach().numpy().T,
        "sieve_bias": hidden.bias.detach().numpy(),
        "sieve_out": out.weight.detach().numpy()[0],
        "sieve_out_bias": out.bias.detach().numpy()[0],
    }


def sieved(examples: list[Example], sieve: dict[str, np.ndarray]) -> list[Example]:
    """Leave out the segments that a reader would not look at."""
    left = []
    for one in examples:
        segments = one.segments
        kept = chances(segments.rough, sieve) >= LEAST_CHANCE
        kept |= segments.stops - segments.starts == 1
        fewer = dataclasses.replace(
            segments,
            starts=segments.starts[kept],
            stops=segments.stops[kept],
            rough=segments.rough[kept],
        )
        left.append(Example(fewer, one.inputs[kept], one.logits[kept], one.text))
    before, after = (sum(len(one.inputs) for one in some) for some in (examples, left))
    print(f"segments of a line: {before / len(left):.1f}, sieved {after / len(left):.1f}")
    return left


def main() -> None:
    """Fit the sieve and the prices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4000, help="composed numbers")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    examples = make_examples(held_out_digits(0), arguments.count, arguments.seed)
    print(f"wrote {fit(examples, arguments.epochs)}")


def fit(examples: list[Example], epochs: int) -> Path:
    """Fit prices, the sieve that they ask for, and prices for what the sieve leaves."""
    sieve = fit_sieve(examples, fit_prices(examples, epochs // 2), 800)
    prices = fit_prices(sieved(examples, sieve), epochs)
    weights = {
        "mean": prices.mean.numpy(),
        "spread": prices.spread.numpy(),
        "hidden": prices.hidden.weight.detach().numpy().T,
        "hidden_bias": prices.hidden.bias.detach().numpy(),
        "out": prices.out.weight.detach().numpy().T,
        "out_bias": prices.out.bias.detach().numpy(),
        "trust": prices.trust.detach().numpy(),
        **sieve,
    }
    file = Path(inkwise.__file__).parent / "reading" / FILE
    arrays: dict[str, Any] = {name: np.float32(values) for name, values in weights.items()}
    np.savez(file, **arrays)
    return file


if __name__ == "__main__":
    main()
