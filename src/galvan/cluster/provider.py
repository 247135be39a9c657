"""wsrep_provider_options: one string, `key = value; …`, the last occurrence wins and nothing is merged.

Grammar from galerautils/src/gu_config.cpp: blanks are trimmed, a backslash takes the next character as it is, a key
without `=` is refused by the provider. So the whole string is parsed, single keys are changed, and all is written back.

Where MariaDB's plug-in `wsrep_provider` is loaded (Debian's 11.8 does so), each key is a variable as well. The option
file's string still counts, but the running server refuses to set it (1210): there the key's own variable is set.
"""

import re
from collections.abc import Mapping

from galvan.cluster.quote import sql
from galvan.model import BadInput, Sql, State, Unreadable

_PERIOD = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


def parse(text: str) -> dict[str, str]:
    """
    >>> parse("gcache.size=512M; gmcast.segment=0;")
    {'gcache.size': '512M', 'gmcast.segment': '0'}
    """
    options: dict[str, str] = {}
    for part in _split(text, ";"):
        if not part.strip():
            continue
        key, *rest = _split(part, "=")
        if len(rest) != 1 or not key.strip():
            raise Unreadable(f"wsrep_provider_options holds {part.strip()!r}, which is not one key = value")
        options[_plain(key)] = _plain(rest[0])
    return options


def render(options: Mapping[str, str]) -> str:
    """
    >>> render({"gcache.size": "512M", "gmcast.segment": "0"})
    'gcache.size=512M; gmcast.segment=0'
    """
    return "; ".join(f"{_guard(key)}={_guard(value)}" for key, value in options.items())


def yes(value: str | None) -> bool:
    """The provider's own idea of true."""
    return (value or "").strip().lower() in {"1", "yes", "true", "on"}


def scheme(options: Mapping[str, str]) -> str:
    """How the provider names its listener: `ssl` (strict), or `tcp` (clear text, or socket.dynamic)."""
    address = options.get("gmcast.listen_addr", "")
    return address.split("://", 1)[0] if "://" in address else "tcp"


def variable(key: str) -> str:
    """The plug-in's name for a key.

    >>> variable("evs.join_retrans_period")
    'wsrep_provider_evs_join_retrans_period'
    """
    return "wsrep_provider_" + key.replace(".", "_")


def seconds(period: str) -> float:
    """A period as the plug-in's variables take it; BadInput for anything else.

    >>> seconds("PT0.1S"), seconds("PT1M30S")
    (0.1, 90.0)
    """
    match = _PERIOD.fullmatch(period)
    if not match or not any(match.groups()):
        raise BadInput(f"{period!r} is no period that the wsrep_provider plug-in takes")
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + rest


def set_period(key: str, period: str, seen: State) -> Sql:
    """Sets a period of the running provider, by the way that this server (its variables as `seen`) takes."""
    if variable(key) in seen:
        return Sql(f"SET GLOBAL {variable(key)} = {seconds(period):g}")
    return sql("SET GLOBAL wsrep_provider_options = {{option}}", option=f"{key}={period}")


def _split(text: str, mark: str) -> list[str]:
    parts, current, escaped = [], "", False
    for char in text:
        if char == mark and not escaped:
            parts.append(current)
            current = ""
        else:
            current += char
        escaped = char == "\\" and not escaped
    return [*parts, current]


def _plain(text: str) -> str:
    """Trims unescaped blanks and takes the escapes away."""
    text = text.lstrip()
    out, escaped, keep = "", False, 0
    for char in text:
        if char == "\\" and not escaped:
            escaped = True
            continue
        out += char
        if escaped or not char.isspace():
            keep = len(out)
        escaped = False
    return out[:keep]


def _guard(text: str) -> str:
    """Escapes what would end the key or value, and the blanks at its ends, which would be trimmed."""
    ends = (0, len(text) - 1)
    return "".join("\\" + c if c in "\\;=" or (c.isspace() and n in ends) else c for n, c in enumerate(text))
