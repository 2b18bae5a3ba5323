"""Messages in and out: frames, the bodies of client messages, the bytes of server messages.

A malformed message raises Malformed: the real server's process dies of it, and so does this
one.
"""

from __future__ import annotations

import struct
from asyncio import StreamReader
from collections.abc import Sequence
from dataclasses import dataclass

from .values import PgType

PROTOCOL_3, CANCEL, SSL, GSSENC = 196608, 80877102, 80877103, 80877104
KNOWN = b"QPDBESXCpH"


class Malformed(Exception):
    """A frame or a body that the server's reader panics on."""


@dataclass
class Column:
    name: str
    type: PgType


class Body:
    """Reads the fields of one message body."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int, what: str) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise Malformed(f"{what} goes past the end of the message")
        self.at += count
        return self.data[self.at - count : self.at]

    def text(self, what: str) -> bytes:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise Malformed(f"{what} without its NUL")
        found, self.at = self.data[self.at : end], end + 1
        return found

    def int16(self, what: str) -> int:
        return struct.unpack(">h", self.take(2, what))[0]

    def int32(self, what: str) -> int:
        return struct.unpack(">i", self.take(4, what))[0]

    def count(self, what: str) -> int:
        """Counts are signed 16-bit numbers here; a negative one is a panic."""
        number = self.int16(what)
        if number < 0:
            raise Malformed(f"negative {what}")
        return number


@dataclass
class Parse:
    name: str
    sql: str
    types: list[int]


@dataclass
class Bind:
    portal: str
    name: str
    formats: list[int]
    values: list[bytes | None]
    result_formats: list[int]


@dataclass
class Target:
    """Describe and Close: `kind` is S or P, other kinds end the connection."""

    kind: str
    name: str


@dataclass
class Execute:
    portal: str
    max_rows: int


async def read_message(reader: StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    (size,) = struct.unpack(">i", head[1:])
    if size < 4:
        raise Malformed(f"length word {size}")
    return head[:1], await reader.readexactly(size - 4)


def read_parse(data: bytes) -> Parse:
    body = Body(data)
    name, sql = body.text("statement name"), body.text("statement text")
    count = body.count("number of parameter types")
    types = [body.int32("parameter type") for _ in range(count)]
    return Parse(name.decode(), sql.decode(), types)


def read_bind(data: bytes) -> Bind:
    body = Body(data)
    portal, name = body.text("portal name"), body.text("statement name")
    formats = [body.int16("parameter format") for _ in range(body.count("number of formats"))]
    values: list[bytes | None] = []
    for _ in range(body.count("number of parameters")):
        size = body.int32("parameter length")
        values.append(None if size == -1 else body.take(size, "parameter"))
    results = [body.int16("result format") for _ in range(body.count("number of result formats"))]
    return Bind(portal.decode(), name.decode(), formats, values, results)


def read_target(data: bytes) -> Target:
    body = Body(data)
    kind = body.take(1, "kind")
    return Target(kind.decode("latin1"), body.text("name").decode())


def read_execute(data: bytes) -> Execute:
    body = Body(data)
    return Execute(body.text("portal name").decode(), body.int32("row limit"))


def message(tag: str, body: bytes = b"") -> bytes:
    return tag.encode() + struct.pack(">i", len(body) + 4) + body


def cstring(text: str) -> bytes:
    return text.encode() + b"\0"


def fields(severity: str, code: str, text: str) -> bytes:
    return b"S" + cstring(severity) + b"C" + cstring(code) + b"M" + cstring(text) + b"\0"


def error(severity: str, code: str, text: str) -> bytes:
    return message("E", fields(severity, code, text))


def notice(text: str) -> bytes:
    return message("N", fields("NOTICE", "00000", text))


def ready(in_transaction: bool) -> bytes:
    return message("Z", b"T" if in_transaction else b"I")


def complete(tag: str) -> bytes:
    return message("C", cstring(tag))


def row_description(columns: Sequence[Column], formats: Sequence[int] = ()) -> bytes:
    out = struct.pack(">h", len(columns))
    for i, column in enumerate(columns):
        out += cstring(column.name) + struct.pack(
            ">ihihih", 0, 0, column.type.oid, column.type.size, -1, format_of(formats, i)
        )
    return message("T", out)


def format_of(formats: Sequence[int], i: int) -> int:
    """No formats means text, one means that one for all."""
    return 0 if not formats else formats[0] if len(formats) == 1 else formats[i]


def data_row(values: Sequence[bytes | None]) -> bytes:
    out = [struct.pack(">h", len(values))]
    for value in values:
        out.append(b"\xff\xff\xff\xff" if value is None else struct.pack(">i", len(value)) + value)
    return message("D", b"".join(out))


def parameter_description(types: Sequence[PgType]) -> bytes:
    return message("t", struct.pack(f">h{len(types)}i", len(types), *(t.oid for t in types)))


def parameter_status(name: str, value: str) -> bytes:
    return message("S", cstring(name) + cstring(value))
