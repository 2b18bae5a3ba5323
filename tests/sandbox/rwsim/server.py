"""What all sessions share: catalog, duckdb, jobs, system relations, the list of sessions,
faults and the log.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from .binder import Plan
from .catalog import Catalog
from .engine import Engine
from .jobs import Jobs
from .switches import Fault, Switches
from .system_relations import SystemRelations

if TYPE_CHECKING:
    from .session import Session

_KEPT_PLANS = 512


class Server:
    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self.version = switches.version
        self.catalog = Catalog(switches.version)
        self.engine = Engine()
        self.jobs = Jobs(self.catalog)
        self.system = SystemRelations(self.catalog, self.jobs)
        self.sessions: dict[int, Session] = {}
        self._next_session = 0
        self._plans: OrderedDict[object, Plan] = OrderedDict()
        self._log: TextIO | None = (
            Path(switches.log).open("a", encoding="utf-8") if switches.log else None
        )

    def take_session_number(self) -> int:
        """Sessions are numbered from 0; process id and cancel key are both this number."""
        self._next_session += 1
        return self._next_session - 1

    def log(self, session: int, message: str, text: str) -> None:
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

    def strikes(self, faults: list[Fault], text: str) -> bool:
        # Every fault counts the statement, whichever strikes.
        return sum(fault.strikes(text) for fault in faults) > 0
