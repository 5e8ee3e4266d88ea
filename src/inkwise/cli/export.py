"""The command that writes a model for another program."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.console import show_path
from inkwise.cli.options import ModelArgument


def export(
    model: ModelArgument,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="onnx, onnx-int8, keras, h5 or torchscript.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file, which is replaced if it exists; named after data set and recipe if "
            "not given: mnist_cnn_model.h5 for the case study.",
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option(
            "--once",
            help="Let a model that looks at an image at several angles look once: faster, and a "
            "little less accurate. It needs a RUN and its images.",
        ),
    ] = False,
) -> None:
    """Write a model for another program: the same probabilities, within 0.00001.

    onnx and torchscript take grey levels, uint8 (N, H, W), light ink on a black ground.

    keras and h5 take float32 (N, H, W, 1) from 0 to 1. Writing them needs the extra "keras".
    onnx-int8 is onnx made faster, with rounded weights; it needs a RUN and its training images.
    """
    from inkwise.export.writing import export_model

    show_path("Model", export_model(model, file_format, output, once=once))
