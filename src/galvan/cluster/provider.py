"""wsrep_provider_options: one string, `key = value; …`, the last occurrence wins and nothing is merged.

Grammar from galerautils/src/gu_config.cpp: blanks are trimmed, a backslash takes the next character as it is, a key
without `=` is refused by the provider. So the whole string is parsed, single keys are changed, and all is written back.
"""

from collections.abc import Mapping

from galvan.model import Unreadable


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
