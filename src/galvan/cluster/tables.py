"""The tables of a member and their checksums: what to ask, and how to read the answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from galvan.cluster.facts import rows
from galvan.cluster.quote import identifier

Sums = Mapping[str, str | None]
"""Checksum by table; None where the server gave none."""

LIST = (
    "SELECT TABLE_SCHEMA, TABLE_NAME, COALESCE(ENGINE, ''), COALESCE(DATA_LENGTH + INDEX_LENGTH, 0) FROM information_schema.TABLES "
    "WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')"
)


@dataclass(frozen=True, slots=True)
class Table:
    schema: str
    name: str
    engine: str
    size: int  # bytes, with indexes, as the server estimates them

    @property
    def id(self) -> str:
        return f"{self.schema}.{self.name}"


def tables(output: str) -> tuple[Table, ...]:
    return tuple(Table(schema, name, engine, int(size)) for schema, name, engine, size in rows(output, 4))


def checksums(wanted: Sequence[Table]) -> tuple[str, ...]:
    """One statement for each table; a table that is gone by then fails alone."""
    return tuple(f"CHECKSUM TABLE {identifier(t.schema)}.{identifier(t.name)}" for t in wanted)


def sums(output: str) -> Sums:
    """
    >>> sums("shop.orders\\t4711\\nshop.gone\\tNULL\\n")
    {'shop.orders': '4711', 'shop.gone': None}
    """
    return {table: None if said == "NULL" else said for table, said in rows(output, 2)}
