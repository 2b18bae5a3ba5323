"""The grammar of statements about sessions, privileges, jobs and what is there: SET, SHOW,
GRANT, COMMENT, WAIT, BEGIN.
"""

from __future__ import annotations

from collections.abc import Callable

from . import statements as st
from .cursor import Cursor
from .lexer import NUMBER, QUOTED, STRING, WORD, Token

_SHOW_LISTS = (
    "MATERIALIZED VIEWS",
    "TABLES",
    "VIEWS",
    "SCHEMAS",
    "SINKS",
    "SUBSCRIPTIONS",
    "SOURCES",
)
_SHOW_CREATE = ("MATERIALIZED VIEW", "VIEW", "TABLE", "INDEX", "SINK", "SUBSCRIPTION")
_GRANT_KINDS = {
    "MATERIALIZED VIEW": st.MATVIEW,
    "VIEW": st.VIEW,
    "TABLE": st.TABLE,
    "SCHEMA": "schema",
}
_WAIT_KINDS = {
    "MATERIALIZED VIEW": st.MATVIEW,
    "TABLE": st.TABLE,
    "SINK": st.SINK,
    "INDEX": st.INDEX,
}


def parse_session_statement(c: Cursor, version: tuple[int, int]) -> st.Statement | None:
    """None when the statement begins with a word that begins no statement."""
    rules: dict[str, Callable[[Cursor], st.Statement]] = {
        "SET": _set,
        "SHOW": _show,
        "DESCRIBE": _describe,
        "DESC": _describe,
        "GRANT": lambda cursor: _grant(cursor, False),
        "REVOKE": lambda cursor: _grant(cursor, True),
        "COMMENT": _comment,
        "BEGIN": lambda cursor: _transaction(cursor, "BEGIN"),
        "START": lambda cursor: _transaction(cursor, "START_TRANSACTION"),
        "COMMIT": lambda cursor: _end_transaction(cursor, "COMMIT"),
        "ROLLBACK": lambda cursor: _end_transaction(cursor, "ROLLBACK"),
        "ABORT": lambda cursor: _end_transaction(cursor, "ROLLBACK"),
        "RECOVER": lambda cursor: st.Recover(),
        "FLUSH": lambda cursor: st.Simple("FLUSH"),
        "WAIT": lambda cursor: _wait(cursor, version),
        "CANCEL": _cancel,
        "KILL": lambda cursor: _kill(cursor, version),
        "DISCARD": _discard,
        "DEALLOCATE": _deallocate,
    }
    rule = rules.get(c.peek().upper)
    if rule is None:
        return None
    c.take()
    return rule(c)


def ignored_notice(what: str) -> str:
    return (
        f"`{what}` is not supported yet.\n"
        "For compatibility, this statement will still succeed but no changes are actually made."
    )


def _discard(c: Cursor) -> st.Statement:
    c.expect("ALL")
    return st.Simple("DISCARD")


def _deallocate(c: Cursor) -> st.Statement:
    c.accept("PREPARE")
    c.identifier()
    return st.Simple(
        "DEALLOCATE",
        ignored_notice("DEALLOCATE"),
    )


def _set_value(token: Token) -> str:
    return (
        token.string
        if token.kind == STRING
        else token.text[1:-1]
        if token.kind == QUOTED
        else token.text
    )


def _set(c: Cursor) -> st.Statement:
    if (
        c.peek().upper in ("LOCAL", "SESSION")
        and c.peek(1).kind in (WORD, QUOTED)
        and c.peek(1).upper != "TO"
    ):
        c.take()
    if c.accept("TIME ZONE"):
        return st.SetVariable("timezone", _set_value(c.take()))
    name = c.identifier().name
    if not c.accept_any("=", "TO"):
        raise c.fail("'=' or 'TO' after config parameter")
    if c.accept("DEFAULT"):
        return st.SetVariable(name.lower(), None)
    values = []
    while True:
        sign = "-" if c.accept("-") else ""
        if c.peek().kind not in (WORD, QUOTED, STRING, NUMBER):
            raise c.fail("variable value")
        values.append(sign + _set_value(c.take()))
        if not c.accept(","):
            return st.SetVariable(name.lower(), ", ".join(values))


