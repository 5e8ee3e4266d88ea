"""bench: what it shows, and its exit codes."""

import json
import signal
from pathlib import Path

import pytest

from inkwise import Dataset
from inkwise.bench import rounds
from inkwise.bench.contenders import CONTENDERS
from inkwise.bench.measurement import Failure, Measurement
from tests.bench import Enter, fake, measurement
from tests.cli.conftest import Call

pytest_plugins = ["tests.bench.fixtures"]
pytestmark = pytest.mark.usefixtures("matplotlib_home")


def words(text: str) -> str:
    return " ".join(text.split())


def play(monkeypatch: pytest.MonkeyPatch, *outcomes: Measurement | Failure | int) -> None:
    """Let contenders come to these outcomes, in their turn; a number is a signal."""
    remaining = iter(outcomes)

    def measure(*_: object) -> Measurement | Failure:
        outcome = next(remaining)
        if isinstance(outcome, int):
            signal.raise_signal(outcome)
        assert not isinstance(outcome, int)
        return outcome

    monkeypatch.setattr(rounds, "measure", measure)


def test_help_names_every_contender_and_option(call: Call) -> None:
    result = call("bench", "--help")

    assert result.code == 0
    for option in ("--only", "--rounds", "--quick", "--data-dir", "--output"):
        assert option in result.out
    for name in CONTENDERS:
        assert name in words(result.out)


@pytest.mark.usefixtures("undrawn")
def test_tables_show_medians_and_spreads(
    call: Call, enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(fake("case-study"), fake("keras"))
    play(
        monkeypatch,
        measurement("case-study", 1, history=((2.0, 0.9885), (4.0, 0.9931))),
        measurement("keras", 1, history=((44.0, 0.9886),), batch_seconds=2.0),
        measurement("case-study", 2, history=((2.5, 0.9885), (5.0, 0.9933)), prediction_memory=9e7),
        measurement("keras", 2, history=((50.0, 0.9888),), batch_seconds=2.2),
    )

    result = call("bench", "--rounds", "2", "--output", tmp_path / "bench")

    assert result.code == 0
    shown = words(result.out)
    # images, start-up, training, to 98.84%, to 99%, start to last metric, accuracy; below, spreads
    assert "the case-study 1,000 2.00 4.50 2.25 4.50 7.50 99.32%" in shown
    assert "4.00–5.00 2.00–2.50 4.00–5.00 7.00–8.00 99.31%–99.33%" in shown
    assert "the keras 1,000 2.00 47.0 47.0 – 50.0 98.87%" in shown
    # images a second, one image, memory, model
    assert "the case-study 50,000 0.1 500 90.0 1.0" in shown
    assert "the keras 4,773 0.1 500 – 1.0" in shown
    # ratios within each round: 11 and 10 for training
    assert "Times as multiples of those of the case-study, round by round" in shown
    assert "the keras 10.5× 6.67× 10.5× 1×" in shown
    assert f"Bench: {tmp_path / 'bench'}" in result.out
    assert "round 2 of 2: the keras" in result.err
    assert "the keras: 98.88% after 50.0 s of training" in result.err


@pytest.mark.usefixtures("undrawn")
def test_an_accuracy_that_a_round_did_not_reach_is_said_to_be_never_reached(
    call: Call, enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(fake("keras"))
    histories = [((4.0, 0.9905),), ((5.0, 0.9895),), ((6.0, 0.9903),)]
    play(monkeypatch, *(measurement("keras", n, history=h) for n, h in enumerate(histories, 1)))

    result = call("bench", "--output", tmp_path / "bench")

    assert "4.00 or never" in result.out


@pytest.mark.usefixtures("undrawn")
def test_one_round_has_no_spread(
    call: Call, enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(fake("knn"))
    play(monkeypatch, measurement("knn", history=((0.02, 0.97),)))

    result = call("bench", "--rounds", "1", "--output", tmp_path / "bench")

    assert "the knn 1,000 2.00 0.02 – – 3.02 97.00%" in words(result.out)
    assert "2.00–" not in result.out
    assert "as multiples of" not in result.out  # as whom?


@pytest.mark.usefixtures("undrawn")
def test_failure_is_shown_with_its_reason_and_in_the_exit_code(
    call: Call, enter: Enter, tmp_path: Path
) -> None:
    enter(fake("crashing"), fake("good"))

    result = call("bench", "--rounds", "1", "--output", tmp_path / "bench")

    assert result.code == 1
    line = "the crashing failed in round 1: ValueError: the lion ate it\n"
    assert line in result.out
    assert line in result.err
    assert "the good 400" in words(result.out)
    assert "Traceback" not in result.out + result.err


@pytest.mark.usefixtures("undrawn")
def test_nothing_but_failures_is_shown_without_tables(
    call: Call, enter: Enter, tmp_path: Path
) -> None:
    enter(fake("crashing"))

    result = call("bench", "--rounds", "1", "--output", tmp_path / "bench")

    assert result.code == 1
    assert "accuracy" not in result.out
    assert json.loads((tmp_path / "bench" / "bench.json").read_text())["measurements"] == []


@pytest.mark.usefixtures("interruptible", "undrawn")
def test_interruption_is_told_and_keeps_what_is_finished(
    call: Call, enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(fake("case-study"), fake("keras"))
    play(monkeypatch, measurement("case-study"), signal.SIGINT)

    result = call("bench", "--output", tmp_path / "bench")

    assert result.code == 130
    assert "The bench was interrupted" in result.out
    assert "the case-study 1,000" in words(result.out)
    document = json.loads((tmp_path / "bench" / "bench.json").read_text())
    assert document["status"] == "interrupted"
    assert len(document["measurements"]) == 1


@pytest.mark.usefixtures("undrawn")
def test_quick_bench_says_so(
    call: Call, enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(fake("case-study", quick=True), fake("keras"))
    play(monkeypatch, measurement("case-study"))

    result = call("bench", "--quick", "--output", tmp_path / "bench")

    assert result.code == 0
    assert "This is the quick bench: one round" in result.err
    assert "the keras" in result.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--only", "lion"], 2),
        (["--rounds", "0"], 2),
        (["--data-dir", "nowhere"], 1),
        (["--output", __file__], 1),
    ],
    ids=str,
)
def test_bad_input_is_one_line(
    call: Call, arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = call("bench", *arguments)

    assert result.code == code
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert result.out == ""


@pytest.mark.slow
def test_the_real_command(
    call: Call, few_digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "load_dataset", lambda *_: few_digits)

    only = ("--only", "case-study", "--only", "knn")
    result = call("bench", "--quick", *only, "-o", tmp_path / "bench")

    assert result.code == 0
    assert "inkwise case-study" in result.out
    assert "nearest neighbours" in result.out
    document = json.loads((tmp_path / "bench" / "bench.json").read_text())
    assert {m["contender"] for m in document["measurements"]} == {"case-study", "knn"}
    for m in document["measurements"]:
        assert m["history"][-1][1] > 0.1
        assert m["model_bytes"] > 1000
        assert (m["prediction_memory"] is None) == (m["contender"] == "knn")
    assert document["growth"] == {}
