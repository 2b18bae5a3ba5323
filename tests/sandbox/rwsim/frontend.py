"""One frontend of the cluster: its sessions and their numbers, and what it knows of the catalog.

Meta's catalog is the truth; a frontend works with what it was told. It is told of every change
`--lag` later, and at once of what its own sessions asked for. Versions come in order: who learns
of one change knows all earlier ones. A single frontend without lag reads meta's catalog itself.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from .catalog import Catalog

if TYPE_CHECKING:
    from .session import Session


class Frontend:
    def __init__(self, worker: int, meta: Catalog, lag: float, create_lag: float) -> None:
        self.worker = worker  # the worker id in the process list, from 1
        self.sessions: dict[int, Session] = {}
        self._next_session = 0
        self._meta = meta
        self._lag = lag
        self._create_lag = create_lag
        self._copies = lag > 0 or create_lag > 0
        self._blind_until = 0.0
        self.catalog = meta.copy() if self._copies else meta

    def take_session_number(self) -> int:
        """Sessions are numbered from 0; process id and cancel key are both this number."""
        self._next_session += 1
        return self._next_session - 1

    def catch_up(self) -> None:
        """Shows everything that meta knows now: a DDL of this frontend is done."""
        if self._copies:
            self._blind_until = 0.0
            self.catalog = self._meta.copy()

    def catch_up_after_background(self) -> None:
        """A background CREATE is answered before this frontend heard of the new object."""
        if self._create_lag <= 0:
            self.catch_up()
            return
        self._blind_until = monotonic() + self._create_lag
        self.hear(self._meta.copy())

    def hear_later(self, news: Catalog) -> None:
        if self._copies:
            asyncio.get_running_loop().call_later(self._lag, self.hear, news)

    def hear_of_own_build(self) -> None:
        """The end of a build that was started here."""
        if self._copies:
            self.hear(self._meta.copy())

    def hear(self, news: Catalog) -> None:
        left = self._blind_until - monotonic()
        if left > 0:
            asyncio.get_running_loop().call_later(left, self.hear, news)
        elif news.generation > self.catalog.generation:
            self.catalog = news
