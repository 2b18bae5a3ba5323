"""Query texts as trees: parsing with sqlglot, printing as the server prints, output names,
references.

Functions are kept as they are written (the dialect below knows none by name), so one tree
serves both the server's normal form and duckdb. Rewriting of references on SWAP and RENAME is
here, too, with the places that the server misses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.dialects.risingwave import RisingWave
from sqlglot.errors import SqlglotError

from .errors import SyntaxFailure
from .lexer import PARAM, STRING, Token

_TYPE_NAMES = {
    "VARCHAR": "CHARACTER VARYING",
    "DECIMAL": "NUMERIC",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
    "DOUBLE PRECISION": "DOUBLE",
}
_AGGREGATES = {"count", "sum", "min", "max", "avg", "string_agg", "array_agg"}
# The server's rewriter stops at these.
_UNVISITED = (exp.Case, exp.Bracket, exp.Substring, exp.Trim, exp.Overlay)
_INFIX_NOT = {
    exp.In: "IN",
    exp.Like: "LIKE",
    exp.ILike: "ILIKE",
    exp.Between: "BETWEEN",
    exp.Is: "IS",
}


class _Parser(RisingWave.Parser):
    FUNCTIONS: dict = {}

    def _parse_interval(self, *args, **kwargs):
        """Keeps the text of INTERVAL '1 minute' as it was written."""
        start = self._index
        if (
            self._match(sqlglot.tokens.TokenType.INTERVAL)
            and self._curr
            and self._curr.token_type.name == "STRING"
        ):
            text = self._curr.text
            if re.search(r"[a-zA-Z]", text):
                self._advance()
                return self.expression(exp.Interval(this=exp.Literal.string(text)))
        self._retreat(start)
        return super()._parse_interval(*args, **kwargs)


class _Generator(RisingWave.Generator):
    def datatype_sql(self, expression: exp.DataType) -> str:
        text = super().datatype_sql(expression)
        base = re.match(r"[A-Z ]+", text)
        name = base.group().strip() if base else text
        return _TYPE_NAMES.get(name, name) + text[len(name) :]

    def not_sql(self, expression: exp.Not) -> str:
        inner = expression.this
        word = _INFIX_NOT.get(type(inner))
        if word is None:
            return super().not_sql(expression)
        left, text = self.sql(inner, "this"), self.sql(inner)
        rest = text[len(left) + len(word) + 2 :]
        return f"{left} IS NOT {rest}" if word == "IS" else f"{left} NOT {word} {rest}"

    def tablealias_sql(self, expression: exp.TableAlias) -> str:
        columns = self.expressions(expression, key="columns", flat=True)
        return self.sql(expression, "this") + (f" ({columns})" if columns else "")

    def neg_sql(self, expression: exp.Neg) -> str:
        # The server puts no space between a minus and a negative number: what it stores then
        # reads as a comment.
        inner = expression.this
        if isinstance(inner, exp.Neg) and isinstance(inner.this, exp.Literal):
            return f"-{self.sql(inner)}"
        return super().neg_sql(expression)

    def exists_sql(self, expression: exp.Exists) -> str:
        return f"EXISTS {self.wrap(expression)}"


class _Tokenizer(RisingWave.Tokenizer):
    # The server reads U&'x' as U, &, 'x'.
    UNICODE_STRINGS: list = []


class Dialect(RisingWave):
    NORMALIZE_FUNCTIONS = False
    Tokenizer = _Tokenizer
    Parser = _Parser
    Generator = _Generator


_DIALECT = Dialect()


def to_text(node: exp.Expression) -> str:
    """The server's normal form of a query or an expression."""
    return node.sql(dialect=_DIALECT, comments=False, normalize_functions=False)


def to_duckdb(node: exp.Expression) -> str:
    return node.sql(dialect="duckdb", comments=False, normalize_functions=False)


def parse_query(sql: str, tokens: list[Token]) -> exp.Expression:
    """One query or DML statement. `tokens` are its tokens, closed by an EOF token, within the
    whole text `sql`.
    """
    text, ends = _plain_text(tokens)
    try:
        return _parse(text).copy()
    except SqlglotError as error:
        details = getattr(error, "errors", None)
        at = _stumbled_at(text, ends, details[0]) if details else len(tokens) - 1
        bad = tokens[min(at, len(tokens) - 1)]
        raise SyntaxFailure(sql, bad.start, "end of statement", bad.text) from None


def _plain_text(tokens: list[Token]) -> tuple[str, list[int]]:
    """The tokens as a text that sqlglot reads as the server does, and where each of them ends in
    it.

    Comments are gone, a parameter never touches what follows ($1,$2 would begin a dollar quote),
    dollar quotes are plain.
    """
    text = ""
    ends = []
    for i, token in enumerate(tokens[:-1]):
        if i and (tokens[i - 1].end < token.start or tokens[i - 1].kind == PARAM):
            text += " "
        dollar = token.kind == STRING and token.text[0] == "$"
        text += "'" + token.string.replace("'", "''") + "'" if dollar else token.text
        ends.append(len(text))
    return text, ends


@lru_cache(maxsize=2048)
def _parse(text: str) -> exp.Expression:
    found = [tree for tree in _DIALECT.parse(text) if tree is not None]
    if len(found) != 1 or isinstance(found[0], exp.Command):
        raise SqlglotError("not one query")
    return found[0]


