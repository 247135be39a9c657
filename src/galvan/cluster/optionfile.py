"""Galvan's own option file, and the words of option files (my.cnf).

Rules from MariaDB's my_default.c, tried with my_print_defaults: a `#` begins a comment in an unquoted value, a
backslash is expanded even inside quotes, quotes are taken off only where they enclose the whole value, and dashes
and underscores in option names are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from galvan.model import BadInput, Unreadable

NAME = "zz-galvan.cnf"
HEADER = "# Written by Galvan, which reads it back: edit another file. To undo: galvan rollback\n"

Key = tuple[str, str]  # section, option


@dataclass(frozen=True, slots=True)
class Entry:
    value: str
    tip: str
    reason: str


def same(name: str) -> str:
    """The one spelling under which two spellings of an option are equal.

    >>> same("Require-Secure_Transport")
    'require_secure_transport'
    """
    return name.strip().lower().replace("-", "_").removeprefix("loose_")


def render(entries: Mapping[Key, Entry]) -> str:
    """The whole file; a comment names the tip and the reason of each line. Empty in, empty out."""
    if not entries:
        return ""
    lines = [HEADER.rstrip()]
    for section in sorted({section for section, _ in entries}):
        lines += ["", f"[{section}]"]
        for (where, name), entry in sorted(entries.items()):
            if where == section:
                lines += [f"# {entry.tip}: {entry.reason}", f"{name} = {quoted(entry.value)}"]
    return "\n".join(lines) + "\n"


def parse(text: str) -> dict[Key, Entry]:
    """Reads back what `render` wrote; Unreadable where somebody else wrote in it."""
    entries: dict[Key, Entry] = {}
    section, note = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line == HEADER.rstrip():
            continue
        if line.startswith("["):
            section = line.strip("[]")
        elif line.startswith("# ") and ": " in line:
            note = line.removeprefix("# ")
        elif " = " in line and section and note:
            name, value = line.split(" = ", 1)
            tip, reason = note.split(": ", 1)
            entries[(section, name)] = Entry(unquoted(value), tip, reason)
            note = ""
        else:
            raise Unreadable(f"{NAME} line {number} was not written by Galvan: {line!r}; move it to a file of your own")
    return entries


def quoted(value: str) -> str:
    """A value as an option file takes it; BadInput where no quoting can carry it."""
    if "\n" in value or "\r" in value or ('"' in value and "'" in value):
        raise BadInput(f"{value!r} cannot be written into an option file: it mixes both quotes or holds a line end")
    mark = "'" if '"' in value else '"'
    return mark + value.replace("\\", "\\\\").replace("\t", "\\t") + mark


def unquoted(text: str) -> str:
    inner = text[1:-1]
    return inner.replace("\\\\", "\0").replace("\\t", "\t").replace("\0", "\\")


def printed(text: str) -> dict[str, str]:
    """The effective options out of `my_print_defaults`, last one wins, in one spelling; in the order of the last ones.

    >>> printed("--ssl-cert=/a\\n--ssl_cert=/b\\n--skip-name-resolve")
    {'ssl_cert': '/b', 'skip_name_resolve': 'ON'}
    """
    options: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("--"):
            name, _, value = line[2:].partition("=")
            options.pop(same(name), None)
            options[same(name)] = value if "=" in line else "ON"
    return options
