"""The bench as a whole, with contenders that do as they are told, and once with real ones."""

import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inkwise import Dataset
from inkwise.bench import rounds
from inkwise.bench.contenders import Contender
from inkwise.bench.measurement import Failure, Measurement
from inkwise.bench.rounds import Bench, run_bench
from inkwise.errors import ArgumentError, BenchError
from tests.bench import Enter, fake
from tests.telling import Heard

pytest_plugins = ["tests.bench.fixtures"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("matplotlib_home")]


Contend = Callable[..., Bench]


@pytest.fixture
def contend(enter: Enter, few_digits: Dataset, tmp_path: Path) -> Contend:
    """Run the bench with these contenders and no others."""

    def run(*contenders: Contender, **arguments: Any) -> Bench:
        enter(*contenders)
        return run_bench(few_digits, output=tmp_path / "bench", **arguments)

    return run


def read(bench: Bench) -> Any:
    return json.loads((bench.path / "bench.json").read_text())


@pytest.mark.usefixtures("undrawn")
def test_rounds_are_interleaved(contend: Contend) -> None:
    bench = contend(fake("one"), fake("two"), rounds=2, progress=(heard := Heard()))

    assert [what for what, _, _ in heard.steps] == [
        "round 1 of 2: the one",
        "round 1 of 2: the two",
        "round 2 of 2: the one",
        "round 2 of 2: the two",
    ]
    assert [(m.contender, m.round) for m in bench.measurements] == [
        ("one", 1),
        ("two", 1),
        ("one", 2),
        ("two", 2),
    ]
    assert bench.status == "complete"


def test_everything_is_in_bench_json(contend: Contend, few_digits: Dataset) -> None:
    bench = contend(fake("one"), fake("two", images=100), rounds=2)

    document = read(bench)
    assert document == json.loads(json.dumps(bench.to_dict()))
    assert document["schema"] == "inkwise-bench/1"
    assert document["status"] == "complete"
    assert (document["rounds"], document["quick"]) == (2, False)
    assert document["dataset"]["sha256"] == few_digits.sha256
    assert {"processor", "cores", "versions"} <= set(document["machine"])
    assert [m["round"] for m in document["measurements"]] == [1, 1, 2, 2]
    assert [m["training_images"] for m in document["measurements"]] == [400, 100, 400, 100]
    assert document["summary"]["one"]["test_accuracy"] == {
        "median": 0.55,
        "least": 0.5,
        "most": 0.6,
    }
    assert document["summary"]["one"]["seconds_to_99%"]["median"] is None
    ratio = document["ratios"]["one"]["two"]["whole_seconds"]
    one, two = ([m for m in bench.measurements if m.contender == c] for c in ("one", "two"))
    ratios = sorted(b.whole_seconds / a.whole_seconds for a, b in zip(one, two, strict=True))
    assert (ratio["least"], ratio["most"]) == pytest.approx(ratios)
    for kind in ("png", "svg"):
        assert (bench.path / f"accuracy.{kind}").stat().st_size > 1000


@pytest.mark.usefixtures("undrawn")
def test_who_fails_is_named_and_left_out_and_the_others_go_on(contend: Contend) -> None:
    outcomes: list[Measurement | Failure] = []

    bench = contend(
        fake("crashing"), fake("failing in round 2"), fake("good"), rounds=3,
        on_outcome=outcomes.append,
    )  # fmt: skip

    assert [(failure.contender, failure.round) for failure in bench.failures] == [
        ("crashing", 1),
        ("failing in round 2", 2),
    ]
    assert [(m.contender, m.round) for m in bench.measurements] == [
        ("failing in round 2", 1),
        ("good", 1),
        ("good", 2),
        ("good", 3),
    ]
    assert len(outcomes) == 6
    assert read(bench)["failures"][0] == {
        "contender": "crashing",
        "round": 1,
        "reason": "ValueError: the lion ate it",
    }


@pytest.mark.usefixtures("undrawn")
def test_missing_library_is_told_in_a_line(contend: Contend) -> None:
    absent = fake("absent", library="no_such_library", extra="keras")

    bench = contend(absent, fake("good"), rounds=1, progress=(heard := Heard()))

    (notice,) = heard.notices
    assert "the absent is left out, because no_such_library is not installed" in notice
    assert notice.endswith(": pip install 'inkwise[keras]'")
    assert read(bench)["notices"] == heard.notices
    assert [m.contender for m in bench.measurements] == ["good"]
    assert bench.failures == []


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("load", "told"), [(0.2, False), (1.75, True)])
def test_busy_machine_is_told(
    enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: float, told: bool
) -> None:
    enter(fake("good"))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))

    bench = run_bench(rounds=1, output=tmp_path / "bench")

    assert any("busy (load average 1.8" in notice for notice in bench.notices) == told
    assert read(bench)["machine"]["load"] == load


