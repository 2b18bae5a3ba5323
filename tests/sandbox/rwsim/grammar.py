"""From text to statements: which statement it is, and the grammar of CREATE, DROP, ALTER.

The whole text is parsed before anything runs; the first error in the text is the answer.
Queries inside are left to `queries`; sessions, privileges and SHOW are in `grammar_session`.
"""

from __future__ import annotations

from functools import lru_cache

from sqlglot import exp

from . import statements as st
from .cursor import Cursor, source_text, spaced, split_at_commas
from .grammar_jobs import alter_job
from .grammar_session import ignored_notice, parse_session_statement
from .lexer import EOF, QUOTED, WORD, Token, quote_name, split_statements, tokenize
from .queries import parse_expression, parse_query, to_text

_QUERY_STARTS = {"SELECT", "WITH", "VALUES", "("}
_DML = {"INSERT": "INSERT", "UPDATE": "UPDATE", "DELETE": "DELETE"}
_RELATION_KINDS = {
    "MATERIALIZED VIEW": st.MATVIEW,
    "VIEW": st.VIEW,
    "TABLE": st.TABLE,
    "INDEX": st.INDEX,
    "SINK": st.SINK,
    "SUBSCRIPTION": st.SUBSCRIPTION,
}
_DROP_KINDS = {**_RELATION_KINDS, "SCHEMA": "schema", "USER": "user", "FUNCTION": "function"}


@lru_cache(maxsize=1024)
def parse_text(sql: str, version: tuple[int, int]) -> tuple[st.Statement, ...]:
    """All statements of a text; raises the first syntax error in it."""
    out = []
    for tokens in split_statements(tokenize(sql)):
        cursor = Cursor(sql, tokens)
        statement = _statement(cursor, version)
        cursor.end()
        statement.text = sql[tokens[0].start : tokens[-2].end]
        out.append(statement)
    return tuple(out)


def _statement(c: Cursor, version: tuple[int, int]) -> st.Statement:
    first = c.peek().upper
    if first in _QUERY_STARTS:
        return st.Query(_query(c))
    if first in _DML:
        return st.Dml(parse_query(c.sql, c.rest()), _DML[first])
    if c.accept("CREATE"):
        return _create(c, version)
    if c.accept("DROP"):
        return _drop(c)
    if c.accept("ALTER"):
        return _alter(c, version)
    if c.accept("EXPLAIN"):
        if c.peek().text == "(":
            c.in_parentheses()
        return st.Explain(_statement(c, version))
    if c.accept("PREPARE"):
        c.identifier()
        if c.peek().text == "(":
            c.in_parentheses()
        c.expect("AS")
        _statement(c, version)
        return st.Simple("PREPARE", ignored_notice("PREPARE"))
    found = parse_session_statement(c, version)
    if found is None:
        raise c.fail("statement")
    return found


def _query(c: Cursor) -> exp.Expression:
    if c.peek().upper not in _QUERY_STARTS:
        raise c.fail("SELECT, VALUES, or a subquery in the query body")
    return parse_query(c.sql, c.rest())


def _create(c: Cursor, version: tuple[int, int]) -> st.Statement:
    or_replace = c.accept("OR REPLACE")
    c.accept_any("TEMPORARY", "TEMP")
    if c.accept("MATERIALIZED VIEW"):
        return _create_view(c, True, or_replace)
    if c.accept("VIEW"):
        return _create_view(c, False, or_replace)
    if c.accept("TABLE"):
        return _create_table(c, or_replace)
    if c.accept("SINK"):
        return _create_stream(c, st.SINK)
    if or_replace:
        raise c.fail(
            "[EXTERNAL] TABLE or [MATERIALIZED] VIEW or [MATERIALIZED] SOURCE or SINK or FUNCTION "
            "after CREATE OR REPLACE"
        )
    if c.accept("SUBSCRIPTION"):
        return _create_stream(c, st.SUBSCRIPTION)
    if c.accept("UNIQUE INDEX"):
        return _create_index(c, True, version)
    if c.accept("INDEX"):
        return _create_index(c, False, version)
    if c.accept("SCHEMA"):
        missing_only = c.accept("IF NOT EXISTS")
        name = c.name()
        if c.accept("AUTHORIZATION"):
            c.identifier()
        return st.CreateSchema(name, missing_only)
    if c.accept("USER"):
        return _create_user(c)
    if c.accept("FUNCTION"):
        return _create_function(c)
    raise c.fail("an object type after CREATE")


