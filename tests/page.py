"""The page in a browser, and what a person does with it."""

import io
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from tests.devtools import Browser, look

if TYPE_CHECKING:
    from selenium.webdriver.remote.webelement import WebElement

Line = Sequence[tuple[float, float]]

SEVEN: Line = [(0.28, 0.24), (0.5, 0.23), (0.72, 0.23), (0.65, 0.4), (0.55, 0.6), (0.46, 0.8)]
ONE: Line = [(0.5, 0.2), (0.5, 0.5), (0.5, 0.8)]
STAR: list[Line] = [
    [(0.2, 0.2), (0.8, 0.8)],
    [(0.8, 0.2), (0.2, 0.8)],
    [(0.1, 0.5), (0.9, 0.5)],
    [(0.5, 0.1), (0.5, 0.9)],
]

SCREENSHOTS = os.environ.get("INKWISE_SCREENSHOTS")
"""A folder for pictures of the page, for people to look at; none are made without it."""


def picture(kind: str = "PNG", size: int = 300) -> bytes:
    """Draw a seven, as one would upload it."""
    drawn = Image.new("RGB", (size, size), "ivory")
    points = [(x * size, y * size) for x, y in SEVEN]
    ImageDraw.Draw(drawn).line(points, "navy", width=size // 14, joint="curve")
    file = io.BytesIO()
    drawn.save(file, kind)
    return file.getvalue()


class Page:
    """The page, and what a person does with it."""

    moves = 1
    """Of the pointer for each point of a line: more make it rounder, and cost a frame each."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser = browser
        self.address = address

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def find(self, css: str) -> "WebElement":
        return self.browser.find_element("css selector", css)

    def text(self, css: str) -> str:
        text: str = self.run("return document.querySelector(arguments[0]).innerText", css)
        return text

    def wait(self, condition: Callable[[], object], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.text("body")
            time.sleep(0.02)

    def wait_for(self, css: str, text: str) -> None:
        self.wait(lambda: text in self.text(css))

    def open(self) -> None:
        self.browser.get(self.address)
        self.wait_for("#about", "Model")

    def clear(self) -> None:
        """Begin with an empty sheet, as right after the page was opened."""
        self.find("#clear").click()
        self.wait_for("#verdict", "Waiting")

    def pointer(self, kind: str = "mouse") -> Any:
        from selenium.webdriver.common.actions.action_builder import ActionBuilder
        from selenium.webdriver.common.actions.pointer_input import PointerInput

        made = PointerInput(kind, kind)  # type: ignore[no-untyped-call]
        return ActionBuilder(self.browser, mouse=made, duration=8)

    def line(self, line: Line, kind: str = "mouse", *, release: bool = True, **pen: float) -> None:
        self.run("document.getElementById('sheet').scrollIntoView({block: 'center'})")
        box = self.run("return document.getElementById('sheet').getBoundingClientRect().toJSON()")
        actions = self.pointer(kind)
        finer = np.linspace(0, len(line) - 1, self.moves * len(line))
        for place, at in enumerate(finer):
            x, y = (np.interp(at, range(len(line)), axis) for axis in zip(*line, strict=True))
            actions.pointer_action.move_to_location(
                round(box["left"] + x * box["width"]), round(box["top"] + y * box["height"]), **pen
            )
            if place == 0:
                actions.pointer_action.pointer_down(**pen)
        if release:
            actions.pointer_action.pointer_up()
        actions.perform()

    def draw(self, *lines: Line) -> None:
        for line in lines:
            self.line(line)

    def draw_and_hear(self, *lines: Line) -> str:
        """Draw, each line after the answer about those before it, and return the last answer."""
        for line in lines:
            self.run("document.getElementById('said').textContent = ''")
            self.line(line)
            self.wait(lambda: self.text("#said"))
        return self.text("#said")

    def give(self, event: str, content: bytes, name: str, kind: str) -> None:
        """Paste or drop a file."""
        self.run(
            """
            const [event, bytes, name, type] = arguments;
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name, {type}));
            const options = {bubbles: true, cancelable: true};
            const given = event === "paste"
              ? new ClipboardEvent(event, options)
              : new DragEvent(event, {...options, dataTransfer: data});
            // Firefox takes no clipboardData from a script.
            if (event === "paste") Object.defineProperty(given, "clipboardData", {value: data});
            document.body.dispatchEvent(given);
            """,
            event,
            list(content),
            name,
            kind,
        )

    def ink(self, css: str) -> int:
        """Count the pixels of a canvas that are not as those of an empty one."""
        count: int = self.run(
            """
            const canvas = document.querySelector(arguments[0]);
            const {data} = canvas.getContext("2d")
              .getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) {
              count += data[i + 3] > 0 && data[i] + data[i + 1] + data[i + 2] > 40;
            }
            return count;
            """,
            css,
        )
        return count

    def look(self, width: int, height: int, scheme: str = "light") -> None:
        look(self.browser, width, height, scheme)

    def shoot(self, name: str) -> None:
        if SCREENSHOTS:
            time.sleep(0.6)  # what moves has come to rest
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.browser.save_screenshot(str(Path(SCREENSHOTS) / f"{name}.png"))

    def violations(self) -> list[str]:
        from axe_selenium_python import Axe

        self.run("document.getAnimations().forEach((animation) => animation.finish())")
        axe = Axe(self.browser)
        axe.inject()
        return [
            f"{each['id']}: {each['help']}: {node['html'][:80]}"
            for each in axe.run(options={"resultTypes": ["violations"]})["violations"]
            for node in each["nodes"]
        ]
