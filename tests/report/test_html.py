"""The report: complete, self-contained, and true to the run's files."""

import base64
import dataclasses
import html.parser
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inkwise import Dataset, Evaluation, Run, write_report
from inkwise.errors import RunError
from inkwise.evaluation.slices import find_slices
from inkwise.report.figures import _write
from inkwise.runs.shown_images import ShownImages

VOID = {"meta", "link", "img", "br", "hr", "input", "col"}
ADDRESSES = {"src", "srcset", "href", "xlink:href", "poster", "action", "data", "background"}


@dataclasses.dataclass
class Element:
    """An element of a page."""

    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = dataclasses.field(default_factory=list)

    @property
    def text(self) -> str:
        """What is written in the element, with white space as a browser shows it."""
        parts = (child if isinstance(child, str) else child.text for child in self.children)
        return " ".join("".join(parts).split())

    def all(self, tag: str | None = None, kind: str | None = None) -> Iterator["Element"]:
        """Go through the elements inside that have this tag and this class."""
        for child in self.children:
            if isinstance(child, Element):
                if tag in (None, child.tag) and (
                    kind is None or kind in child.attributes.get("class", "").split()
                ):
                    yield child
                yield from child.all(tag, kind)


class Parser(html.parser.HTMLParser):
    """Reads a page, and insists that every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], f"<{self._open[-1].tag}> is not closed"


def parse(path: Path) -> Element:
    parser = Parser()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    return parser.root


def section(page: Element, name: str) -> Element:
    (found,) = (part for part in page.all("section") if part.attributes.get("id") == name)
    return found


def pixels(image: Element) -> NDArray[np.uint8]:
    kind, _, content = image.attributes["src"].partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as opened:
        return np.asarray(opened)


def rows(table: Element) -> list[list[str]]:
    return [
        [cell.text for cell in row.children if isinstance(cell, Element)] for row in table.all("tr")
    ]


def tables(page: Element, name: str) -> list[list[list[str]]]:
    """The bodies of a section's tables, without the small squares."""
    squares = list(page.all("table", "square"))
    return [rows(table)[1:] for table in section(page, name).all("table") if table not in squares]


