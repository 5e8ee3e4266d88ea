"""The small reader of HDF5, on files that HDF5's own library wrote."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inkwise.export.hdf5 import Node

NAMES = st.text(st.characters(exclude_characters="/\0", codec="ascii"), min_size=1, max_size=9)
NAMES = NAMES.filter(lambda name: name != ".")
FLOATS = arrays.arrays(
    st.sampled_from(["<f2", "<f4", "<f8"]), arrays.array_shapes(min_dims=0, max_dims=4)
)
REFUSALS = (ValueError, KeyError)


def written(write: Callable[[Any], object], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **options) as file:
        write(file)
    return buffer.getvalue()


@given(st.dictionaries(NAMES, FLOATS, max_size=5), st.lists(NAMES, min_size=1, max_size=4))
def test_arrays_come_back_as_they_were_written(content: dict[str, Any], path: list[str]) -> None:
    place = "/".join(path)

    def write(file: Any) -> None:
        group = file.create_group(place)
        for name, array in content.items():
            group[name] = array

    group = Node(written(write))[place]

    assert set(group.members) == set(content)
    for name, array in content.items():
        assert group[name].shape == array.shape
        assert group[name].array().dtype == array.dtype
        np.testing.assert_array_equal(group[name].array(), array)


@given(
    st.dictionaries(
        NAMES, st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"))), max_size=4
    )
)
def test_attributes_come_back_as_they_were_written(content: dict[str, list[str]]) -> None:
    def write(file: Any) -> None:
        file.attrs.update(content)
        group = file.create_group("fixed")
        for name, texts in content.items():
            group.attrs[name] = [text.encode() for text in texts]

    root = Node(written(write))

    for name, texts in content.items():
        assert root.texts(name) == texts
        assert root["fixed"].texts(name) == texts


def test_text_that_fills_an_attribute() -> None:
    long = "x" * 64_000

    def write(file: Any) -> None:
        file.attrs["text"] = long
        file.attrs["bytes"] = long.encode()

    root = Node(written(write))

    assert root.text("text") == root.text("bytes") == long


def test_a_group_of_many_members() -> None:
    raw = written(lambda file: [file.create_group(f"{n}/inner") for n in range(1_000)])

    assert set(Node(raw).members) == {str(number) for number in range(1_000)}
    assert set(Node(raw)["999"].members) == {"inner"}


@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.create_dataset("x", data=np.zeros(9), compression="gzip"),
        lambda file: file.create_dataset("x", data=np.zeros(9), chunks=(3,)),
        lambda file: file.create_dataset("x", shape=(9,), dtype="<f4"),  # never written
        lambda file: file.create_dataset("x", data=np.zeros(9, ">f4")),
        lambda file: file.create_dataset("x", data=np.zeros(9, "<i4")),
        lambda file: file.create_group("x"),
        lambda file: None,
    ],
    ids=["compressed", "chunked", "unwritten", "big-endian", "whole", "group", "missing"],
)
def test_an_array_that_keras_would_not_write_is_refused(write: Callable[[Any], object]) -> None:
    root = Node(written(write))

    with pytest.raises(REFUSALS):
        root["x"].array()


@pytest.mark.parametrize("link", [h5py.SoftLink("/y"), h5py.ExternalLink("other.h5", "/y")])
def test_links_are_not_followed(link: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["y"] = np.zeros(3)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["y"] = np.zeros(3)
        file["x"] = link

    with pytest.raises(REFUSALS):
        Node((tmp_path / "file.h5").read_bytes())["x"]


def test_an_array_in_another_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(36))
    with h5py.File(tmp_path / "file.h5", "w") as file:
        outside = [(str(tmp_path / "secret"), 0, 36)]
        file.create_dataset("x", shape=(9,), dtype="<f4", external=outside)

    with pytest.raises(ValueError, match="plain floating-point"):
        Node((tmp_path / "file.h5").read_bytes())["x"].array()


def test_names_beyond_ascii_are_refused() -> None:
    root = Node(written(lambda file: file.create_group("größe")))

    with pytest.raises(ValueError, match="ASCII"):
        root["größe"]


def test_the_format_of_later_versions_is_refused() -> None:
    raw = written(lambda file: file.create_group("x"), libver="latest")

    with pytest.raises(ValueError, match="not the kind of HDF5 file that Keras writes"):
        Node(raw)


@pytest.mark.parametrize("what", ["texts", "text"])
def test_an_attribute_that_is_not_text_is_refused(what: str) -> None:
    def write(file: Any) -> None:
        file.attrs["number"] = 3

    with pytest.raises(ValueError, match="not text"):
        getattr(Node(written(write)), what)("number")


def test_a_missing_attribute_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="text"):
        Node(written(lambda file: None)).text("text")


@given(st.data())
def test_a_truncated_file_is_refused(data: st.DataObject) -> None:
    raw = written(lambda file: file.create_dataset("x/y", data=np.zeros(9)))
    length = data.draw(st.integers(0, len(raw) - 1))

    with pytest.raises(ValueError, match=r"cut off|ends after|not the kind"):
        Node(raw[:length])


def test_structures_that_lead_into_themselves_end() -> None:
    raw = written(lambda file: file.create_group("x"))
    tree = raw.index(b"TREE")
    looped = bytearray(raw)
    looped[tree + 32 : tree + 40] = tree.to_bytes(8, "little")  # a node that is its own child

    with pytest.raises(ValueError, match="leads into itself"):
        _ = Node(bytes(looped)).members
