"""A node of a YAML file that knows its place: every error names the file, the line and the field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from galvan.model import BadInput

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def opened(path: Path, learn: str) -> Field | None:
    """The root of a book that a command made (`learn`); None where the file is empty. Raises BadInput with file and line."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise BadInput(f"there is no {path}: learn it with `{learn}`") from None
    except (OSError, UnicodeDecodeError) as why:
        raise BadInput(f"{path} cannot be read: {why}") from None
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as why:
        mark = getattr(why, "problem_mark", None)
        raise BadInput(f"{path} line {mark.line + 1 if mark else '?'}: {getattr(why, 'problem', why)}") from None
    return None if root is None else Field(str(path), "", root)


class Field:
    """A node of the file that knows its place."""

    def __init__(self, file: str, name: str, node: Any) -> None:
        self.file, self.name, self.node = file, name, node

    def wrong(self, what: str) -> BadInput:
        field = f"{self.name}: " if self.name else ""
        return BadInput(f"{self.file} line {self.node.start_mark.line + 1}: {field}{what}")

    def mapping(self, *known: str) -> dict[str, Field]:
        """The fields of a mapping; an unknown or doubled one is an error. No `known`: any names."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong("expected `name: value` lines here")
        fields: dict[str, Field] = {}
        for key, value in self.node.value:
            name = str(key.value)
            field = Field(self.file, f"{self.name}.{name}".lstrip("."), value)
            if known and name not in known:
                raise Field(self.file, field.name, key).wrong(f"unknown field; known here: {', '.join(known)}")
            if name in fields:
                raise Field(self.file, field.name, key).wrong("given twice")
            fields[name] = field
        return fields

    def items(self) -> list[Field]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.wrong("expected a list")
        return [Field(self.file, f"{self.name}[{n}]", node) for n, node in enumerate(self.node.value)]

    def text(self, pattern: re.Pattern[str] | None = None, example: str = "") -> str:
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag == "tag:yaml.org,2002:null":
            raise self.wrong("expected one value")
        value = str(self.node.value)
        if pattern and not pattern.fullmatch(value):
            raise self.wrong(f"{value!r} cannot stand here; for example: {example}")
        return value

    def port(self) -> int:
        value = self.typed("int")
        if not isinstance(value, int) or not 0 < value < 65536:
            raise self.wrong("a port is a number from 1 to 65535")
        return value

    def one_of(self, *choices: str) -> str:
        value = self.text()
        if value not in choices:
            raise self.wrong(f"{value!r} is not one of {', '.join(choices)}")
        return value

    def typed(self, kind: str) -> object:
        """A value as the policy's field wants it."""
        if kind.startswith("tuple"):
            return tuple(item.text() for item in self.items())
        value = self.text()
        if kind == "bool":
            if value.lower() not in ("true", "false", "yes", "no"):
                raise self.wrong(f"{value!r} is neither true nor false")
            return value.lower() in ("true", "yes")
        if kind in ("int", "float"):
            try:
                number = float(value) if kind == "float" else int(value)
            except ValueError:
                raise self.wrong(f"{value!r} is no number") from None
            if number < 0 or number != number:
                raise self.wrong("expected a number that is not negative")
            return number
        return value
