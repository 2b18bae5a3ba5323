"""The ways in which the whole process ends abruptly, each with its exit status and its line on
stderr.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import NoReturn

MALFORMED, CRASHED, META = 70, 71, 72


def _end(status: int, line: str) -> NoReturn:
    print(line, file=sys.stderr, flush=True)
    os._exit(status)


def of_malformed_message(problem: Exception) -> NoReturn:
    """The real server's process aborts at a malformed message, with all its sessions."""
    _end(MALFORMED, f"died of a malformed message: {problem}")


def of_meta(problem: str) -> NoReturn:
    """Meta panics, and its panic hook aborts the process."""
    _end(META, f"meta died: {problem}")


def of_crash(statement: str, sockets: Iterable[socket.socket]) -> NoReturn:
    for one in sockets:
        # Without lingering the kernel resets the connection instead of ending it in order. A
        # client may be gone already.
        with suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _end(CRASHED, f"crashed at: {statement[:200]}")
