"""Each statement of a replacement x each thing that can happen at it.

A view with two indexes, grants and comments is replaced, and at the N-th statement the server
connection is cut, the client or the proxy dies, the statement fails, or the client cancels.
Afterwards the view is the old one as it was or the new one complete; a reader that polled all the
time has seen only the one and then only the other and no error; a writer went on; and what is left
behind bears names of ours and was announced to whoever was still there.

MVSWAP_LONG=1 takes every statement, otherwise a sample. MVSWAP_KILL_TABLE=FILE keeps the tables.
"""

import pytest

from kill_matrix import FAULTS, MODES, Case, World, choose, fail_for, play_each


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("mode", MODES)
def test_at_each_statement(mode, kind):
    world = World(mode)
    try:
        statements = world.learn()
        # In the short run each fault of each mode has other statements.
        begin = list(MODES).index(mode) * len(FAULTS) + FAULTS.index(kind)
        numbers = choose(statements, begin * 2, 9)
        failures = play_each(world, Case, mode, kind, numbers, statements)
    finally:
        world.close()
    fail_for(failures)
