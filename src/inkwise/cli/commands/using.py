"""The commands that use a model."""

from pathlib import Path
from typing import Annotated

import typer


def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Pictures of one digit each; folders of them; patterns, such as 'scans/*.png'; "
            "or - for a picture in standard input.",
            show_default=False,
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="A run or a model directory; the model that comes with inkwise if not given.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line, for other programs.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a table with a header.")] = False,
) -> None:
    """Tell what pictures show, or that they show no digit: a line a picture.

    Photos, scans and drawings of any size, dark on light or light on dark. At a terminal, a
    single picture is drawn as the network saw it. The exit code is 1 if one could not be read.
    """
    from inkwise.cli.answers import find_sources, show_answers, show_csv, show_json
    from inkwise.errors import ArgumentError
    from inkwise.model.pretrained import load_pretrained
    from inkwise.runs.directory import find_model

    if json and csv:
        raise ArgumentError("--json and --csv are two forms of the same answers: choose one")
    chosen = load_pretrained() if model is None else find_model(model)
    sources = find_sources(files)
    names = [source.name for source in sources]
    answers = zip(names, chosen.classify_each(source.picture for source in sources), strict=True)
    if json:
        complete = show_json(answers)
    elif csv:
        complete = show_csv(answers)
    else:
        complete = show_answers(answers, names)
    if not complete:
        raise typer.Exit(1)


def serve(
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="A run or a model directory; the model that comes with inkwise if not given.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 for every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for one that is free.")] = 8000,
    workers: Annotated[
        int, typer.Option(help="Processes that share the port; one a core is fastest.")
    ] = 1,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help="What callers must bring; better in the environment, as INKWISE_TOKEN, where "
            "others on the machine do not see it.",
            show_default=False,
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Whose pages may ask from a browser, as https://example.com. Can be given several "
            "times.",
            show_default=False,
        ),
    ] = None,
    keep_corrections: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the pictures that users of the page correct, for `inkwise train --data "
            "DIR`; nothing is kept if not given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Answer about pictures over HTTP, until Ctrl-C: for programs, other machines, and browsers.

    At its address is a page to draw on.

    SIGTERM ends it when all that was asked is answered; SIGHUP loads the model again.
    """
    from inkwise.serving.server import serve as serve_model

    serve_model(
        model,
        host=host,
        port=port,
        workers=workers,
        token=token,
        cors=cors or (),
        keep_corrections=keep_corrections,
        # Standard output is the log's.
        on_ready=lambda address: typer.echo(
            f"inkwise serves on {address}, and what it takes is on {address}/docs", err=True
        ),
    )
