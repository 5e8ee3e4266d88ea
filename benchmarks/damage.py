"""Damage to files: to bytes, lengths, values and what is packed inside, by chance or design."""

import contextlib
import gzip
import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import onnx

BOMB = 1 << 28
"""Bytes of zeros in a file that is small only as long as it is compressed."""

NUMBERS = (
    *("0", "-1", "-0", "1", "2", "7", "255", "256", "65536", "4294967295", "1e400", "-1e400"),
    *("1e308", "1e-400", "nan", "NaN", "Infinity", "-Infinity", "0x10", "1_000", "1,5", "٣", "½"),
    *("9223372036854775807", "9223372036854775808", "9" * 40, "9" * 5000, "0.1", "3.0"),
)
TEXTS = (
    *("", " ", "a", "\0", "\x1b[31m", "\n", "\r\n", "\t", '"', "'", "../..", "/dev/zero", "true"),
    *("null", "é", "e\u0301", "\u202e", "\ufeff", "😀", "=1+1", "x" * 10_000, "train", "accept"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 10**30, -(10**30), 0.5, 1e308, -0.0, "", "a", "\0", "x\ny"),
    *("\ud800", [], {}, [[]], [None], {"a": 1}, "9" * 30, [1] * 1000, "/dev/zero", float("nan")),
    *(float("inf"), ["a", "a"], 65_536, 2**31, 2**63),
)

Change = Callable[[random.Random, bytes], bytes]


def damage(generator: random.Random, seeds: Sequence[bytes], changes: Sequence[Change]) -> bytes:
    """Return one of the seeds with one to sixteen changes.

    Parameters
    ----------
    generator : random.Random
    seeds : sequence of bytes
        Valid files of one kind.
    changes : sequence of callables
        Changes that know the format; three quarters of the changes are such, if there are any.
    """
    content = generator.choice(seeds)
    for _ in range(generator.choice((1, 1, 1, 1, 2, 4, 16))):
        if changes and generator.random() < 0.75:
            # What an earlier change has damaged may no longer be readable as this format.
            with contextlib.suppress(Exception):
                content = generator.choice(changes)(generator, content)
        else:
            content = change_bytes(generator, content, generator.choice(seeds))
    return content


