"""evaluate: what it shows, and what it writes."""

import json

import pytest

from inkwise import Run
from tests.cli.conftest import Call


def words(text: str) -> str:
    return " ".join(text.split())


def test_evaluate_shows_every_figure(call: Call, run: Run) -> None:
    (run.path / "metrics.json").unlink()

    result = call("evaluate", run.path)

    assert (result.code, result.err) == (0, "")
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert f"Accuracy {metrics['accuracy']['value']:.2%}" in result.out
    for figures in metrics["classes"]:
        for kind in ("precision", "recall", "f1"):
            assert f"{figures[kind]['value']:.2%}" in result.out
            # No interval is cut, however many columns there are.
            assert f"{100 * figures[kind]['high']:.1f}" in result.out
        counts = [figures["one_versus_rest"][kind] for kind in ("tp", "fp", "fn", "tn")]
        assert " ".join([figures["name"], *map(str, counts)]) in words(result.out)
    for figures, row in zip(metrics["classes"], metrics["confusion"], strict=True):
        cells = [str(count) if count else "·" for count in row]
        assert " ".join([figures["name"], *cells]) in words(result.out)
    assert run.evaluation.classification_report in result.out
    assert "…" not in result.out


def test_evaluate_says_what_the_mistakes_have_in_common(call: Call, run: Run) -> None:
    result = call("evaluate", run.path)

    found = json.loads((run.path / "slices.json").read_text())
    assert f"in {found['comparisons']} comparisons, by Fisher's exact test with Holm" in result.out
    for sentence in found["sentences"][:2]:
        assert f"{sentence}.\n" in result.out


@pytest.mark.parametrize("count", [0, 1, 3])
def test_findings_are_two_lines_at_most(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    from inkwise.cli.evaluate import show_findings

    show_findings(
        {"sentences": [f"Worse on {n}" for n in range(count)], "comparisons": 40},
        "slices-mnist-train.json",
    )

    out = capsys.readouterr().out
    assert out.count("Worse on") == min(count, 2)
    assert ("nothing significant in common in 40 comparisons" in out) == (count == 0)
    assert (f"Holm's correction: {count}; all are in slices-mnist-train.json" in out) == (count > 0)


def test_evaluate_another_split(call: Call, run: Run) -> None:
    before = (run.path / "metrics.json").read_bytes()

    result = call("evaluate", run.path, "--split", "validation")

    assert result.code == 0
    assert "288 images of optdigits, validation split" in result.out
    assert (run.path / "metrics-optdigits-validation.json").exists()
    assert (run.path / "metrics.json").read_bytes() == before


def test_evaluate_one_class_as_a_binary_task(call: Call, run: Run) -> None:
    result = call("evaluate", run.path, "--positive", "7")

    metrics = json.loads((run.path / "metrics.json").read_text())
    task = metrics["classes"][7]["binary_task"]
    counts = " ".join(str(task["matrix"][kind]) for kind in ("tp", "fp", "fn", "tn"))
    assert result.code == 0
    assert counts in words(result.out)
    assert f"{task['roc_auc']['value']:.4f}" in result.out
    # Beside it, what must be compared: the multi-class figures, and the answer "no" to all.
    one_versus_rest = metrics["classes"][7]["one_versus_rest"]
    counts = " ".join(str(one_versus_rest[kind]) for kind in ("tp", "fp", "fn", "tn"))
    assert counts in words(result.out)
    assert f"{task['always_no']:.2%}" in result.out
    assert f"{metrics['accuracy']['value']:.2%}" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "all"], "unknown split 'all'"),
        (["--dataset", "letters"], "unknown data set 'letters'"),
        (["--positive", "seven"], "there is no class 'seven'"),
    ],
)
def test_evaluate_with_an_unknown_name(
    call: Call, run: Run, arguments: list[str], message: str
) -> None:
    result = call("evaluate", run.path, *arguments)

    assert result.code == 2
    assert result.err.startswith(f"error: {message}")
    assert result.err.count("\n") == 1
    assert result.out == ""


def test_evaluate_a_run_without_a_model(call: Call, run: Run) -> None:
    (run.path / "history.csv").unlink()

    result = call("evaluate", run.path)

    assert result.code == 1
    assert result.err.startswith("error: ")
    assert "before the first epoch" in result.err


@pytest.mark.usefixtures("blank_figures")
def test_evaluate_an_interrupted_run_and_report_it(call: Call, stopped_run: Run) -> None:
    assert call("report", stopped_run.path).code == 1
    assert call("evaluate", stopped_run.path).code == 0
    assert call("report", stopped_run.path).code == 0
    assert "Interrupted" in stopped_run.report_path.read_text(encoding="utf-8")


def test_names_of_classes_are_shown_as_they_are(
    oddly_named: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    from inkwise.cli.evaluate import show_binary, show_evaluation

    show_evaluation(oddly_named.evaluation)
    show_binary(oddly_named.evaluation, "[bold]ant")

    shown = capsys.readouterr().out
    assert "Is it [bold]ant?" in shown
    for name in oddly_named.evaluation.class_names:
        assert sum(line.split()[:1] == [name] for line in shown.splitlines()) >= 4