def answer(run: Run, labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> None:
    """Write into a run on optdigits that its model gave these answers, without the pictures."""
    probabilities = np.full((len(labels), 10), 0.02, dtype=np.float32)
    probabilities[np.arange(len(labels)), predicted] = 0.82
    run.save_evaluation(Evaluation("optdigits", "test", tuple("0123456789"), labels, probabilities))


@pytest.fixture(scope="module")
def page(finished: Path) -> Element:
    return parse(finished / "report.html")


@pytest.fixture(scope="module", params=["finished", "awkward"])
def any_page(request: pytest.FixtureRequest, trains: None) -> Element:
    run = request.getfixturevalue(request.param)
    return parse(Run(run if isinstance(run, Path) else run.path).report_path)


def test_page_is_well_formed_and_its_links_lead_somewhere(any_page: Element) -> None:
    ids = [element.attributes["id"] for element in any_page.all() if "id" in element.attributes]
    links = [
        element.attributes[name][1:]
        for element in any_page.all()
        for name in ("href", "xlink:href")
        if element.attributes.get(name, "").startswith("#")
    ]
    labels = [element.attributes.get("aria-labelledby") for element in any_page.all()]

    assert len(set(ids)) == len(ids)
    assert len(links) > 9
    assert {*links, *filter(None, labels)} <= set(ids)
    assert [element.tag for element in any_page.children if isinstance(element, Element)] == [
        "html"
    ]
    assert len(list(any_page.all("h1"))) == 1


def test_page_needs_no_other_file(any_page: Element) -> None:
    addresses = [
        (element.tag, name, value)
        for element in any_page.all()
        for name, value in element.attributes.items()
        if name in ADDRESSES
    ]
    styles = [element.text for element in any_page.all("style")]
    styles += [element.attributes.get("style", "") for element in any_page.all()]

    assert len(addresses) > 20
    assert all(value.startswith(("data:", "#")) for _, _, value in addresses)
    assert not [tag for tag, _, _ in addresses if tag in ("script", "iframe", "object", "embed")]
    for style in styles:
        assert "@import" not in style
        assert all(url.startswith(("#", "data:")) for url in re.findall(r"url\(['\"]?(.)", style))


def test_page_runs_no_script(any_page: Element) -> None:
    assert not list(any_page.all("script"))
    assert not [
        name for element in any_page.all() for name in element.attributes if name.startswith("on")
    ]


def test_headline_figures_are_those_of_the_metrics(page: Element, finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    cards = {
        texts[0]: texts[1:]
        for card in next(page.all("ul", "cards")).all("li")
        if (texts := [part.text for part in card.all()])
    }

    accuracy, f1, loss = metrics["accuracy"], metrics["averages"]["macro"]["f1"], metrics["loss"]
    assert f"{accuracy['value']:.2%}" in next(page.all("h1")).text
    assert cards["Accuracy"] == [
        f"{accuracy['value']:.2%}",
        f"{100 * accuracy['low']:.2f}–{100 * accuracy['high']:.2f}%",
    ]
    assert cards["Macro F1"] == [
        f"{f1['value']:.2%}",
        f"{100 * f1['low']:.2f}–{100 * f1['high']:.2f}%",
    ]
    assert cards["Loss"] == [f"{loss['value']:.4f}", f"{loss['low']:.4f}–{loss['high']:.4f}"]
    assert cards["Mistakes"][0] == str(metrics["images"] - metrics["correct"])


def test_tables_hold_the_metrics(page: Element, finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())

    counts = tables(page, "confusion")[0]
    assert [row[0] for row in counts] == list("0123456789")
    assert [[int(cell) for cell in row[1:]] for row in counts] == metrics["confusion"]
    one_versus_rest, tasks = tables(page, "binary")
    for figures, versus, task in zip(metrics["classes"], one_versus_rest, tasks, strict=True):
        kinds = ("tp", "fp", "fn", "tn")
        assert versus[1:5] == [str(figures["one_versus_rest"][kind]) for kind in kinds]
        assert task[1:5] == [str(figures["binary_task"]["matrix"][kind]) for kind in kinds]
        assert f"{figures['binary_task']['roc_auc']['value']:.4f}" in task


def test_history_is_told_epoch_by_epoch(page: Element, finished: Path) -> None:
    (history,) = tables(page, "curves")

    assert history == [
        [
            str(epoch.epoch),
            f"{epoch.train_loss:.4f}",
            f"{epoch.train_accuracy:.2%}",
            f"{epoch.validation_loss:.4f}",
            f"{epoch.validation_accuracy:.2%}",
            f"{epoch.seconds:.1f}",
        ]
        for epoch in Run(finished).history
    ]


def test_every_mistake_is_shown_the_surest_first(
    page: Element, finished: Path, optdigits: Dataset
) -> None:
    evaluation = Run(finished).evaluation
    shown = list(section(page, "mistakes").all("figure"))

    assert len(shown) == len(evaluation.misclassified) > 0
    for figure, index in zip(shown, evaluation.misclassified, strict=True):
        label, guess = evaluation.labels[index], evaluation.predicted[index]
        assert f"{label} → {guess}" in figure.text
        assert f"{evaluation.confidence[index]:.1%}" in figure.text
        assert f"#{index}" in figure.text
        (image,) = figure.all("img")
        assert str(index) in image.attributes["alt"]
        np.testing.assert_array_equal(pixels(image), optdigits.test.images[index])


def test_samples_are_shown_right_and_wrong(
    page: Element, finished: Path, optdigits: Dataset
) -> None:
    run = Run(finished)
    evaluation, samples = run.evaluation, run.pictures.samples
    shown = list(section(page, "samples").all("figure"))

    assert len(shown) == 24
    for figure, index in zip(shown, samples, strict=True):
        label, guess = evaluation.labels[index], evaluation.predicted[index]
        assert f"{label} → {guess}" in figure.text
        kinds = figure.attributes["class"].split()
        assert ("right" in kinds, "wrong" in kinds) == (label == guess, label != guess)
        np.testing.assert_array_equal(pixels(next(figure.all("img"))), optdigits.test.images[index])


def test_figures_are_drawn_in_the_page_with_the_agreed_colours(page: Element) -> None:
    curves = list(section(page, "curves").all("svg"))

    assert len(curves) == 2
    for curve in curves:
        assert {"training", "validation", "epoch"} <= {text.text for text in curve.all("text")}
        styles = " ".join(part.attributes.get("style", "") for part in curve.all("path"))
        assert "#1f77b4" in styles
        assert "#ff7f0e" in styles


def test_names_appear_as_they_are(awkward: Run) -> None:
    page = parse(awkward.report_path)

    names = awkward.evaluation.class_names
    assert [row[0] for row in tables(page, "confusion")[0]] == list(names)
    assert {caption.text for caption in page.all("caption")} >= {f"Is it {n}?" for n in names}
    training = section(page, "training").text
    assert "Scans & <u>photos</u>" in training
    assert awkward.record["dataset"]["source"] in training
    assert not list(page.all("u"))
    assert all(
        "<" not in bold.text or bold.text.startswith(("<b>", "<s")) for bold in page.all("b")
    )


def test_notices_are_in_plain_sight(awkward: Run) -> None:
    page = parse(awkward.report_path)
    shown = [element.text for element in next(page.all("header")).all(kind="notice")]

    assert awkward.record["notices"]
    for notice in awkward.record["notices"]:
        assert any(notice.strip() in text for text in shown)


@pytest.mark.usefixtures("blank_figures")
def test_interrupted_run_says_so_at_the_top(stopped_run: Run, optdigits: Dataset) -> None:
    answer(stopped_run, optdigits.test.labels, optdigits.test.labels)
    stopped_run.save_pictures(ShownImages(np.arange(24), optdigits.test.images[:24], np.arange(24)))

    header = next(parse(write_report(stopped_run)).all("header"))

    assert any("Interrupted" in notice.text for notice in header.all(kind="notice"))
    assert "1 of 3 epochs" in header.text


@pytest.mark.usefixtures("blank_figures")
def test_model_without_mistakes(run: Run, optdigits: Dataset) -> None:
    answer(run, optdigits.test.labels, optdigits.test.labels)

    page = parse(write_report(run))

    assert "100.00%" in next(page.all("h1")).text
    assert "no mistakes" in [summary.text for summary in page.all(kind="said")]
    assert not list(section(page, "mistakes").all("figure"))


@pytest.mark.usefixtures("blank_figures")
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({0: [(7, 1)]}, "1 mistake: 7 read as 1"),
        ({0: [(7, 1), (4, 9)], 1: [(4, 9)]}, "3 mistakes; most often 4 was read as 9, 2 times"),
        (
            {place: [(7, 1), (1, 7), (4, 9)] for place in range(2)},
            "6 mistakes; no class was read as another more than 2 times",
        ),
    ],
)
def test_the_most_frequent_confusion_is_named_if_there_is_one(
    changes: dict[int, list[tuple[int, int]]], told: str, run: Run, optdigits: Dataset
) -> None:
    labels = optdigits.test.labels
    predicted = labels.copy()
    for place, pairs in changes.items():
        for actual, guess in pairs:
            predicted[np.flatnonzero(labels == actual)[place]] = guess
    answer(run, labels, predicted)
    run.save_pictures(ShownImages(np.arange(359), optdigits.test.images, np.arange(24)))

    page = parse(write_report(run))

    assert told in [summary.text for summary in page.all(kind="said")]


