"""The keys of encryption at rest on the operator's side: made here, sealed here, and never taken away.

`<directory>/1.key`, `2.key`, … and `filekey.key` (0600, sealed with the authorities' passphrase) in a directory of mode
0700; `keys.jsonl` grows by one line for each key. A key is on this disk before any host gets it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from galvan.edges.authorities import Authorities, append, locked, write
from galvan.model import BadInput, SecretRef
from galvan.pki import keyring

LOG = "keys.jsonl"
FILEKEY = "filekey"
KIND = "at-rest"


def fingerprints(directory: Path) -> tuple[tuple[str, str], ...]:
    """Number and fingerprint of each key that is kept; needs no passphrase."""
    log = directory / LOG
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.strip()] if log.is_file() else []
    return tuple((str(line["number"]), str(line["fingerprint"])) for line in lines if line["number"] != FILEKEY)


def numbers_in(ref: SecretRef) -> tuple[str, ...]:
    """Which keys a reference such as `at-rest:keys:1,2` speaks of; none for another kind of secret."""
    kind, _, rest = ref.name.partition(":")
    what, _, numbers = rest.partition(":")
    return tuple(numbers.split(",")) if kind == KIND and what == "keys" else ()


class Escrow:
    """Shares the authorities' passphrase, which is asked for at most once."""

    def __init__(self, directory: Path, authorities: Authorities, clock: Callable[[], float] = time.time) -> None:
        self._directory, self._authorities, self._clock = directory, authorities, clock

    def ensure(self, numbers: Sequence[str]) -> None:
        """Makes the keys that are not there yet. Raises BadInput where one that was made is missing: never a second one."""
        with self._locked():
            known = [FILEKEY, *(number for number, _ in fingerprints(self._directory))]
            kept = [name for name in known if (self._directory / f"{name}.key").is_file()]
            if lost := [name for name in known[1:] if name not in kept] or (
                [FILEKEY] if len(known) > 1 and FILEKEY not in kept else []
            ):
                raise BadInput(
                    f"{self._directory / (lost[0] + '.key')} is missing, and data is encrypted with it: put it back from a backup"
                )
            if kept:
                self._open(kept[0])
            for name in dict.fromkeys((FILEKEY, *numbers)):
                if name not in kept:
                    self._make(name)

    def reveal(self, ref: SecretRef) -> str:
        """The content of the file that a host gets: bytes as a text that `surrogateescape` turns back."""
        password = self._open(FILEKEY).hex()
        if not (numbers := numbers_in(ref)):
            return password + "\n"
        keys = {int(number): self._open(number) for number in numbers}
        return keyring.key_file(keys, password).decode("utf-8", "surrogateescape")

    def _make(self, name: str) -> None:
        key = keyring.made()
        write(self._directory / f"{name}.key", keyring.sealed(key, self._authorities.passphrase(new=True)), 0o600)
        print_ = keyring.fingerprint(int(name), key) if name != FILEKEY else ""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock()))
        append(self._directory / LOG, json.dumps({"at": at, "number": name, "fingerprint": print_}) + "\n")

    def _open(self, name: str) -> bytes:
        path = self._directory / f"{name}.key"
        if not path.is_file():
            raise BadInput(f"{path} is not there: this machine does not keep the keys of encryption at rest")
        return keyring.opened(path.read_bytes(), self._authorities.passphrase())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._directory):
            yield
