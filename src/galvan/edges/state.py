"""The operator's side: a directory per cluster with runs, authorities, proofs and the ledger. Nothing in it is readable
by others; files are written beside their place and renamed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from galvan.model import BadInput, Impact

REMEMBER = 35 * 86400.0
"""How long a client that was last seen on the old way is held against NARROW: a month-end job comes once a month."""


def home() -> Path:
    if given := os.environ.get("GALVAN_STATE"):
        return Path(given)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "galvan"


class StateDirectory:
    def __init__(self, cluster: str) -> None:
        self.path = home() / "clusters" / cluster

    def make(self) -> Path:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.chmod(0o700)
        return self.path

    def read(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return {}
        except ValueError as wrong:
            raise BadInput(
                f"{self.path / name} is damaged ({wrong}): move it away, nothing else depends on it"
            ) from wrong
        return dict(found)

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        path = self.make() / name
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(content, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        new.replace(path)


class ProofBook:
    """Which tips were proven, for which fingerprint, and when."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state

    def note(self, tip: str, fingerprint: str, passed: bool) -> None:
        book = self._state.read("proofs.json")
        if passed:
            book[tip] = {"fingerprint": fingerprint, "at": time.time()}
        else:
            book.pop(tip, None)
        self._state.write("proofs.json", book)

    def holds(self, tip: str, fingerprint: str, lifetime_days: int) -> bool:
        entry = self._state.read("proofs.json").get(tip)
        if not entry:
            return False
        return entry["fingerprint"] == fingerprint and bool(time.time() - entry["at"] < lifetime_days * 86400)


class LedgerBook:
    """The last-seen ledger. Times are seconds since the epoch."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state

    def saw(self, tip: str, old: Sequence[Impact], new: Sequence[str], at: float) -> None:
        if not old and not new:
            return
        book = self._state.read("ledger.json")
        for impact in old:
            entry = book.setdefault(f"{tip} {impact.who}", {"first": at})
            entry |= {"old": at, "host": impact.host, "what": impact.what, "evidence": impact.evidence}
        for who in new:
            if entry := book.get(f"{tip} {who}"):
                entry["new"] = at
        self._state.write("ledger.json", book)

    def outstanding(self, tip: str) -> tuple[Impact, ...]:
        return tuple(
            Impact(
                tip,
                entry["host"],
                key.split(" ", 1)[1],
                entry["what"],
                f"last seen {_day(entry['old'])}: {entry['evidence']}",
            )
            for key, entry in self._state.read("ledger.json").items()
            if key.startswith(f"{tip} ")
            and entry.get("new", 0) <= entry["old"]
            and time.time() - entry["old"] < REMEMBER
        )


class DurationBook:
    """How long waves took on this cluster: the last few of each kind, in seconds."""

    KEPT = 9

    def __init__(self, state: StateDirectory) -> None:
        self._state = state

    def note(self, kind: str, seconds: float) -> None:
        book = self._state.read("durations.json")
        book[kind] = [*book.get(kind, []), round(seconds, 1)][-self.KEPT :]
        self._state.write("durations.json", book)

    def took(self) -> Mapping[str, Sequence[float]]:
        return self._state.read("durations.json")


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
