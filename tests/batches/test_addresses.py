"""Sources and answers at addresses: an object store of this test's own, memory, this machine."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import fsspec
import pandas
import pytest
from moto.server import ThreadedMotoServer

from inkwise import Tally, answer_pictures
from inkwise.errors import LibraryError, StorageError
from tests.batches.conftest import encoded, numbered, write_folder, write_parquet, write_tar
from tests.strokes import strokes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_shards: None
) -> Iterator[str]:
    """The address of a bucket with pictures, a tar and a table."""
    for name, value in (
        ("ACCESS_KEY_ID", "a"),
        ("SECRET_ACCESS_KEY", "b"),
        ("REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="scans")
    for name, kind in numbered(23):
        client.put_object(Bucket="scans", Key=f"deep/er/{name}", Body=encoded(kind))
    client.put_object(Bucket="scans", Key="deep/bad.png", Body=b"seven")
    for path in (write_tar(tmp_path / "a.tar", 23), write_parquet(tmp_path / "a.parquet", 23)):
        client.upload_file(str(path), "scans", f"packed/{path.name}")
    yield "s3://scans"
    fsspec.config.conf.clear()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="scans"):
        for entry in page.get("Contents", ()):
            client.delete_object(Bucket="scans", Key=entry["Key"])
    client.delete_bucket(Bucket="scans")


@pytest.mark.parametrize(
    ("source", "tally"),
    [
        ("deep", Tally(24, 1, 0)),
        ("deep/er/*-flat.png", Tally(5, 0, 0)),
        ("packed/a.tar", Tally(23, 0, 46)),
        ("packed/*.parquet", Tally(23, 0, 0)),
    ],
)
def test_what_an_address_stands_for_is_answered_to_an_address(
    source: str, tally: Tally, bucket: str
) -> None:
    output = f"{bucket}/answers.parquet"

    assert answer_pictures(f"{bucket}/{source}", output, model=strokes()) == tally
    assert answer_pictures(f"{bucket}/{source}", output, model=strokes(), resume=True) == tally

    table = pandas.read_parquet(output)
    assert table.file.is_unique
    assert len(table) == tally.pictures
    assert table.file.str.startswith(bucket).all()


def test_a_job_at_an_address_goes_on(bucket: str, tmp_path: Path) -> None:
    output = f"{bucket}/answers"
    answer_pictures(f"{bucket}/packed/a.tar", output, model=strokes())
    system, _ = fsspec.core.url_to_fs(output)
    *_, last = sorted(system.glob(f"{output}/part-*"))
    system.rm(last)

    tally = answer_pictures(f"{bucket}/packed/a.tar", output, model=strokes(), resume=True)

    assert tally == Tally(23, 0, 46)
    assert pandas.read_parquet(output).file.is_unique


def test_a_list_may_name_addresses(bucket: str, tmp_path: Path) -> None:
    names = [name for name, _ in numbered(5)] + ["no-such.png"]
    (tmp_path / "list.txt").write_text("".join(f"{bucket}/deep/er/{name}\n" for name in names))

    assert answer_pictures(tmp_path / "list.txt", tmp_path / "out", model=strokes()) == (6, 1, 0)

    [error] = pandas.read_parquet(tmp_path / "out").error.dropna()
    assert "there is no such file" in error


@pytest.mark.parametrize("source", ["s3://scans/nothing", "s3://no-bucket", "nothing://scans/a"])
def test_an_address_without_pictures_is_one_line(source: str, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"cannot read {source}"):
        answer_pictures(source, tmp_path / "out", model=strokes())
    assert not [*tmp_path.glob("out/*")]


def test_a_store_that_cannot_be_reached_stops_the_job_and_costs_no_picture(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    names = [f"{bucket}/deep/er/{name}" for name, _ in numbered(23)]
    (tmp_path / "list.txt").write_text("\n".join(names))
    output = tmp_path / "out"
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"  # where nobody listens
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(StorageError, match="cannot read s3://"):
        answer_pictures(tmp_path / "list.txt", output, model=strokes())
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    fsspec.get_filesystem_class("s3").clear_instance_cache()

    assert answer_pictures(tmp_path / "list.txt", output, model=strokes(), resume=True).errors == 0
    assert len(pandas.read_parquet(output)) == 23


@pytest.fixture
def memory() -> Iterator[str]:
    """The address of a folder of fsspec's own store, in the memory of this process."""
    system = fsspec.filesystem("memory")
    for name, kind in numbered(23):
        system.pipe_file(f"/scans/{name}", encoded(kind))
    yield "memory://"
    system.rm("/", recursive=True)


def test_any_store_that_fsspec_knows_is_read_written_and_gone_on_with(
    memory: str, small_shards: None
) -> None:
    output = f"{memory}answers"
    assert answer_pictures(f"{memory}scans", output, model=strokes()) == Tally(23, 0, 0)
    system = fsspec.filesystem("memory")
    *_, last = sorted(system.glob("/answers/part-*"))
    system.rm(last)
    again = answer_pictures(f"{memory}scans", output, model=strokes(), resume=True)
    assert again == Tally(23, 0, 0)
    assert pandas.read_parquet(output).file.nunique() == 23


@pytest.mark.parametrize("scheme", ["file", "local"])
def test_an_address_of_this_machine_is_a_path(scheme: str, tmp_path: Path) -> None:
    scans = write_folder(tmp_path / "scans", 5)
    source, output = f"{scheme}://{scans}", f"{scheme}://{tmp_path}/new/answers"
    answer_pictures(source, output, model=strokes())
    by_path = answer_pictures(scans, tmp_path / "new" / "answers", model=strokes(), resume=True)
    assert by_path == Tally(5, 0, 0)


@pytest.mark.parametrize(
    ("address", "package"),
    [("gs://bucket/scans", "gcsfs"), ("abfs://scans/a.tar", "adlfs"), ("sftp://a/b", "paramiko")],
)
def test_an_address_whose_package_is_missing_says_which_it_is(
    address: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    scans = write_folder(tmp_path / "scans", 1)
    for source, output in ((address, tmp_path / "out"), (scans, address)):
        with pytest.raises(LibraryError, match=f"^{address} needs another package: .*{package}"):
            answer_pictures(source, output, model=strokes())
    assert not (tmp_path / "out").exists()
