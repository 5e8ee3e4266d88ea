"""What is likely wrong with a text that is not TOML, for those who meet TOML for the first time."""

import re
import tomllib
import unicodedata
from typing import Any

_LONG_TEXT = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'', re.DOTALL)
_MARKS = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*|["\'\[\]{}]')
_HEADER = re.compile(r"\s*\[+\s*[A-Za-z_][\w.-]*\s*(\]|#|$)")
_ASSIGNMENT = re.compile(r"\s*[A-Za-z_][\w.-]*\s*=")
_WORD = re.compile(r"[^\s,;\[\]{}()#=]+")
_CLOSING = {"[": "]", "{": "}"}
_OPENING = {"]": "[", "}": "{"}
_NOTHING = ("none", "null", "nil")
_FLAGS = {"true": "true", "yes": "true", "on": "true"} | dict.fromkeys(
    ("false", "no", "off"), "false"
)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML; whatever is wrong with it is a `TOMLDecodeError`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError as error:
        raise tomllib.TOMLDecodeError("too many brackets stand in one another") from error
    except ValueError as error:
        raise tomllib.TOMLDecodeError("a number has too many digits") from error


def explain_syntax(text: str, error: tomllib.TOMLDecodeError) -> tuple[int | None, str]:
    """Return the line of a mistake in TOML, from 1, if it is known, and what is likely wrong.

    Parameters
    ----------
    text : str
        The text, whose lines end in a line feed.
    error : TOMLDecodeError
        What `parse_toml` raised about it.
    """
    told = re.sub(r" \(at [^()]*\)$", "", str(error))
    lines = text.split("\n")
    place = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
    if place:
        line, column = int(place[1]), int(place[2])
    elif "end of document" in str(error):
        line, column = len(lines), len(lines[-1]) + 1
    else:
        return None, told
    until_there = _LONG_TEXT.sub(lambda found: '""' + "\n" * found[0].count("\n"), text)
    unbalanced = _find_unbalanced(until_there.split("\n")[:line], whole=not place)
    if unbalanced is not None:
        return unbalanced
    before, rest = lines[line - 1][: column - 1], lines[line - 1][column - 1 :]
    return line, _explain_place(before, rest) or _explain_message(told, before, rest) or told


def _find_unbalanced(lines: list[str], *, whole: bool) -> tuple[int, str] | None:
    """Find the first bracket or quotation mark without its other half: its line, and a hint."""
    opened: list[tuple[str, int]] = []
    for number, line in enumerate(lines, 1):
        # A whole text or a comment is no mark, nor is an empty comment.
        marks = [mark for mark in _MARKS.findall(line) if len(mark) == 1 and mark != "#"]
        header = not opened and _HEADER.match(line)
        if opened and (_HEADER.match(line) or _ASSIGNMENT.match(line)):
            if marks.count("}") > marks.count("{") or re.match(r"\s*layer\s*=", line):
                return number, "a { is missing at the beginning of the line"
            return number, f"a ] is missing above, to close the [ of line {opened[-1][1]}"
        for mark in marks:
            if mark in ('"', "'"):
                return number, "a quotation mark is missing in the line"
            if mark in _CLOSING:
                opened.append((mark, number))
            elif not opened or opened[-1][0] != _OPENING[mark]:
                missing = _CLOSING[opened[-1][0]] if opened else _OPENING[mark]
                return number, f"a {missing} is missing before a {mark}, or the {mark} is too many"
            else:
                opened.pop()
        if opened and (header or opened[-1][0] == "{"):
            if re.search(r"=\s*$", line):
                return number, "a value is missing after =, such as a list, which begins with ["
            closing = _CLOSING[opened[-1][0]]
            return number, f"a {closing} is missing in the line: both brackets stand in one line"
    if opened and whole:
        bracket, number = opened[-1]
        return number, f"a {_CLOSING[bracket]} is missing below, to close the {bracket} of the line"
    return None


def _explain_place(before: str, rest: str) -> str | None:
    """Explain a mistake by the characters where it was found, if they alone tell what it is."""
    first = rest[:1]
    if first and not first.isprintable() and first != "\t":
        return f"there is a character that does not belong here, U+{ord(first):04X}"
    name = unicodedata.name(first, "") if first else ""
    if first != '"' and name.endswith(("QUOTATION MARK", "ACCENT")):
        return f'write straight quotation marks, as in "relu", and not {first}'
    if not (first.isascii() or first.isalpha()):
        return f"there is a character that does not belong here, U+{ord(first):04X} ({name})"
    if first == ";":
        return "write a comma between two values, and nothing at the end of a line, in place of ;"
    if rest[:2] in ("//", "/*"):
        return f"a comment begins with #, and not with {rest[:2]}"
    if first == ":":
        return "write = in place of :"
    if first == "(":
        return "write [ ] around a list and { } around a layer, and no ( )"
    if first == "," and before.rstrip()[-1:] in ("", "[", "{", ","):
        return "a comma is too many, or a value or a bracket ] is missing before it"
    if first == "}" and before.rstrip()[-1:] == ",":
        return "leave out the comma before the }"
    return None


def _explain_message(told: str, before: str, rest: str) -> str | None:
    """Explain a mistake by the message of the parser, and where it was found."""
    word = _WORD.match(rest)
    line = before + rest
    if re.match("Cannot (overwrite|declare|mutate|redefine)|Duplicate", told):
        key = re.search("key '(.*)'", told) or re.match(r"[\s\[]*([^\s=\]]+)", line)
        return (
            f"{key[1] if key else 'a key'} stands here for the second time: leave one of both out"
        )
    if told.startswith(("Unclosed array", "Unclosed inline table")):
        if not before.strip():
            return "a comma is missing at the end of the line above"
        return f"a comma is missing before {word[0] if word else rest[:20]}"
    if told.startswith("Expected '='"):
        key = re.search(r"([\w-]+)\s+$", before)
        if key and (more := re.match(r"([\w-]+)\s*=", rest)):
            return f"a key is one word, such as {key[1]}_{more[1]}"
        if key and re.match(r"[\"'\[{\d+-]|true\b|false\b", rest):
            return f"a = is missing after {key[1]}"
        return "write key = value, where the key is one word, such as batch_size = 64"
    if told.startswith("Invalid value"):
        return _explain_value(word[0] if word else "", rest)
    if told.startswith("Expected newline"):
        return _explain_rest(before, rest)
    if told.startswith(("Unescaped", "Escaped", "Invalid hex")):
        return r"write \\ in place of \ in text"
    if told.startswith("Invalid statement"):
        return "a line is key = value, such as epochs = 5, or [optimiser], or begins with #"
    return None


def _explain_value(word: str, rest: str) -> str:
    if rest[:1] == "=":
        return "one = is enough"
    if not word:
        where = f", and here stands {rest[0]}" if rest[:1] not in ("", "#") else ""
        return f"a value is missing after ={where}"
    if word.lower() in _FLAGS:
        return f"write {_FLAGS[word.lower()]}, in small letters, in place of {word}"
    if word.lower() in _NOTHING:
        return f"there is no {word} in TOML: leave the key out"
    if re.match(r"[+-]?\.\d", word):
        return f"write {word.replace('.', '0.', 1)} in place of {word}"
    return f'write "{word}", in quotation marks, if it is text, and numbers as 5 or 0.5'


def _explain_rest(before: str, rest: str) -> str:
    number = re.search(r"[+-]?[\d_]+$", before)
    if number and re.match(r",\d", rest):
        return "write a point in place of the decimal comma"
    if number and rest[0] == ".":
        return f"write {number[0]}.0 in place of {number[0]}."
    if number and rest[0].isdecimal():
        return "a number does not begin with 0"
    if rest.strip() == ",":
        return "leave out the comma at the end of the line"
    return f"one value stands in a line, and {rest.strip()[:40]} does not belong to it"
