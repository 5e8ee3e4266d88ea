"""The ``inkwise`` command: its subcommands, and the handling of errors."""

import atexit
import gc
import sys
from typing import Annotated

import typer

from inkwise.cli.audit import audit
from inkwise.cli.bench import bench
from inkwise.cli.compare import compare
from inkwise.cli.cross_validate import cross_validate
from inkwise.cli.data import data
from inkwise.cli.design import design
from inkwise.cli.evaluate import evaluate
from inkwise.cli.explain import explain
from inkwise.cli.export import export
from inkwise.cli.import_ import import_
from inkwise.cli.info import info
from inkwise.cli.map import map_
from inkwise.cli.predict import predict
from inkwise.cli.read import read
from inkwise.cli.recipes import recipes
from inkwise.cli.report import report
from inkwise.cli.resume import resume
from inkwise.cli.robustness import robustness
from inkwise.cli.serve import serve
from inkwise.cli.sheet import sheet
from inkwise.cli.streams import echo, prepare
from inkwise.cli.sweep import sweep
from inkwise.cli.train import train
from inkwise.cli.usage import UsageError, explain_usage

app = typer.Typer(
    help="Train a handwritten-digit CNN, evaluate it honestly, and look at every mistake.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    train,
    recipes,
    design,
    resume,
    evaluate,
    compare,
    sweep,
    cross_validate,
    robustness,
    predict,
    read,
    sheet,
    serve,
    report,
    explain,
    map_,
    export,
    import_,
    data,
    audit,
    info,
    bench,
):
    app.command(command.__name__.rstrip("_").replace("_", "-"))(command)


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)
    ] = False,
) -> None:
    """Train a handwritten-digit CNN, evaluate it honestly, and look at every mistake."""
    if version:
        from inkwise.version import __version__

        echo(f"inkwise {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; an error is one line, with exit code 2 for arguments and 1 otherwise."""
    from inkwise.errors import ArgumentError, InkwiseError

    # Without this, Python looks for unreachable objects among all of PyTorch's before it ends.
    atexit.register(gc.freeze)
    prepare()
    try:
        # Typer would show its errors in boxes of several lines.
        sys.exit(app(standalone_mode=False) or 0)
    except UsageError as error:
        if told := explain_usage(error):
            echo(f"error: {InkwiseError(told)}", err=True)  # in one line that is not endless
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except InkwiseError as error:
        echo(f"error: {error}", err=True)
        sys.exit(2 if isinstance(error, ArgumentError) else 1)
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        told = f"the operating system refused{place}: {error.strerror or error}"
        echo(f"error: {InkwiseError(told)}", err=True)
        sys.exit(1)
