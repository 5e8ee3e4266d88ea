"""The command that answers over HTTP."""

from pathlib import Path
from typing import Annotated

import typer


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
