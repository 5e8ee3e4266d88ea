"""The command that draws which images are alike to the network."""

from typing import Annotated

import typer

from inkwise.cli.console import show_path
from inkwise.cli.options import DataDirOption, RunArgument, SplitOption


def map_(
    run: RunArgument,
    split: SplitOption = "test",
    count: Annotated[int, typer.Option(metavar="N", help="Images on the map, at most.")] = 2_000,
    data_dir: DataDirOption = None,
) -> None:
    """Draw which images are alike to the network, and where its mistakes lie among them.

    By PCA and t-SNE of what its last layer is given; into the run's figures, as PNG and SVG.
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
