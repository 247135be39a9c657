"""A machine in memory has no kernel of its own, and so no security module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SAID = {
    "state": "container=yes\nkernel=off\nconfig=\napparmor=off\n", "ports": "", "labels": "off\n", "config": "", "profile": "",
    "paths": "datadir\t/var/lib/mysql/\n", "denials": "source none\n",
}  # fmt: skip
OTHERS: Mapping[str, Any] = {f"selinux.{name}": lambda fake, machine, text=text: text for name, text in _SAID.items()}
