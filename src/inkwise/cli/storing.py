"""What `predict` and `read` share: answers that are stored rather than shown."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inkwise.cli.streams import echo
from inkwise.errors import ArgumentError, counted, one_line

if TYPE_CHECKING:
    from inkwise.model import Model

AnswersOption = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Store the answers in this folder, or at this address, as shards of Parquet. "
        "--resume, --engine and --address are for these.",
        show_default=False,
    ),
]
GoOnOption = Annotated[
    bool, typer.Option("--resume", help="Go on with the --output of a job that was stopped.")
]


def check_storing(
    output: str | None, resume: bool, engine: str, address: str | None, *, shown: bool
) -> None:
    """Refuse options that make no sense together."""
    if output is None and (resume or engine != "here" or address is not None):
        raise ArgumentError("--resume, --engine and --address are for stored answers: add --output")
    if output is not None and shown:
        raise ArgumentError("--json and --csv show answers, and --output stores them: choose one")
    if address is not None and engine != "ray":
        raise ArgumentError("--address is a cluster's: add --engine ray")


def store_answers(
    task: Literal["predict", "read"],
    files: list[str],
    output: str,
    model: "Model",
    resume: bool,
    engine: str,
    address: str | None,
    **options: Any,
) -> None:
    """Store the answers, and say how many they are; the exit code is 1 if some are errors."""
    from inkwise.batches.answering import answer_pictures
    from inkwise.cli.display import Display

    with Display() as display:
        tally = answer_pictures(
            files,
            output,
            model=model,
            task=task,
            resume=resume,
            engine=engine,  # type: ignore[arg-type] # it tells which there are
            address=address,
            progress=display,
            **options,
        )
    told = f"{counted(tally.pictures, 'picture')} in {output}"
    if tally.errors:
        told += f", of which {tally.errors:,} could not be read"
    if tally.others:
        told += f"; passed over: {counted(tally.others, 'other file')} in tars"
    echo(one_line(told))
    if tally.errors:
        raise typer.Exit(1)
