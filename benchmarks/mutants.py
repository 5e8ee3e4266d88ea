"""Mutants: modules with one small mistake, drawn at random.

The mistakes are those of cosmic-ray's operators: another operator, comparison, number or keyword, a
condition reversed, a loop without iterations, a decorator removed.
"""

import ast
import collections
import contextlib
import difflib
import math
import random
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

Places = dict[tuple[int, int], list[tuple[Any, int]]]


class Mutant(NamedTuple):
    """A module, below the package's folder, before and after one change."""

    module: str
    source: str
    mutated: str

    @property
    def change(self) -> tuple[int, str, str]:
        """The number of the first line that differs, the line and the mutated line."""
        lines = zip(self.source.splitlines(), self.mutated.splitlines(), strict=False)
        return next(
            (number, line.strip(), mutated.strip())
            for number, (line, mutated) in enumerate(lines, 1)
            if line != mutated
        )

    @property
    def diff(self) -> str:
        """The change with the lines around it."""
        lines = difflib.unified_diff(
            self.source.splitlines(), self.mutated.splitlines(), self.module, n=2, lineterm=""
        )
        return "\n".join(lines)


def draw_mutants(sources: dict[str, str], count: int, seed: int) -> list[Mutant]:
    """Draw places that can be changed, of every module an equal share, and a change for each.

    What is drawn from a module does not depend on the others, nor on its docstrings and comments.
    """
    places = {module: find_places(source) for module, source in sources.items()}
    share = count / sum(map(len, places.values()))
    mutants = []
    for module, source in sources.items():
        generator = random.Random(f"{seed} {module}")  # noqa: S311
        number = math.floor(share * len(places[module]) + generator.random())
        for place in generator.sample(sorted(places[module]), min(number, len(places[module]))):
            changes = places[module][place]
            generator.shuffle(changes)
            mutants += [*_mutate(module, source, changes)][:1]
    return mutants


def find_places(source: str) -> Places:
    """Return what can be changed where; not annotations, nor the stars between parameters."""
    hints = [span for node in ast.walk(ast.parse(source)) for span in _annotations(node)]
    nodes = [*ast_nodes(get_ast(source))]
    places: Places = collections.defaultdict(list)
    for operator in map(cosmic_ray.plugins.get_operator, cosmic_ray.plugins.operator_names()):
        if operator.arguments():  # it would have to be told what to insert
            continue
        found = (
            (node, start) for node in nodes for start, _ in operator().mutation_positions(node)
        )
        for occurrence, (node, start) in enumerate(found):
            star = node.parent is not None and node.parent.type == "parameters"
            if not star and not any(first <= start < last for first, last in hints):
                places[start].append((operator(), occurrence))
    return places


def _annotations(node: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
        if hint is not None:
            yield (hint.lineno, hint.col_offset), (hint.end_lineno, hint.end_col_offset)


def _mutate(module: str, source: str, changes: list[tuple[Any, int]]) -> Iterator[Mutant]:
    """Generate the mutants that are Python."""
    for operator, occurrence in changes:
        mutated = mutate_code(source, operator, occurrence)
        with contextlib.suppress(SyntaxError), warnings.catch_warnings(action="ignore"):
            compile(mutated, module, "exec")
            yield Mutant(module, source, mutated)
