"""A host in memory is hard already: what the tip `hardening` would change is not what the engine's logic is tried with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from galvan.edges.fake.machines import Machine
from galvan.edges.fake.people import PEOPLE

if TYPE_CHECKING:
    from galvan.edges.fake import Fake

_SETTINGS = {"local_infile": "OFF"}


def _settings(fake: Fake, machine: Machine) -> str:
    return "".join(f"{name}\t{value}\n" for name, value in _SETTINGS.items())


OTHERS: Mapping[str, Callable[[Fake, Machine], str]] = {"hardening.settings": _settings, **PEOPLE}
