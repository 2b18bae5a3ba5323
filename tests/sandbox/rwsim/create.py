"""CREATE: tables, views, materialized views, indexes, sinks, subscriptions, schemas, users. The
order of checks is the server's.
"""

from __future__ import annotations

import asyncio
import copy
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlglot import exp

from . import errors
from . import statements as st
from .answers import Answer
from .binder import Binder, Plan
from .catalog import DEFAULT_GROUP, Relation, Schema, User
from .indexes import index_parts
from .jobs import Job
from .queries import fold, parse_expression, to_duckdb
from .targets import check_may_create_in, schema_to_create_in
from .values import PgType, from_duckdb
from .wire import Column

if TYPE_CHECKING:
    from .session import Session

_ORDER_NOTICE = (
    "The ORDER BY clause in the CREATE MATERIALIZED VIEW statement does not guarantee that the "
    "rows selected out of this materialized view is returned in this order.\nIt only indicates the "
    "physical clustering of the data, which may improve the performance of queries issued against "
    "this materialized view.\n"
)
_CLOSE_NOTICE = (
    "EMIT ON WINDOW CLOSE is currently an experimental feature. Please use it with caution."
)
_VIEW_OPTIONS = {"resource_group", "cloud.serverless_backfill_enabled", "backfill_order"}


def _taken(
    session: Session, schema: Schema, name: str, if_not_exists: bool, tag: str
) -> Answer | None:
    """Raises when the name is taken, or answers for IF NOT EXISTS."""
    found = session.catalog.named(schema.id, name)
    if found is None:
        return None
    if if_not_exists:
        return Answer(tag, notices=[f'relation "{name}" already exists, skipping'])
    raise errors.already_exists(found.kind, name, found.creating)


def _add(session: Session, relation: Relation, call: str) -> None:
    """Meta's turn. It checks again what the frontend may not have heard of."""
    meta = session.server.catalog
    if relation.kind != st.VIEW and session.server.recovers_for() > 0:
        raise errors.recovering(call)
    if meta.named(relation.schema, relation.name):
        raise errors.exists_in_meta(call, "table", relation.name)
    gone = next((one for one in sorted(relation.reads) if not meta.has(one)), None)
    if gone is not None:
        raise errors.gone_in_meta(call, "table", gone)
    meta.add(relation)


def _new_relation(
    session: Session, kind: str, schema: Schema, name: str, definition: st.Definition
) -> Relation:
    catalog = session.server.catalog
    # Parsed statements are shared by everybody who sends the same text.
    return Relation(
        catalog.take_id(), name, kind, schema.id, session.user.id, copy.deepcopy(definition)
    )


def bind_view(session: Session, query: exp.Expression, declared: list[int] | None = None) -> Plan:
    server = session.server
    return Binder(session.reader(), server.engine, server.system).bind_query(query, declared)


async def create_view(session: Session, statement: st.CreateView, query: exp.Expression) -> Answer:
    """`query` is the statement's query with its parameters filled in; the stored text keeps
    them.
    """
    plan = bind_view(session, query)
    schema = schema_to_create_in(session, statement.name)
    tag = "CREATE_MATERIALIZED_VIEW" if statement.materialized else "CREATE_VIEW"
    if answer := _taken(session, schema, statement.name.base, statement.if_not_exists, tag):
        return answer
    columns = _named_columns(statement, plan)
    relation = _new_relation(
        session, statement.kind, schema, statement.name.base, statement.definition
    )
    relation.columns = columns
    relation.reads = session.catalog.through_views(plan.reads)
    if not statement.materialized:
        _add(session, relation, "CreateView")
        session.frontend.catch_up()
        return Answer(tag)
    relation.reads |= plan.functions
    relation.primary_key = _derived_key(session, plan, query, columns)
    relation.job.parallelism = session.settings.job_parallelism("materialized_view")
    group = statement.options.get("resource_group", "").strip("'")
    relation.job.resource_group = group or DEFAULT_GROUP
    session.server.engine.create_view(relation.stored_as, columns, plan.source)
    notices = [_ORDER_NOTICE] if query.args.get("order") else []
    await _build(session, relation, plan.stored, statement.text)
    return Answer(tag, notices=notices + ([_CLOSE_NOTICE] if statement.emit_on_close else []))


