"""Galvan's own scripts, known by a piece of their text, and what each does to a host. An unknown one is an error, so
that nothing new can be sent to hosts without being understood here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from galvan.cluster.answer import FLAG
from galvan.cluster.walls import UNIT
from galvan.edges.fake import doors, notary, people, transfers, walls
from galvan.edges.fake.machines import HOME, File, Machine
from galvan.model import NotHealed

if TYPE_CHECKING:
    from galvan.edges.fake import Fake

LOCK = f"{HOME}/lock/owner"
MARK = f"{HOME}/drained"


def run(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """`whole`: False where the sender was killed in the middle, as far as the script notices."""
    for piece, do in _KNOWN.items():
        if piece in text:
            return do(fake, machine, text, whole)
    raise AssertionError(f"a script that the cluster in memory does not know: {text!r}")


def _word(text: str, before: str, after: str) -> str:
    """The one shell word between two pieces of a script, as sh would take it; anything but one word is an error."""
    start = text.index(before) + len(before)
    word = text[start : text.index(after, start)].strip()
    if _BARE.fullmatch(word):
        return word
    inner = word[1:-1].replace("'\"'\"'", "\0")
    assert word[:1] == word[-1:] == "'", f"{word!r} is not one word"
    assert "'" not in inner, f"{word!r} is more than one word"
    return inner.replace("\0", "'")


_BARE = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


def _lock(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    mine = re.findall(r'"run ([^"]+)"', text)
    owner = machine.files.get(LOCK)
    if owner and not any(f"run {run}" in owner.content for run in mine):
        raise NotHealed(f"{machine.host.name}: command 'mkdir -p' failed: locked by: {owner.content.strip()}")
    machine.files[LOCK] = File(_word(text, "printf '%s\\n' ", ' >"$new/owner"') + "\n", 0o600)
    return ""


def _unlock(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    (run,) = re.findall(r'"run ([^"]+)"', text)
    if (owner := machine.files.get(LOCK)) and f"run {run}" in owner.content:
        del machine.files[LOCK]
    return ""


def _take_lock_off(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    owner = machine.files.pop(LOCK, None)
    return owner.content if owner else ""


def _remember(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    path = _word(text, "[ -e ", " ] ||")
    if path not in machine.files and whole:
        machine.files[path] = File(_word(text, "printf '%s\\n' ", f" >{path}.new") + "\n", 0o600)
    return ""


def _mark(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.files[MARK] = File("", 0o600)
    return ""


def _unmark(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    machine.files.pop(MARK, None)
    return ""


def _set_server(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    order = _word(text, "a=$(say ", ")\n").split()
    where, state = order[2], order[4]
    found = [d for d in fake.clients.doors[machine.host.name] if f"{d.backend}/{d.member}" == where]
    if order[:2] != ["set", "server"] or order[3] != "state" or state not in ("drain", "ready") or not found:
        raise NotHealed(f"{machine.host.name}: command failed: HAProxy: No such server.")
    found[0].drained = state == "drain"
    fake.clients.tend()
    return ""


def _make_key(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    key, request = _word(text, "\nkey=", "; request="), _word(text, "; request=", "\n")
    owner = _word(text, "\nowner=", "; group=")
    directory = key.rpartition("/")[0]
    machine.directories.add(directory)
    if key not in machine.files:
        machine.keys_made += 1
        made, _ = notary.key_and_request(machine.host.name, directory, machine.keys_made)
        machine.files[key] = File(made, 0o400, owner)
    if whole:
        number = next(
            n
            for n in range(1, machine.keys_made + 1)
            if notary.key_and_request(machine.host.name, directory, n)[0] == machine.files[key].content
        )
        machine.files[request] = File(notary.key_and_request(machine.host.name, directory, number)[1])
    return ""


def _set_key_aside(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """A directory goes only where Galvan had made it and nothing else lies in it."""
    directory = _word(text, "[ -d ", " ] || exit 0")
    place = f"{HOME}/removed/{directory.rpartition('/')[2]}.{fake.count}"
    for path in [p for p in machine.files if p.startswith(f"{directory}/") and (p.endswith(".pem") or ".pem." in p)]:
        machine.files[place + path.removeprefix(directory)] = machine.files.pop(path)
    if "\nrmdir " in text:
        machine.directories.discard(directory)
    return ""


def _rmdir(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    """Empty directories only."""
    for directory in _word_list(text, "rmdir ", " 2>/dev/null"):
        if not any(path.startswith(f"{directory}/") for path in machine.files):
            machine.directories.discard(directory)
    return ""


def _word_list(text: str, before: str, after: str) -> list[str]:
    return text[text.index(before) + len(before) : text.index(after)].split()


def _forget_run(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    directory = _word(text, "if [ -d ", " ]; then")
    for path, file in machine.take_away(directory).items():
        machine.files[path.replace(f"{HOME}/runs/", f"{HOME}/undone/")] = file
    return ""


def _recover(fake: Fake, machine: Machine, text: str, whole: bool) -> str:
    server = fake.group.server(machine.host.name)
    assert not server.up, "the redo log belongs to a server that runs"
    return f"--wsrep_start_position={server.uuid or fake.group.uuid}:{server.committed}\n"


_KNOWN: dict[str, Callable[[Fake, Machine, str, bool], str]] = {
    f"mkdir -p {HOME}/runs/": _remember,  # first, for these two hold others: a whole wave, and an undo
    f"mkdir -p {people.SAVED}": lambda fake, machine, text, whole: "",
    "-- Accounts before Galvan changed them": people.save,
    "systemd-run -q --unit=galvan-deadman-": walls.arm,
    "systemctl list-units --plain --no-legend --state=active 'galvan-deadman-*.timer'": walls.settle,
    "systemctl is-active -q galvan-deadman-": walls.release,
    "systemd-run -q --unit=galvan-listen-": walls.listen,
    "systemctl stop galvan-listen-": walls.quiet,
    "for to in ": walls.dial,
    "\nnft -c -f ": walls.load,
    "\nnft -f /": walls.load,
    "nft -f - <<'@rules'\n": walls.count,
    "nft delete table inet galvan_watch": walls.count_no_more,
    "nft delete table inet galvan;": walls.unload,
    f"systemctl enable -q {UNIT}": walls.enable,
    f"systemctl disable -q --now {UNIT}": walls.disable,
    "systemctl daemon-reload; rmdir /etc/galvan/firewall": walls.tidy,
    f"mktemp -d {HOME}/lock.XXXXXX": _lock,
    f"*) rm -rf {HOME}/lock ;; esac": _unlock,
    f"; rm -rf {HOME}/lock": _take_lock_off,
    f": >{MARK}": _mark,
    f"rm -f {MARK}": _unmark,
    "(set -C; : >$d)": doors.flag,
    f"rm -f {FLAG}": doors.unflag,
    "a=$(say 'set server ": _set_server,
    "useradd --system": doors.make_user,
    "systemctl restart galvan-health.service": doors.start,
    "systemctl disable -q --now galvan-health.service": doors.stop,
    "systemctl daemon-reload\nuserdel galvan-health": doors.leave,
    "systemctl daemon-reload\ntrue": doors.leave,
    "systemctl reload haproxy": doors.lay,
    "dpkg-statoverride --add": transfers.shut,
    "dpkg-statoverride --remove": transfers.open_again,
    "while pgrep -f 'wsrep_sst_[a-z]'": transfers.wait,
    "openssl genpkey -algorithm EC": _make_key,
    "galera_recovery": _recover,
    f"mktemp -d {HOME}/removed/": _set_key_aside,
    f"mkdir -p -m 700 {HOME}/undone": _forget_run,
    "rmdir /etc/galvan/client": _rmdir,
}
