import os
import re
import stat
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from inkwise.data import download
from inkwise.data.download import fetch, reachable
from inkwise.data.idx import read_idx, write_idx
from inkwise.errors import DataError, DownloadError, StorageError
from tests.data import mirror
from tests.data.mirror import Bar, Behaviour, Mirror, refusing_address, unanswering_address

NAME = "noise-idx3-ubyte.gz"
NOISE = np.random.default_rng(0).integers(0, 256, (300, 28, 28), dtype=np.uint8)


PATIENT = 60.0
"""So many seconds of waiting are told from none on the busiest machine."""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_idx(tmp_path_factory.mktemp("noise") / NAME, NOISE).read_bytes()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes ten seconds, and a quarter of a gigabyte, in earnest."""
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.3)
    monkeypatch.setattr(download, "READ_SECONDS", 0.3)
    monkeypatch.setattr(download, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(download, "MAX_DOWNLOAD_BYTES", 1_000_000)


def verify(path: Path) -> None:
    if not np.array_equal(read_idx(path), NOISE):
        raise DataError(f"{path} is not the noise that was asked for")


MISBEHAVIOURS = [
    pytest.param(mirror.cut, "broke off", id="cut"),
    pytest.param(mirror.cut_without_length, "damaged", id="cut without length"),
    pytest.param(mirror.corrupt, "damaged|not the noise", id="corrupt"),
    pytest.param(mirror.error_page, "not an IDX file", id="error page"),
    pytest.param(mirror.undecodable, "DecodeError", id="undecodable"),
    pytest.param(mirror.status(404), "answered 404 Not Found$", id="404"),
    pytest.param(mirror.status(500), "answered 500 Internal Server Error$", id="500"),
    pytest.param(mirror.status(599), "answered 599$", id="a status without a name"),
    pytest.param(mirror.silent, "was silent for 0.3 s", id="silent"),
    pytest.param(mirror.silent_after_a_while, "was silent|broke off", id="silent after a while"),
    pytest.param(mirror.trickle, "was too slow", id="trickle"),
    pytest.param(mirror.flood, "more than 1,000,000 bytes", id="flood"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("behaviour", "told"), MISBEHAVIOURS)
def test_the_next_mirror_delivers_where_one_misbehaves(
    behaviour: Behaviour, told: str, content: bytes, tmp_path: Path
) -> None:
    bar = Bar()
    with Mirror({NAME: content}, behaviour) as bad, Mirror({NAME: content}) as good:
        path = fetch(NAME, [bad.address, good.address], tmp_path / "new", verify, bar)
    assert (bad.requests, good.requests) == ([f"/{NAME}"], [f"/{NAME}"])
    assert path == tmp_path / "new" / NAME
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]
    # What a failed mirror sent does not count.
    assert (bar.total, bar.done) == (len(content), len(content))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("behaviour", "told"), MISBEHAVIOURS)
def test_without_a_good_mirror_the_error_says_what_each_one_did(
    behaviour: Behaviour, told: str, content: bytes, tmp_path: Path
) -> None:
    with (
        Mirror({NAME: content}, behaviour) as bad,
        Mirror({}) as empty,
        pytest.raises(DownloadError, match=f"could not fetch {NAME}") as caught,
    ):
        fetch(NAME, [bad.address, empty.address], tmp_path, verify)
    message = str(caught.value)
    assert "\n" not in message
    first, second = message.split(f"; {empty.host} ")
    assert second == "answered 404 Not Found)"
    assert re.search(told, first.split(f"{bad.host} ")[1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("impatient")
def test_mirrors_that_cannot_be_connected_to_are_told_apart_from_silent_ones(
    tmp_path: Path,
) -> None:
    with unanswering_address() as unanswering, pytest.raises(DownloadError) as caught:
        fetch(NAME, [refusing_address(), unanswering, "http://x.invalid/"], tmp_path, verify)
    refused, unanswered, unresolved = str(caught.value).split("; ")
    assert "ConnectionError" in refused
    assert "accepted no connection within 0.3 s" in unanswered
    assert "x.invalid " in unresolved


@pytest.mark.parametrize(
    "behaviour",
    [mirror.serve_without_length, mirror.serve_with_senseless_length, mirror.serve_encoded],
)
def test_a_download_of_unstated_length_is_drawn_without_a_total(
    behaviour: Behaviour, content: bytes, tmp_path: Path
) -> None:
    bar = Bar()
    with Mirror({NAME: content}, behaviour) as good:
        path = fetch(NAME, [good.address], tmp_path, verify, bar)
    verify(path)
    assert (bar.total, bar.done) == (0, path.stat().st_size)


def test_a_damaged_older_file_is_replaced_only_by_an_intact_one(
    content: bytes, tmp_path: Path
) -> None:
    old = tmp_path / NAME
    old.write_bytes(b"damaged")
    with Mirror({NAME: content}, mirror.cut) as bad, pytest.raises(DownloadError):
        fetch(NAME, [bad.address], tmp_path, verify)
    assert old.read_bytes() == b"damaged"
    with Mirror({NAME: content}) as good:
        fetch(NAME, [good.address], tmp_path, verify)
    assert old.read_bytes() == content


def test_a_fetched_file_has_the_permissions_of_any_other_new_file(
    content: bytes, tmp_path: Path
) -> None:
    before = os.umask(0o027)
    try:
        with Mirror({NAME: content}) as good:
            path = fetch(NAME, [good.address], tmp_path, verify)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_in_the_folder_s_place_is_a_storage_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Mirror({NAME: content}) as good, pytest.raises(StorageError, match="file"):
        fetch(NAME, [good.address], tmp_path / "file" / "cache", verify)


def test_a_server_that_accepts_connections_is_reachable_whatever_the_others_do() -> None:
    start = time.monotonic()
    with Mirror({}) as good, unanswering_address() as unanswering:
        assert reachable([refusing_address(), unanswering, good.address], PATIENT)
    assert time.monotonic() - start < PATIENT / 2


def test_a_refused_connection_is_answered_at_once() -> None:
    start = time.monotonic()
    assert not reachable([refusing_address(), refusing_address()], PATIENT)
    assert time.monotonic() - start < PATIENT / 2


@pytest.mark.slow
def test_silence_and_unknown_names_are_waited_for_as_long_as_was_said_and_all_at_once() -> None:
    start = time.monotonic()
    with unanswering_address() as one, unanswering_address() as other:
        assert not reachable([one, other, "https://mirror.invalid/mnist/"], 2)
    assert 2 <= time.monotonic() - start < 4
    assert 2 < download.PROBE_SECONDS < 3  # as long as it is unless said otherwise


def test_without_addresses_nothing_is_reachable() -> None:
    assert not reachable([])


def test_a_proxy_is_probed_instead_of_the_address_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Mirror({}) as server:
        monkeypatch.setenv("http_proxy", refusing_address())
        assert not reachable([server.address])
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert reachable([server.address])
        for proxy in (server.address, server.host):  # the scheme may be left out
            monkeypatch.setenv("http_proxy", proxy)
            assert reachable(["http://mirror.invalid/"])


def test_a_file_comes_through_a_proxy(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mirror({NAME: content}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.address)
        path = fetch(NAME, ["http://mirror.invalid/"], tmp_path, verify)
    assert path.read_bytes() == content
    assert proxy.requests == [f"http://mirror.invalid/{NAME}"]


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:many/", f"http://{'x' * 64}.invalid/"])
def test_a_senseless_proxy_is_a_plain_failure(
    proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    uncaught: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", uncaught.append)
    before = threading.enumerate()
    assert not reachable(["http://mirror.invalid/"])
    for thread in set(threading.enumerate()) - set(before):
        thread.join()
    assert uncaught == []
    with pytest.raises(DownloadError, match=r"mirror\.invalid"):
        fetch(NAME, ["http://mirror.invalid/"], tmp_path, verify)
