"""The same objects while MaxScale runs: lines for maxctrl's standard input. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from galvan.model import BadInput
from galvan.tips.load_balancer.maxscale.render import Object
from galvan.tips.load_balancer.maxscale.versions import Version

_FIXED = {
    "server": (), "monitor": ("module", "servers"), "service": ("router", "cluster", "filters"), "listener": ("service", "protocol", "port"),
    "filter": ("module",),
}  # fmt: skip
"""What says what an object is, and to whom it belongs: not altered while it lives."""


def commands(version: Version, found: Sequence[Object]) -> dict[str, tuple[str, str]]:
    """For maxctrl's standard input, by object: how it is made, and how it is altered. Passwords are slots here too."""
    said: dict[str, tuple[str, str]] = {}
    for each in found:
        given = dict(each.values)
        rest = [f"{key}={_word(text)}" for key, text in each.values if key not in (*_FIXED[each.kind], "protocol")]
        changed = tuple(rest)
        made = {
            "server": [each.name],
            "monitor": [each.name, "galeramon"],
            "filter": [each.name, given.get("module", "")],
        }.get(each.kind, [])
        last: list[str] = []
        if each.kind == "server" and version < (24, 2, 0):
            made = [each.name, given["address"], given["port"]]
            rest = [word for word in rest if not word.startswith(("address=", "port="))]
        elif each.kind == "monitor":
            last = ["--servers", *given["servers"].split(",")]
        elif each.kind == "service":
            made = [each.name, given["router"]]
            last = [
                "--cluster",
                given["cluster"],
                *(["--filters", *given["filters"].split("|")] if "filters" in given else []),
            ]
        elif each.kind == "listener":
            made = [given["service"], each.name, given["port"], f"protocol={given['protocol']}"]
        said[each.name] = (
            " ".join(("create", each.kind, *made, *rest, *last)),
            " ".join(("alter", each.kind, each.name, *changed)),
        )
    return said


def removal(found: Sequence[Object]) -> tuple[str, ...]:
    """The same objects taken away, whoever uses them first."""
    force = {"server": " --force", "monitor": " --force", "service": " --force", "filter": " --force", "listener": ""}
    return tuple(f"destroy {each.kind} {each.name}{force[each.kind]}" for each in reversed(found))


def _word(text: str) -> str:
    """maxctrl splits a line at blanks, and takes quotes off."""
    if " " in text or '"' in text or "'" in text:
        raise BadInput(f"{text!r} cannot be given to maxctrl on a line of its own")
    return text
