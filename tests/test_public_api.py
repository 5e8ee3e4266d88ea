"""The names that the package promises."""

import importlib.metadata
import inspect

import pytest

import inkwise


@pytest.mark.parametrize("name", inkwise.__all__)
def test_every_promised_name_is_there_and_documented(name: str) -> None:
    promised = getattr(inkwise, name)

    assert promised.__name__ == name
    assert promised.__module__.startswith("inkwise.")
    assert inspect.getdoc(promised)


def test_names_are_sorted_and_each_promised_once() -> None:
    assert inkwise.__all__ == sorted(set(inkwise.__all__))


def test_dir_lists_the_promised_names() -> None:
    assert set(inkwise.__all__) <= set(dir(inkwise))
    assert "__version__" in dir(inkwise)


def test_star_import_brings_the_promised_names() -> None:
    namespace: dict[str, object] = {}

    exec("from inkwise import *", namespace)  # noqa: S102

    assert set(namespace) - {"__builtins__"} == set(inkwise.__all__)


def test_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'inkwise' has no attribute 'predcit'"):
        _ = inkwise.predcit
    assert not hasattr(inkwise, "no_such_name")


def test_version_is_that_of_the_distribution() -> None:
    assert inkwise.__version__ == importlib.metadata.version("inkwise")


def test_every_error_of_the_package_is_an_inkwise_error() -> None:
    from inkwise import errors

    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]

    assert len(kinds) > 5
    assert all(issubclass(kind, inkwise.InkwiseError) for kind in kinds)
    # Callers that know nothing of inkwise catch a bad argument as what it is.
    assert issubclass(errors.ArgumentError, ValueError)
