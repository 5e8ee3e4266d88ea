"""The reference of the commands, written from the commands themselves."""

import re
from pathlib import Path
from typing import Any

import typer

from inkwise.cli.main import app

TOP = """# Commands

This page is written from the program, so that it says what `inkwise COMMAND --help` says.
Every command ends with code 0 where all went well, 1 where it failed, and 2 where its arguments
make no sense; an error is one line that says what is wrong, where, and what to do.
"""


def write_commands(path: Path) -> None:
    """Write a section for each command, with its arguments and options."""
    group: Any = typer.main.get_command(app)
    sections = [_section(name, group.commands[name]) for name in group.list_commands(None)]
    _write_changed(path, "\n".join([TOP, *sections]))


def write_names(path: Path, names: list[str], kinds: dict[str, list[str]]) -> None:
    """Write the list of public names; every one must be of exactly one kind.

    Parameters
    ----------
    path : Path
    names : list of str
        What the package exports.
    kinds : dict
        Headings, and the names under each.
    """
    listed = sorted(name for group in kinds.values() for name in group)
    if listed != sorted(names):
        different = sorted(set(listed) ^ set(names))
        raise ValueError(f"docs/conf.py must list every public name once: see {different}")
    lines = [
        "# Python interface",
        "",
        "Every public name is an attribute of the package: `import inkwise`, then `inkwise.train`.",
        "Importing the package is quick, because PyTorch and the other large libraries are",
        "imported only when a function needs them. Arguments after the `*` must be given by name.",
        "",
    ]
    for heading, group in kinds.items():
        lines += [
            f"## {heading}",
            "",
            "```{eval-rst}",
            ".. autosummary::",
            "   :toctree: api",
            "   :nosignatures:",
            "",
        ]
        lines += [f"   inkwise.{name}" for name in group]
        lines += ["```", ""]
    _write_changed(path, "\n".join(lines))


def _section(name: str, command: Any) -> str:
    summary, _, rest = command.help.strip().partition("\n\n")
    context = command.context_class(command, info_name=name)
    records = [parameter.get_help_record(context) for parameter in command.params]
    usage = " ".join(["inkwise", name, *command.collect_usage_pieces(context)])
    usage = re.sub("[{}]", "", usage).replace("......", "...")
    return "\n".join(
        [
            f"## `inkwise {name}`\n\n{summary}\n",
            f"{rest}\n" if rest else "",
            f"```text\n{usage}\n```\n",
            "| argument or option | meaning |\n|---|---|",
            *(_row(*record) for record in records if record),  # a hidden one has none
            "",
        ]
    )


def _row(term: str, text: str) -> str:
    """Make a row of what `--help` says, such as ``--port <int>`` and ``…  [default: 8000]``."""
    if not term.startswith("-"):
        term = term.split(maxsplit=1)[0]
    term = re.sub("<(.+)>", lambda kind: kind[1].upper(), term)
    text, _, rest = " ".join(text.split()).partition(" [default: ")
    text = text.removesuffix(" [required]").replace("|", r"\|")
    return f"| `{term}` | {text}{f' The default is `{rest[:-1]}`.' if rest else ''} |"


def _write_changed(path: Path, text: str) -> None:
    """Write a page; one that has not changed keeps its time, so that Sphinx does not read it."""
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")
