"""The command that serves a model over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.streams import echo


def serve(
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="A run, a model directory or an .onnx file of inkwise; the model that comes with "
            "inkwise if not given.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(help="The address to listen on; 0.0.0.0 for all addresses of this machine."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port; 0 for any free one.")] = 8000,
    workers: Annotated[
        int, typer.Option(help="Number of processes that share the port; one per core is fastest.")
    ] = 1,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help="A token that requests must carry. Setting it as INKWISE_TOKEN in the environment "
            "is safer, because other users of the machine do not see it there.",
            show_default=False,
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="An origin whose pages may send requests from a browser, such as "
            "https://example.com. Can be given several times.",
            show_default=False,
        ),
    ] = None,
    keep_corrections: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Store the pictures that users of the page correct, for `inkwise train --from "
            "MODEL --data DIR`; nothing is stored if not given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve a model over HTTP, for programs and browsers, until Ctrl-C.

    The address itself shows a page to draw digits on.

    SIGTERM ends the service after all pending requests are answered; SIGHUP
    reloads the model.
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
        # Standard output is for the log.
        on_ready=lambda address: echo(
            f"inkwise serves on {address}; its API is described on {address}/docs", err=True
        ),
    )