def _options(c: Cursor) -> tuple[dict[str, str], str]:
    """WITH ( name = value, ... ): the values by name, and the clause as it is printed."""
    if not c.accept("WITH"):
        return {}, ""
    items = split_at_commas(c.in_parentheses())
    values: dict[str, str] = {}
    printed = []
    for item in items:
        at = next((i for i, token in enumerate(item) if token.text == "="), None)
        if at is None:
            raise c.fail("=", item[-1])
        key = "".join(token.text for token in item[:at])
        value = spaced(item[at + 1 :])
        values[key.strip('"').lower()] = value
        printed.append(f"{key} = {value}")
    return values, f" WITH ({', '.join(printed)})"


def _emit(c: Cursor) -> tuple[str, list[Token]]:
    """Takes a closing EMIT clause off the remaining tokens. Directly after an expression EMIT is
    an alias, not a clause.
    """
    tokens = c.rest()
    words = [token.upper for token in tokens]
    for clause in ("EMIT IMMEDIATELY", "EMIT ON WINDOW CLOSE"):
        count = len(clause.split())
        if words[-1 - count : -1] == clause.split() and "FROM" in words:
            end = tokens[-1 - count]
            return " " + clause, [*tokens[: -1 - count], Token(EOF, end.text, end.start, end.start)]
    return "", tokens


def _create_view(c: Cursor, materialized: bool, or_replace: bool) -> st.CreateView:
    missing_only = c.accept("IF NOT EXISTS")
    name = c.name()
    columns: list[Token] = []
    if c.peek().text == "(":
        columns = [item[0] for item in split_at_commas(c.in_parentheses())]
        if not columns:
            raise c.fail("identifier")
    options, printed_options = _options(c)
    c.expect("AS")
    if c.peek().upper not in _QUERY_STARTS:
        raise c.fail("SELECT, VALUES, or a subquery in the query body")
    emit, tokens = _emit(c) if materialized else ("", c.rest())
    query = parse_query(c.sql, tokens)
    printed_columns = f" ({', '.join(token.text for token in columns)})" if columns else ""
    kind = "MATERIALIZED VIEW" if materialized else "VIEW"
    if materialized:
        definition = st.Definition(
            f"CREATE {kind}", name, printed_columns + printed_options, query, after=emit
        )
    else:
        # The stored text of a plain view loses its column list and its schema.
        definition = st.Definition(
            f"CREATE {kind}", st.Name([name.base], [quote_name(name.base)]), "", query
        )
    return st.CreateView(
        materialized,
        name,
        [token.name for token in columns],
        options,
        query,
        definition,
        "CLOSE" in emit,
        missing_only,
        or_replace,
    )


def _column_spec(c: Cursor, item: list[Token]) -> tuple[st.ColumnSpec, str, bool]:
    """A column of CREATE TABLE: its parts, its printed text, whether it says PRIMARY KEY."""
    if len(item) < 2:
        raise c.fail("a data type", item[-1])
    stop = next(
        (
            i
            for i, t in enumerate(item)
            if i > 1 and t.upper in ("PRIMARY", "NOT", "NULL", "DEFAULT", "AS")
        ),
        len(item),
    )
    type_text = to_text(
        parse_expression(f"CAST(NULL AS {source_text(c.sql, item[1:stop])})").args["to"]
    )
    rest = item[stop:]
    default = next(
        (source_text(c.sql, rest[i + 1 :]) for i, t in enumerate(rest) if t.upper == "DEFAULT"),
        None,
    )
    printed = f"{item[0].text} {type_text}" + (f" {spaced(rest)}" if rest else "")
    return (
        st.ColumnSpec(item[0].name, type_text, default),
        printed,
        any(t.upper == "PRIMARY" for t in rest),
    )


