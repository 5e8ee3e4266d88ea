"""Folders of pictures, as someone may have them."""

from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw


def write_pictures(folder: Path, counts: Mapping[str, int]) -> Path:
    """Draw strokes of as many slants as are asked for, a class a length."""
    for place, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            picture = Image.new("L", (90, 90), 235)
            line = (20 + number, 10, 60 - number, 80)
            ImageDraw.Draw(picture).line(line, 30, width=5 + 3 * place)
            picture.save(folder / name / f"{number}.png")
    return folder
