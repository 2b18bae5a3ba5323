"""Each statement of a replacement x each thing that can happen at it.

A view with two indexes, grants and comments is replaced, and at the N-th statement the server
connection is cut, the client or the proxy dies, the statement fails, or the client cancels.
Afterwards the view is the old one as it was or the new one complete; a reader that polled all the
time has seen only the one and then only the other and no error; a writer went on; and what is left
behind bears names of ours and was announced to whoever was still there.

MVSWAP_LONG=1 takes every statement, otherwise a sample. MVSWAP_KILL_TABLE=FILE keeps the tables.
"""

import os
import re

import pytest

from kill_matrix import MODES, Case, World, label

LONG = os.environ.get("MVSWAP_LONG") == "1"
TABLE_FILE = os.environ.get("MVSWAP_KILL_TABLE")
FAULTS = ["cut before", "cut after", "client killed", "proxy killed", "fails", "cancel"]
# Of these the sample takes each occurrence, of all others the first one.
CHANGES = re.compile("CREATE (?!OR)|ALTER|DROP|SET|GRANT|COMMENT|PROCESSLIST")


def sample(statements: list[str], mode: str, kind: str) -> list[int]:
    """In the short run each fault of each mode has other statements."""
    if LONG:
        return list(range(len(statements)))
    seen: set[str] = set()
    chosen = []
    for number, statement in enumerate(statements):
        if label(statement) not in seen or CHANGES.match(statement):
            chosen.append(number)
        seen.add(label(statement))
    begin = list(MODES).index(mode) * len(FAULTS) + FAULTS.index(kind)
    return chosen[begin * 2 % 9::9]


def show(mode: str, kind: str, table: list[tuple[int, str, str]]) -> None:
    text = "".join(f"{mode:15} {kind:14} {n:3} {outcome:12} {statement}\n"
                   for n, statement, outcome in table)
    print(text)
    if TABLE_FILE:
        with open(TABLE_FILE, "a", encoding="utf-8") as out:
            out.write(text)


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("mode", MODES)
def test_at_each_statement(mode, kind):
    world = World(mode)
    failures = []
    try:
        statements = world.learn()
        table = []
        for at in sample(statements, mode, kind):
            if kind == "fails" and statements[at].startswith("mvswap_"):
                continue  # it is a syntax error in any case
            try:
                outcome = Case(world, kind, at).play()
            except AssertionError as error:
                outcome = "WRONG"
                world.restore()
                failures.append(f"{at} {label(statements[at])}: {str(error)[:3000]}")
            struck = world.link.statements[at] if at < len(world.link.statements) else "-"
            table.append((at, label(struck), outcome))
        show(mode, kind, table)
    finally:
        world.close()
    if failures:
        pytest.fail("\n\n".join(failures), pytrace=False)
