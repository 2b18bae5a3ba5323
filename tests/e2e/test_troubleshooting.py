"""docs/troubleshooting.md: what mvswap answers and logs stands there, and nothing that it does not."""

import functools
import re

import pytest

from conftest import Catalog, connect, make_view, rows, serving
from processes import ROOT
from test_docs import statements

PAGE = ROOT / "docs" / "troubleshooting.md"
STRING = r'"(?:[^"\\\n]|\\.)*"'
STRINGS = rf"{STRING}(?:\s*{STRING})*"
SQLSTATE = r"(?:[0-9][0-9A-Z]{4}|XX000)"
# Which arguments of these are SQLSTATE and message.
CALLS = {"fail": (1, 2), "fail_format": (1, 4), "session_fail": (1, 2), "end_without_lock": (1, 2),
         "notice": (2, 3)}
# Success, warnings, which have a table without codes; and what is only read.
NO_ERRORS = {"00000", "01000", "42710"}


@functools.cache
def sources() -> list[str]:
    found = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "proxy").rglob("*.c"))]
    return [re.sub(r"/\*.*?\*/", " ", text, flags=re.S) for text in found]


def shown(literals: str) -> str:
    """What C makes of neighbouring literals, with … for what printf puts in."""
    text = "".join(part[1:-1] for part in re.findall(STRING, literals)).replace('\\"', '"')
    return re.sub("…+", "…", re.sub(r"%[-0-9.*]*(?:zu|s|d|u|c)", "…", text))


def arguments(text: str, at: int) -> list[str]:
    """Those of the call whose parenthesis is at `at`."""
    found, depth, begin = [], 0, at + 1
    for token in re.compile(rf"{STRING}|'(?:[^'\\]|\\.)'|[(){{}}\[\],]").finditer(text, at):
        depth += (token[0] in ("(", "{", "[")) - (token[0] in (")", "}", "]"))
        if depth == 0 or (depth == 1 and token[0] == ","):
            found.append(text[begin:token.start()])
            begin = token.end()
        if depth == 0:
            break
    return found


@functools.cache
def answered() -> set[tuple[str, str]]:
    """(SQLSTATE, message) of all that is answered by one of CALLS, or written as a report."""
    found = set()
    for text in sources():
        for call in re.finditer(rf"\b({'|'.join(CALLS)})\(", text):
            given = arguments(text, call.end() - 1)
            code, message = (given[i] if i < len(given) else "" for i in CALLS[call[1]])
            if re.fullmatch(rf'\s*"{SQLSTATE}"', code):
                found |= {(code.strip()[1:-1], shown(m)) for m in re.findall(STRINGS, message)}
        found |= {(code, shown(message)) for code, message in re.findall(
            rf'\.sqlstate = "({SQLSTATE})"[^;}}]*?\.message = ({STRINGS})', text)}
    return found


@functools.cache
def written() -> list[str]:
    """Every text of the sources."""
    return [shown(literals) for text in sources() for literals in re.findall(STRINGS, text)]


def is_written(message: str) -> bool:
    """Is more than half of it one text of the sources, with something in place of its …?"""
    def fixed(text: str) -> int:
        return len(text.replace("…", "").replace(" ", ""))

    return any(2 * fixed(text) > fixed(message) and
               re.search(".+".join(re.escape(part) for part in text.split("…")), message)
               for text in written())


def table(heading: str) -> list[list[str]]:
    """The cells of all tables with that first line."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.M)
    return [[cell.strip() for cell in line.strip("|").split(" | ")]
            for part in found for line in part.splitlines()]


def errors() -> set[tuple[str, str]]:
    return {(cells[0].strip("| "), cells[1].strip("`")) for cells in table(r"SQLSTATE \| message")}


def warnings() -> set[str]:
    return {cells[0].strip("| `") for cells in table("WARNING")}


def test_what_the_tests_read():
    assert shown('"a \\"%s\\" of %zu"\n   " %s%s"') == 'a "…" of … …'
    assert arguments('f(r, "a, (b", g(1, 2), {3, 4})', 1) == ["r", ' "a, (b"', " g(1, 2)", " {3, 4}"]
    assert len(answered()) > 70 and len(errors()) > 60 and len(warnings()) > 15
    assert is_written('"…" is left in schema "…"') and not is_written("it was never written like this")


def test_the_table_has_the_codes_of_the_program():
    codes = set(re.findall(rf'"({SQLSTATE})"', "".join(sources()))) - NO_ERRORS
    assert codes == {code for code, _ in errors()}


def test_the_table_has_every_message():
    assert {(code, message) for code, message in answered() if code not in NO_ERRORS} <= errors()


def test_the_table_has_no_other_message():
    assert [message for _, message in sorted(errors()) if not is_written(message)] == []
    known = dict.fromkeys(message for _, message in answered())
    for code, message in errors():
        assert message not in known or (code, message) in answered(), (code, message)


def test_the_warnings_are_those_of_the_program():
    assert {message for code, message in answered() if code == "01000"} <= warnings()
    assert [message for message in sorted(warnings()) if not is_written(message)] == []


def test_the_events_of_the_log_are_those_of_the_program():
    text = "".join(sources())
    used = set(re.findall(r'log_line\([^;]*?, "(\w+)",', text)) | set(re.findall(
        r'session_log\(\w+, REPORT_\w+, "(\w+)"', text)) | {"plan", "replace"}
    assert {event for cells in table("`event=`") for event in re.findall(r"`(\w+)`", cells[0])} == used


def test_the_steps_that_wait_are_those_of_the_program():
    source = (ROOT / "proxy" / "replace" / "step_table.c").read_text(encoding="utf-8")
    steps = set(re.findall(r'= \{"([^"]+)", ', source))
    named = {step for cells in table("`detail=`") for step in re.findall(r"`([^`]+)`", cells[0])}
    assert "undo: …" in named and len(named) > 5
    assert named - {"undo: …"} <= steps and any(step.startswith("undo: ") for step in steps)


@pytest.fixture(scope="module")
def left():
    """A view that was replaced while something else reads it."""
    with serving() as proxy:
        make_view(proxy.server.port)
        with connect(proxy.port) as conn:
            conn.execute("CREATE MATERIALIZED VIEW reader AS SELECT a FROM m")
            conn.execute("CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, b FROM t")
        yield proxy


def found_by(left, word: str) -> list[tuple]:
    (sql,) = [sql for sql in statements(PAGE) if word in sql]
    with connect(left.port) as conn:
        return rows(conn, sql)


def test_the_sql_finds_what_is_left(left):
    catalog = Catalog(left.server.port)
    (name,) = catalog.leftovers()
    assert found_by(left, "left_id") == [
        (int(catalog.view_id(name)), name, "materialized view", int(catalog.view_id("m")), "m")]
    assert int(catalog.view_id(name)) < int(catalog.view_id("m"))


def test_the_sql_finds_who_reads_it(left):
    catalog = Catalog(left.server.port)
    (name,) = catalog.leftovers()
    assert found_by(left, "reader_id") == [
        (name, int(catalog.view_id("reader")), "reader", "materialized view")]


def test_the_first_question_tells_mvswap_from_the_server(left):
    with connect(left.server.port) as direct, pytest.raises(Exception, match="mvswap"):
        direct.execute("SHOW mvswap")