def _named_columns(statement: st.CreateView, plan: Plan) -> list[Column]:
    unknown = [name for name in statement.options if name not in _VIEW_OPTIONS]
    if unknown:
        listed = ", ".join(f'"{name}"' for name in unknown)
        raise errors.ServerError(f"Protocol error: unexpected options in WITH clause: [{listed}]")
    if statement.columns:
        if len(statement.columns) != len(plan.columns):
            raise errors.invalid_input("number of column names does not match number of columns")
        return [
            Column(name, column.type)
            for name, column in zip(statement.columns, plan.columns, strict=True)
        ]
    if statement.materialized and plan.missing_alias:
        raise errors.bind_error(
            f"An alias must be specified for the {_ordinal(plan.missing_alias)} expression "
            "(counting from 1) in result relation"
        )
    names = [column.name for column in plan.columns]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if statement.materialized and repeated is not None:
        raise errors.column_repeated(repeated)
    return list(plan.columns)


def _ordinal(number: int) -> str:
    suffix = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{suffix}"


def _derived_key(
    session: Session, plan: Plan, query: exp.Expression, columns: list[Column]
) -> list[str]:
    """The key of the one relation that is read, when all of it is put out; the group key of an
    aggregation.
    """
    if len(plan.stored) != 1 or not isinstance(query, exp.Select):
        return []
    base = session.catalog.relations[next(iter(plan.stored))].primary_key
    group = query.args.get("group")
    if group is not None:
        base = [fold(item.this) for item in group.expressions if isinstance(item, exp.Column)]
    if len(query.expressions) != len(columns):
        return [name for name in base if name in {column.name for column in columns}]
    places = {}
    for item, column in zip(query.expressions, columns, strict=True):
        inner = item.unalias()
        while isinstance(inner, exp.Cast):
            inner = inner.this
        if isinstance(inner, exp.Column) and isinstance(inner.this, exp.Identifier):
            places.setdefault(fold(inner.this), column.name)
    return [places[name] for name in base] if all(name in places for name in base) else []


async def _build(session: Session, relation: Relation, stored: set[int], text: str) -> None:
    """Starts the job; in the foreground waits for its end."""
    server = session.server
    read = [session.catalog.relations[one] for one in stored]
    rows = sum(server.engine.count_rows(one.stored_as) for one in read)
    limit = session.settings.number("backfill_rate_limit")
    seconds = max(server.switches.build_time, rows / limit if limit else 0.0)
    # A job that reads nothing that can be recovered is built in the foreground whatever was asked,
    # as are indexes before 2.6.
    possible = relation.kind == st.MATVIEW or server.version.at_least(2, 6)
    background = session.settings.flag("background_ddl") and bool(stored) and possible
    relation.background = background
    relation.creating = True
    relation.announced = relation.kind == st.MATVIEW or background
    if background:
        seconds = max(seconds, server.switches.first_barrier)
    job = Job(relation, relation.definition.text(), rows, seconds, background, session)
    _add(session, relation, job.rpc)
    job.hangs, job.fails = server.faults.build_hangs(text), server.faults.build_fails(text)
    server.jobs.start(job)
    if background:
        await _first_barrier(job, server.switches.first_barrier)
        session.frontend.catch_up_after_background()
    else:
        session.frontend.catch_up()
        await job.ended.wait()
        session.frontend.catch_up()
    job.answered = True
    if job.failure is not None:
        raise job.failure


async def _first_barrier(job: Job, seconds: float) -> None:
    """Until then a CREATE in the background runs, and is cancelled like any other."""
    if seconds:
        with suppress(TimeoutError):
            await asyncio.wait_for(job.ended.wait(), seconds)


def parse_type(session: Session, text: str) -> PgType:
    """The server's type for a type as it is written in SQL."""
    return from_duckdb(
        session.server.engine.duckdb_types(
            f"SELECT {to_duckdb(parse_expression(f'CAST(NULL AS {text})'))}"
        )[0]
    )


async def create_table(session: Session, statement: st.CreateTable) -> Answer:
    if statement.or_replace:
        raise errors.not_implemented("CREATE OR REPLACE TABLE")
    server = session.server
    schema = schema_to_create_in(session, statement.name)
    if answer := _taken(
        session, schema, statement.name.base, statement.if_not_exists, "CREATE_TABLE"
    ):
        return answer
    relation = _new_relation(session, st.TABLE, schema, statement.name.base, statement.definition)
    plan = (
        Binder(session.reader(), server.engine, server.system).bind_query(statement.query)
        if statement.query
        else None
    )
    columns = list(plan.columns) if plan else []
    defaults: dict[str, str | None] = {}
    for spec in statement.columns:
        columns.append(Column(spec.name, parse_type(session, spec.type_text)))
        defaults[spec.name] = spec.default
    relation.columns = columns
    relation.primary_key = statement.primary_key
    relation.hidden_key = not statement.primary_key
    relation.append_only = statement.append_only
    relation.job.parallelism = session.settings.job_parallelism("table")
    stored_columns = [
        (column.name, column.type.duck, defaults.get(column.name)) for column in columns
    ]
    server.engine.create_table(relation.stored_as, stored_columns, relation.primary_key)
    if plan:
        server.engine.structure.execute(f"INSERT INTO store.{relation.stored_as} {plan.source}")
    _add(session, relation, "CreateTable")
    return Answer("CREATE_TABLE")


