"""The command that imports a model that another program saved."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.console import show_path


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A model saved by Keras, as .keras or .h5.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="MODEL",
            help="The model directory to write, new or empty; named after the file if not given.",
        ),
    ] = None,
    class_names: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="The class names in the order of the outputs, separated by commas; 0,1,2 and so "
            "on if not given.",
        ),
    ] = None,
) -> None:
    """Convert a model saved by Keras into a model directory; no code from the file is run.

    A model without a Rescaling layer is assumed to expect grey levels divided by
    255. Either way, images must have light ink on a black background.
    """
    from inkwise.export.from_keras import import_keras
    from inkwise.system.folders import claim_folder

    names = None if class_names is None else [name.strip() for name in class_names.split(",")]
    model = import_keras(file, names)
    show_path("Model", model.save(claim_folder(output or Path(file.stem))))
