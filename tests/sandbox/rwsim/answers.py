"""What a statement answers, before it is written for one of the two protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .values import VARCHAR
from .wire import Column


@dataclass
class Answer:
    """`columns` is None for statements without a result set."""

    tag: str
    columns: list[Column] | None = None
    rows: Sequence[tuple[Any, ...]] = ()
    notices: list[str] = field(default_factory=list)


def texts(*names: str) -> list[Column]:
    return [Column(name, VARCHAR) for name in names]
