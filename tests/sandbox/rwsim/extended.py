"""The extended protocol: statements and portals, errors and skipping to Sync.

A statement is bound to object ids at Parse and keeps them; portals and statements survive Sync;
an Execute repeated on a finished portal runs again. Closing a statement closes the portals by name
that were bound from it since its Parse, whatever they hold by now (pg_protocol.rs,
statement_portal_dependency).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import errors, wire
from . import statements as st
from .answers import Answer
from .binder import Plan
from .create import bind_view, create_view
from .errors import ServerError, SessionPanic
from .execute import bind, bind_dml, execute, run_dml, run_plan
from .grammar import parse_text
from .parameters import with_values
from .processes import Running
from .show import columns_of
from .values import parameter_text
from .wire import Column

if TYPE_CHECKING:
    from .session import Session


@dataclass
class Prepared:
    """A parsed statement; `statement` is None for an empty text, `plan` for what is not bound at
    Parse, `columns` for what has no result.
    """

    statement: st.Statement | None
    plan: Plan | None
    columns: list[Column] | None


@dataclass
class Portal:
    prepared: Prepared
    values: list[str | None]
    formats: list[int]
    suspended: bool = False
    left: list[tuple[Any, ...]] = field(default_factory=list)


def _running(portal: Portal, statement: st.Statement) -> Running:
    plan = portal.prepared.plan
    parameters = None if plan is None else list(zip(portal.values, plan.parameters, strict=False))
    return Running(statement.text, [statement], parameters)


class _WriteFailed(Exception):
    """DML that failed while running: answered like a simple Query, with a ReadyForQuery of its
    own.
    """

    def __init__(self, error: ServerError) -> None:
        super().__init__(str(error))
        self.error = error


class Extended:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.skipping = False
        self._statements: dict[str, Prepared] = {}
        self._portals: dict[str, Portal] = {}
        self._bound: dict[str, list[str]] = {}  # names of portals by name of statement

    async def handle(self, tag: bytes, body: bytes) -> bool:
        """One message; False when the connection is to be closed."""
        reader = {
            b"P": wire.read_parse,
            b"B": wire.read_bind,
            b"D": wire.read_target,
            b"C": wire.read_target,
            b"E": wire.read_execute,
        }
        try:
            # Bodies are read even while skipping: a malformed one is fatal at any time.
            request = reader[tag](body) if tag in reader else None
        except UnicodeDecodeError:
            raise SessionPanic(
                "Panicked when handling the request: invalid utf-8 sequence"
            ) from None
        if tag == b"S":
            self.skipping = False
            self.session.send_ready()
        elif not self.skipping and request is not None:
            return await self._serve(tag, request)
        return True

    async def _serve(self, tag: bytes, request: Any) -> bool:
        headline = errors.PREPARE if tag == b"P" else None
        try:
            if tag == b"P":
                await self._parse(request)
            elif tag == b"B":
                self._bind(request)
            elif tag == b"E":
                portal = self._portal(request.portal)
                headline = errors.EXECUTE
                await self._execute(portal, request)
            elif request.kind not in "SP":
                raise SessionPanic(f"unknown kind {request.kind}")
            elif tag == b"D":
                self._describe(request)
            else:
                self._close(request)
        except SessionPanic:
            raise
        except _WriteFailed as failure:
            self.session.send_error(failure.error, errors.RUN)
            self.session.send_ready()
            self.skipping = True
        except ServerError as error:
            self.session.send_error(error, headline)
            self.skipping = True
        return True

    # -- Parse

    async def _parse(self, request: wire.Parse) -> None:
        session = self.session
        session.server.log(session.log_name, "Parse", request.sql)
        if not request.name:
            # Gone even when the new one fails.
            self._statements.pop("", None)
        elif request.name in self._statements:
            raise ServerError("Duplicated statement name")
        statements = parse_text(request.sql, session.server.version.key)
        if len(statements) > 1:
            raise ServerError("Only one statement is allowed in extended query mode")
        statement = statements[0] if statements else None
        plan = self._plan(statement, request.types)
        columns = self._columns(statement, plan)
        self._statements[request.name] = Prepared(statement, plan, columns)
        self._bound[request.name] = []
        session.send(wire.message("1"))

    def _columns(self, statement: st.Statement | None, plan: Plan | None) -> list[Column] | None:
        if isinstance(statement, st.Query) and plan is not None:
            return plan.columns
        return columns_of(statement, self.session.server.version) if statement else None

    def _plan(self, statement: st.Statement | None, types: list[int]) -> Plan | None:
        if isinstance(statement, st.Query):
            return bind(self.session, statement.query, statement.text, types)
        if isinstance(statement, st.Dml):
            return bind_dml(self.session, statement, types)
        if isinstance(statement, st.CreateView) and statement.materialized:
            return bind_view(self.session, statement.query, types)
        return None

    # -- Bind, Describe, Close

    def _bind(self, request: wire.Bind) -> None:
        prepared = self._statement(request.name)
        if request.portal and request.portal in self._portals:
            raise ServerError("Duplicated portal name")
        kinds = prepared.plan.parameters if prepared.plan else []
        if len(request.values) < len(kinds):
            raise ServerError(
                f"bind message supplies {len(request.values)} parameters, "
                f"but the statement requires {len(kinds)}"
            )
        values = [
            None
            if raw is None
            else parameter_text(raw, kind, wire.format_of(request.formats, i) == 1)
            for i, (raw, kind) in enumerate(zip(request.values, kinds, strict=False))
        ]
        self._portals[request.portal] = Portal(prepared, values, request.result_formats)
        self._bound[request.name].append(request.portal)
        self.session.send(wire.message("2"))

    def _statement(self, name: str) -> Prepared:
        if name not in self._statements:
            raise ServerError(
                f"Prepare statement {name} not found"
                if name
                else "unnamed prepare statement not found"
            )
        return self._statements[name]

    def _portal(self, name: str) -> Portal:
        if name not in self._portals:
            raise ServerError(f"Portal {name} not found" if name else "unnamed portal not found")
        return self._portals[name]

    def _describe(self, request: wire.Target) -> None:
        formats: list[int] = []
        if request.kind == "S":
            prepared = self._statement(request.name)
            self.session.send(
                wire.parameter_description(prepared.plan.parameters if prepared.plan else [])
            )
        else:
            portal = self._portal(request.name)
            prepared, formats = portal.prepared, portal.formats
        columns = prepared.columns
        self.session.send(
            wire.message("n") if columns is None else wire.row_description(columns, formats)
        )

    def _close(self, request: wire.Target) -> None:
        if request.kind == "S":
            self._statements.pop(request.name, None)
            for portal in self._bound.pop(request.name, []):
                self._portals.pop(portal, None)
        else:
            self._portals.pop(request.name, None)
        self.session.send(wire.message("3"))

    # -- Execute

    async def _execute(self, portal: Portal, request: wire.Execute) -> None:
        session = self.session
        statement = portal.prepared.statement
        session.server.log(session.log_name, "Execute", statement.text if statement else "")
        if statement is None:
            session.send(wire.message("I"))
            return
        if portal.suspended and not request.portal:
            raise SessionPanic(
                "Panicked when handling the request: "
                "assertion failed: portal_store.contains_key(&portal_name)"
            )
        if not portal.suspended:
            with session.listed(_running(portal, statement)):
                answer = await session.perform(statement, lambda: self._run(portal, statement))
            self._send_first(portal, answer, request.max_rows)
        else:
            self._send_part(portal, Answer("SELECT", portal.prepared.columns), request.max_rows)

    async def _run(self, portal: Portal, statement: st.Statement) -> Answer:
        session, plan = self.session, portal.prepared.plan
        if isinstance(statement, st.Query) and plan is not None:
            rows = await run_plan(session, plan, portal.values)
            return Answer("SELECT", plan.columns, rows)
        if isinstance(statement, st.Dml) and plan is not None and session.snapshot is None:
            try:
                return await run_dml(session, plan, portal.values)
            except ServerError as error:
                raise _WriteFailed(error) from None
        if (
            isinstance(statement, st.CreateView)
            and plan is not None
            and plan.parameters
            and not statement.or_replace
        ):
            if session.snapshot is None:
                return await create_view(
                    session, statement, with_values(statement.query, plan.parameters, portal.values)
                )
        return await execute(session, statement)

    def _send_first(self, portal: Portal, answer: Answer, limit: int) -> None:
        for notice in answer.notices:
            self.session.send(wire.notice(notice))
        if answer.tag != "SELECT":
            if answer.columns is not None:
                self.session.send_rows(answer.rows, answer.columns, portal.formats)
            self.session.send(wire.complete(answer.tag))
            return
        portal.left = list(answer.rows)
        self._send_part(portal, answer, limit)

    def _send_part(self, portal: Portal, answer: Answer, limit: int) -> None:
        """At most `limit` rows of a query (0: all); what is left waits in the portal."""
        assert answer.columns is not None
        part = portal.left[:limit] if limit > 0 else portal.left
        portal.left = portal.left[len(part) :]
        self.session.send_rows(part, answer.columns, portal.formats)
        portal.suspended = bool(portal.left)
        self.session.send(
            wire.message("s") if portal.suspended else wire.complete(f"SELECT {len(part)}")
        )