def _create_table(c: Cursor, or_replace: bool) -> st.CreateTable:
    missing_only = c.accept("IF NOT EXISTS")
    name = c.name()
    columns: list[st.ColumnSpec] = []
    key: list[str] = []
    printed: list[str] = []
    if c.peek().text == "(":
        for item in split_at_commas(c.in_parentheses()):
            if item[0].upper == "PRIMARY" and len(item) > 2:
                key = [token.name for token in item[3:-1] if token.text != ","]
                printed.append(spaced(item))
            elif item[0].upper == "WATERMARK":
                printed.append(spaced(item))
            else:
                column, text, is_key = _column_spec(c, item)
                columns.append(column)
                printed.append(text)
                key += [column.name] if is_key else []
    append_only = c.accept("APPEND ONLY")
    _, printed_options = _options(c)
    query = None
    if c.accept("AS"):
        query = _query(c)
    before = (
        (f" ({', '.join(printed)})" if printed else "")
        + (" APPEND ONLY" if append_only else "")
        + printed_options
    )
    definition = st.Definition("CREATE TABLE", name, before, query)
    return st.CreateTable(
        name, columns, key, definition, query, missing_only, or_replace, append_only
    )


def _create_stream(c: Cursor, kind: str) -> st.CreateStream:
    missing_only = c.accept("IF NOT EXISTS")
    name, into = c.name(), None
    if c.peek().upper == "INTO":
        if kind != st.SINK:
            raise c.fail("FROM after CREATE SUBSCRIPTION subscription_name")
        c.take()
        into = c.name()
    source, query = None, None
    if c.accept("AS"):
        tokens = c.rest()
        begin = next(
            (
                i
                for i, t in enumerate(tokens)
                if t.upper == "WITH" and tokens[i + 1].text == "(" and i > 0
            ),
            len(tokens) - 1,
        )
        query = parse_query(
            c.sql,
            [
                *tokens[:begin],
                Token(EOF, tokens[begin].text, tokens[begin].start, tokens[begin].start),
            ],
        )
        c.at = len(c.tokens) - len(tokens) + begin
    else:
        c.expect("FROM")
        source = c.name()
    options, printed = _options(c)
    if c.accept("FORMAT"):
        printed += " FORMAT " + spaced([t for t in c.rest() if t.kind != EOF])
    before = f" INTO {into}" if into else ""
    definition = st.Definition(f"CREATE {kind.upper()}", name, before, query, source, printed)
    return st.CreateStream(kind, name, definition, options, missing_only, into)


def _index_key(c: Cursor, item: list[Token]) -> st.IndexKey:
    words = [token.upper for token in item]
    stop = next(
        (i for i, word in enumerate(words) if i and word in ("ASC", "DESC", "NULLS")), len(item)
    )
    expression = parse_expression(source_text(c.sql, item[:stop]))
    column = item[0].name if stop == 1 else None
    suffix = "".join(" " + word for word in words[stop:])
    descending = "DESC" in words[stop:]
    # Nulls are the largest values; only the other order is mentioned.
    usual = ("NULLS", "FIRST" if descending else "LAST")
    nulls = tuple(words[-2:]) if "NULLS" in words[stop:] else usual
    order = ("DESC" if descending else "ASC") + ("" if nulls == usual else " " + " ".join(nulls))
    return st.IndexKey(to_text(expression) + suffix, column, order, expression)


def _create_index(c: Cursor, unique: bool, version: tuple[int, int]) -> st.CreateIndex:
    missing_only = c.accept("IF NOT EXISTS")
    name = c.name()
    c.expect("ON")
    table = c.name()
    if version >= (2, 6) and c.accept("USING"):
        c.identifier()
    keys = [_index_key(c, item) for item in split_at_commas(c.in_parentheses())]
    after = f"({', '.join(key.text for key in keys)})"
    include: list[str] = []
    distributed: list[exp.Expression] = []
    if c.accept("INCLUDE"):
        items = [item[0] for item in split_at_commas(c.in_parentheses())]
        include = [token.name for token in items]
        after += f" INCLUDE({', '.join(token.text for token in items)})"
    if c.accept("DISTRIBUTED BY"):
        items = split_at_commas(c.in_parentheses())
        distributed = [parse_expression(source_text(c.sql, item)) for item in items]
        after += f" DISTRIBUTED BY({', '.join(map(to_text, distributed))})"
    _, printed = _options(c) if version >= (2, 6) else ({}, "")
    definition = st.Definition(
        "CREATE INDEX", name, source=table, after=after + printed, joint="ON"
    )
    return st.CreateIndex(name, table, keys, include, distributed, definition, unique, missing_only)


