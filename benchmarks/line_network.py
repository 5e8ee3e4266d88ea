"""Train the network that reads lines, calibrate it, and write it into the package.

It learns first from lines that are composed in their final geometry, many in little time, then
also from lines as preprocessing finds them in composed pictures, in rounds with other pictures
each. The mean of the weights after the last two rounds reads better than either. The digits are
those that the package's model learned from: MNIST's training images and digits drawn by pens. Its
calibration is fitted on pictures of every other validation digit; the others are for `reading.py
--split development`.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from compose import KINDS, compose
from record import write_record
from sklearn.linear_model import LogisticRegression

import inkwise
from inkwise.data.dataset import Split
from inkwise.data.pendigits import load_pendigits
from inkwise.data.splits import Holdout, Splits, split_dataset
from inkwise.errors import NoInkError
from inkwise.ink.all_ink import find_all_ink
from inkwise.reading import line_model
from inkwise.reading.alphabet import OTHER
from inkwise.reading.looks import look
from inkwise.reading.numbers import READINGS
from inkwise.reading.text_lines import find_lines
from inkwise.system.machine import available_cores
from inkwise.training.line_learning import Line, train
from inkwise.training.line_network import line_network, to_onnx
from inkwise.training.pens import add_drawn

SHARES = {
    "apart to overlapping": 0.25,
    "every neighbour touching": 0.2,
    "with marks": 0.15,
    "one to nine digits": 0.15,
    "on cheques and in registers": 0.25,
}
"""Kinds of pictures that the network learns from and is calibrated on, and their shares."""


def load_digits() -> Splits:
    """Return the digits of the package's model, with as many drawn by pens."""
    mnist = inkwise.load_dataset("mnist")
    splits = split_dataset(mnist, Holdout("stratified", 0.05), 0)
    return add_drawn(splits, 1.0, mnist.class_names, 0, load_pendigits(None))


def validation_digits(splits: Splits, place: int) -> Split:
    """Return the even (0) or the odd (1) validation digits."""
    return splits.validation.take(np.arange(place, len(splits.validation), 2))


def find_written(digits: Split, count: int, seed: int) -> list[Line]:
    """Compose pictures, and return the lines that are found in them with what is written there."""
    with ProcessPoolExecutor(available_cores(), get_context("spawn")) as pool:
        parts = np.array_split(np.arange(count), available_cores())
        each = pool.map(_find_some, [digits] * len(parts), parts, [seed] * len(parts))
        return [line for part in each for line in part]


def _find_some(digits: Split, places: np.ndarray, seed: int) -> list[Line]:
    cv2.setNumThreads(1)
    names = [*SHARES]
    shares = np.array([*SHARES.values()])
    found: list[Line] = []
    for place in places.tolist():
        generator = np.random.default_rng([seed, place])
        picture, text = compose(digits, KINDS[str(generator.choice(names, p=shares))], generator)
        try:
            lines = find_lines(find_all_ink(picture)).found
        except NoInkError:
            continue
        if len(lines) == 1:  # otherwise it is not known which part of the text is where
            found.append((lines[0].levels, text))
    return found


def fit_calibration(content: bytes, lines: list[Line]) -> tuple[float, float]:
    """Return slope and offset of the log odds that the likeliest reading of a line is right."""
    model = line_model.open_line_model(content)
    odds, right = [], []
    for levels, text in lines:
        best = look(model, levels, READINGS)[0][0]
        inside = min(max(best.probability, 1e-9), 1 - 1e-9)
        odds.append(np.log(inside / (1 - inside)))
        right.append(best.text.strip(OTHER) == text.strip(OTHER))
    fitted = LogisticRegression(C=np.inf).fit(np.array(odds)[:, None], right)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def main() -> None:
    """Run the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--chunks", type=int, default=900, help="512 composed lines each")
    parser.add_argument("--written", type=int, default=30_000, help="composed pictures in a round")
    parser.add_argument("--more", type=int, default=180, help="chunks with them in a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds with other pictures each")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    torch.set_num_threads(2)
    torch.set_flush_denormal(True)
    splits = load_digits()
    started = time.time()

    def report(chunk: int, loss: float, _: torch.nn.Module) -> None:
        print(f"chunk {chunk}: loss {loss:.4f}; {time.time() - started:.0f} s", flush=True)

    first = arguments.work / "composed.pt"
    if not first.exists():
        network = train(splits.train, chunks=arguments.chunks, seed=arguments.seed, on_chunk=report)
        torch.save(network.state_dict(), first)
    each = [torch.load(first, weights_only=True)]
    network = line_network()
    network.load_state_dict(each[0])
    for place in range(arguments.rounds):
        checkpoint = arguments.work / f"written{place}.pt"
        if not checkpoint.exists():
            seed = arguments.seed + 10 * place
            written = find_written(splits.train, arguments.written, seed)
            print(f"{len(written)} lines in {arguments.written} pictures", flush=True)
            network = train(
                splits.train,
                chunks=arguments.more,
                seed=seed + 1,
                written=written,
                start=network,
                rate=1e-3,
                on_chunk=report,
            )
            torch.save(network.state_dict(), checkpoint)
        each.append(torch.load(checkpoint, weights_only=True))
        network.load_state_dict(each[-1])
    network.load_state_dict({name: (each[-2][name] + each[-1][name]) / 2 for name in each[0]})
    network.eval()
    held_out = find_written(validation_digits(splits, 0), 4000, arguments.seed + 2)
    slope, offset = fit_calibration(to_onnx(network, 1.0, 0.0), held_out)
    content = to_onnx(network, slope, offset)
    path = Path(line_model.__file__).with_name(line_model.FILE)
    path.write_bytes(content)
    record = {
        "chunks": arguments.chunks,
        "written": arguments.written,
        "more": arguments.more,
        "rounds": arguments.rounds,
        "seed": arguments.seed,
        "seconds": round(time.time() - started),
        "slope": slope,
        "offset": offset,
        "bytes": len(content),
    }
    print(f"wrote {path} and {write_record('line-network', record)}")


if __name__ == "__main__":
    main()
