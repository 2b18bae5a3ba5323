"""The releases that the sandbox can be."""

from __future__ import annotations

from dataclasses import dataclass

RELEASES = {"2.2": "2.2.0", "2.6": "2.6.3", "2.7": "2.7.0-alpha", "2.8": "2.8.5", "3.0": "3.0.3"}


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
        return f"PostgreSQL 13.14.0-RisingWave-{RELEASES[f'{self.major}.{self.minor}']} (unknown)"
