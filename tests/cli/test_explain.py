import shutil
from pathlib import Path

import pytest

from inkwise import Run
from tests.cli.conftest import Call
from tests.strokes import draw, strokes


def test_a_page_is_written_and_the_answer_shown(
    call: Call, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    done = call("explain", run.path, "--index", "3")

    assert (done.code, done.err) == (0, "")
    answer, lead, neighbours, page = done.out.splitlines()
    assert answer.startswith("test image 3: ")
    assert lead.startswith("its logit is ")
    assert "of the 8 nearest training images are" in neighbours
    assert page == "Page: test-3-explained.html"
    html = (tmp_path / "test-3-explained.html").read_text()
    assert html.count("<img") == 1 + 6 + 8 + 2 * 32
    assert html.count('src="data:image/png') == html.count("<img") == html.count('alt="')
    assert "http" not in html


def test_a_file_is_explained_by_any_model(call: Call, tmp_path: Path) -> None:
    picture, page = tmp_path / "odd <i>name.png", tmp_path / "out" / "page.html"
    draw("flat").save(picture)
    model = strokes().save(tmp_path / "model")

    done = call("explain", model, "--image", picture, "--against", "dot", "--output", page)

    assert done.code == 0
    assert done.out.startswith(f"{picture}: flat (")
    assert " above that of dot (" in done.out
    assert done.err.startswith("The nearest training images are left out: only a run knows its")
    assert "&lt;i&gt;name.png" in page.read_text()
    assert "<i>name" not in page.read_text()


def test_the_model_that_comes_with_the_package_explains_too(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    draw("upright").save(tmp_path / "one.png")
    monkeypatch.chdir(tmp_path)

    done = call("explain", "--image", tmp_path / "one.png")

    assert done.code == 0
    assert done.out.splitlines()[0].startswith(f"{tmp_path / 'one.png'}: 1 (")
    assert (tmp_path / "one-explained.html").exists()


def test_the_page_opens_in_the_browser(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []

    def note(address: str) -> bool:
        opened.append(address)
        return False

    monkeypatch.setattr("webbrowser.open", note)
    draw("flat").save(tmp_path / "flat.png")
    page = tmp_path / "page.html"
    model = strokes().save(tmp_path / "model")

    done = call("explain", model, "--image", tmp_path / "flat.png", "-o", page, "--open")

    assert done.err.endswith("No browser could be opened: open the file yourself.\n")
    assert opened == [page.as_uri()]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 2, "name one picture to explain"),
        (["--index", "400"], 2, "there is no test image 400: the last is 358"),
        (["--index", "0", "--against", "ten"], 2, "there is no class 'ten': use 0, 1, 2"),
        (["--index", "0", "--split", "rest"], 2, "unknown split 'rest'"),
        (["--image", "none.png"], 1, "cannot read none.png"),
    ],
)
def test_mistakes_of_the_user_are_one_line(
    arguments: list[str], code: int, told: str, call: Call, finished: Path
) -> None:
    done = call("explain", finished, *arguments)

    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"error: {told}")
    assert done.err.count("\n") == 1
    assert not (finished / "neighbours.npz").exists()


def test_a_map_is_drawn(call: Call, run: Run) -> None:
    done = call("map", run.path, "--count", "40")

    assert (done.code, done.out) == (0, f"Map: {run.figures_path / 'map.png'}\n")
    assert done.err == "Laying out 40 images, which takes some seconds\n"

    shutil.rmtree(run.path / "model")
    done = call("map", run.path)
    assert (done.code, done.out) == (1, "")
    assert "has no model" in done.err
