"""The process list: which sessions there are, what each is running and since when; KILL.

It is of the whole cluster since 2.6, and of the asked frontend only before. Texts are made when
somebody looks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from . import errors
from . import statements as st
from .answers import Answer
from .catalog import DATABASE
from .values import VARCHAR, PgType
from .versions import Version

if TYPE_CHECKING:
    from .session import Session

_SHOWN = 1024
_GHOST_NUMBER, _GHOST_AGE = 9000, 600.0


@dataclass
class Running:
    """What a session runs: a whole simple Query or one Execute, which has parameters when its
    statement was bound at Parse.
    """

    text: str
    statements: Sequence[st.Statement] = ()
    parameters: list[tuple[str | None, PgType]] | None = None
    started: float = field(default_factory=monotonic)

    def shown(self, version: Version) -> str:
        extended = self.parameters is not None
        if version.at_least(2, 6) or extended:
            # Printed back from what was parsed, but kept as it is when it cannot be.
            text = ";".join(map(_printed, self.statements)) or self.text
        else:
            text = self.text
        if self.parameters is not None:
            values = ", ".join(_debug(value, kind) for value, kind in self.parameters)
            text += f", params = Some([{values}])"
        if version.at_least(2, 6):
            # Already cut where it is kept, until 2.8 to the same length.
            text = cut(text, 65536 if version.at_least(2, 8) else _SHOWN)
        return cut(text, _SHOWN)


@dataclass
class Ghost:
    """A process whose client was killed long ago and whose statement never ended."""

    number: int
    running: Running


def ghosts(texts: list[str]) -> dict[int, Ghost]:
    begin = monotonic() - _GHOST_AGE
    return {
        number: Ghost(number, Running(text, started=begin))
        for number, text in enumerate(texts, _GHOST_NUMBER)
    }


def cut(text: str, limit: int) -> str:
    """A long text ends with a mark and its length in bytes, and is longer than the limit then."""
    data = text.encode()
    if len(data) <= limit:
        return text
    return data[:limit].decode(errors="ignore") + f"...(truncated,{len(data)})"


def _printed(statement: st.Statement) -> str:
    if isinstance(statement, st.CreateView) and not statement.materialized:
        # What is stored of it is less than what was said.
        return statement.text
    return statement.normal_text()


_DEBUG = {
    "boolean": "Bool",
    "smallint": "Int16",
    "integer": "Int32",
    "bigint": "Int64",
    "real": "Float32",
    "double precision": "Float64",
}


def _debug(value: str | None, kind: PgType) -> str:
    """A parameter as the server's debugging output has it; assumed for all but numbers and
    texts.
    """
    if value is None:
        return "None"
    if kind.name in _DEBUG:
        return f"Some({_DEBUG[kind.name]}({value}))"
    name = "Utf8" if kind is VARCHAR else kind.debug
    return f"Some({name}({json.dumps(value, ensure_ascii=False)}))"


# -- the list


def columns(version: Version) -> tuple[str, ...]:
    worker = ("Worker Id",) if version.at_least(2, 6) else ()
    return (*worker, "Id", "User", "Host", "Database", "Time", "Info")


def rows(session: Session) -> list[tuple[Any, ...]]:
    server = session.server
    whole = server.version.at_least(2, 6)
    listed = server.sessions() if whole else session.frontend.sessions.values()
    out = [
        _row(server.version, one.frontend.worker, one.number, one.user.name, one.peer, one.running)
        for one in listed
    ]
    if whole or session.frontend is server.frontends[0]:
        out += [
            _row(server.version, 1, ghost.number, "root", "127.0.0.1:1", ghost.running)
            for ghost in server.ghosts.values()
        ]
    return out


def _row(
    version: Version, worker: int, number: int, user: str, peer: str, running: Running | None
) -> tuple[Any, ...]:
    spent = text = None
    if running is not None:
        spent = f"{int((monotonic() - running.started) * 1000)}ms"
        text = running.shown(version)
    rest = (user, peer, DATABASE, spent, text)
    if version.at_least(2, 6):
        return (str(worker), f"{worker}:{number}", *rest)
    return (str(number), *rest)


# -- KILL


async def kill(session: Session, statement: st.Kill) -> Answer:
    """Ends what runs there; the session stays."""
    server = session.server
    if server.version.at_least(2, 6):
        worker, number = _process(statement.process)
    else:
        worker, number = session.frontend.worker, int(statement.process)
    frontend = next((one for one in server.frontends if one.worker == worker), None)
    if frontend is None:
        raise errors.bad_parameter(f"worker {worker} not found")
    target = frontend.sessions.get(number)
    if target is not None:
        target.cancel()
        await asyncio.sleep(0)
    elif worker != 1 or server.ghosts.pop(number, None) is None:
        raise errors.ServerError("Session not found")
    return Answer("KILL")


def _process(text: str) -> tuple[int, int]:
    worker, found, number = text.partition(":")
    if not (found and worker.isdecimal() and number.removeprefix("-").isdecimal()):
        raise errors.bad_parameter("invalid WorkerProcessId")
    return int(worker), int(number)
