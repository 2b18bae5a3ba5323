"""What all sessions share: meta's catalog, the frontends, duckdb, jobs, system relations, faults
and the log.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, TextIO

from . import errors
from .binder import Plan
from .catalog import Catalog, Relation
from .engine import Engine
from .faults import Faults
from .frontend import Frontend
from .jobs import Jobs
from .processes import ghosts
from .statements import MATVIEW, TABLE
from .switches import Switches
from .system_relations import SystemRelations

if TYPE_CHECKING:
    from .session import Session

_KEPT_PLANS = 512


class Server:
    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self.version = switches.version
        self.catalog = Catalog(switches.version)  # meta's; sessions read their frontend's
        self.catalog.watcher = self._catalog_changed
        self.frontends = [
            Frontend(worker, self.catalog, switches.lag, switches.create_lag)
            for worker in range(1, switches.frontends + 1)
        ]
        self.engine = Engine()
        self.jobs = Jobs(self.catalog, self.remove)
        self.system = SystemRelations(self.catalog, self.jobs)
        self.faults = Faults(switches)
        self.ghosts = ghosts(switches.ghost)
        self._news_due = False
        self._recovered_at = 0.0
        self._plans: OrderedDict[object, Plan] = OrderedDict()
        self._log: TextIO | None = (
            Path(switches.log).open("a", encoding="utf-8") if switches.log else None
        )

    # -- the frontends

    def sessions(self) -> Iterator[Session]:
        for frontend in self.frontends:
            yield from frontend.sessions.values()

    def _catalog_changed(self) -> None:
        if not self._news_due:
            self._news_due = True
            # After the running step, so that a change of several parts is told as one.
            asyncio.get_running_loop().call_soon(self._tell_frontends)

    def _tell_frontends(self) -> None:
        self._news_due = False
        if self.switches.lag > 0 or self.switches.create_lag > 0:
            news = self.catalog.copy()
            for frontend in self.frontends:
                frontend.hear_later(news)

    # -- what meta does

    def remove(self, relations: list[Relation]) -> None:
        """Takes relations out of the catalog, and their rows away."""
        self.catalog.remove(relations)
        # A frontend that still names them must be able to bind its queries.
        patience = 2 * (self.switches.lag + self.switches.create_lag)
        for one in relations:
            if one.kind not in (TABLE, MATVIEW):
                continue
            if patience:
                later = asyncio.get_running_loop().call_later
                later(patience, self.engine.drop, one.stored_as, one.kind == TABLE)
            else:
                self.engine.drop(one.stored_as, one.kind == TABLE)

    def recovers_for(self) -> float:
        """The seconds until the running recovery is over."""
        return max(0.0, self._recovered_at - monotonic())

    def recover(self) -> None:
        """A recovery of the cluster: builds in the foreground die, those in the background go on
        when it is over; until then nothing new can be built.

        Every frontend gets a full snapshot, in which meta fills in the time of creation of what
        is still being built.
        """
        self._recovered_at = monotonic() + self.switches.recovery_time
        self.jobs.stand_still(self.switches.recovery_time)
        for job in list(self.jobs.running.values()):
            if not job.background:
                self.jobs.abort(
                    job.relation.id, errors.build_failed(job.rpc, errors.ADHOC_RECOVERY)
                )
                continue
            job.relation.created_at = datetime.now(UTC)
            job.relation.background = False
        self.catalog.changed()
        for frontend in self.frontends:
            frontend.catch_up()

    # -- the log and the plans

    def log(self, session: str, message: str, text: str) -> None:
        if self._log is not None:
            line = (
                text.replace("\\", "\\\\")
                .replace("\n", "\\n")
                .replace("\r", "\\r")
                .replace("\t", "\\t")
            )
            moment = datetime.now(UTC).isoformat(timespec="microseconds")
            self._log.write(f"{moment}\t{session}\t{message}\t{line}\n")
            self._log.flush()

    def remembered_plan(self, key: object) -> Plan | None:
        plan = self._plans.get(key)
        if plan is not None:
            self._plans.move_to_end(key)
        return plan

    def remember_plan(self, key: object, plan: Plan) -> None:
        self._plans[key] = plan
        if len(self._plans) > _KEPT_PLANS:
            self._plans.popitem(last=False)
