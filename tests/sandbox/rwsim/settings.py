"""Session variables: the names that exist, their defaults, what a SET makes of a value, and the
search path.
"""

from __future__ import annotations

import re

from . import errors
from .versions import Version

_BOOLEANS = {
    "true": "true",
    "on": "true",
    "1": "true",
    "t": "true",
    "false": "false",
    "off": "false",
    "0": "false",
    "f": "false",
}
_DEFAULTS = {
    "application_name": "",
    "background_ddl": "false",
    "backfill_rate_limit": "default",
    "batch_enable_distributed_dml": "false",
    "bypass_cluster_limits": "false",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "client_min_messages": "notice",
    "create_compaction_group_for_mv": "false",
    "datestyle": "DMY",
    "disable_purify_definition": "false",
    "enable_join_ordering": "true",
    "enable_serverless_backfill": "false",
    "enable_two_phase_agg": "true",
    "extra_float_digits": "1",
    "idle_in_transaction_session_timeout": "60000",
    "implicit_flush": "false",
    "intervalstyle": "postgres",
    "lock_timeout": "0",
    "max_split_range_gap": "8",
    "query_mode": "auto",
    "row_security": "true",
    "search_path": '"$user", public',
    "server_encoding": "UTF8",
    "server_version": "13.14.0",
    "server_version_num": "130014",
    "sink_decouple": "default",
    "sink_rate_limit": "default",
    "slow_ddl_notification_secs": "30",
    "source_rate_limit": "default",
    "standard_conforming_strings": "on",
    "statement_timeout": "3600s",
    "streaming_enable_unaligned_join": "false",
    "streaming_max_parallelism": "0",
    "streaming_parallelism": "default",
    "streaming_parallelism_for_backfill": "default",
    "streaming_parallelism_for_index": "default",
    "streaming_parallelism_for_materialized_view": "default",
    "streaming_parallelism_for_sink": "default",
    "streaming_parallelism_for_source": "default",
    "streaming_parallelism_for_table": "default",
    "streaming_use_arrangement_backfill": "true",
    "streaming_use_snapshot_backfill": "false",
    "synchronize_seqscans": "false",
    "timezone": "UTC",
    "transaction_isolation": "READ COMMITTED",
    "visibility_mode": "default",
    "xmloption": "content",
}
_PARALLELISM = "streaming_parallelism"
_DEFAULT_BOUNDS = {"table": "bounded(4)", "sink": "bounded(8)"}  # since 3.0
_SINCE = {
    "slow_ddl_notification_secs": (2, 7),
    f"{_PARALLELISM}_for_backfill": (2, 8),
    f"{_PARALLELISM}_for_index": (2, 6),
    f"{_PARALLELISM}_for_materialized_view": (2, 6),
    f"{_PARALLELISM}_for_sink": (2, 6),
    f"{_PARALLELISM}_for_source": (2, 6),
    f"{_PARALLELISM}_for_table": (2, 6),
}
_ALIASES = {"rw_implicit_flush": "implicit_flush"}


def parallelism(version: Version, text: str) -> str | None:
    """What a parallelism is kept and shown as; None when there is no such."""
    text = text.lower()
    if text.isdecimal():
        number = str(int(text))
        return "adaptive" if number == "0" and version.at_least(2, 6) else number
    if not version.at_least(2, 6):
        return None
    if text in ("default", "adaptive"):
        return text
    if text == "auto" or (text == "full" and version.at_least(3, 0)):
        return "adaptive"
    if version.at_least(3, 0) and re.fullmatch(r"bounded\([1-9]\d*\)|ratio\(\d+(\.\d+)?\)", text):
        return text
    return None


class Settings:
    def __init__(self, version: Version) -> None:
        self._version = version
        self._values: dict[str, str] = {}
        self._names = [name for name in _DEFAULTS if version.at_least(*_SINCE.get(name, (0, 0)))]

    def _key(self, name: str) -> str:
        key = _ALIASES.get(name, name)
        if key not in self._names:
            raise errors.unknown_setting(name)
        return key

    def get(self, name: str) -> str:
        key = self._key(name)
        if key == _PARALLELISM and not self._version.at_least(2, 6):
            return self._values.get(key, "0")
        return self._values.get(key, _DEFAULTS[key])

    def set(self, name: str, value: str | None) -> None:
        """None puts the default back."""
        key = self._key(name)
        if value is None:
            self._values.pop(key, None)
            return
        if _DEFAULTS[key] in ("true", "false"):
            if value.lower() not in _BOOLEANS:
                raise errors.bad_setting(name, value)
            value = _BOOLEANS[value.lower()]
        if key.startswith(_PARALLELISM):
            value = parallelism(self._version, value) or ""
            if not value:
                raise errors.bad_setting(name, value)
        self._values[key] = value

    def all(self) -> list[tuple[str, str]]:
        return [(name, self.get(name)) for name in self._names]

    def flag(self, name: str) -> bool:
        return self.get(name) == "true"

    def number(self, name: str) -> int | None:
        text = self.get(name)
        return int(text) if text.isdigit() else None

    def job_parallelism(self, what: str) -> str:
        """The parallelism of a new job, as it is kept."""
        own = f"{_PARALLELISM}_for_{what}"
        chosen = self.get(own) if own in self._names else "default"
        if chosen == "default":
            chosen = self.get(_PARALLELISM)
        if chosen not in ("default", "0"):
            return chosen
        if not self._version.at_least(3, 0):
            return "adaptive"
        return _DEFAULT_BOUNDS.get(what, "bounded(64)")

    def search_path(self, user: str) -> list[str]:
        """The entries of the path. It is stored as one text and split at every comma; only the
        quoted "$user" is the user.
        """
        entries = self.get("search_path").split(", ")
        return [user if entry == '"$user"' else entry for entry in entries]
