"""How a balancer's own interface is reached: all that this part of the tip has to know of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from galvan.model import Shell


@dataclass(frozen=True, slots=True)
class Admin:
    """`ask` prints the rows of each statement, one a line, columns by tabs, without a head; nothing where the balancer is not
    installed. `tell` carries the statements out in one session, up to the first that fails."""

    ask: Callable[[Sequence[str]], Shell]
    tell: Callable[[Sequence[str]], Shell]
