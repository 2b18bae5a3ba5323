"""Faults that strike at the N-th statement matching a pattern, counted over all sessions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from .switches import Switches


class Fault:
    """`[after:]REGEX[@N]`; strikes once, at the N-th text that matches."""

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


def seconds_from(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError("expected seconds from 0")
    return seconds


class Delay(Fault):
    """`REGEX[@N]=SECONDS`"""

    def __init__(self, text: str) -> None:
        rest, _, seconds = text.rpartition("=")
        self.seconds = seconds_from(seconds)
        super().__init__(rest)


class Hang(Fault):
    """`REGEX[@N]`; without a number it strikes at all."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.all = not re.search(r"@\d+$", text)

    def strikes(self, text: str) -> bool:
        return bool(self.pattern.search(text)) if self.all else super().strikes(text)


_F = TypeVar("_F", bound=Fault)


@dataclass
class Struck:
    """What happens to one statement."""

    fails: bool
    recovers: bool
    delay: float
    cut_before: bool
    cut_after: bool
    crash_before: bool
    crash_after: bool


class Faults:
    """All faults of the command line. Each counts every statement, whichever strikes."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def strike(self, text: str) -> Struck:
        switches = self._switches
        cuts = _struck(switches.disconnect, text)
        crashes = _struck(switches.crash, text)
        return Struck(
            fails=bool(_struck(switches.fail, text)),
            recovers=bool(_struck(switches.recover_at, text)),
            delay=sum(one.seconds for one in _struck(switches.delay, text)),
            cut_before=any(not one.after for one in cuts),
            cut_after=any(one.after for one in cuts),
            crash_before=any(not one.after for one in crashes),
            crash_after=any(one.after for one in crashes),
        )

    def build_hangs(self, text: str) -> bool:
        return bool(_struck(self._switches.build_hang, text))

    def build_fails(self, text: str) -> bool:
        return bool(_struck(self._switches.build_fail, text))


def _struck(faults: Iterable[_F], text: str) -> list[_F]:
    return [fault for fault in faults if fault.strikes(text)]
