"""The command that explains a prediction."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.console import console, open_page, show_path
from inkwise.cli.options import DataDirOption, OpenOption


def explain(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL",
            help="A run, a model directory or an .onnx file of inkwise; the model that comes with "
            "inkwise if not given.",
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
            metavar="N", help="Index of an image in the run's data set, from 0.", show_default=False
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="NAME", help="The split of --index: test, validation or train.")
    ] = "test",
    against: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="The class to compare the prediction with; if not given, the true class of a "
            "mistake, else the second most probable class.",
        ),
    ] = None,
    data_dir: DataDirOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The page to write; replaced if it exists, named after the picture if not given.",
        ),
    ] = None,
    open_: OpenOption = False,
) -> None:
    """Explain the prediction for one picture on a page of maps and similar training images.

    The page shows occlusion, integrated gradients and Grad-CAM, and the training
    images of a run with the nearest feature vectors. Without the extra "train" it
    shows occlusion only.
    """
    from inkwise.cli.display import Display
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
            progress=display,
        )
    name = f"{split}-{index}" if image is None else Path(image).stem
    path = write_explanation(explanation, output or Path(f"{name}-explained.html"))
    console.print(str(explanation), soft_wrap=True)
    show_path("Page", path)
    if open_:
        open_page(path)
