"""The page of a sweep, without any training: whole, self-contained, and readable on a phone."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inkwise.trials.outcome import Sweep, Trial
from inkwise.trials.ranges import Value, read_space
from inkwise.trials.sweep_charts import Scale
from inkwise.trials.sweep_page import write_sweep_page
from tests.trials import TINY

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SPACE = read_space(
    {
        "optimiser.learning_rate": "log:1e-4..1e-1",
        "network.0.filters": "2,4,8",
        "optimiser.kind": "adam,sgd",
        "batch_size": "int:16..64",
    }
)


def trial(number: int, state: str, *curve: float, error: str = "") -> Trial:
    values: dict[str, Value] = {
        "optimiser.learning_rate": 1e-4 * 2.0 ** (number % 9),
        "network.0.filters": (2, 4, 8)[number % 3],
        "optimiser.kind": ("adam", "sgd")[number % 2],
        "batch_size": 16 + number,
    }
    value = curve[-1] if state == "complete" else None
    return Trial(number, values, state, value, curve, Path("trials") / str(number), error)


def made(path: Path, *trials: Trial, metric: str = "validation.accuracy") -> Sweep:
    """Return a sweep that came to these trials."""
    shares = dict.fromkeys(SPACE, 0.25)
    return Sweep(path, TINY, SPACE, metric, trials, (), 500, True, shares, (28, 28), 10)


MANY = [
    *(trial(number, "complete", 0.5, 0.8, 0.9 + number / 400) for number in range(20)),
    *(trial(number, "pruned", 0.3 + number / 100) for number in range(20, 30)),
    trial(30, "complete", 0.1, 0.1, 0.1),
    trial(31, "failed", error="<script>alert(1)</script> does not fit"),
    trial(32, "running", 0.4),
]


def test_it_needs_nothing_else_and_runs_nothing(tmp_path: Path) -> None:
    page = write_sweep_page(made(tmp_path, *MANY)).read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; does not fit" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert page.count('class="trial"') == 2 * 32  # all but the one that failed, twice
    assert "trial 19: optimiser.learning_rate" in page  # what pointing at a line tells
    assert "33 trials: 21 trained to the end, 10 ended early, 1 failed, 1 not finished." in page


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [trial(0, "failed", error="too small")],
        [trial(0, "running")],
        [trial(0, "complete", 0.5)],
        [trial(0, "complete", 0.5), trial(1, "complete", 0.5)],
        [trial(0, "pruned", 0.5)],
    ],
)
def test_few_trials_are_a_page_as_well(trials: list[Trial], tmp_path: Path) -> None:
    for metric in ("validation.accuracy", "validation.loss"):
        swept = made(tmp_path, *trials, metric=metric)
        page = write_sweep_page(swept).read_text()
        assert "nan" not in page
        assert swept.conclusions[0] in page


def test_a_trial_that_learned_nothing_does_not_flatten_the_others(tmp_path: Path) -> None:
    values = [trial.value for trial in MANY if trial.value is not None]
    scale = Scale(made(tmp_path, *MANY), values)
    assert scale(0.1) == 0
    assert scale(0.9) < 0.5
    assert scale(0.9475) == 1
    assert scale.ends[0].startswith("≤ ")
    falling = Scale(made(tmp_path, *MANY, metric="validation.loss"), values)
    assert falling(0.9475) < falling(0.9)


def test_every_opening_of_the_test_images_is_counted(tmp_path: Path) -> None:
    assert made(tmp_path, *MANY).conclusions[-1] == "The test images were not opened."
    for number in range(3):  # of designs that are no longer among the best, too
        folder = tmp_path / "best" / f"trial-{number}-seed-1"
        folder.mkdir(parents=True)
        (folder / "metrics.json").touch()
    told = "The test images were opened for 3 trainings alone, once each."
    assert told in made(tmp_path, *MANY).conclusions


@pytest.mark.browser
def test_on_a_phone_only_charts_and_tables_scroll(chrome: "Chrome", tmp_path: Path) -> None:
    from axe_selenium_python import Axe

    page = write_sweep_page(made(tmp_path, *MANY))
    chrome.get(page.resolve().as_uri())
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        width = chrome.execute_script("return document.documentElement.scrollWidth")
        assert width <= 360
        axe = Axe(chrome)
        axe.inject()
        found = axe.run()["violations"]
        assert [each["id"] for each in found] == []
    finally:
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
