"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="A directory that `inkwise train` wrote, or `inkwise evaluate` for a model.",
        show_default=False,
    ),
]
DatasetOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The data set: auto, mnist, fashion-mnist, kmnist, qmnist, emnist-balanced (-byclass, "
        "-bymerge, -letters, -digits, -mnist) or optdigits.",
        show_default=False,
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Folder or file with MNIST or its kin, in any format; also INKWISE_DATA_DIR.",
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A file of corrected labels, from the page of `inkwise audit`."
    ),
]
OwnDataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="PATH",
        help="Your own data set: a folder of pictures with a sub-folder for each class, or with "
        "such folders in train, test and perhaps validation; a table (CSV, ARFF, Parquet); Keras' "
        "npz; IDX files.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str, typer.Option(metavar="NAME", help="The device to train on: auto, cpu, cuda or mps.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a value of the recipe, such as optimiser.learning_rate=0.01 or "
        "network.2.filters=48; layers are counted from 0. Can be given several times.",
        show_default=False,
    ),
]
TrackOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A program that keeps track of trainings: tensorboard or mlflow.",
        show_default=False,
    ),
]
SplitOption = Annotated[
    str, typer.Option(metavar="NAME", help="The split: test, validation or train.")
]
OpenOption = Annotated[bool, typer.Option("--open", help="Open the page in the browser.")]
EngineOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="What does the work: here, this machine; or ray, a cluster of Ray."
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Address of Ray's cluster, such as auto; by default Ray is started here.",
        show_default=False,
    ),
]
AtOnceOption = Annotated[
    int | None,
    typer.Option(
        help="Number of trainings at a time; by default one for each core, 8 at most.",
        show_default=False,
    ),
]
