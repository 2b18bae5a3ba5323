"""A place in the tokens of one statement, with the small steps that every grammar rule is made
of.
"""

from __future__ import annotations

from .errors import SyntaxFailure
from .lexer import EOF, OP, QUOTED, STRING, WORD, Token
from .statements import Name


class Cursor:
    def __init__(self, sql: str, tokens: list[Token]) -> None:
        self.sql = sql
        self.tokens = tokens
        self.at = 0

    def peek(self, ahead: int = 0) -> Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self) -> Token:
        token = self.peek()
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def done(self) -> bool:
        return self.peek().kind == EOF

    def fail(self, expected: str, token: Token | None = None) -> SyntaxFailure:
        bad = token or self.peek()
        return SyntaxFailure(self.sql, bad.start, expected, bad.text)

    def looks_at(self, words: str) -> bool:
        return all(self.peek(i).upper == word for i, word in enumerate(words.split()))

    def accept(self, words: str) -> bool:
        if not self.looks_at(words):
            return False
        self.at += len(words.split())
        return True

    def expect(self, words: str) -> None:
        for word in words.split():
            if self.peek().upper != word:
                raise self.fail(word)
            self.take()

    def accept_any(self, *choices: str) -> str | None:
        return next((choice for choice in choices if self.accept(choice)), None)

    def end(self) -> None:
        if not self.done():
            raise self.fail("end of statement")

    def identifier(self) -> Token:
        if self.peek().kind not in (WORD, QUOTED):
            raise self.fail("identifier")
        return self.take()

    def name(self) -> Name:
        """A dotted name; every word may be a name here, keywords too."""
        tokens = [self.identifier()]
        while self.peek().text == "." and self.peek().kind == OP:
            self.take()
            tokens.append(self.identifier())
        return Name([token.name for token in tokens], [token.text for token in tokens])

    def string(self) -> str:
        if self.peek().kind != STRING:
            raise self.fail("literal string")
        return self.take().string

    def identifiers(self) -> list[str]:
        """One or more identifiers between commas."""
        out = [self.identifier().name]
        while self.accept(","):
            out.append(self.identifier().name)
        return out

    def in_parentheses(self) -> list[Token]:
        """The tokens between the parenthesis here and its partner."""
        self.expect("(")
        begin, depth = self.at, 1
        while depth:
            if self.done():
                raise self.fail(")")
            token = self.take()
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == OP else 0
        return self.tokens[begin : self.at - 1]

    def rest(self) -> list[Token]:
        """All remaining tokens with the closing EOF token; the cursor is at the end afterwards."""
        tokens = self.tokens[self.at :]
        self.at = len(self.tokens) - 1
        return tokens


def split_at_commas(tokens: list[Token]) -> list[list[Token]]:
    """The comma-separated items of a parenthesised list."""
    items: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == OP and token.text in "([{":
            depth += 1
        elif token.kind == OP and token.text in ")]}":
            depth -= 1
        if token.text == "," and token.kind == OP and depth == 0:
            items.append([])
        else:
            items[-1].append(token)
    return [item for item in items if item]


def source_text(sql: str, tokens: list[Token]) -> str:
    return sql[tokens[0].start : tokens[-1].end] if tokens else ""


def spaced(tokens: list[Token]) -> str:
    """Tokens printed with one space between words and none inside names and parentheses."""
    out = ""
    for token in tokens:
        tight = not out or out[-1] in "(." or token.text in "(,.)"
        out += token.text if tight else " " + token.text
    return out
