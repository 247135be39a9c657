"""The one place where a value meets a shell or a statement. A template names its values in double braces.

>>> sh("cat {{path}}", path="/tmp/it's").text
'cat \\'/tmp/it\\'"\\'"\\'s\\''
>>> sql("ALTER USER {{user}}@{{host}}", user="o'k", host="%").text
"ALTER USER 'o''k'@'%'"
"""

import re
import shlex
from collections.abc import Sequence

from galvan.model import BadInput, Shell, Sql

_SLOT = re.compile(r"\{\{(\w+)\}\}")


def sh(template: str, **values: str | int | Sequence[str]) -> Shell:
    """POSIX sh with every value as one word (a sequence: one word each)."""

    def word(match: re.Match[str]) -> str:
        value = values[match.group(1)]
        if isinstance(value, (str, int)):
            return shlex.quote(clean(str(value)))
        return " ".join(shlex.quote(clean(v)) for v in value)

    return Shell(_SLOT.sub(word, template))


def sql(template: str, **values: str) -> Sql:
    """A statement with every value as a string literal.

    Holds for a session whose sql_mode knows neither ANSI_QUOTES nor NO_BACKSLASH_ESCAPES; `edges` sets it so.
    """
    return Sql(_SLOT.sub(lambda match: literal(values[match.group(1)]), template))


def literal(value: str) -> str:
    """On one line whatever the value holds: the statement travels in a here-document, and the name of an account that spells
    its end must not end it."""
    said = clean(value).replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{said}'"


def sqlite(value: str) -> str:
    """A string literal for ProxySQL's admin interface, which is SQLite behind MySQL's client.

    SQLite knows no backslash escape, and the client on the way thinks that a backslash hides the quote after it; so what is
    not plain printable ASCII goes as the bytes themselves.

    >>> sqlite("it's"), sqlite("a\\\\")
    ("'it''s'", "CAST(X'615C' AS TEXT)")
    """
    if value.isascii() and value.isprintable() and "\\" not in value:
        return "'" + value.replace("'", "''") + "'"
    return f"CAST(X'{clean(value).encode().hex().upper()}' AS TEXT)"


def proxysql(template: str, **values: str | int) -> str:
    """A statement for ProxySQL's admin interface, with every text as a literal of SQLite's and every number as it is.

    >>> proxysql("SELECT {{a}} LIMIT {{b}}", a="it's", b=3)
    "SELECT 'it''s' LIMIT 3"
    """

    def literally(match: re.Match[str]) -> str:
        value = values[match.group(1)]
        return str(int(value)) if isinstance(value, int) else sqlite(value)

    return _SLOT.sub(literally, template)


def identifier(name: str) -> str:
    """A schema's or table's name.

    >>> identifier("it`s")
    '`it``s`'
    """
    return "`" + clean(name).replace("`", "``") + "`"


def clean(value: str) -> str:
    """The value itself; control characters have no business in names, paths and options (BadInput)."""
    if any((ord(c) < 32 and c not in "\n\t") or ord(c) == 127 for c in value):
        raise BadInput(f"{value!r} holds a control character, which no name, path or option of Galvan's may hold")
    return value
