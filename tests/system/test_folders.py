"""New directories: claimed if they are empty and leave room for what will be in them."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise.errors import StorageError
from inkwise.system import files
from inkwise.system.folders import claim_folder, claim_next


def long_path(parent: Path, length: int) -> Path:
    """Return a path of so many characters below a folder."""
    path = parent
    while (left := length - len(str(path)) - 1) > 0:
        path /= "n" * (left if left <= 200 else min(200, left - 2))
    return path


@pytest.mark.skipif(os.name == "nt", reason="Windows has another limit")
@given(length=st.integers(300, 3900))
def test_a_path_that_leaves_room_is_claimed(
    length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = claim_folder(long_path(tmp_path_factory.mktemp("long"), length))
    assert [*folder.iterdir()] == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has another limit")
@given(length=st.integers(4000, 4500))
def test_a_path_that_leaves_no_room_is_refused_at_once(
    length: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = long_path(tmp_path_factory.mktemp("long"), length)
    with pytest.raises(StorageError, match=r"leaves no room for the names|name too long"):
        claim_folder(folder)
    assert length > 4095 or not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has another limit")
def test_a_numbered_one_needs_room_too(tmp_path: Path) -> None:
    parent = long_path(tmp_path, 4010)
    parent.mkdir(parents=True)
    with pytest.raises(StorageError, match=r"leaves no room .* its path has 4,0\d\d characters"):
        claim_next(parent, "run")
    assert [*parent.iterdir()] == []


@pytest.mark.parametrize("more", [1, 60])
def test_the_limit_of_windows_is_named_and_not_a_missing_file(
    more: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = long_path(tmp_path, 247 + more)
    with pytest.raises(StorageError, match="No such file"):
        files.read_bytes(path)
    monkeypatch.setattr(files, "LONGEST_PATH", 247)
    told = rf"its path has {247 + more} characters, and Windows takes 247: choose a folder"
    with pytest.raises(StorageError, match=told):
        files.read_bytes(path)
    with pytest.raises(StorageError, match="No such file"):
        files.read_bytes(tmp_path / "short")
