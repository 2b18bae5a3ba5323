"""Streaming jobs: a build takes time, shows progress, ends created, cancelled or failed.

A build lasts --build-time at least, and as long as the session's backfill_rate_limit makes its
base rows take. Whoever started it may wait for its end; a client that leaves changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from . import errors
from .catalog import Catalog, Relation
from .errors import ServerError
from .statements import MATVIEW

if TYPE_CHECKING:
    from .session import Session

# Where a build stands still that never ends, and where one breaks off that fails.
_MIDDLE = 0.5


@dataclass
class Job:
    relation: Relation
    statement: str
    rows: int
    seconds: float
    background: bool
    session: Session
    hangs: bool = False
    fails: bool = False
    answered: bool = False  # its CREATE has ended: cancels of the session miss it
    started: float = field(default_factory=monotonic)
    initialized_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    failure: ServerError | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def progress(self) -> str:
        share = (monotonic() - self.started) / self.seconds if self.seconds else 1.0
        share = min(share, _MIDDLE if self.hangs or self.fails else 1.0)
        done = int(self.rows * share)
        return f"{100 * (done / self.rows if self.rows else share):.2f}% ({done}/{self.rows})"

    @property
    def create_type(self) -> str:
        return "BACKGROUND" if self.background else "FOREGROUND"

    @property
    def rpc(self) -> str:
        return "CreateMaterializedView" if self.relation.kind == MATVIEW else "CreateIndex"


class Jobs:
    """All builds that are running. `remove` takes away what an aborted one leaves."""

    def __init__(self, catalog: Catalog, remove: Callable[[list[Relation]], None]) -> None:
        self.catalog = catalog
        self.running: dict[int, Job] = {}
        self._moving_at = 0.0  # until then no build gets anywhere
        self._remove = remove
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, job: Job) -> None:
        self.running[job.relation.id] = job
        task = asyncio.get_running_loop().create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        left = None if job.hangs else job.seconds * (_MIDDLE if job.fails else 1)
        while left is None or left > 0:
            try:
                await asyncio.wait_for(job.ended.wait(), left)
                return
            except TimeoutError:
                left = self._moving_at - monotonic()
        self._time_is_up(job)

    def stand_still(self, seconds: float) -> None:
        self._moving_at = monotonic() + seconds

    def _time_is_up(self, job: Job) -> None:
        if job.ended.is_set():  # aborted in the same moment
            return
        if job.fails:
            self.abort(job.relation.id, errors.build_failed(job.rpc, errors.INJECTED))
            return
        self.running.pop(job.relation.id, None)
        self.catalog.finish(job.relation)
        job.session.frontend.hear_of_own_build()
        job.ended.set()

    def abort(self, relation_id: int, failure: ServerError | None = None) -> Job | None:
        """Ends a build and removes what it was building; None when there is no such build."""
        job = self.running.pop(relation_id, None)
        if job is not None:
            job.failure = failure or errors.job_cancelled(job.rpc)
            self._remove(self.catalog.closure(job.relation))
            job.ended.set()
        return job

    def waited_for_by(self, session: Session) -> list[Job]:
        """Builds whose CREATE is running in this session."""
        return [
            job for job in self.running.values() if job.session is session and not job.answered
        ]

    async def wait_all(self) -> None:
        while self.running:
            await next(iter(self.running.values())).ended.wait()