@pytest.mark.usefixtures("blank_figures")
def test_class_that_is_absent_has_dashes_for_figures(run: Run, optdigits: Dataset) -> None:
    labels = np.where(optdigits.test.labels == 9, 8, optdigits.test.labels)
    answer(run, labels, np.where(labels == 1, 7, labels))
    run.save_pictures(ShownImages(np.arange(359), optdigits.test.images, np.arange(24)))

    page = parse(write_report(run))

    one, nine = (tables(page, "binary")[0][digit] for digit in (1, 9))
    assert nine[1:] == ["0", "0", "0", "359", "100.00%", "–", "–", "–"]
    assert one[6:] == ["–", "0.00%", "0.00%"]
    (verbatim,) = page.all("pre")  # scikit-learn's own report, which writes nan
    assert not re.search(r"\bnan\b", page.text.replace(verbatim.text, ""), re.IGNORECASE)


@pytest.mark.usefixtures("blank_figures")
def test_mistakes_of_a_bad_model_do_not_swell_the_page(
    run: Run, optdigits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = optdigits.test.labels
    answer(run, labels, (labels + 1) % 10)
    run.save_pictures(ShownImages(np.arange(359), optdigits.test.images, np.arange(24)))
    monkeypatch.setattr("inkwise.report.html.MISTAKES_SHOWN", 50)

    mistakes = section(parse(write_report(run)), "mistakes")

    assert len(list(mistakes.all("figure"))) == 50
    assert "The most confident 50 of 359" in mistakes.text


def test_frequent_confusions_are_drawn_with_their_images(
    run: Run, optdigits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other figures stay as the run has them.
    monkeypatch.setattr(
        "inkwise.report.figures._write",
        lambda run, name, figure: _write(run, name, figure) if name == "confusions" else None,
    )
    labels = optdigits.test.labels
    answer(run, labels, np.where(labels == 4, 9, labels))
    run.save_pictures(ShownImages(np.arange(359), optdigits.test.images, np.arange(24)))
    findings = find_slices(
        optdigits.test.images, labels, run.evaluation.predicted, run.evaluation.class_names
    )
    run.save_slices(findings, run.evaluation)

    common = section(parse(write_report(run)), "common")

    headings = [heading.text for heading in common.all("h3")]
    assert f"4 read as 9, {np.sum(labels == 4)} times" in headings
    assert len(list(common.all("figure"))) == min(20, int(np.sum(labels == 4)))
    svg = (run.figures_path / "confusions.svg").read_text()
    assert f"4 → 9, {np.sum(labels == 4)} times" in svg
    assert (
        "No measured property is significantly more frequent" in svg
    )  # all of the class are wrong
    assert svg.count("<image") == 10


def test_sections_say_their_main_figure_and_what_is_first_is_open(
    page: Element, finished: Path
) -> None:
    evaluation = Run(finished).evaluation
    folds = {
        next(fold.all("section")).attributes["id"]: (
            next(fold.all("summary")).text,
            "open" in fold.attributes,
        )
        for fold in page.all("details")
    }

    assert f"{len(evaluation.misclassified)} of {len(evaluation)} images" in folds["mistakes"][0]
    error = evaluation.in_probabilities.calibration_error.value
    assert f"{error:.2%}" in folds["probabilities"][0]
    opened = {name for name, (_, is_open) in folds.items() if is_open}
    assert opened == {
        *("curves", "confusion", "classes", "mistakes", "common", "samples", "metrics"),
    }
    contents = next(page.all("nav"))
    assert {link.attributes["href"][1:] for link in contents.all("a")} == set(folds)


def test_the_design_has_the_table_and_the_drawing(page: Element, finished: Path) -> None:
    network = Run(finished).model.network
    (table,) = tables(page, "design")
    assert [row[0] for row in table] == [line.name for line in network.summary()]
    drawing = next(section(page, "design").all("svg"))
    shapes = [line.output_shape for line in network.summary()]
    assert all("×".join(map(str, shape)) in drawing.text for shape in shapes)


def test_metrics_of_probabilities_are_those_of_the_metrics(page: Element, finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    figures = metrics["probabilities"]

    shown = section(page, "probabilities").text
    brier = figures["brier"]
    assert f"={brier['value']:.4f}" in shown.replace(" ", "")
    for part in ("reliability", "resolution", "uncertainty"):
        assert f"{brier[part]:.4f}" in shown
    for kind in ("calibration_error", "adaptive_calibration_error"):
        assert f"{figures[kind]['value']:.2%}" in shown
    for top in figures["top_k"]:
        assert f"{top['accuracy']['value']:.2%}" in shown
    agreement = section(page, "metrics").text
    for kind in ("kappa", "matthews"):
        assert f"{metrics[kind]['value']:.4f}" in agreement
    assert f"{metrics['balanced_accuracy']['value']:.2%}" in agreement
    hardest = min(metrics["classes"], key=lambda figures: figures["f1"]["value"])
    ranking = section(page, "ranking").text
    assert f"{hardest['binary_task']['roc_auc']['value']:.5f}" in ranking
    assert f"{hardest['binary_task']['average_precision']:.5f}" in ranking


def test_refusing_is_told_in_mistakes_left(page: Element, finished: Path) -> None:
    evaluation = Run(finished).evaluation
    surest = np.argsort(-evaluation.confidence, kind="stable")
    wrong = (evaluation.predicted != evaluation.labels)[surest]

    (answered,) = (table for table in tables(page, "calibration") if len(table[0]) == 4)
    for share, count, accuracy, mistakes in answered:
        first = int(count)
        assert first == np.ceil(round(int(share.rstrip("%")) / 100 * len(wrong), 6))
        assert mistakes == str(wrong[:first].sum())
        assert accuracy == f"{1 - wrong[:first].mean():.2%}"


def test_filters_are_those_of_the_first_convolution(page: Element, finished: Path) -> None:
    model = Run(finished).model
    kernels = [pixels(image) for image in section(page, "filters").all("img")]

    # Alone among the layers it looks at one channel.
    weights = next(w for w in model.weights.values() if w.ndim == 4 and w.shape[1] == 1)
    assert len(kernels) == len(weights)
    for kernel, values in zip(kernels, weights[:, 0], strict=True):
        # The strongest weight has the full colour: blue where it is positive, else orange.
        row, column = np.unravel_index(np.abs(values).argmax(), values.shape)
        red, _, blue = kernel[row, column]
        assert (blue > red) == (values[row, column] > 0)


def test_what_was_not_measured_is_told_how_to_get(page: Element) -> None:
    assert "inkwise robustness" in section(page, "robustness").text
    assert "inkwise map" in section(page, "map").text


@pytest.mark.usefixtures("blank_figures")
def test_what_other_commands_wrote_is_shown(run: Run) -> None:
    image = np.zeros((9, 9), np.uint8)
    point = {"level": 2, "value": 0.61, "low": 0.5, "high": 0.7}
    document = {
        "schema": "inkwise-robustness/1",
        "split": "test",
        "images": 200,
        "mean_error": 0.39,
        "clean": {"value": 0.93, "low": 0.9, "high": 0.95},
        "corruptions": {"fog <b>": {"severity": 2, "unit": "severity", "points": [point]}},
        "baseline": None,
    }
    (run.path / "robustness.json").write_text(json.dumps(document))
    (run.figures_path / "robustness.svg").write_text("<svg><script>alert(1)</script></svg>")
    Image.fromarray(image).save(run.figures_path / "map.png")
    evaluation = run.evaluation
    corrected = evaluation.labels.copy()
    index = int(evaluation.misclassified[0])
    corrected[index] = evaluation.predicted[index]
    run.save_evaluation(dataclasses.replace(evaluation, corrected_labels=corrected))

    page = parse(write_report(run))

    (corruptions,) = tables(page, "robustness")
    assert corruptions == [["fog <b>", "61.0%", "50.0–70.0%", "61.0%"]]
    assert "39.0%" in section(page, "robustness").text
    (map_,) = section(page, "map").all("img")
    np.testing.assert_array_equal(pixels(map_), image)
    assert not list(page.all("script"))
    figures, images = tables(page, "labels")
    mistakes = len(evaluation.misclassified)
    assert [row[-1] for row in figures] == [str(mistakes), str(mistakes - 1)]
    label, answer_ = evaluation.labels[index], evaluation.predicted[index]
    assert [row[:3] for row in images] == [[f"#{index}", str(label), str(answer_)]]


def test_a_picture_of_an_image_that_was_not_evaluated_is_refused(
    run: Run, optdigits: Dataset
) -> None:
    shown = ShownImages(np.array([0, 359]), optdigits.test.images[:2], np.array([359]))
    run.save_pictures(shown)
    with pytest.raises(RunError, match="pictures of more images than were evaluated"):
        write_report(run)


def test_missing_picture_is_refused_before_anything_is_drawn(run: Run, optdigits: Dataset) -> None:
    labels = optdigits.test.labels
    answer(run, labels, (labels + 1) % 10)  # the pictures are those of another evaluation
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}

    with pytest.raises(RunError, match=r"lacks the picture of image \d+: run `inkwise evaluate"):
        write_report(run)

    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_run_without_predictions_is_refused(stopped: Path) -> None:
    with pytest.raises(RunError, match="run `inkwise evaluate"):
        write_report(Run(stopped))
