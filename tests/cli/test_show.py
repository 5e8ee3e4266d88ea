"""evaluate, report, data and info: what they show and what they write."""

import dataclasses
import json
import stat
import webbrowser
from pathlib import Path

import pytest

from inkwise import Dataset, Run, train
from tests.cli.conftest import Call
from tests.shared_runs import without_report


@pytest.fixture(scope="module")
def oddly_named(
    animals: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
    trains: None,
    matplotlib_home: None,
) -> Run:
    """A run whose path and class names look like markup and like emoji. It is shared."""
    dataset = dataclasses.replace(
        animals,
        title="bars [/red]",
        class_names=("[bold]ant", ":bee:", "cat" * 20),
        notice="[/blue] is no MNIST",
    )
    with without_report():
        path = tmp_path_factory.mktemp("odd") / "[/dim] :cat:"
        return train(dataset=dataset, epochs=1, output=path)


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


def test_evaluate_an_interrupted_run_and_report_it(call: Call, stopped_run: Run) -> None:
    assert call("report", stopped_run.path).code == 1
    assert call("evaluate", stopped_run.path).code == 0
    assert call("report", stopped_run.path).code == 0
    assert "Interrupted" in stopped_run.report_path.read_text(encoding="utf-8")


def test_report_is_written_again(call: Call, run: Run) -> None:
    before = run.report_path.read_bytes()
    run.report_path.unlink()
    (run.figures_path / "loss.png").unlink()

    result = call("report", run.path, "--notebook")

    assert (result.code, result.err) == (0, "")
    assert str(run.report_path) in result.out
    assert run.report_path.read_bytes() == before
    assert (run.figures_path / "loss.png").exists()
    assert (run.path / "report.ipynb").exists()
    assert "report.ipynb" in result.out


def test_report_opens_in_the_users_browser(command: Call, run: Run, tmp_path: Path) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" >> "{opened}"\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)

    result = command("report", run.path, "--open", BROWSER=str(browser))

    assert result.code == 0
    assert opened.read_text().split() == [run.report_path.as_uri()]


def test_report_says_when_no_browser_answers(
    call: Call, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)

    result = call("report", run.path, "--open")

    assert result.code == 0
    assert str(run.report_path) in result.out
    assert len(result.err.splitlines()) == 1


def test_data_with_mnist_at_hand(call: Call, mnist_dir: Path) -> None:
    result = call("data", "--data-dir", mnist_dir)

    rows = {line.split()[0]: line for line in result.out.splitlines() if line.strip()}
    assert result.code == 0
    assert str(mnist_dir) in rows["mnist"]
    assert all(rows[name].rstrip().endswith("yes") for name in ("mnist", "optdigits", "auto"))


def test_data_without_mnist(call: Call, monkeypatch: pytest.MonkeyPatch, cache_home: Path) -> None:
    monkeypatch.delenv("INKWISE_DATA_DIR", raising=False)

    result = call("data")

    rows = {line.split()[0]: line for line in result.out.splitlines() if line.strip()}
    assert result.code == 0
    assert rows["mnist"].rstrip().endswith("no")
    assert str(cache_home) in rows["mnist"]  # where it would go
    assert rows["optdigits"].rstrip().endswith("yes")


def test_data_in_a_folder_without_files(call: Call, tmp_path: Path) -> None:
    result = call("data", "--data-dir", tmp_path)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: {tmp_path} has no MNIST files")
    assert result.err.count("\n") == 1


def test_info_on_a_complete_run(call: Call, finished: Path) -> None:
    result = call("info", finished)

    run = Run(finished)
    assert (result.code, result.err) == (0, "")
    assert "complete, 2 of 2 epochs" in result.out
    assert "93,322" in result.out
    assert all(str(epoch) in result.out for epoch in run.history)
    assert f"Accuracy {run.evaluation.accuracy.value:.2%}" in result.out
    assert str(run.report_path) in result.out


def test_info_on_an_interrupted_run(call: Call, stopped: Path) -> None:
    result = call("info", stopped)

    assert (result.code, result.err) == (0, "")
    assert "interrupted, 1 of 3 epochs" in result.out
    assert str(Run(stopped).history[0]) in result.out
    assert "Accuracy" not in result.out


def test_info_on_a_run_that_has_only_begun(call: Call, stopped_run: Run) -> None:
    (stopped_run.path / "history.csv").unlink()
    stopped_run.set_status("unfinished")

    result = call("info", stopped_run.path)

    assert (result.code, result.err) == (0, "")
    assert "unfinished, 0 of 3 epochs" in result.out


def test_paths_and_titles_are_shown_as_they_are(call: Call, oddly_named: Run) -> None:
    report, info = call("report", oddly_named.path), call("info", oddly_named.path)

    assert (info.code, report.code) == (0, 0)
    assert "bars [/red]" in info.out
    assert "[/blue] is no MNIST\n" in info.out
    assert f"{oddly_named.report_path}\n" in info.out
    assert f"{oddly_named.report_path}\n" in report.out


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
