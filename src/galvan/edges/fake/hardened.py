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


_NOT_ENCRYPTED = {
    "hardening.at_rest_tables": "1\t0\t0\t12\t0\tinnodb_system\t\t\t0\tOFF\t0\t\n",
    "hardening.at_rest_files": "named=\n",
    "hardening.at_rest_disk": "redo=80\nbeneath=\nbinlogs=0\n",
    "hardening.at_rest_clear": "all\n",
}


def _always(said: str) -> Callable[[Fake, Machine], str]:
    return lambda fake, machine: said


OTHERS: Mapping[str, Callable[[Fake, Machine], str]] = {
    "hardening.settings": _settings,
    **{fact: _always(said) for fact, said in _NOT_ENCRYPTED.items()},
    **PEOPLE,
}
