"""The start of a connection: encryption requests, CancelRequest, the start-up packet, login,
what is announced.
"""

from __future__ import annotations

import asyncio
import re
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from dataclasses import dataclass

from . import deaths, errors, wire
from .catalog import DATABASE, User
from .errors import ServerError
from .frontend import Frontend
from .server import Server
from .session import Session, refusal


@dataclass
class _Start:
    """A connection that is not a session yet."""

    server: Server
    frontend: Frontend
    reader: StreamReader
    writer: StreamWriter


async def serve(
    server: Server, frontend: Frontend, reader: StreamReader, writer: StreamWriter
) -> None:
    """A connection from its first byte to its last."""
    session = None
    try:
        session = await _start(_Start(server, frontend, reader, writer))
        if session is not None:
            frontend.sessions[session.number] = session
            await session.run()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    except wire.Malformed as problem:
        deaths.of_malformed_message(problem)
    finally:
        if session is not None:
            frontend.sessions.pop(session.number, None)
        writer.close()


async def _start(start: _Start) -> Session | None:
    """The session of a connection, or None when it ends here."""
    while True:
        (size,) = struct.unpack(">i", await start.reader.readexactly(4))
        if size < 8 or size > 10_000:
            return None
        body = await start.reader.readexactly(size - 4)
        (code,) = struct.unpack(">i", body[:4])
        if code not in (wire.SSL, wire.GSSENC):
            break
        start.writer.write(b"N")
        await start.writer.drain()
    if code == wire.CANCEL:
        _cancel(start.frontend, body)
        return None
    options = _options(start.server, body[4:]) if code == wire.PROTOCOL_3 else None
    if options is None:
        return None
    return await _open_session(start, options)


def _cancel(frontend: Frontend, body: bytes) -> None:
    """Keys are counters of each frontend: the same key means another session on another one."""
    if len(body) < 12:
        raise wire.Malformed("CancelRequest without a whole key")
    process, key = struct.unpack(">ii", body[4:12])
    session = frontend.sessions.get(process)
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


async def _open_session(start: _Start, options: dict[str, str]) -> Session | None:
    """Messages are served from here on, even before the password was checked."""
    server = start.server
    try:
        user = _check(start, options)
        session = Session(server, start.frontend, user, start.reader, start.writer)
        _apply_options(server, session, options)
    except ServerError as error:
        start.writer.write(refusal(server.version, error))
        await start.writer.drain()
        return None
    password = server.switches.passwords.get(user.name)
    if password is None:
        _announce(server, session, options, with_key=True)
    else:
        session.login = lambda body: _log_in(session, options, password, body)
        session.send(wire.message("R", struct.pack(">i", 3)))
    await session.flush()
    return session


def _log_in(session: Session, options: dict[str, str], password: str, body: bytes) -> None:
    if body.rstrip(b"\0").decode("utf-8", "replace") != password:
        raise ServerError("Invalid password")
    _announce(session.server, session, options, with_key=False)


def _check(start: _Start, options: dict[str, str]) -> User:
    database = options.get("database", DATABASE)
    if database != DATABASE:
        code = "3D000" if start.server.version.at_least(2, 8) else "XX000"
        raise ServerError(f'database "{database}" does not exist', code=code)
    name = options.get("user", "root")
    for user in start.frontend.catalog.users.values():
        if user.name == name:
            return user
    raise ServerError(f"Role {name} does not exist")


def _apply_options(server: Server, session: Session, options: dict[str, str]) -> None:
    if "application_name" in options:
        session.settings.set("application_name", options["application_name"])
    if server.version.at_least(3, 0):
        for name, value in _option_settings(options.get("options", "")):
            session.settings.set(name.replace("-", "_").lower(), value)


def _option_settings(text: str) -> Iterator[tuple[str, str]]:
    """The settings in `-c name=value` and `--name=value`; other switches are ignored."""
    words = iter(_option_words(text))
    for word in words:
        if word == "-c":
            pair = next(words, "")
        elif word.startswith(("-c", "--")):
            pair = word[2:]
        else:
            continue
        name, found, value = pair.partition("=")
        if not (name and found):
            raise errors.bad_option(pair)
        yield name, value


def _option_words(text: str) -> list[str]:
    """Words between blanks; a backslash keeps the next character whatever it is."""
    found = re.findall(r"(?:[^\\\s]|\\.)+", text, re.DOTALL)
    return [re.sub(r"\\(.)", r"\1", word, flags=re.DOTALL) for word in found]


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
