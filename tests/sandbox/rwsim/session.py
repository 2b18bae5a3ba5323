"""One connection after its start-up: the loop over messages, the simple protocol, what runs
now, cancelling it.

Output is collected and flushed at the end of each message, as the server does. While a
statement runs the socket is not read, so a client that leaves is noticed only afterwards.
"""

from __future__ import annotations

import asyncio
import socket
import traceback
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from . import deaths, errors, wire
from . import statements as st
from .answers import Answer
from .catalog import Catalog, User
from .engine import Connection, SystemTable
from .errors import ServerError, SessionPanic
from .execute import execute
from .extended import Extended
from .faults import Struck
from .frontend import Frontend
from .functions import Reader
from .grammar import parse_text
from .processes import Running
from .server import Server
from .settings import Settings
from .values import binary, text
from .versions import Version


class Cut(Exception):
    """The connection ends here and now, without a further byte."""


class Session:
    def __init__(
        self,
        server: Server,
        frontend: Frontend,
        user: User,
        reader: StreamReader,
        writer: StreamWriter,
    ) -> None:
        self.server = server
        self.frontend = frontend
        self.user = user
        self.number = frontend.take_session_number()
        self.settings = Settings(server.version)
        # Takes the password message; None for a session that is logged in.
        self.login: Callable[[bytes], None] | None = None
        self.snapshot: int | None = None  # the catalog's clock at BEGIN READ ONLY
        self.running: Running | None = None
        self.peer = "{}:{}".format(*writer.get_extra_info("peername")[:2])
        self._reader = reader
        self._writer = writer
        self._out = bytearray()
        self._connection: Connection | None = None
        self._in_engine = False
        self._woken = asyncio.Event()
        self._extended = Extended(self)
        self._path: tuple[object, list[str]] = (None, [])

    # -- what others need to know

    @property
    def process_id(self) -> str:
        return f"{self.frontend.worker}:{self.number}"

    @property
    def log_name(self) -> str:
        """The number alone while there is one frontend only."""
        return self.process_id if len(self.server.frontends) > 1 else str(self.number)

    @property
    def catalog(self) -> Catalog:
        """What this session's frontend knows."""
        return self.frontend.catalog

    @property
    def socket(self) -> socket.socket:
        return self._writer.get_extra_info("socket")

    def path(self) -> list[str]:
        """The schemas of the search path that exist."""
        key = (self.catalog.generation, self.settings.get("search_path"))
        if self._path[0] != key:
            entries = self.settings.search_path(self.user.name)
            self._path = (key, [name for name in entries if self.catalog.has_schema(name)])
        return self._path[1]

    def reader(self) -> Reader:
        return Reader(self.catalog, self.user, self.path())

    async def in_engine(
        self, sql: str, values: list[str | None], system: list[SystemTable]
    ) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = self.server.engine.connect()
        self._in_engine = True
        try:
            return await self.server.engine.run(self._connection, sql, values, system)
        finally:
            self._in_engine = False

    async def sleep(self, seconds: float) -> None:
        """pg_sleep: ends early when the session is cancelled."""
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return
        raise errors.query_cancelled()

    def cancel(self) -> None:
        """A CancelRequest: stops the running query and the builds that this session waits for."""
        self._woken.set()
        if self._in_engine and self._connection is not None:
            self._connection.raw.interrupt()
        for job in self.server.jobs.waited_for_by(self):
            self.server.jobs.abort(job.relation.id)

    # -- output

    def send(self, data: bytes) -> None:
        self._out += data

    def send_error(self, error: ServerError, headline: str | None) -> None:
        code = error.code if self.server.version.at_least(2, 6) else "XX000"
        self.send(wire.error("ERROR", code, error.report(headline)))

    def send_ready(self) -> None:
        self.send(wire.ready(self.snapshot is not None))

    def send_rows(
        self,
        rows: Sequence[tuple[Any, ...]],
        columns: list[wire.Column],
        formats: Sequence[int] = (),
    ) -> None:
        kinds = [(column.type, wire.format_of(formats, i)) for i, column in enumerate(columns)]
        for row in rows:
            values = [
                None if value is None else binary(value, kind) if form else text(value, kind)
                for value, (kind, form) in zip(row, kinds, strict=True)
            ]
            self.send(wire.data_row(values))

    async def flush(self) -> None:
        if self._out:
            data, self._out = bytes(self._out), bytearray()
            self._writer.write(data)
            await self._writer.drain()

    # -- the loop

    async def run(self) -> None:
        try:
            while await self._one_message():
                await self.flush()
            await self.flush()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Cut:
            self._writer.transport.abort()
        finally:
            if self._connection is not None:
                self._connection.close()

    async def _one_message(self) -> bool:
        """False when the connection is to be closed."""
        try:
            tag, body = await wire.read_message(self._reader)
            if tag not in wire.KNOWN:
                return False
            if tag == b"Q":
                if not self._extended.skipping:
                    await self._simple_query(body)
                return True
            if tag == b"X":
                return self._extended.skipping
            if tag == b"p":
                return self._password(body)
            return await self._extended.handle(tag, body)
        except wire.Malformed as problem:
            deaths.of_malformed_message(problem)
        except SessionPanic as panic:
            self.send(wire.error("ERROR", panic.code, panic.chain[0]))
            return False
        except (Cut, asyncio.IncompleteReadError, ConnectionError):
            raise
        except Exception as bug:
            # Only a mistake of the sandbox itself ends here; it is answered like a
            # panic of the server.
            traceback.print_exc()
            self.send(wire.error("ERROR", "XX000", f"Panicked when handling the request: {bug}"))
            return False

    def _password(self, body: bytes) -> bool:
        if self.login is not None:
            login, self.login = self.login, None
            try:
                login(body)
            except ServerError as error:
                self.send(refusal(self.server.version, error))
                return False
        return True

    async def _simple_query(self, body: bytes) -> None:
        sql = _query_text(body)
        if sql is None:
            if not self.server.version.at_least(2, 6):
                self.send_error(errors.unreadable_text(), None)
                self.send_ready()
            # The server swallows such a Query: no answer at all, the next message is served.
            return
        self.server.log(self.log_name, "Query", sql)
        try:
            statements = parse_text(sql, self.server.version.key)
        except ServerError as error:
            await self._report_unparsed(sql, error)
            return
        if not statements:
            self.send(wire.message("I"))
        with self.listed(Running(sql, statements)):
            for statement in statements:
                try:
                    answer = await self.perform(statement, lambda one=statement: execute(self, one))
                except SessionPanic:
                    raise
                except ServerError as error:
                    self.send_error(error, errors.RUN)
                    break
                self._send_answer(answer)
        self.send_ready()

    async def _report_unparsed(self, sql: str, error: ServerError) -> None:
        async def fail() -> Answer:
            raise error

        try:
            with self.listed(Running(sql)):
                await self.perform(st.Statement(text=sql), fail)
        except ServerError as found:
            self.send_error(found, errors.RUN)
        self.send_ready()

    def _send_answer(self, answer: Answer) -> None:
        for notice in answer.notices:
            self.send(wire.notice(notice))
        if answer.columns is not None:
            self.send(wire.row_description(answer.columns))
            self.send_rows(answer.rows, answer.columns)
        self.send(wire.complete(answer.tag))

    @contextmanager
    def listed(self, running: Running) -> Iterator[None]:
        """Shown in the process list meanwhile."""
        self.running = running
        try:
            yield
        finally:
            self.running = None

    async def perform(
        self, statement: st.Statement, action: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Runs a statement under the faults."""
        self._woken.clear()  # a cancel reaches the statement that runs, from its beginning
        struck = self.server.faults.strike(statement.text)
        if struck.crash_before:
            self._crash(statement)
        if struck.fails:
            raise errors.injected()
        if struck.cut_before:
            raise Cut
        if struck.recovers:
            # As soon as the statement waits for something, or is done.
            asyncio.get_running_loop().call_soon(self.server.recover)
        try:
            return await action()
        except duckdb.Error as error:
            raise errors.bind_error(str(error).split("\n")[0]) from None
        finally:
            await self._strike_afterwards(statement, struck)

    async def _strike_afterwards(self, statement: st.Statement, struck: Struck) -> None:
        """The statement is executed, its answer is not sent yet."""
        if struck.crash_after:
            self._crash(statement)
        if struck.delay or struck.recovers:
            await asyncio.sleep(struck.delay)
        if struck.cut_after:
            raise Cut

    def _crash(self, statement: st.Statement) -> None:
        deaths.of_crash(statement.text, [one.socket for one in self.server.sessions()])


def refusal(version: Version, error: ServerError) -> bytes:
    """The last message of a connection whose start-up failed."""
    if version.at_least(3, 0):
        return wire.error("FATAL", error.code, ": ".join((errors.START, *error.chain)))
    return wire.error("ERROR", error.code, error.report(errors.START))


def _query_text(body: bytes) -> str | None:
    """The text of a Query, or None when it is one that gets no answer."""
    if not body.endswith(b"\0") or b"\0" in body[:-1]:
        return None
    try:
        return body[:-1].decode()
    except UnicodeDecodeError:
        return None
