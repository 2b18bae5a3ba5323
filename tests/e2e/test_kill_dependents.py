"""Each statement of a replacement of something that others read x each thing that can happen at it.

A materialized view with plain views on it, of which one cannot follow; a cascade; and a plain view
with a view on it. See test_kill_matrix.py for the faults. Afterwards the view and each dependent is
the old one as it was or the new one complete, under its name, with its owner and grants; readers of
each, which looked all the time and at every change, have seen only the one and then only the other;
what stays and what is left was announced to whoever was still there. Then what was told to be done
is done, and another replacement succeeds, takes everything along and leaves nothing.
"""

import pytest

from kill_dependents import SCENES, DependentsCase, DependentsWorld
from kill_matrix import FAULTS, LONG, choose, fail_for, play_each

# A server for several faults when only few statements are taken.
GROUPS = [[one] for one in FAULTS] if LONG else [FAULTS[at:at + 2] for at in range(0, 6, 2)]
EVERY = {"views": 30, "cascade": 42, "plain": 22}


def in_doubt(statements: list[str], kind: str) -> list[int]:
    """Behind the first swap, where it is not known whether it came to pass, and at the last one."""
    swaps = [number for number, sql in enumerate(statements) if " SWAP WITH " in sql]
    return {"cut before": [swaps[0] + 1], "cut after": [swaps[-1]]}.get(kind, [])


@pytest.mark.parametrize("kinds", GROUPS, ids=", ".join)
@pytest.mark.parametrize("name", SCENES)
def test_at_each_statement(name, kinds):
    world = DependentsWorld(SCENES[name])
    failures = []
    try:
        statements = world.learn()
        for kind in kinds:
            begin = FAULTS.index(kind) * EVERY[name] // len(FAULTS)
            numbers = {*choose(statements, begin, EVERY[name]), *in_doubt(statements, kind)}
            failures += play_each(world, DependentsCase, name, kind, sorted(numbers), statements)
    finally:
        world.close()
    fail_for(failures)
