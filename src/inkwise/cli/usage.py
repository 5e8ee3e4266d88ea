"""Mistakes in a command's arguments, in one line: what, where, and what to do."""

import re
import sys
from typing import Any

import typer

from inkwise.networks.words import nearest

UsageError: type[Any] = typer.BadParameter.__bases__[0]
"""What Typer raises about arguments; some of its versions have a click of their own."""


def explain_usage(error: Any) -> str:
    """Return one line about what `UsageError` tells; it is empty if the help was shown instead.

    Parameters
    ----------
    error : UsageError
        The error.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    context = error.ctx
    if context is None:  # as when an option lacks its value
        return _explain(error)
    name = "" if context.parent is None else f" {context.info_name}"
    return f"{_explain(error)}: see inkwise{name} --help"


def _explain(error: Any) -> str:
    parameter = getattr(error, "param", None)
    match type(error).__name__:
        case "NoSuchOption":
            known = [name for each in error.ctx.command.params for name in each.opts]
            near = nearest(_word(error.option_name), [_word(name) for name in known])
            near = near.replace("_", "-").replace("mean '", "mean '--")
            return f"there is no option {error.option_name}{near}"
        case "BadOptionUsage":
            takes = "takes no value" if "not take" in error.message else "needs a value behind it"
            return f"{error.option_name} {takes}"
    if parameter is None:
        return _explain_text(error)
    name = max(parameter.opts, key=len) if parameter.opts[0][:1] == "-" else parameter.metavar
    if type(error).__name__ == "MissingParameter":
        told = (getattr(parameter, "help", None) or "").rstrip(".")
        return f"{name} is missing{f', {told[0].lower()}{told[1:]}' if told else ''}"
    value = _value_of(parameter.opts, sys.argv[1:])
    if value is None or not (kind := re.search("integer|float|number", error.message)):
        return f"{name}: {error.message.rstrip('.')}"
    return f"{name} must be {'a whole' if kind[0] == 'integer' else 'a'} number, not {value!r}"


def _word(option: str) -> str:
    return option.lstrip("-").replace("-", "_")


def _explain_text(error: Any) -> str:
    message = error.format_message().rstrip(".?")
    if found := re.search(r"No such command '(.*?)'", message):
        return f"there is no command {found[1]!r}{nearest(found[1], error.ctx.command.commands)}"
    if found := re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)", message):
        return f"there is one argument too many, {found[1]}"
    return message


def _value_of(options: list[str], arguments: list[str]) -> str | None:
    """Return the last value of an option on the command line, if it is found there."""
    value = None
    for place, argument in enumerate(arguments):
        name, equals, behind = argument.partition("=")
        if name in options:
            value = behind if equals else next(iter(arguments[place + 1 :]), None)
    return value
