"""The command that draws a map of the images by their feature vectors."""

from typing import Annotated

import typer

from inkwise.cli.console import show_path
from inkwise.cli.options import DataDirOption, RunArgument, SplitOption


def map_(
    run: RunArgument,
    split: SplitOption = "test",
    count: Annotated[
        int, typer.Option(metavar="N", help="Largest number of images on the map.")
    ] = 2_000,
    data_dir: DataDirOption = None,
) -> None:
    """Draw a map on which images with similar feature vectors are close, with the mistakes marked.

    The feature vectors, the inputs of the last layer, are projected by PCA and
    t-SNE. The map is written to the run's figures, as PNG and SVG.
    """
    from inkwise.cli.display import Display
    from inkwise.explanation.feature_map import write_map

    with Display() as display:
        path = write_map(
            run,
            split,
            count=count,
            data_dir=data_dir,
            progress=display,
        )
    show_path("Map", path)
