"""The command line: port, version of the server to be, build time, passwords, faults, log."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

_RELEASES = {"2.2": "2.2.0", "2.6": "2.6.3", "2.7": "2.7.0-alpha", "2.8": "2.8.5", "3.0": "3.0.3"}
_EPILOG = """\
faults
  --fail 'REGEX@N'              the N-th statement that matches fails with an injected error and does nothing
  --disconnect 'REGEX@N'        the connection of the N-th statement that matches is cut instead of an answer
  --disconnect 'after:REGEX@N'  the statement is executed first, then the connection is cut

Statements are counted over all sessions from 1; without @N the first one is meant. The regex is searched in the
statement's text without regard to case. A simple Query counts statement by statement (as a whole when its syntax is
wrong), the extended protocol at Execute. The switches may be repeated.
"""


@dataclass(frozen=True)
class Version:
    """The release to behave like; behaviour differs by `at_least`."""

    major: int
    minor: int

    def at_least(self, major: int, minor: int) -> bool:
        return (self.major, self.minor) >= (major, minor)

    @property
    def key(self) -> tuple[int, int]:
        return (self.major, self.minor)

    @property
    def text(self) -> str:
        return f"PostgreSQL 13.14.0-RisingWave-{_RELEASES[f'{self.major}.{self.minor}']} (unknown)"


class Fault:
    """Strikes at the N-th statement that matches a pattern."""

    def __init__(self, text: str) -> None:
        self.after = text.startswith("after:")
        pattern, _, number = text.removeprefix("after:").rpartition("@")
        if not pattern or not number.isdigit():
            pattern, number = text.removeprefix("after:"), "1"
        self.pattern = re.compile(pattern, re.IGNORECASE | re.DOTALL)
        self.number = int(number)
        self.seen = 0

    def strikes(self, text: str) -> bool:
        if not self.pattern.search(text):
            return False
        self.seen += 1
        return self.seen == self.number


@dataclass
class Switches:
    port: int
    version: Version
    build_time: float
    fail: list[Fault]
    disconnect: list[Fault]
    log: str | None
    passwords: dict[str, str]


def _pair(text: str) -> tuple[str, str]:
    user, found, password = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError("expected USER=PASSWORD")
    return user, password


def _fault(text: str) -> Fault:
    try:
        return Fault(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"bad regular expression: {error}") from None


def read_switches(arguments: list[str]) -> Switches:
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
        "--version",
        choices=sorted(_RELEASES),
        default="2.7",
        help="release to behave like (default 2.7)",
    )
    parser.add_argument(
        "--build-time",
        type=float,
        default=0.05,
        metavar="SECONDS",
        help="how long a build takes at least (default 0.05)",
    )
    parser.add_argument(
        "--fail",
        type=_fault,
        action="append",
        default=[],
        metavar="REGEX@N",
        help="see faults below",
    )
    parser.add_argument(
        "--disconnect",
        type=_fault,
        action="append",
        default=[],
        metavar="[after:]REGEX@N",
        help="see faults below",
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
    found = parser.parse_args(arguments)
    major, minor = found.version.split(".")
    return Switches(
        found.port,
        Version(int(major), int(minor)),
        found.build_time,
        found.fail,
        found.disconnect,
        found.log,
        dict(found.password),
    )
