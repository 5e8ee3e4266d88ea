"""Measure the page with no server, in a real Chromium: its bytes, its first answer, its pace.

The page comes from a file server on this machine, so that its first answer is told without a
network's time. A first visit begins with an empty profile. Do not use the machine for anything
else meanwhile: only the bytes, and how long the worker computes for a stroke, are then the same.
"""

import argparse
import gzip
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from browser_numbers import worker_ms
from record import write_record

import inkwise
from tests.browser.hosts import hosted
from tests.chromium import open_chrome
from tests.page import SEVEN, Page

ASKED = {"megabytes": 6, "first_answer_s": 2, "after_stroke_ms": 50, "longest_task_ms": 50}

# Notes when the page has its first answer, how long answers take from the end of a stroke to the
# painted answer, and how long the main thread was busy without a pause.
WATCH = """
window.watched = { answers: [], tasks: [], ended: null, first: null };
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) watched.tasks.push([each.startTime, each.duration]);
}).observe({ type: "longtask", buffered: true });
addEventListener("pointerup", () => { watched.ended = performance.now(); }, true);
addEventListener("DOMContentLoaded", () => {
  new MutationObserver(() => {
    if (watched.ended === null || !document.getElementById("said").textContent) return;
    const ended = watched.ended;
    watched.ended = null;
    watched.first ??= performance.now();
    watched.answers.push(performance.now() - ended);
  }).observe(document.getElementById("said"), { childList: true });
});
"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=5, help="how many first visits")
    parser.add_argument("--strokes", type=int, default=30, help="how many strokes a visit")
    parser.add_argument(
        "--no-record", action="store_true", help="show the results without recording them"
    )
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        site = inkwise.export_model("pretrained", "web", Path(scratch) / "site")
        visits = [
            visit(site, Path(scratch) / f"profile-{number}", arguments.strokes)
            for number in range(arguments.visits)
        ]
    pooled = sorted(ms for each in visits for ms in each["after_stroke_ms"])
    figures: dict[str, Any] = {
        "asked": ASKED,
        "load": round(load, 1),
        "visits": arguments.visits,
        "strokes": len(pooled),
        "megabytes": {
            part: round(visits[0]["bytes"][part] / 1e6, 3) for part in visits[0]["bytes"]
        },
        "first_answer_s": spread([each["first_answer_s"] for each in visits]),
        "after_stroke_ms": spread(pooled) | {"p95": round(pooled[int(0.95 * len(pooled))], 1)},
        "worker_ms_a_stroke": spread([each["worker_ms"] for each in visits]),
        "longest_task_ms": round(max(each["longest_task_ms"] for each in visits), 1),
    }
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    if not arguments.no_record:
        print(f"wrote {write_record('browser-page', figures)}")


def visit(site: Path, profile: Path, strokes: int) -> dict[str, Any]:
    """Open the page in a new browser, draw at once, and go on drawing."""
    with hosted(site) as host, open_chrome(profile) as chrome:
        chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        page = Page(chrome, f"{host.address}/")
        page.look(1280, 820)
        chrome.get(page.address)
        draw(page)
        page.wait(lambda: page.run("return watched.first"))
        drawn = size(site, host.sent)
        chrome.set_script_timeout(60)
        chrome.execute_async_script("navigator.serviceWorker.ready.then(arguments[0])")
        whole = size(site, host.sent)
        page.run("watched.answers = []; watched.tasks = []")
        worked = worker_ms(chrome)
        for number in range(strokes):
            page.run("document.getElementById('clear').click()")
            draw(page)
            page.wait(lambda done=number: len(page.run("return watched.answers")) > done)  # type: ignore[misc]
        watched = page.run("return watched")
        worked = worker_ms(chrome) - worked
    return {
        "bytes": {"until_first_answer": drawn, "with_what_is_kept_for_later": whole},
        "first_answer_s": watched["first"] / 1000,
        "after_stroke_ms": watched["answers"],
        "worker_ms": worked / strokes,
        "longest_task_ms": max((duration for _, duration in watched["tasks"]), default=0),
    }


def draw(page: Page) -> None:
    """Draw a seven at once, with no pause between two positions."""
    box = page.run("return document.getElementById('sheet').getBoundingClientRect().toJSON()")
    actions = page.pointer()
    actions.pointer_action._duration = 0
    for place, (x, y) in enumerate(SEVEN):
        actions.pointer_action.move_to_location(
            round(box["left"] + x * box["width"]), round(box["top"] + y * box["height"])
        )
        if place == 0:
            actions.pointer_action.pointer_down()
    actions.pointer_action.pointer_up()
    actions.perform()


def size(site: Path, sent: list[str]) -> int:
    """Return how many bytes a host sends that compresses with gzip."""
    contents = [(site / (path or "index.html")).read_bytes() for path in sent]
    return sum(min(len(content), len(gzip.compress(content))) for content in contents)


def spread(values: list[float]) -> dict[str, float]:
    """Return the median, the smallest and the largest of some figures."""
    return {
        "median": round(statistics.median(values), 2),
        "least": round(min(values), 2),
        "most": round(max(values), 2),
    }


if __name__ == "__main__":
    main()
