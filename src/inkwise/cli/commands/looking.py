"""The commands that make what people look at."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.options import DataDirOption, OpenOption, RunArgument, SplitOption


def report(
    run: RunArgument,
    open_: OpenOption = False,
    notebook: Annotated[
        bool,
        typer.Option("--notebook", help="Write report.ipynb as well, for Jupyter."),
    ] = False,
) -> None:
    """Write the figures and the report of a run again, from the run's own files."""
    from inkwise.cli.show import open_page, show_path
    from inkwise.report.html import write_report
    from inkwise.report.notebook import write_notebook
    from inkwise.runs.directory import Run

    path = write_report(Run(run))
    show_path("Report", path)
    if notebook:
        show_path("Notebook", write_notebook(run))
    if open_:
        open_page(path)


def explain(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL",
            help="A run or a model directory; the model that comes with inkwise if not given.",
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A picture of one digit.", show_default=False),
    ] = None,
    index: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="An image of the run's data set, from 0.", show_default=False
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="Of --index: test, validation or train.")
    ] = "test",
    against: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="What to compare the answer with: the true class of a mistake, else the "
            "runner-up, if not given.",
        ),
    ] = None,
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The page, which is replaced if it exists; named after the picture if not given.",
        ),
    ] = None,
    open_: OpenOption = False,
) -> None:
    """Show what the answer about one picture hangs on: a page of maps and similar images.

    Occlusion, integrated gradients and Grad-CAM, and the nearest training images of a run.
    Without the extra "train", occlusion alone.
    """
    from inkwise.cli.progress import Display
    from inkwise.cli.show import open_page, show_explanation, show_path
    from inkwise.explanation.evidence import explain as explain_picture
    from inkwise.explanation.picture_page import write_explanation
    from inkwise.model.pretrained import load_pretrained

    with Display() as display:
        explanation = explain_picture(
            load_pretrained() if model is None else model,
            image,
            index=index,
            split=split,
            against=against,
            data_dir=data_dir,
            on_notice=display.notice,
            on_download=display.download,
        )
    name = f"{split}-{index}" if image is None else Path(image).stem
    path = write_explanation(explanation, output or Path(f"{name}-explained.html"))
    show_explanation(explanation)
    show_path("Page", path)
    if open_:
        open_page(path)


def map_(
    run: RunArgument,
    split: SplitOption = "test",
    count: Annotated[int, typer.Option(metavar="N", help="Images on the map, at most.")] = 2_000,
    data_dir: DataDirOption = None,
) -> None:
    """Draw which images are alike to the network, and where its mistakes lie among them.

    By PCA and t-SNE of what its last layer is given; into the run's figures, as PNG and SVG.
    """
    from inkwise.cli.progress import Display
    from inkwise.cli.show import show_path
    from inkwise.explanation.feature_map import write_map

    with Display() as display:
        path = write_map(
            run,
            split,
            count=count,
            data_dir=data_dir,
            on_notice=display.notice,
            on_download=display.download,
        )
    show_path("Map", path)


def info(run: RunArgument) -> None:
    """Show a run's recipe, network, history and headline numbers."""
    from inkwise.cli.show import show_run
    from inkwise.runs.directory import Run

    show_run(Run(run))
