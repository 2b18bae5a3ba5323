"""Tokens of RisingWave's SQL, with their places in the text.

Follows the server's tokenizer where it differs from PostgreSQL: a line comment ends at LF only,
comment marks may overlap inside a nested comment, a quoted name ends at the next quote,
unquoted names are ASCII only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import SyntaxFailure

WORD, QUOTED, STRING, NUMBER, PARAM, OP, EOF = (
    "word",
    "quoted",
    "string",
    "number",
    "param",
    "op",
    "eof",
)

_SPACE = re.compile(r"(?:[ \t\r\n]+|--[^\n]*)+")
_PLAIN = re.compile(
    r"(?P<string>[eE]'(?:[^'\\]|''|\\.)*'|[NXx]?'(?:[^']|'')*'|\$(\w*)\$.*?\$\2\$)"
    r'|(?P<quoted>"[^"]*")'
    r"|(?P<param>\$\d+)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_$]*)"
    r"|(?P<number>0[xXoObB][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<op>::|=>|->>|->|<->|\|\||<=|>=|<>|!=|!~~\*|!~~|~~\*|~~|!~\*|!~|~\*|@>|<@|#>>|#>"
    r"|[-+*/%^<>=~!@#&|`?.,;:()\[\]{}])",
    re.S,
)
# The words that the parser does not take as an alias; assumed to be those that are quoted since
# 2.8.
RESERVED = frozenset(
    "with explain analyze select where group sort having order lateral limit offset fetch union "
    "except intersect on join cross full inner left natural right using set from into end".split()
)
_SAFE_NAME = re.compile(r"[a-z_][a-z0-9_$]*\Z")


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """The object name that this token denotes: folded unless quoted."""
        return self.text[1:-1] if self.kind == QUOTED else self.text.lower()

    @property
    def upper(self) -> str:
        """For comparing with keywords; quoted names are never keywords."""
        return self.text.upper() if self.kind in (WORD, OP) else ""

    @property
    def string(self) -> str:
        """The value of a string literal."""
        if self.text[0] == "$":
            return self.text.split("$", 2)[2].rsplit("$", 2)[0]
        body = self.text[self.text.index("'") + 1 : -1].replace("''", "'")
        if self.text[0] in "eE":
            body = re.sub(
                r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), body
            )
        return body


def quote_name(name: str) -> str:
    """A name as the server prints it, quoted when it must be."""
    return name if _SAFE_NAME.match(name) else f'"{name}"'


def _skip_comment(sql: str, at: int) -> int:
    """The end of the block comment that begins at `at`. One character may close one mark and open
    the next.
    """
    depth, last, i = 1, " ", at + 2
    while i < len(sql):
        if last == "/" and sql[i] == "*":
            depth += 1
        elif last == "*" and sql[i] == "/":
            depth -= 1
            if depth == 0:
                return i + 1
        last = sql[i]
        i += 1
    raise SyntaxFailure(sql, at, "Unexpected EOF while in a multi-line comment")


def tokenize(sql: str) -> list[Token]:
    """All tokens, ending with one of kind EOF."""
    tokens: list[Token] = []
    at = 0
    while at < len(sql):
        if blank := _SPACE.match(sql, at):
            at = blank.end()
        elif sql.startswith("/*", at):
            at = _skip_comment(sql, at)
        else:
            token = _next_token(sql, at)
            tokens.append(token)
            at = token.end
    tokens.append(Token(EOF, "EOF", len(sql), len(sql)))
    return tokens


def _next_token(sql: str, at: int) -> Token:
    match = _PLAIN.match(sql, at)
    if match is None:
        problem = (
            "Unterminated string literal" if sql[at] == "'" else f"unexpected character {sql[at]!r}"
        )
        raise SyntaxFailure(sql, at, problem)
    kind = match.lastgroup or OP
    if match.group() == '""':
        raise SyntaxFailure(sql, at, "zero-length delimited identifier")
    return Token(kind, match.group(), at, match.end())


def split_statements(tokens: list[Token]) -> list[list[Token]]:
    """The tokens of each statement without the semicolons; every statement ends with an EOF token
    at its end.
    """
    out: list[list[Token]] = []
    current: list[Token] = []
    for token in tokens:
        if token.kind == EOF or token.text == ";":
            if current:
                # The server reports a premature end at the semicolon, or at the end of the text.
                end = token if token.kind == EOF else Token(EOF, ";", token.start, token.start)
                out.append([*current, end])
            current = []
        else:
            current.append(token)
    return out