def parse_expression(text: str) -> exp.Expression:
    return _parse(f"SELECT {text}").expressions[0].copy()


def _stumbled_at(text: str, ends: list[int], detail: dict) -> int:
    """sqlglot reports the line, and the column where the token ends; for something missing, the
    token before it.
    """
    if detail.get("line") is None:
        return len(ends)
    line_start = 0
    for _ in range(detail["line"] - 1):
        line_start = text.find("\n", line_start) + 1
    end = line_start + detail["col"]
    at = next((i for i, token_end in enumerate(ends) if token_end >= end), len(ends))
    return at if "Unexpected token" in detail["description"] else at + 1


def output_name(node: exp.Expression) -> str | None:
    """The name of an unaliased output column, or None when the server would show ?column?."""
    if isinstance(node, exp.Alias):
        return node.alias
    if isinstance(node, exp.Column):
        return fold(node.this) if isinstance(node.this, exp.Identifier) else None
    if isinstance(node, exp.Cast):
        return output_name(node.this) or _cast_name(node.to)
    if isinstance(node, (exp.Paren, exp.Window, exp.Filter, exp.WithinGroup)):
        return output_name(node.this)
    if isinstance(node, exp.Dot):
        return output_name(node.expression)
    if isinstance(node, exp.Identifier):
        return fold(node)
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    if isinstance(node, exp.Exists):
        return "exists"
    if isinstance(node, (exp.Connector, exp.Unary, exp.Binary, exp.Parameter)):
        return None
    return node.sql_name().lower() if isinstance(node, exp.Func) else None


def _cast_name(to: exp.DataType) -> str | None:
    names = {
        "INT": "int4",
        "BIGINT": "int8",
        "SMALLINT": "int2",
        "VARCHAR": "varchar",
        "BOOLEAN": "bool",
    }
    return names.get(to.this.name if hasattr(to.this, "name") else str(to.this))


def fold(identifier: exp.Expression) -> str:
    """The name that an identifier denotes."""
    return identifier.name if identifier.args.get("quoted") else identifier.name.lower()


def table_parts(table: exp.Table) -> list[str]:
    return [fold(part) for part in table.parts]


def is_relation_name(table: exp.Table) -> bool:
    return isinstance(table.this, exp.Identifier)


def cte_names_in_scope(node: exp.Expression) -> set[str]:
    """The names of WITH queries that a reference at `node` would see."""
    names: set[str] = set()
    inner: exp.Expression = node
    outer = node.parent
    while outer is not None:
        holder = outer if isinstance(outer, exp.With) else outer.args.get("with_")
        if isinstance(holder, exp.With):
            for cte in holder.expressions:
                if cte is inner and not holder.args.get("recursive"):
                    break
                names.add(fold(cte.args["alias"].this))
        inner, outer = outer, outer.parent
    return names


def _rewriter_reaches(node: exp.Expression) -> bool:
    """Whether the server's rewriter visits this place; recorded in the transcripts of the
    rewriter.
    """
    child, parent = node, node.parent
    while parent is not None:
        if isinstance(parent, _UNVISITED):
            return False
        if isinstance(parent, exp.In) and child.arg_key == "expressions":
            return False
        if isinstance(parent, exp.Join) and child.arg_key == "on":
            return False
        child, parent = parent, parent.parent
    return True


def referenced_tables(query: exp.Expression) -> Iterator[exp.Table]:
    return (table for table in query.find_all(exp.Table) if is_relation_name(table))


def rewrite_references(
    query: exp.Expression, old: str, new: exp.Identifier, alias: exp.Identifier
) -> None:
    """`FROM old` becomes `FROM new AS old`. Only base names are compared, as the server does,
    whatever the schema. `alias` is the old name as it is printed.
    """
    for table in list(referenced_tables(query)):
        if fold(table.this) != old or not _rewriter_reaches(table):
            continue
        if not table.alias:
            table.set("alias", exp.TableAlias(this=alias.copy()))
        table.set("this", new.copy())


def root_expression(query: exp.Expression, column: str) -> exp.Expression | None:
    """The whole expression (select item, condition) in which a column of this name is mentioned."""
    for node in query.find_all(exp.Column):
        if fold(node.this) == column.lower() or node.name == column:
            while node.parent is not None and not isinstance(
                node.parent,
                (
                    exp.Query,
                    exp.Where,
                    exp.Having,
                    exp.Group,
                    exp.Order,
                    exp.Join,
                    exp.Tuple,
                    exp.Insert,
                    exp.Update,
                    exp.Delete,
                ),
            ):
                node = node.parent
            return node.this if isinstance(node, exp.Alias) else node
    return None


def reads_all_before(call: exp.Expression) -> bool:
    """Whether all rows are read before the call is made for the first one: when they are grouped,
    aggregated or sorted below it.
    """
    select = call.find_ancestor(exp.Select)
    if select is None:
        return False
    if select.args.get("group") or any(_is_aggregate(item) for item in select.expressions):
        return True
    source = select.args.get("from_")
    inner = source.this.this if source and isinstance(source.this, exp.Subquery) else None
    return isinstance(inner, exp.Select) and (
        any(inner.args.get(part) for part in ("group", "order", "distinct"))
        or any(_is_aggregate(item) for item in inner.expressions)
    )


def _is_aggregate(item: exp.Expression) -> bool:
    return any(str(call.this).lower() in _AGGREGATES for call in item.find_all(exp.Anonymous))
