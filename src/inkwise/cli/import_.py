"""The command that imports a model that another program saved."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.console import show_path
from inkwise.cli.options import DataDirOption, DatasetOption, OwnDataOption


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A model saved by Keras, as .keras or .h5, or an .onnx file; or with --recipe the "
            "state dictionary of a PyTorch module (.pt, .pth).",
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
            help="The class names in the order of the outputs, separated by commas; if not given, "
            "those of the data, or 0,1,2 and so on.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="RECIPE",
            help="The recipe that describes the network, a name or a TOML file, for the weights of "
            "a PyTorch module (.pt, .pth).",
            show_default=False,
        ),
    ] = None,
    pixels: Annotated[
        str | None,
        typer.Option(
            metavar="BLACK,WHITE",
            help="What the model takes for a black and for a white pixel, such as 0,1 or 0,255 or "
            "-1,1; or 1,0 if it was trained on dark ink.",
            show_default=False,
        ),
    ] = None,
    dataset: DatasetOption = None,
    own: OwnDataOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Convert another program's model into a model directory; no code from the file is run.

    The file does not say what its model takes for black and for white. Give it as
    --pixels; or give the data that it was trained on, as --dataset or --data, and
    it is found out, or checked, on training images. Otherwise 0 and 1 are assumed, or 0 and
    255 if the model scales its input down.
    """
    from inkwise.cli.display import Display
    from inkwise.data.catalogue import load_either, refuse_two
    from inkwise.errors import ArgumentError
    from inkwise.export.importing import import_model
    from inkwise.system.folders import claim_folder
    from inkwise.training.named_recipes import get_recipe
    from inkwise.training.recipe_files import find_recipe

    names = None if class_names is None else [name.strip() for name in class_names.split(",")]
    taken = None
    if pixels is not None:
        try:
            black, white = map(float, pixels.split(","))
        except ValueError:
            raise ArgumentError(
                f"--pixels is two numbers, such as 0,1 or -1,1, not {pixels!r}"
            ) from None
        taken = black, white
    with Display() as display:
        refuse_two(dataset, own)
        data = None
        if dataset is not None or own is not None:
            data = load_either(dataset or "auto", own, data_dir, display)
        described = None if recipe is None else get_recipe(find_recipe(recipe, ())[0])
        model = import_model(
            file, names, recipe=described, pixels=taken, dataset=data, progress=display
        )
    show_path("Model", model.save(claim_folder(output or Path(file.stem))))
