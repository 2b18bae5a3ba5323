"""Streaming jobs: a build takes time, shows progress, ends created or cancelled.

A build lasts --build-time at least, and as long as the session's backfill_rate_limit makes its
base rows take. Whoever started it may wait for its end; a client that leaves changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from .catalog import Catalog, Relation
from .statements import MATVIEW


@dataclass
class Job:
    relation: Relation
    statement: str
    rows: int
    seconds: float
    background: bool
    session: int
    started: float = field(default_factory=monotonic)
    initialized_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    cancelled: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def progress(self) -> str:
        share = min(1.0, (monotonic() - self.started) / self.seconds) if self.seconds else 1.0
        done = int(self.rows * share)
        return f"{100 * (done / self.rows if self.rows else share):.2f}% ({done}/{self.rows})"

    @property
    def create_type(self) -> str:
        return "BACKGROUND" if self.background else "FOREGROUND"

    @property
    def rpc(self) -> str:
        return "CreateMaterializedView" if self.relation.kind == MATVIEW else "CreateIndex"


class Jobs:
    """All builds that are running."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.running: dict[int, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, job: Job) -> None:
        self.running[job.relation.id] = job
        task = asyncio.get_running_loop().create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        try:
            await asyncio.wait_for(job.ended.wait(), job.seconds)
        except TimeoutError:
            self.running.pop(job.relation.id, None)
            self.catalog.finish(job.relation)
            job.ended.set()

    def cancel(self, relation_id: int) -> Job | None:
        """Stops a build; the caller removes its relation."""
        job = self.running.pop(relation_id, None)
        if job is not None:
            job.cancelled = True
            job.ended.set()
        return job

    def foreground_of(self, session: int) -> list[Job]:
        return [
            job for job in self.running.values() if job.session == session and not job.background
        ]

    async def wait_all(self) -> None:
        while self.running:
            await next(iter(self.running.values())).ended.wait()
