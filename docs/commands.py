"""The reference of the commands, written from the commands themselves."""

from pathlib import Path
from typing import Any

import typer

TOP = """# Commands

This page is written from the program, so that it says what `inkwise COMMAND --help` says.
Every command ends with code 0 where all went well, 1 where it failed, and 2 where its arguments
make no sense; an error is one line that says what is wrong, where, and what to do.
"""


def write_commands(path: Path) -> None:
    """Write a section for each command, with its arguments and options."""
    from inkwise.cli.app import app

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
        "Importing the package is quick, because PyTorch and the other large libraries are imported",
        "only when a function needs them. Arguments after the `*` must be given by name.",
        "",
    ]
    for heading, group in kinds.items():
        lines += [f"## {heading}", "", "```{eval-rst}", ".. autosummary::", "   :toctree: api", ""]
        lines += [f"   inkwise.{name}" for name in group]
        lines += ["```", ""]
    _write_changed(path, "\n".join(lines))


def _section(name: str, command: Any) -> str:
    summary, _, rest = command.help.strip().partition("\n\n")
    parameters = [p for p in command.params if not p.hidden]
    pieces = [piece for p in parameters for piece in p.get_usage_pieces(None)]
    usage = " ".join(["inkwise", name, "[OPTIONS]", *pieces])
    rows = [_row(parameter) for parameter in parameters]
    return "\n".join(
        [
            f"## `inkwise {name}`\n\n{summary}\n",
            f"{rest}\n" if rest else "",
            f"```\n{usage}\n```\n",
            "| argument or option | meaning |\n|---|---|",
            *rows,
            "",
        ]
    )


def _row(parameter: Any) -> str:
    value = parameter.metavar or str(parameter.display_type).strip("<>").upper()
    if parameter.param_type_name == "argument":
        term = value
    else:
        term = ", ".join(parameter.opts)
        term += "" if parameter.is_flag else f" {value}"
    text = " ".join((parameter.help or "").split()).replace("|", r"\|")
    if parameter.param_type_name == "option" and not parameter.is_flag:
        default = parameter.default
        text += "" if default in (None, [], ()) else f" The default is `{default}`."
    return f"| `{term}` | {text} |"


def _write_changed(path: Path, text: str) -> None:
    """Write a page; one that has not changed keeps its time, so that Sphinx does not read it."""
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")
