"""The grammar of ALTER … SET and RESET: what a streaming job can be told."""

from __future__ import annotations

from . import statements as st
from .cursor import Cursor, spaced, split_at_commas
from .lexer import NUMBER, QUOTED, STRING, WORD, Token

_TO = ("TO", "=")


def alter_job(c: Cursor, kind: str, name: st.Name, version: tuple[int, int]) -> st.Alter:
    grouped = version >= ((2, 6) if kind == st.MATVIEW else (3, 0))
    resets = c.accept("RESET")
    if not resets:
        c.expect("SET")
    if grouped and c.accept("RESOURCE_GROUP"):
        value = None if resets else _value(c)
        return st.Alter(kind, name, "RESOURCE_GROUP", value, c.accept("DEFERRED"))
    if version >= (2, 8) and c.accept("CONFIG"):
        return st.Alter(kind, name, "CONFIG", _keys(c) if resets else _settings(c))
    if resets:
        raise c.fail("RESOURCE_GROUP or CONFIG after RESET")
    if c.accept("PARALLELISM"):
        return st.Alter(kind, name, "PARALLELISM", _value(c), c.accept("DEFERRED"))
    return st.Alter(kind, name, "SET", spaced(c.rest()[:-1]))


def _value(c: Cursor) -> str | None:
    """None for DEFAULT."""
    if not c.accept_any(*_TO):
        raise c.fail("TO or =")
    if c.accept("DEFAULT"):
        return None
    if c.peek().kind not in (WORD, QUOTED, STRING, NUMBER):
        raise c.fail("variable value")
    return _plain(c.take())


def _plain(token: Token) -> str:
    return token.string if token.kind == STRING else token.text.strip('"')


def _dotted(item: list[Token]) -> str:
    return "".join(token.text if token.text == "." else token.name for token in item)


def _keys(c: Cursor) -> dict[str, str | None]:
    return {_dotted(item): None for item in split_at_commas(c.in_parentheses())}


def _settings(c: Cursor) -> dict[str, str | None]:
    """Values as they are written into the job's configuration, which is TOML."""
    out: dict[str, str | None] = {}
    for item in split_at_commas(c.in_parentheses()):
        at = next((i for i, token in enumerate(item) if token.text == "="), None)
        if at is None or at + 1 == len(item):
            raise c.fail("=", item[-1])
        value = item[at + 1]
        out[_dotted(item[:at])] = (
            None
            if value.upper == "NULL"
            else f'"{value.string}"'
            if value.kind == STRING
            else "".join(token.text for token in item[at + 1 :]).lower()
        )
    return out