async def create_index(session: Session, statement: st.CreateIndex) -> Answer:
    table = session.catalog.find(statement.table, session.path(), (st.TABLE, st.MATVIEW))
    if table is None:
        raise errors.not_found("table", statement.table.base)
    if len(statement.name.parts) != 1:
        raise errors.ServerError("index name must contain 1 argument")
    if statement.unique:
        raise errors.not_implemented("create unique index")
    schema = session.catalog.schemas[table.schema]
    if answer := _taken(
        session, schema, statement.name.base, statement.if_not_exists, "CREATE_INDEX"
    ):
        return answer
    if not (session.user.is_super or session.user.id == table.owner):
        named = f'"{table.name}"' if session.catalog.version.at_least(2, 6) else table.name
        raise errors.denied(f"must be owner of table {named}")
    relation = _new_relation(session, st.INDEX, schema, statement.name.base, statement.definition)
    relation.owner = table.owner
    relation.columns, relation.index = index_parts(session, statement, table)
    check_may_create_in(session, schema)
    relation.reads = {table.id}
    relation.job.parallelism = session.settings.job_parallelism("index")
    await _build(session, relation, {table.id}, statement.text)
    return Answer("CREATE_INDEX")


async def create_stream(session: Session, statement: st.CreateStream) -> Answer:
    server = session.server
    tag = "CREATE_" + statement.kind.upper()
    definition = statement.definition
    if definition.query is not None:
        plan = Binder(session.reader(), server.engine, server.system).bind_query(definition.query)
        reads = session.catalog.through_views(plan.reads)
    else:
        assert definition.source is not None
        source = session.catalog.find(definition.source, session.path(), (st.TABLE, st.MATVIEW))
        if source is None:
            what = "table" if statement.kind == st.SUBSCRIPTION else "table or source"
            raise errors.not_found(what, definition.source.base)
        reads = {source.id}
    if statement.into is not None:
        _target_of_sink(session, statement.into)
    schema = schema_to_create_in(session, statement.name)
    if answer := _taken(session, schema, statement.name.base, statement.if_not_exists, tag):
        return answer
    relation = _new_relation(session, statement.kind, schema, statement.name.base, definition)
    relation.reads = reads
    relation.options = dict(statement.options)
    relation.job.parallelism = session.settings.job_parallelism(statement.kind)
    _add(session, relation, f"Create{statement.kind.capitalize()}")
    return Answer(tag)


def _target_of_sink(session: Session, name: st.Name) -> None:
    """A table that a sink writes to. Nothing in the catalog links the two, and no rows come."""
    found = session.catalog.find(name, session.path(), (st.TABLE, st.MATVIEW, st.VIEW))
    if found is None or found.kind != st.TABLE:
        raise errors.not_found("table", name.base)


async def create_schema(session: Session, statement: st.CreateSchema) -> Answer:
    catalog = session.server.catalog
    name = statement.name.base
    if catalog.has_schema(name):
        if statement.if_not_exists:
            return Answer("CREATE_SCHEMA", notices=[f'schema "{name}" already exists, skipping'])
        raise errors.already_exists("schema", name)
    schema_id = catalog.take_id()
    catalog.schemas[schema_id] = Schema(schema_id, name, session.user.id)
    catalog.changed()
    return Answer("CREATE_SCHEMA")


async def create_user(session: Session, statement: st.CreateUser) -> Answer:
    catalog = session.server.catalog
    name = statement.name.base
    if any(user.name == name for user in catalog.users.values()):
        raise errors.already_exists("user", name)
    options = statement.options
    user = User(
        catalog.take_id(),
        name,
        "SUPERUSER" in options,
        "CREATEDB" in options,
        "CREATEUSER" in options,
        "NOLOGIN" not in options,
    )
    catalog.users[user.id] = user
    catalog.changed()
    return Answer("CREATE_USER")
