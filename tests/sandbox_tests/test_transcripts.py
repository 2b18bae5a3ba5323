"""Every recorded conversation, played against a fresh sandbox: the answers must be the recorded
ones.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import PLAYER

# The switches that give builds the time that the recording expects of them.
WHOLE_FILES: dict[str, tuple[str, ...]] = {
    "01_startup": (),
    "02_simple": (),
    "03_or_replace_refused": (),
    "04_swap_by_hand": (),
    "05_swap_errors": (),
    "06_dependents": (),
    "07_self_reference": (),
    "08_indexes": (),
    "09_grants_owner_comments": (),
    "10_background": (),
    "11_cancel": (),
    "12_extended": (),
    "13_barrier": (),
    "14_transactions_and_settings": (),
    "15_catalog": (),
    "16_batches": (),
    "17_prepared_across_swap": (),
    "18_full_sequence": ("--build-time", "1"),
    "19_processlist": (),
    "20_refused_first": (),
    "21_rewriter": (),
    "22_snapshots": (),
    "23_paths_and_stars": (),
    "24_search_path": (),
}
FILES = sorted(path.stem for path in PLAYER.parent.glob("[0-9][0-9]_*.txt"))


def test_every_recording_is_listed():
    assert sorted(WHOLE_FILES) == FILES


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_same_as_recorded(start, name):
    sandbox = start(*WHOLE_FILES[name])
    recording = PLAYER.parent / f"{name}.txt"
    command = [sys.executable, str(PLAYER), "check", "127.0.0.1", str(sandbox.port), str(recording)]
    played = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert played.returncode == 0, played.stdout + played.stderr
    assert sandbox.stop() == (0, "")
