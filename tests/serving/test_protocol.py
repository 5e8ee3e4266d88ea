"""How long a connection may wait, and what it may wait with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from inkwise.serving.protocol import BoundedProtocol

HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n"
SHORT, LONG = 0.3, 60

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the length of the body, or at once where the path says so."""
    length = 0
    while scope["path"] != "/at-once":
        message = await receive()
        length += len(message["body"])
        if not message["more_body"]:
            break
    body = str(length).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def connected(*, head: float, keep_alive: float) -> AsyncIterator[Streams]:
    """Connect to a server that waits so many seconds for a head, and for a request."""

    class Protocol(BoundedProtocol):
        seconds = head

    config = uvicorn.Config(answer, http=Protocol, ws="none", log_config=None)
    config.load()
    config.timeout_keep_alive = keep_alive  # type: ignore[assignment]
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LONG)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    return await reader.readexactly(1)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    return await asyncio.wait_for(reader.read(), LONG) == b""


@pytest.mark.parametrize("begun", [b"G", b"\r\n", HEAD[:-2]], ids=["letter", "blank", "head"])
@pytest.mark.parametrize("answered", [False, True], ids=["first", "later"])
def test_a_head_that_does_not_end_is_cut_off(begun: bytes, answered: bool) -> None:
    async def wait() -> None:
        async with connected(head=SHORT, keep_alive=LONG) as (reader, writer):
            if answered:
                writer.write(HEAD + b"sevens")
                assert await read_answer(reader) == b"6"
            writer.write(begun)
            assert await is_closed(reader)

    asyncio.run(wait())


def test_more_bytes_gain_a_head_no_time() -> None:
    async def wait() -> None:
        async with connected(head=SHORT, keep_alive=LONG) as (reader, writer):
            writer.write(HEAD[:-2] + b"X: ")
            for _ in range(20):
                await asyncio.sleep(SHORT / 5)
                if reader.at_eof():
                    return
                writer.write(b"a")
            raise AssertionError("it was not cut off")

    asyncio.run(wait())


@pytest.mark.parametrize("sent", [b"", HEAD + b"sevens"], ids=["first", "later"])
def test_a_connection_without_a_request_is_closed(sent: bytes) -> None:
    async def wait() -> None:
        async with connected(head=LONG, keep_alive=SHORT) as (reader, writer):
            writer.write(sent)
            if sent:
                assert await read_answer(reader) == b"6"
            assert await is_closed(reader)

    asyncio.run(wait())


@pytest.mark.parametrize(
    ("rest", "head", "keep_alive"), [(b"sev", SHORT, LONG), (b"sevens", LONG, SHORT)]
)
def test_the_rest_of_a_body_that_was_answered_early_is_not_waited_for_for_ever(
    rest: bytes, head: float, keep_alive: float
) -> None:
    async def wait() -> None:
        async with connected(head=head, keep_alive=keep_alive) as (reader, writer):
            writer.write(HEAD.replace(b"/a", b"/at-once"))
            assert await read_answer(reader) == b"0"
            writer.write(rest)
            assert await is_closed(reader)

    asyncio.run(wait())


@pytest.mark.slow
def test_what_goes_on_is_not_cut_off() -> None:
    limit = 2 * SHORT

    async def wait() -> None:
        async with connected(head=limit, keep_alive=LONG) as (reader, writer):
            for _ in range(2):  # a body in small parts, which in all take longer than a head may
                writer.write(HEAD[:9])
                await asyncio.sleep(0.01)
                writer.write(HEAD[9:])
                for letter in b"sevens":
                    await asyncio.sleep(limit / 4)
                    writer.write(bytes([letter]))
                assert await read_answer(reader) == b"6"
                await asyncio.sleep(1.5 * limit)
            writer.write((HEAD + b"sevens") * 3 + HEAD[:9])  # pipelined, and part of a fourth
            for _ in range(3):
                assert await read_answer(reader) == b"6"
            writer.write(HEAD[9:] + b"sevens")
            assert await read_answer(reader) == b"6"
            writer.write(HEAD.replace(b"/a", b"/at-once"))
            assert await read_answer(reader) == b"0"
            writer.write(b"sevens")
            await asyncio.sleep(1.5 * limit)
            writer.write(HEAD + b"sevens")
            assert await read_answer(reader) == b"6"

    asyncio.run(wait())