def _show(c: Cursor) -> st.Statement:
    if c.accept("CREATE"):
        kind = c.accept_any(*_SHOW_CREATE)
        if kind is None:
            raise c.fail("MATERIALIZED VIEW, VIEW, TABLE, INDEX, SOURCE or SINK")
        return st.Show("CREATE " + kind, c.name())
    what = c.accept_any(*_SHOW_LISTS)
    if what:
        schema = c.identifier().name if c.accept("FROM") else None
        return st.Show(what, schema=schema, like=c.string() if c.accept("LIKE") else None)
    what = c.accept_any("INDEXES FROM", "COLUMNS FROM")
    if what:
        return st.Show(what.split()[0], c.name())
    what = c.accept_any("JOBS", "PROCESSLIST", "ALL")
    if what:
        return st.Show(what)
    # A variable: all words up to the end, dots thrown away.
    words = [t.name for t in c.rest() if t.kind in (WORD, QUOTED)]
    return st.ShowVariable(" ".join(words).lower())


def _describe(c: Cursor) -> st.Statement:
    return st.Describe(c.name())


def _grant(c: Cursor, revoke: bool) -> st.Statement:
    option_only = revoke and c.accept("GRANT OPTION FOR")
    privileges = [_privilege(c)]
    while c.accept(","):
        privileges.append(_privilege(c))
    c.expect("ON")
    kind = c.accept_any(*_GRANT_KINDS)
    names = [c.name()]
    while c.accept(","):
        names.append(c.name())
    c.expect("FROM" if revoke else "TO")
    users = c.identifiers()
    grant_option = not revoke and c.accept("WITH GRANT OPTION")
    granted_by = c.identifier().name if c.accept("GRANTED BY") else None
    cascade = c.accept_any("CASCADE", "RESTRICT") == "CASCADE"
    return st.Grant(
        revoke,
        privileges,
        _GRANT_KINDS[kind] if kind else st.TABLE,
        names,
        users,
        grant_option,
        option_only,
        granted_by,
        cascade,
    )


def _privilege(c: Cursor) -> str:
    if c.accept_any("ALL PRIVILEGES", "ALL"):
        return "ALL"
    return c.identifier().upper


def _comment(c: Cursor) -> st.Statement:
    c.expect("ON")
    what = c.accept_any("TABLE", "COLUMN")
    if what is None:
        raise c.fail("comment object_type")
    name = c.name()
    c.expect("IS")
    return st.Comment(what == "COLUMN", name, None if c.accept("NULL") else c.string())


def _transaction(c: Cursor, tag: str) -> st.Statement:
    if tag == "START_TRANSACTION":
        c.expect("TRANSACTION")
    else:
        c.accept_any("TRANSACTION", "WORK")
    statement = st.Transaction(tag)
    while not c.done():
        if c.accept("READ ONLY"):
            statement.read_only = True
        elif c.accept("READ WRITE"):
            statement.read_only = False
        elif c.accept("ISOLATION LEVEL"):
            statement.isolation = True
            if not c.accept_any(
                "SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED", "READ UNCOMMITTED"
            ):
                raise c.fail("isolation level")
        else:
            break
        c.accept(",")
    return statement


def _end_transaction(c: Cursor, tag: str) -> st.Statement:
    c.accept_any("TRANSACTION", "WORK")
    return st.Transaction(tag)


def _wait(c: Cursor, version: tuple[int, int]) -> st.Statement:
    kind = c.accept_any(*_WAIT_KINDS) if version >= (3, 0) else None
    return st.Wait(_WAIT_KINDS[kind], c.name()) if kind else st.Wait()


def _kill(c: Cursor, version: tuple[int, int]) -> st.Statement:
    if version >= (2, 6):
        return st.Kill(c.string())
    if c.peek().kind != NUMBER:
        raise c.fail("literal int")
    return st.Kill(c.take().text)


def _cancel(c: Cursor) -> st.Statement:
    if not c.accept_any("JOBS", "JOB"):
        raise c.fail("JOBS or JOB after CANCEL")
    ids = []
    while True:
        if c.peek().kind != NUMBER:
            raise c.fail("literal int")
        ids.append(int(c.take().text))
        if not c.accept(","):
            return st.CancelJobs(ids)
