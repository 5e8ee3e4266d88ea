"""What holds results: fixed once it is made, and equal to itself alone where it holds arrays."""

import dataclasses
import importlib
import pkgutil
import re

import pytest

PACKAGES = ("ink", "model", "networks", "evaluation", "comparison")


def find_dataclasses(package: str) -> list[type]:
    folder = importlib.import_module(f"inkwise.{package}").__path__
    names = [module.name for module in pkgutil.iter_modules(folder) if module.name != "as_keras"]
    modules = [importlib.import_module(f"inkwise.{package}.{name}") for name in names]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and dataclasses.is_dataclass(value)
        and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_made_is_not_changed(package: str) -> None:
    for kind in find_dataclasses(package):
        made: object = object.__new__(kind)
        name = dataclasses.fields(kind)[0].name if dataclasses.fields(kind) else "anything"
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, None)


def test_what_holds_arrays_is_equal_to_itself_alone() -> None:
    """Arrays are equal or not element by element, so that what holds them could not be told."""
    kinds = [kind for package in PACKAGES for kind in find_dataclasses(package)]
    without_equality = {"ndarray"}
    for _ in kinds:  # what holds what holds arrays, however deep
        for kind in kinds:
            held = " ".join(str(field.type) for field in dataclasses.fields(kind))
            if without_equality & {*re.findall(r"\w+", held)}:
                without_equality.add(kind.__name__)
    for kind in kinds:
        compared = any("__eq__" in vars(base) for base in kind.__mro__[:-1])
        assert compared != (kind.__name__ in without_equality), kind
    assert {"Evaluation", "Model"} <= without_equality
