"""The command that writes a model for another program."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.console import show_path
from inkwise.errors import ArgumentError


def export(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            help="A run, a model directory or an .onnx file of inkwise; pretrained is the model in "
            "the package.",
            show_default=False,
        ),
    ],
    place: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The same as --output.", show_default=False),
    ] = None,
    *,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="The format: onnx, onnx-int8, keras, h5, torchscript or web.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write, or the folder of a page; an earlier export of this format is "
            "replaced. If not given, it is named after the data set and the recipe, as "
            "mnist_cnn_model.h5 for the case study.",
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Leave out the test-time augmentation of a model that has it: one angle instead "
            "of several, faster and a little less accurate. It needs a RUN and its images.",
        ),
    ] = False,
) -> None:
    """Write a model for another program, with the same probabilities to within 0.00001.

    onnx and torchscript take grey levels, uint8 (N, H, W), light ink on a black
    background.

    keras and h5 take float32 (N, H, W, 1) from 0 to 1; writing them needs the
    extra "keras".

    onnx-int8 is quantised: faster, with weights rounded to 8 bits, so its
    probabilities differ a little more. It needs a RUN and its training images.

    web is the page of "inkwise serve" as a folder for any web server, with the
    model in it: the browser itself answers, also without a connection. Writing
    it needs the extra "web".
    """
    from inkwise.export.writing import export_model

    if place is not None and output is not None:
        raise ArgumentError(f"both {place} and --output {output} are named: name one of them")
    written = export_model(model, file_format, place or output, once=once)
    show_path("Page" if file_format == "web" else "Model", written)
