"""The command line: ports, version of the server to be, times, passwords, faults, log."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from .faults import Delay, Fault, Hang, seconds_from
from .versions import RELEASES, Version

_T = TypeVar("_T")
_EPILOG = """\
faults at a statement
  Statements are counted over all sessions from 1; without @N the first one that matches is meant.
  REGEX is searched in the statement's text without regard to case. A simple Query counts
  statement by statement (as a whole when its syntax is wrong), the extended protocol at Execute.
  All switches that take a REGEX may be given several times, and each counts for itself.

  after: makes --disconnect and --crash strike when the statement was executed, instead of the
  answer. A recovery happens while the statement runs, or before the answer when it never waits.

exit status
  0 after SIGTERM or SIGINT, 70 after a malformed message, 71 after --crash, 72 when meta died
"""


@dataclass
class Switches:
    port: int
    frontends: int
    version: Version
    lag: float
    create_lag: float
    swap_window: float
    first_barrier: float
    build_time: float
    recovery_time: float
    build_hang: list[Hang]
    build_fail: list[Fault]
    fail: list[Fault]
    disconnect: list[Fault]
    delay: list[Delay]
    crash: list[Fault]
    recover_at: list[Fault]
    ghost: list[str]
    log: str | None
    passwords: dict[str, str]


def _pair(text: str) -> tuple[str, str]:
    user, found, password = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError("expected USER=PASSWORD")
    return user, password


def _seconds(text: str) -> float:
    try:
        return seconds_from(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected a number from 1")
    return int(text)


def _with_regex(make: Callable[[str], _T]) -> Callable[[str], _T]:
    def read(text: str) -> _T:
        try:
            return make(text)
        except re.error as error:
            raise argparse.ArgumentTypeError(f"bad regular expression: {error}") from None
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _add_times(parser: argparse.ArgumentParser) -> None:
    for name, default, text in (
        ("--lag", 0.0, "when the other frontends learn of a change of the catalog (0)"),
        ("--create-lag", 0.0, "when a frontend learns of its own background CREATE (0)"),
        ("--swap-window", 0.0, "between the look-up of a SWAP and meta's turn (0)"),
        ("--first-barrier", 0.0, "how long a background CREATE waits for its answer (0)"),
        ("--build-time", 0.05, "how long a build takes at least (0.05)"),
        ("--recovery-time", 0.0, "how long a recovery takes, in which nothing can be built (0)"),
    ):
        parser.add_argument(name, type=_seconds, default=default, metavar="SECONDS", help=text)


def _add_faults(parser: argparse.ArgumentParser) -> None:
    for name, metavar, kind, text in (
        ("--build-hang", "REGEX[@N]", Hang, "such builds, or the N-th, end only by cancel or drop"),
        ("--build-fail", "REGEX@N", Fault, "the N-th build of such a statement fails halfway"),
        ("--fail", "REGEX@N", Fault, "the statement does nothing and answers an injected error"),
        ("--disconnect", "[after:]REGEX@N", Fault, "the connection is cut instead of an answer"),
        ("--delay", "REGEX@N=SECONDS", Delay, "the answer comes that much later"),
        ("--crash", "[after:]REGEX@N", Fault, "the process exits, all connections are reset"),
        ("--recover-at", "REGEX@N", Fault, "the cluster recovers, as with the statement RECOVER"),
    ):
        read = _with_regex(kind)
        parser.add_argument(
            name, type=read, action="append", default=[], metavar=metavar, help=text
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run",
        description="A small database server that behaves on the wire like RisingWave.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one (default)"
    )
    parser.add_argument(
        "--frontends",
        type=_count,
        default=1,
        metavar="N",
        help="frontends of one cluster; the others listen on the ports after --port, or free ones",
    )
    parser.add_argument(
        "--version",
        choices=sorted(RELEASES),
        default="2.7",
        help="release to behave like (default 2.7)",
    )
    _add_times(parser)
    _add_faults(parser)
    parser.add_argument(
        "--ghost",
        action="append",
        default=[],
        metavar="TEXT",
        help="a process whose client was killed ten minutes ago; it is listed with this statement",
    )
    parser.add_argument(
        "--log",
        metavar="FILE",
        help="append one line per statement: time, session, message, text, between tabs",
    )
    parser.add_argument(
        "--password",
        type=_pair,
        action="append",
        default=[],
        metavar="USER=PW",
        help="this user must log in with a password",
    )
    return parser


def read_switches(arguments: list[str]) -> Switches:
    found = vars(_parser().parse_args(arguments))
    major, minor = found.pop("version").split(".")
    passwords = dict(found.pop("password"))
    return Switches(version=Version(int(major), int(minor)), passwords=passwords, **found)
