"""Where a secret's name becomes its value, at the moment of use; nothing else in Galvan may learn it.

A value is returned and, but for what was typed at the prompt, kept nowhere. No message here repeats a value, and
none repeats a name that has no known form: somebody may have written the password itself where its name belongs.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from galvan.model import BadInput, SecretRef

FORMS = "file:/PATH, env:NAME, credential:NAME or prompt:TEXT"
MOST_BYTES = 65_536


def check(ref: SecretRef) -> SecretRef:
    """The reference itself, where its form is known; for those who read configuration. Reads nothing."""
    form, _, rest = ref.name.partition(":")
    if form not in ("file", "env", "credential", "prompt") or not rest or not ref.name.isprintable():
        raise BadInput(f"a secret is given by where it lies, never by itself: {FORMS}")
    if form == "file" and not Path(rest).expanduser().is_absolute():
        raise BadInput(f"{ref.name}: give the whole path, as in file:/etc/galvan/secret")
    if form == "credential" and (Path(rest).name != rest or rest == ".."):
        raise BadInput(f"{ref.name}: a systemd credential has a plain name, without '/'")
    return ref


class Secrets:
    """Resolves references. `input_allowed`: whether somebody may be asked (`--no-input` forbids it).

    Raises BadInput with the way out wherever a value cannot be had or is empty.
    """

    def __init__(
        self,
        *,
        input_allowed: bool = True,
        environ: Mapping[str, str] = os.environ,
        interactive: Callable[[], bool] | None = None,
        ask: Callable[[str], str] | None = None,
    ) -> None:
        self._environ = environ
        self._interactive = interactive or (lambda: sys.stdin is not None and sys.stdin.isatty())
        self._ask = ask or _getpass
        self._input_allowed = input_allowed
        self._typed: dict[str, str] = {}
        self._asking = threading.Lock()

    @property
    def may_ask(self) -> bool:
        return self._input_allowed and self._interactive()

    def reveal(self, ref: SecretRef) -> str:
        """The value. What was typed at a prompt is asked for once and remembered for this process."""
        form, _, rest = check(ref).name.partition(":")
        if form == "file":
            value = _file(Path(rest).expanduser(), private=True)
        elif form == "env":
            value = self._environ.get(rest, "")
        elif form == "credential":
            value = self._credential(rest)
        else:
            value = self._prompt(rest)
        if not value:
            raise BadInput(f"{ref.name} is empty or not set")
        return value

    def has_credential(self, name: str) -> bool:
        directory = self._environ.get("CREDENTIALS_DIRECTORY")
        return bool(directory) and (Path(str(directory)) / name).exists()

    def _credential(self, name: str) -> str:
        directory = self._environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise BadInput(
                f"credential:{name}: systemd gave no credentials to this process; "
                f"put LoadCredentialEncrypted={name} into its unit"
            )
        # systemd opens these to the unit by an access list, which shows as group bits
        return _file(Path(directory) / name, private=False)

    def _prompt(self, text: str) -> str:
        if not self.may_ask:
            why = "there is no terminal to ask at" if self._input_allowed else "input is not allowed (--no-input)"
            raise BadInput(f"prompt:{text}: {why}; give the secret as file:/PATH, env:NAME or credential:NAME")
        with self._asking:
            if text not in self._typed:
                try:
                    self._typed[text] = self._ask(f"{text}: ")
                except EOFError:
                    raise BadInput(f"prompt:{text}: nothing was typed") from None
            return self._typed[text]


def _file(path: Path, *, private: bool) -> str:
    """The text without its last line end. The mode is that of the file that was opened, not of its name."""
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if private and stat.S_ISREG(about.st_mode) and about.st_mode & 0o077:
                mode = f"{stat.S_IMODE(about.st_mode):04o}"
                raise BadInput(f"{path} may be opened by others than its owner (mode {mode}): chmod 0600 {path}")
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise BadInput(f"{path} is too large for a secret: more than {MOST_BYTES} bytes")
    try:
        text = raw.decode()
    except UnicodeDecodeError:  # its own text would show some of the value
        raise BadInput(f"{path} holds a secret that is no UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _getpass(prompt: str) -> str:
    import getpass

    return getpass.getpass(prompt)
