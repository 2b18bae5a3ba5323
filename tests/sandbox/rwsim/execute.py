"""Running one parsed statement for a session: which function does it, what READ ONLY forbids,
plans and their rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import duckdb
from sqlglot import exp

from . import change, create, drop, errors, processes, show, sql_functions
from . import statements as st
from .answers import Answer, texts
from .binder import Binder, Plan, in_server_words
from .catalog import Relation
from .queries import fold

if TYPE_CHECKING:
    from .session import Session

_READ_WRITE_NOTICE = (
    "Read-write transaction is not supported yet. Please specify `READ ONLY` to start a read-only "
    "transaction.\nFor compatibility, this statement will still succeed but no transaction is "
    "actually started."
)
_ISOLATION_NOTICE = (
    "Transaction with given Isolation Level is not supported yet.\n"
    "For compatibility, this statement will proceed with RepeatableRead."
)
_ALIAS = (
    "A created VIEW is just an alias. Instead, use EXPLAIN on the queries which reference the view."
)
_NO_TRANSACTION = "there is no transaction in progress"
_READERS = (
    st.Query,
    st.Show,
    st.ShowVariable,
    st.SetVariable,
    st.Describe,
    st.Explain,
    st.Transaction,
    st.Simple,
)
# A view in the background may be answered before its own frontend knows it.
_SHOWN_BY_THEMSELVES = (st.CreateView, st.CreateIndex)


# -- queries


def bind(
    session: Session, query: exp.Expression, text: str, declared: list[int] | None = None
) -> Plan:
    """The plan of a query; plans of texts without parameters are remembered until anything
    changes.
    """
    server = session.server
    key = (text, session.catalog.generation, tuple(session.path()), session.user.id)
    plan = None if declared else server.remembered_plan(key)
    if plan is None:
        plan = Binder(session.reader(), server.engine, server.system).bind_query(query, declared)
        if not plan.parameters:
            server.remember_plan(key, plan)
    return plan


def written_relation(session: Session, statement: st.Dml) -> Relation:
    table = (
        statement.query.this.this
        if isinstance(statement.query.this, exp.Schema)
        else statement.query.this
    )
    name = st.Name([fold(part) for part in table.parts], [part.sql() for part in table.parts])
    found = session.catalog.find(name, session.path(), (st.TABLE, st.MATVIEW, st.VIEW))
    if found is None:
        raise errors.not_found("table", name.base)
    if found.kind != st.TABLE:
        raise errors.invalid_input(f'cannot modify {found.kind} "{found.name}"')
    letter = {"INSERT": "a", "UPDATE": "w", "DELETE": "d"}[statement.tag]
    if not session.reader().may(found.acl, found.owner, letter):
        raise errors.denied(f'permission denied for table "{found.name}": "{statement.tag}"')
    return found


def bind_dml(session: Session, statement: st.Dml, declared: list[int] | None = None) -> Plan:
    server = session.server
    binder = Binder(session.reader(), server.engine, server.system)
    return binder.bind_dml(
        statement.query, written_relation(session, statement), statement.tag, declared
    )


async def run_plan(session: Session, plan: Plan, values: list[str | None]) -> list[tuple[Any, ...]]:
    """The rows of a bound query. An object that is dropped meanwhile takes the query with it."""
    server = session.server
    gone = _missing(session, plan)
    if gone is not None:
        raise errors.fragment_gone(gone)
    if session.snapshot is not None:
        for one in plan.stored:
            if server.catalog.relations[one].finished_as > session.snapshot:
                raise errors.snapshot_too_old(one)
    system = server.system.snapshots(plan.system, session.catalog, session.user)
    try:
        rows = await session.in_engine(plan.sql, values, system)
    except duckdb.Error as error:
        raise _runtime_error(session, plan, error) from None
    await _sleep(session, plan, max(1, len(rows)))
    return rows


async def _sleep(session: Session, plan: Plan, rows: int) -> None:
    """pg_sleep sleeps for every row. Who goes on reading between them dies when an object is
    dropped; who had read everything before does not.
    """
    for _ in range(rows if plan.sleep else 0):
        await session.sleep(plan.sleep)
        gone = None if plan.sleeps_after_reading else _missing(session, plan)
        if gone is not None:
            raise errors.dropped_while_running(gone)


def _missing(session: Session, plan: Plan) -> int | None:
    return next((one for one in plan.stored if one not in session.server.catalog.relations), None)


def _runtime_error(session: Session, plan: Plan, error: duckdb.Error) -> errors.ServerError:
    gone = _missing(session, plan)
    if gone is not None:
        return errors.dropped_while_running(gone)
    if isinstance(error, duckdb.InterruptException):
        return errors.query_cancelled()
    text = str(error).split("\n")[0].split(": ", 1)[-1]
    if text.startswith("Division by zero"):
        return errors.division_by_zero(text, on_compute_node=bool(plan.stored))
    if isinstance(error, (duckdb.BinderException, duckdb.CatalogException)):
        return in_server_words(error, exp.Null(), session.server.engine)
    return errors.ServerError("Expr error", text)


async def run_dml(session: Session, plan: Plan, values: list[str | None]) -> Answer:
    async with session.server.engine.write_lock:
        rows = await run_plan(session, plan, values)
    count = rows[0][0] if rows else 0
    return Answer(
        f"INSERT 0 {count}"
        if plan.rows_written_by == "INSERT"
        else f"{plan.rows_written_by} {count}"
    )


# -- statements of the simple protocol, and all others of the extended one


async def execute(session: Session, statement: st.Statement) -> Answer:
    if isinstance(statement, st.CreateView) and statement.or_replace:
        # Refused before everything else that could be wrong at this point.
        raise errors.not_implemented("CREATE OR REPLACE VIEW")
    if session.snapshot is not None and not isinstance(statement, _READERS):
        raise errors.denied("cannot execute in a read-only transaction")
    answer = await _ACTIONS[type(statement)](session, statement)
    if not isinstance(statement, (*_READERS, st.Dml, *_SHOWN_BY_THEMSELVES)):
        session.frontend.catch_up()
    return answer


async def _query(session: Session, statement: st.Query) -> Answer:
    plan = bind(session, statement.query, statement.text)
    if plan.parameters:
        raise errors.SessionPanic("Panicked when handling the request: parameters must be bound")
    rows = await run_plan(session, plan, [])
    return Answer(f"SELECT {len(rows)}", plan.columns, rows)


async def _dml(session: Session, statement: st.Dml) -> Answer:
    return await run_dml(session, bind_dml(session, statement), [])


async def _create_view(session: Session, statement: st.CreateView) -> Answer:
    if statement.materialized and statement.query.find(exp.Parameter):
        raise errors.SessionPanic("Panicked when handling the request: parameters must be bound")
    return await create.create_view(session, statement, statement.query)


async def _show(session: Session, statement: st.Show) -> Answer:
    return show.show(session, statement)


async def _describe(session: Session, statement: st.Describe) -> Answer:
    return show.describe(session, statement)


async def _show_variable(session: Session, statement: st.ShowVariable) -> Answer:
    columns = show.columns_of(statement, session.server.version)
    return Answer("SHOW_VARIABLE", columns, [(session.settings.get(statement.name),)])


async def _set_variable(session: Session, statement: st.SetVariable) -> Answer:
    session.settings.set(statement.name, statement.value)
    return Answer("SET_VARIABLE")


async def _explain(session: Session, statement: st.Explain) -> Answer:
    inner = statement.inner
    if isinstance(inner, st.CreateView) and not inner.materialized:
        raise errors.not_supported("EXPLAIN CREATE VIEW", _ALIAS)
    if isinstance(inner, st.CreateView) and inner.or_replace:
        raise errors.not_implemented(f"unsupported statement for EXPLAIN: {inner.normal_text()}")
    if isinstance(inner, (st.Query, st.CreateView)):
        plan = bind(session, inner.query, statement.text)
        kind = "StreamMaterialize" if isinstance(inner, st.CreateView) else "BatchSimple"
        shown = ", ".join(column.name for column in plan.columns)
        return Answer("EXPLAIN", texts("QUERY PLAN"), [(f"{kind} {{ columns: [{shown}] }}",)])
    raise errors.not_implemented(f"unsupported statement for EXPLAIN: {inner.text}")


async def _transaction(session: Session, statement: st.Transaction) -> Answer:
    notices: list[str] = []
    if statement.tag in ("COMMIT", "ROLLBACK"):
        if session.snapshot is None:
            notices.append(_NO_TRANSACTION)
        session.snapshot = None
    else:
        if statement.isolation:
            notices.append(_ISOLATION_NOTICE)
        if statement.read_only:
            session.snapshot = session.server.catalog.generation
        else:
            notices.append(_READ_WRITE_NOTICE)
    return Answer(statement.tag, notices=notices)


async def _simple(session: Session, statement: st.Simple) -> Answer:
    return Answer(statement.tag, notices=[statement.notice] if statement.notice else [])


async def _wait(session: Session, statement: st.Wait) -> Answer:
    server = session.server
    if statement.name is None:
        await server.jobs.wait_all()
        return Answer("WAIT")
    found = session.catalog.find(
        statement.name, session.path(), (str(statement.kind),), creating=True
    )
    if found is None:
        raise errors.not_found(str(statement.kind), statement.name.base)
    job = server.jobs.running.get(found.id)
    if job is not None:
        await job.ended.wait()
    return Answer("WAIT")


async def _recover(session: Session, statement: st.Recover) -> Answer:
    if not session.user.is_super:
        raise errors.denied("only superusers can trigger adhoc recovery")  # assumed
    session.server.recover()
    await asyncio.sleep(session.server.recovers_for())
    return Answer("RECOVER")


_ACTIONS: dict[type[st.Statement], Callable[[Any, Any], Awaitable[Answer]]] = {
    st.Query: _query,
    st.Dml: _dml,
    st.Recover: _recover,
    st.CreateTable: create.create_table,
    st.CreateView: _create_view,
    st.CreateIndex: create.create_index,
    st.CreateStream: create.create_stream,
    st.CreateSchema: create.create_schema,
    st.CreateFunction: sql_functions.create_function,
    st.CreateUser: create.create_user,
    st.Drop: drop.drop,
    st.Alter: change.alter,
    st.AlterDefaults: change.alter_defaults,
    st.Comment: change.comment,
    st.Grant: change.grant,
    st.Show: _show,
    st.ShowVariable: _show_variable,
    st.SetVariable: _set_variable,
    st.Describe: _describe,
    st.Explain: _explain,
    st.Transaction: _transaction,
    st.Simple: _simple,
    st.Wait: _wait,
    st.CancelJobs: drop.cancel_jobs,
    st.Kill: processes.kill,
}
