"""The start of a connection: encryption requests, CancelRequest, the start-up packet, login,
what is announced.
"""

from __future__ import annotations

import asyncio
import struct
from asyncio import StreamReader, StreamWriter

from . import errors, wire
from .catalog import DATABASE, User
from .errors import ServerError
from .server import Server
from .session import Session, die


async def serve(server: Server, reader: StreamReader, writer: StreamWriter) -> None:
    """A connection from its first byte to its last."""
    session = None
    try:
        session = await _start(server, reader, writer)
        if session is not None:
            server.sessions[session.number] = session
            await session.run()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    except wire.Malformed as problem:
        die(problem)
    finally:
        if session is not None:
            server.sessions.pop(session.number, None)
        writer.close()


async def _start(server: Server, reader: StreamReader, writer: StreamWriter) -> Session | None:
    """The session of a connection that logged in, or None when it ends here."""
    while True:
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        if size < 8 or size > 10_000:
            return None
        body = await reader.readexactly(size - 4)
        (code,) = struct.unpack(">i", body[:4])
        if code not in (wire.SSL, wire.GSSENC):
            break
        writer.write(b"N")
        await writer.drain()
    if code == wire.CANCEL:
        _cancel(server, body)
        return None
    options = _options(server, body[4:]) if code == wire.PROTOCOL_3 else None
    if options is None:
        return None
    return await _log_in(server, options, reader, writer)


def _cancel(server: Server, body: bytes) -> None:
    if len(body) < 12:
        raise wire.Malformed("CancelRequest without a whole key")
    process, key = struct.unpack(">ii", body[4:12])
    session = server.sessions.get(process)
    if session is not None and process == key:
        session.cancel()


def _options(server: Server, data: bytes) -> dict[str, str] | None:
    """The start-up parameters, or None for a packet at which the server closes without a word."""
    parts = data.rstrip(b"\0").split(b"\0") if data.strip(b"\0") else []
    if len(parts) % 2:
        # An empty last value looks like a missing one; mended in 3.0.
        if not server.version.at_least(3, 0):
            return None
        parts.append(b"")
    words = [part.decode("utf-8", "replace") for part in parts]
    return dict(zip(words[::2], words[1::2], strict=True))


async def _log_in(
    server: Server, options: dict[str, str], reader: StreamReader, writer: StreamWriter
) -> Session | None:
    try:
        user = _check(server, options)
        password = server.switches.passwords.get(user.name)
        if password is not None:
            await _ask_password(reader, writer, password)
        session = Session(server, user, server.take_session_number(), reader, writer)
        _apply_options(server, session, options)
    except ServerError as error:
        _refuse(server, writer, error)
        await writer.drain()
        return None
    _announce(server, session, options, with_key=password is None)
    await session.flush()
    return session


def _check(server: Server, options: dict[str, str]) -> User:
    database = options.get("database", DATABASE)
    if database != DATABASE:
        code = "3D000" if server.version.at_least(2, 8) else "XX000"
        raise ServerError(f'database "{database}" does not exist', code=code)
    name = options.get("user", "root")
    for user in server.catalog.users.values():
        if user.name == name:
            return user
    raise ServerError(f"Role {name} does not exist")


async def _ask_password(reader: StreamReader, writer: StreamWriter, password: str) -> None:
    writer.write(wire.message("R", struct.pack(">i", 3)))
    await writer.drain()
    tag, body = await wire.read_message(reader)
    if tag != b"p" or body.rstrip(b"\0").decode("utf-8", "replace") != password:
        raise ServerError("Invalid password")


def _apply_options(server: Server, session: Session, options: dict[str, str]) -> None:
    if "application_name" in options:
        session.settings.set("application_name", options["application_name"])
    if not server.version.at_least(3, 0):
        return
    # From 3.0 on `options` count: -c name=value and --name=value; other words are ignored.
    words = options.get("options", "").replace("-c ", "--").replace("-c", "--").split()
    for word in words:
        name, found, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and found:
            session.settings.set(name.replace("-", "_").lower(), value)


def _refuse(server: Server, writer: StreamWriter, error: ServerError) -> None:
    if server.version.at_least(3, 0):
        writer.write(wire.error("FATAL", error.code, ": ".join((errors.START, *error.chain))))
    else:
        writer.write(wire.error("ERROR", error.code, error.report(errors.START)))


def _announce(server: Server, session: Session, options: dict[str, str], with_key: bool) -> None:
    session.send(wire.message("R", struct.pack(">i", 0)))
    if with_key:
        session.send(wire.message("K", struct.pack(">ii", session.number, session.number)))
    if server.version.at_least(2, 6):
        session.send(wire.parameter_status("TimeZone", "UTC"))
    for name, value in (
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("server_version", "13.14.0"),
    ):
        session.send(wire.parameter_status(name, value))
    if "application_name" in options:
        session.send(wire.parameter_status("application_name", options["application_name"]))
    session.send_ready()