def _create_function(c: Cursor) -> st.CreateFunction:
    """Functions in SQL, whose body is one SELECT of one expression."""
    name = c.name()
    arguments = [
        item[0].name if len(item) > 1 and item[1].kind in (WORD, QUOTED) else ""
        for item in split_at_commas(c.in_parentheses())
    ]
    c.expect("RETURNS")
    while not c.done() and not c.looks_at("LANGUAGE") and not c.looks_at("AS"):
        c.take()
    c.accept("LANGUAGE SQL")
    c.expect("AS")
    text = c.string()
    c.accept("LANGUAGE SQL")
    query = parse_query(text, tokenize(text))
    if not isinstance(query, exp.Select) or len(query.expressions) != 1:
        raise c.fail("SELECT of one expression")
    return st.CreateFunction(name, arguments, query.expressions[0].unalias())


def _create_user(c: Cursor) -> st.CreateUser:
    name = c.name()
    c.accept("WITH")
    options: list[str] = []
    password = None
    while not c.done():
        if c.accept("PASSWORD"):
            password = None if c.accept("NULL") else c.string()
        else:
            options.append(c.identifier().upper)
    return st.CreateUser(name, options, password)


def _drop(c: Cursor) -> st.Drop:
    kind = c.accept_any(*_DROP_KINDS)
    if kind is None:
        raise c.fail("an object type after DROP")
    if_exists = c.accept("IF EXISTS")
    name = c.name()
    if kind == "FUNCTION" and c.peek().text == "(":
        c.in_parentheses()
    cascade = c.accept_any("CASCADE", "RESTRICT") == "CASCADE"
    return st.Drop(_DROP_KINDS[kind], name, if_exists, cascade)


def _alter(c: Cursor, version: tuple[int, int]) -> st.Statement:
    if version >= (2, 6) and c.accept("DEFAULT PRIVILEGES"):
        return _alter_defaults(c)
    word = c.accept_any(*_RELATION_KINDS)
    if word is None:
        raise c.fail("an object type after ALTER")
    kind, name = _RELATION_KINDS[word], c.name()
    if version >= (2, 6) and kind == st.MATVIEW and c.accept("AS"):
        return st.Alter(kind, name, "AS", to_text(_query(c)))
    if c.accept("SWAP WITH"):
        return st.Alter(kind, name, "SWAP", c.name())
    if c.accept("RENAME TO"):
        return st.Alter(kind, name, "RENAME", c.name())
    if c.accept("OWNER TO"):
        return st.Alter(kind, name, "OWNER", c.identifier().name)
    if c.accept("SET SCHEMA"):
        return st.Alter(kind, name, "SCHEMA", c.identifier().name)
    if c.accept("ADD COLUMN"):
        column, _, _ = _column_spec(c, c.rest()[:-1])
        return st.Alter(kind, name, "ADD COLUMN", column)
    if kind in (st.TABLE, st.MATVIEW, st.INDEX, st.SINK):
        return alter_job(c, kind, name, version)
    raise c.fail("an action after ALTER")


def _alter_defaults(c: Cursor) -> st.AlterDefaults:
    owners = c.identifiers() if c.accept("FOR USER") else []
    schemas = c.identifiers() if c.accept("IN SCHEMA") else []
    revoke = c.accept_any("GRANT", "REVOKE") == "REVOKE"
    option_only = revoke and c.accept("GRANT OPTION FOR")
    c.accept_any("SELECT", "ALL PRIVILEGES", "ALL")
    c.expect("ON")
    kind = c.accept_any("MATERIALIZED VIEWS", "VIEWS", "TABLES")
    if kind is None:
        raise c.fail("TABLES, VIEWS or MATERIALIZED VIEWS")
    c.expect("FROM" if revoke else "TO")
    users = c.identifiers()
    grant_option = not revoke and c.accept("WITH GRANT OPTION")
    return st.AlterDefaults(
        revoke, kind[:-1].lower(), schemas, owners, users, grant_option, option_only
    )