def test_nobody_left_to_run_is_an_error(contend: Contend, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no_such_library is not installed"):
        contend(fake("absent", library="no_such_library", extra="keras"))

    assert not (tmp_path / "bench").exists()


@pytest.mark.usefixtures("undrawn")
def test_quick_bench_says_what_it_does_not_do(contend: Contend) -> None:
    bench = contend(fake("slow"), fake("good", quick=True), quick=True)

    assert [m.contender for m in bench.measurements] == ["good"]
    assert read(bench)["quick"] is True
    (notice,) = bench.notices
    assert "quick" in notice
    assert "one round" in notice
    assert "the slow" in notice
    assert "the good" not in notice


@pytest.mark.usefixtures("undrawn")
def test_named_contenders_run_even_if_they_are_not_quick(contend: Contend) -> None:
    bench = contend(fake("slow"), fake("good", quick=True), quick=True, only=["slow"], rounds=2)

    assert [(m.contender, m.round) for m in bench.measurements] == [("slow", 1), ("slow", 2)]


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_the_process_and_keeps_what_is_finished(
    contend: Contend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = tmp_path / "pid"
    monkeypatch.setenv("FAKE_PID_FILE", str(pid_file))

    def press_ctrl_c() -> None:
        while not pid_file.exists() or not pid_file.read_text():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    user = threading.Thread(target=press_ctrl_c)
    user.start()
    bench = contend(fake("good"), fake("sleeping"), rounds=2)
    user.join()

    assert bench.status == "interrupted"
    assert [(m.contender, m.round) for m in bench.measurements] == [("good", 1)]
    assert read(bench)["status"] == "interrupted"
    assert (bench.path / "accuracy.png").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"only": ["good", "lion"]}, "unknown contender 'lion': use good"),
        ({"rounds": 0}, "rounds must be from 1 to 100, not 0"),
        ({"rounds": 101}, "not 101"),
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(
    contend: Contend, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        contend(fake("good"), **arguments)

    assert not (tmp_path / "bench").exists()


def test_directory_in_use_is_left_alone(contend: Contend, tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "mine").touch()

    with pytest.raises(ArgumentError, match="holds files already"):
        contend(fake("good"))


@pytest.mark.usefixtures("undrawn")
def test_default_directory_is_the_next_free_one(
    contend: Contend, few_digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contend(fake("good"), rounds=1)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench").rename("before")

    paths = [run_bench(few_digits, rounds=1).path for _ in range(2)]

    assert paths == [Path("bench/bench-1"), Path("bench/bench-2")]


def test_real_contenders_and_growth(
    few_digits: Dataset, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With fewer images than 200, its validation images would be fewer than the classes.
    monkeypatch.setattr(rounds, "SHARES", (0.5, 4))

    everyone = {"swift", "keras", "pytorch"}  # with the test of the command, every program once

    bench = run_bench(few_digits, only=[*everyone], rounds=1, output=tmp_path / "bench")

    assert bench.failures == []
    assert {m.contender for m in bench.measurements} == everyone
    for m in bench.measurements:
        assert m.test_accuracy > 0.1
        assert m.model_bytes > 1000
        assert m.test_images == len(few_digits.test)
        assert m.training_images <= len(few_digits.train)
        times = [seconds for seconds, _ in m.history]
        assert times == sorted(times)
        assert (m.prediction_memory is None) == (m.contender == "pytorch")
    # The network is the same, so a model of Keras is not a tenth of ours or ten times as large.
    sizes = {m.contender: m.model_bytes for m in bench.measurements}
    assert 0.5 < sizes["keras"] / (finished / "model" / "model.onnx").stat().st_size < 10
    training, prediction = bench.growth["training"], bench.growth["prediction"]
    assert len(training.seconds) == 2
    assert max(training.seconds) / min(training.seconds) == pytest.approx(8, rel=0.1)
    assert min(prediction.seconds) == 1
    assert max(prediction.seconds) == 10_000
    for growth in (training, prediction):
        assert growth.fit is not None
        assert math.isfinite(growth.fit.exponent)
    names = {path.name for path in bench.path.iterdir()}
    assert names == {
        "bench.json",
        *(f"{figure}.{kind}" for figure in ("accuracy", "training-growth", "prediction-growth")
          for kind in ("png", "svg")),
    }  # fmt: skip
