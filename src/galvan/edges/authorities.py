"""The authorities of one cluster on the operator's machine: their files, their passphrase, and what they signed.

`<directory>/<name>.pem` and `<name>.key` (encrypted, 0600) in a directory of mode 0700; `issued.jsonl` grows by one
line for each certificate, and is never rewritten.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from galvan.edges.secrets import Secrets
from galvan.model import BadInput, GalvanError, SecretRef, Signed
from galvan.pki import authority as pki
from galvan.pki.certificate import describe
from galvan.pki.places import authority_name

CREDENTIAL = "galvan-passphrase"
VARIABLE = "GALVAN_PASSPHRASE_FILE"
LOG = "issued.jsonl"


@dataclass(frozen=True, slots=True)
class Passphrase:
    """`ask` gives it; `confirm`, where somebody types it, asks for it again before an authority is made with it."""

    ask: Callable[[], str]
    confirm: Callable[[], str] | None = None


def passphrase_from(secrets: Secrets, file: Path | None = None, environ: Mapping[str, str] = os.environ) -> Passphrase:
    """The first source that is there: --passphrase-file, its variable, the systemd credential, the prompt.

    Nothing is read, and nothing is complained about, before `ask` is called: most runs need no passphrase.
    """
    named = file or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if named is not None:
        return Passphrase(lambda: secrets.reveal(SecretRef(f"file:{named.expanduser().absolute()}")))
    if secrets.has_credential(CREDENTIAL):
        return Passphrase(lambda: secrets.reveal(SecretRef(f"credential:{CREDENTIAL}")))
    if secrets.may_ask:
        text = "Passphrase of the authorities' keys"
        return Passphrase(
            lambda: secrets.reveal(SecretRef(f"prompt:{text}")),
            lambda: secrets.reveal(SecretRef(f"prompt:{text}, again")),
        )
    return Passphrase(_nowhere)


def _nowhere() -> str:
    raise BadInput(
        "the authority's key is encrypted; give its passphrase with --passphrase-file FILE, "
        f"{VARIABLE}, the systemd credential {CREDENTIAL}, or at the prompt"
    )


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GalvanError(f"the authorities' files: {error.filename or 'a file'}: {error.strerror}") from error


class Authorities:
    """`passphrase` is asked at most once per object, and only where a key has to be opened or made.

    Several processes may use one directory: each change happens under a lock there.
    """

    def __init__(
        self,
        directory: Path,
        cluster: str,
        passphrase: Callable[[], str],
        *,
        confirm: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._cluster = cluster
        self._ask = passphrase
        self._confirm = confirm
        self._clock = clock
        self._asked: bytes | None = None
        self._asking = threading.Lock()
        self._opened: dict[str, pki.Unlocked] = {}

    @_named_errors()
    def certificate(self, name: str) -> str | None:
        """The authority's certificate as PEM, None where there is no such authority; needs no passphrase."""
        certificate, key = self._paths(name)
        if not self._directory.exists():
            return None
        _private(self._directory, "0700")
        if certificate.exists() != key.exists():  # half of one: another process is making it, or died while it did
            with self._locked():
                self._whole(name)
        if not key.exists():
            return None
        self._whole(name)
        return _text(certificate)

    @_named_errors()
    def ensure(self, name: str, days: int) -> str:
        """The authority's certificate; makes the authority where there is none, and never makes one anew.

        Raises BadInput where half of one is left: an authority that lost its key has to be replaced on purpose.
        """
        if (found := self.certificate(name)) is not None:
            return found
        with self._locked():
            certificate, key = self._paths(name)
            if certificate.exists() or key.exists():
                self._whole(name)
                return _text(certificate)
            made = pki.create(name, self._cluster, self._passphrase_to_create(), days, self._clock())
            write(certificate.with_suffix(".pem.making"), made.certificate_pem.encode(), 0o644)
            write(key, made.key_pem, 0o600)
            os.replace(certificate.with_suffix(".pem.making"), certificate)
            _sync(self._directory)
            return made.certificate_pem

    @_named_errors()
    def sign(self, csr_pem: str, wanted: Signed) -> str:
        """The leaf as PEM, once it is in the log. Raises BadInput for a missing authority, and as `pki` does."""
        if self.certificate(wanted.authority) is None:
            raise BadInput(f"there is no authority {wanted.authority!r} in {self._directory}, so nothing can be signed")
        pem = pki.issue(self._unlocked(wanted.authority), csr_pem, wanted, self._clock())
        leaf = describe(pem)
        line = {
            "at": _utc(self._clock()),
            "serial": leaf.serial,
            "authority": wanted.authority,
            "host": wanted.common_name,
            "names": leaf.names,
            "addresses": leaf.addresses,
            "not_after": _utc(leaf.not_after),
            "sha256": leaf.sha256,
        }
        with self._locked():
            append(self._directory / LOG, json.dumps(line) + "\n")
        return pem

    @_named_errors()
    def open(self, name: str) -> None:
        """Opens the key before anything depends on it, so that a wrong or forgotten passphrase changes nothing."""
        self._unlocked(name)

    def _unlocked(self, name: str) -> pki.Unlocked:
        if name not in self._opened:
            certificate, key = self._paths(name)
            authority = pki.Authority(name, _text(certificate), _text(key).encode())
            self._opened[name] = pki.unlock(authority, self._passphrase())
        return self._opened[name]

    def passphrase(self, new: bool = False) -> bytes:
        """For what else is sealed with it. `new`: something is about to be, for the first time perhaps."""
        if new:
            pki.strong(self._passphrase_to_create())
        return self._passphrase()

    def _passphrase_to_create(self) -> bytes:
        """One passphrase opens all authorities, because it is asked once: it has to open those that are there, and
        where there is none to try it on, it is typed twice."""
        passphrase = self._passphrase()
        others = [key.stem for key in self._directory.glob("*.key")]
        for other in others:
            self._unlocked(other)
        if not others and self._confirm is not None and self._confirm().encode() != passphrase:
            raise BadInput("the two passphrases differ; no authority was made")
        return passphrase

    def _passphrase(self) -> bytes:
        with self._asking:
            if self._asked is None:
                self._asked = self._ask().encode()
            return self._asked

    def _paths(self, name: str) -> tuple[Path, Path]:
        authority_name(name)
        return self._directory / f"{name}.pem", self._directory / f"{name}.key"

    def _whole(self, name: str) -> None:
        """Both files, and the key closed to others. A crash between the two renames of `ensure` is made good here."""
        certificate, key = self._paths(name)
        making = certificate.with_suffix(".pem.making")
        if key.exists() and not certificate.exists() and making.exists():
            os.replace(making, certificate)
            _sync(self._directory)
        for there, missing in ((key, certificate), (certificate, key)):
            if not missing.exists():
                raise BadInput(
                    f"there is {there} without {missing.name}: put that back from a backup. "
                    "Galvan never makes an authority anew beside what is left of the old one"
                )
        _private(key, "0600")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _private(self._directory, "0700")
        with locked(self._directory):
            yield


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time works in it; another one waits."""
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _private(path: Path, wanted: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise BadInput(f"{path} may be opened by others than its owner (mode {mode:04o}): chmod {wanted} {path}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise BadInput(f"{path} is damaged: it is no PEM file") from None


def write(path: Path, content: bytes, mode: int) -> None:
    """On disk under its name and with its mode, or not there at all."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(part, path)
    _sync(path.parent)


def append(path: Path, line: str) -> None:
    """At the end, on a line of its own even where a crash tore the last one, and on disk before it returns."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        file.write(("\n" if torn else "").encode() + line.encode())
        os.fsync(descriptor)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