def change_bytes(generator: random.Random, content: bytes, other: bytes = b"") -> bytes:
    """Change, remove, repeat, insert or splice bytes, more often near the two ends."""
    body = bytearray(content)
    place = _place(generator, len(body))
    length = generator.choice((1, 2, 4, 8, 32, 200, max(1, len(body) // 4)))
    match generator.randrange(9):
        case 0:
            body[place : place + 1] = bytes([generator.randrange(256)])
        case 1 if body:
            body[min(place, len(body) - 1)] ^= 1 << generator.randrange(8)
        case 2:
            body[place : place + 1] = bytes([generator.choice((0, 1, 127, 128, 255))])
        case 3:
            del body[place : place + length]
        case 4:
            body[place:place] = generator.randbytes(min(length, 64))
        case 5:
            body[place:place] = body[place : place + length]
        case 6:
            del body[place:]
        case 7 if other:
            body[place:] = other[_place(generator, len(other)) :]
        case _:
            width = generator.choice((2, 4, 8))
            number = generator.choice(
                (0, 1, 2, 255, 65_535, 1 << 20, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 62)
            )
            order = generator.choice(("little", "big"))
            field = (number % (1 << 8 * width)).to_bytes(width, order)  # type: ignore[arg-type]
            body[place : place + width] = field
    return bytes(body)


def _place(generator: random.Random, length: int) -> int:
    reach = generator.choice((length, length, 32, 128, 512))
    place = generator.randrange(max(1, min(length, reach)))
    return max(0, length - 1 - place) if generator.random() < 0.25 else place


def change_text(generator: random.Random, content: bytes) -> bytes:
    """Replace a word or a number of a text; or change its encoding or its ends of lines."""
    text = content.decode()
    words = [*re.finditer(r"[^\s,;\t|{}\"]+", text)]
    if words and generator.random() < 0.9:
        word = generator.choice(words[: generator.choice((8, 64, len(words)))])
        new = generator.choice((*NUMBERS, *TEXTS))
        return f"{text[: word.start()]}{new}{text[word.end() :]}".encode()
    match generator.randrange(5):
        case 0:
            return text.encode("utf-16")
        case 1:
            return text.encode("utf-16-be")
        case 2:
            return text.replace("\n", generator.choice(("\r", "\r\n", "\n\n", "\x85"))).encode()
        case 3:
            return text.replace(",", generator.choice((";", "\t", "|", '","', "\0"))).encode()
        case _:
            lines = text.splitlines(keepends=True)
            generator.shuffle(lines)
            return "".join(lines).encode()


def change_json(generator: random.Random, content: bytes) -> bytes:
    """Replace, remove or add a value anywhere in a JSON document."""
    document = json.loads(content)
    places = list(_places(document))
    if not places:
        return b"[" * generator.choice((1, 900, 100_000))
    holder, key = generator.choice(places)
    match generator.randrange(6):
        case 0:
            del holder[key]
        case 1:
            other, inner = generator.choice(places)
            holder[key] = json.loads(json.dumps(other[inner]))
        case 2 if isinstance(holder, dict):
            holder[generator.choice(("", "schema", "a", "x\ny"))] = generator.choice(VALUES)
        case 3 if isinstance(holder[key], list):
            holder[key] = holder[key] * generator.choice((0, 2, 100))
        case _:
            holder[key] = generator.choice(VALUES)
    return json.dumps(document).encode()


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in value.keys() if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def within_gzip(change: Change) -> Change:
    """Return a change of what a gzip file holds, or, now and then, a bomb in its place."""

    def repack(generator: random.Random, content: bytes) -> bytes:
        inside = gzip.decompress(content)
        if generator.random() < 0.002:
            return gzip.compress(inside + bytes(BOMB), 1)
        return gzip.compress(change(generator, inside), 1)

    return repack


def within_zip(inside: Callable[[str], Sequence[Change]]) -> Change:
    """Return a change of a member of a ZIP archive; the archive itself stays whole, or lies."""

    def repack(generator: random.Random, content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        chosen = generator.choice([*members])
        method = generator.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
        match generator.randrange(12):
            case 0:
                del members[chosen]
            case 1:
                members[generator.choice(("../a", "", "a" * 300, f"{chosen}x", "é"))] = b"new"
            case 2 if generator.random() < 0.02:
                members[chosen] += bytes(BOMB)
                method = zipfile.ZIP_DEFLATED
            case 3:
                other = generator.choice([*members])
                members[chosen] = members[other]
            case _:
                changes = inside(chosen) or [change_bytes]
                members[chosen] = generator.choice(changes)(generator, members[chosen])
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", method, compresslevel=1) as archive:
            for name, member in members.items():
                archive.writestr(name, member)
        body = bytearray(stream.getvalue())
        if generator.random() < 0.2:  # sizes in the directory that are not those of the members
            heads = [found.start() for found in re.finditer(b"PK\x01\x02", body)]
            field = generator.choice((8, 10, 16, 20, 24, 28, 30, 32, 42))
            place = generator.choice(heads) + field
            body[place : place + 2] = generator.choice((b"\0\0", b"\xff\xff", b"\1\0", b"\0\x80"))
        return bytes(body)

    return repack


def change_npy(generator: random.Random, content: bytes) -> bytes:
    """Claim another shape or dtype in the header of a NumPy array."""
    length = int.from_bytes(content[8:10], "little")
    header, body = content[10 : 10 + length].decode(), content[10 + length :]
    if generator.random() < 0.6:
        shape = generator.choice(
            ("(0,)", "()", "(1,)", "(-1,)", f"({10**12},)", "(65536, 65536)", "(3, 0, 9)")
        )
        header = re.sub(r"\([^)]*\)", shape, header)
    else:
        dtype = generator.choice(
            ("|O", "<f8", ">i4", "<U9", "|b1", "|S3", "<c8", "<M8[s]", "|V4", "<f2", "<u8", "|u1")
        )
        header = re.sub(r"'descr': '[^']*'", f"'descr': '{dtype}'", header)
    return content[:8] + struct.pack("<H", len(header)) + header.encode() + body


def change_png(generator: random.Random, content: bytes) -> bytes:
    """Change a chunk of a PNG, or its width and height, with a checksum that is right."""
    chunks, place = [], 8
    while place + 8 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += length + 12
    number = generator.randrange(len(chunks))
    kind, inside = chunks[number]
    if kind == b"IHDR" and generator.random() < 0.5:
        sides = [generator.choice((0, 1, 9, 5000, 60_000, 1 << 30)) for _ in range(2)]
        inside = struct.pack(">II", *sides) + inside[8:]
    elif kind == b"IDAT" and generator.random() < 0.7:
        inside = zlib.compress(change_bytes(generator, zlib.decompress(inside)), 1)
    else:
        inside = change_bytes(generator, inside)
    chunks[number] = kind, inside
    if generator.random() < 0.1:
        kind = generator.choice((b"tEXt", b"zTXt", b"iCCP", b"eXIf", b"acTL", b"PLTE", b"tRNS"))
        chunks.insert(generator.randrange(len(chunks)), (kind, generator.randbytes(40)))
    return content[:8] + b"".join(
        b"".join(
            [
                struct.pack(">I", len(inside)),
                kind,
                inside,
                struct.pack(">I", zlib.crc32(kind + inside)),
            ]
        )
        for kind, inside in chunks
    )


def change_tiff(generator: random.Random, content: bytes) -> bytes:
    """Change an entry of a TIFF's first directory: its tag, type, count or value."""
    order = "<" if content[:2] == b"II" else ">"
    (place,) = struct.unpack(order + "I", content[4:8])
    (count,) = struct.unpack(order + "H", content[place : place + 2])
    entry = place + 2 + 12 * generator.randrange(count)
    body = bytearray(content)
    offset, form = generator.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H")))
    number = generator.choice((0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 255, 5000, 60_000, (1 << 32) - 1))
    number %= 1 << 8 * struct.calcsize(form)
    struct.pack_into(order + form, body, entry + offset, number)
    return bytes(body)


def change_idx(generator: random.Random, content: bytes) -> bytes:
    """Claim another number or size of images in the header of an IDX file."""
    place = 4 * generator.randrange(1, 4)
    number = generator.choice((0, 1, 2, 9, 784, 60_000, 65_536, (1 << 31) - 1, (1 << 32) - 1))
    return content[:place] + struct.pack(">I", number) + content[place + 4 :]


def change_safetensors(generator: random.Random, content: bytes) -> bytes:
    """Change the JSON header of a safetensors file, with its length."""
    length = int.from_bytes(content[:8], "little")
    header = change_json(generator, content[8 : 8 + length])
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def change_onnx(generator: random.Random, content: bytes) -> bytes:
    """Change a node, a tensor or a shape of an ONNX graph; the message itself stays whole."""
    model = onnx.load_from_string(content)
    change = generator.choice((_change_node, _change_node, _change_tensor, _change_shape))
    number = generator.choice((-1, 0, 1, 2, 3, 7, 28, 65_536, 2**31, 2**62))
    change(generator, model.graph, number)
    return model.SerializeToString()


def _change_node(generator: random.Random, graph: onnx.GraphProto, number: int) -> None:
    node, other = generator.choice(graph.node), generator.choice(graph.node)
    attribute = generator.choice([*node.attribute, *other.attribute])
    match generator.randrange(7):
        case 0:
            node.op_type = generator.choice((other.op_type, "Loop", "If", "Scan", "", "Einsum"))
        case 1:
            names = ("", "nowhere", *other.input, *other.output, *node.output)
            node.input[generator.randrange(len(node.input))] = generator.choice(names)
        case 2 if attribute.ints:
            attribute.ints[generator.randrange(len(attribute.ints))] = number
        case 3:
            attribute.type = generator.randrange(12)
        case 4:
            graph.node.remove(node)
        case 5:
            graph.node.add().CopyFrom(node)
        case _:
            attribute.i, attribute.f = number, float(number)


def _change_tensor(generator: random.Random, graph: onnx.GraphProto, number: int) -> None:
    tensor = generator.choice(graph.initializer)
    match generator.randrange(4):
        case 0:
            tensor.dims[generator.randrange(len(tensor.dims))] = number
        case 1:
            tensor.data_type = generator.randrange(24)
        case 2:
            tensor.raw_data = tensor.raw_data[: generator.randrange(1 + len(tensor.raw_data))]
        case _:
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=generator.choice(TEXTS))


def _change_shape(generator: random.Random, graph: onnx.GraphProto, number: int) -> None:
    shape = generator.choice((*graph.input, *graph.output)).type.tensor_type.shape
    generator.choice(shape.dim).dim_value = number
