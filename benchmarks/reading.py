"""Measure how composed numbers are read: whole numbers right, wrong among sure, time for each.

Prints a Markdown table with a row for each kind of number, of the pretrained model's validation
digits that the reader was not fitted on, or of test digits. Single digits are read in their
pictures by `read` and by `classify`.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from compose import KINDS, compose
from fit_reader import held_out_digits
from record import write_record
from scenes import alone, finish

import inkwise
from inkwise.data.dataset import Split
from inkwise.model import Model


def read_text(model: Model, picture: np.ndarray) -> tuple[str, bool, float]:
    """Return what is read, line by line, whether all of it is sure, and its probability."""
    numbers = model.read(picture)
    if not numbers:
        return "", False, 0.0
    text = " ".join(number.text for number in numbers)
    probability = float(np.prod([number.probability for number in numbers]))
    return text, all(number.verdict == "number" for number in numbers), probability


def measure_kind(
    model: Model, digits: Split, name: str, count: int, seed: int, mistakes: Path | None
) -> dict[str, float]:
    """Compose and read numbers of a kind."""
    right, sure, wrong, spent, signs = 0, 0, 0, [], 0
    believed: list[tuple[float, bool]] = []
    for place in range(count):
        picture, text = compose(digits, KINDS[name], np.random.default_rng([seed, place]))
        started = time.process_time()
        read, is_sure, probability = read_text(model, picture)
        spent.append(time.process_time() - started)
        hit = read == text
        right += hit
        sure += is_sure
        wrong += is_sure and not hit
        signs += len(text)
        believed.append((probability, hit))
        if mistakes and not hit:
            shown = cv2.resize(picture, None, fx=(f := 96 / picture.shape[0]), fy=f)
            mark = "sure" if is_sure else "unsure"
            file = f"{name} {place} {text} read {read or 'nothing'} {mark} {probability:.2f}.png"
            cv2.imwrite(str(mistakes / file), shown)
    return {
        "right": right / count,
        "sure": sure / count,
        "wrong among sure": wrong / max(1, sure),
        "mean probability": float(np.mean([one for one, _ in believed])),
        "signs": signs / count,
        "ms": 1e3 * float(np.median(spent)),
    }


def measure_single(model: Model, digits: Split, count: int, seed: int) -> dict[str, float]:
    """Read pictures of single digits by `read` and by `classify`."""
    by_read = by_classify = 0
    for place in range(count):
        generator = np.random.default_rng([seed, place])
        index = int(generator.integers(len(digits)))
        picture = finish(alone(digits.images[[index]], generator), generator)
        label = str(digits.labels[index])
        by_read += read_text(model, picture)[0] == label
        by_classify += model.classify([picture])[0].label == label
    return {"by read": by_read / count, "by classify": by_classify / count}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="numbers of each kind")
    parser.add_argument("--split", choices=("development", "test"), default="development")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only kinds whose name contains this")
    parser.add_argument("--mistakes", type=Path, help="write pictures of mistakes here")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    model = inkwise.load_pretrained()
    test = arguments.split == "test"
    digits = inkwise.load_dataset("mnist").test if test else held_out_digits(1)
    if arguments.mistakes:
        arguments.mistakes.mkdir(parents=True, exist_ok=True)
    columns = ("right", "sure", "wrong among sure", "mean probability", "ms")
    figures: dict[str, dict[str, float]] = {}
    print(f"| | {' | '.join(columns)} |\n|---{'|---:' * len(columns)}|")
    for name in KINDS:
        if arguments.only not in name:
            continue
        figures[name] = one = measure_kind(
            model, digits, name, arguments.count, arguments.seed, arguments.mistakes
        )
        cells = [f"{one[column]:.1%}" for column in columns[:-1]] + [f"{one['ms']:.1f}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if not arguments.only:
        figures["single digits"] = measure_single(model, digits, arguments.count, arguments.seed)
        print(figures["single digits"])
        record = {
            "split": arguments.split,
            "count": arguments.count,
            "seed": arguments.seed,
            "kinds": figures,
        }
        print(f"wrote {write_record(f'reading-{arguments.split}', record)}")


if __name__ == "__main__":
    main()
