"""A strict recogniser of what Galvan says to ProxySQL's admin interface: nothing else than these forms, these tables, these columns, and
literals of a column's own type. Raises Wrong with the place."""

from __future__ import annotations

import re

from proxysql_schema import COLUMNS

WHAT = ("MYSQL SERVERS", "MYSQL USERS", "MYSQL VARIABLES", "ADMIN VARIABLES")
COMMANDS = {f"{verb} {what} {where}" for what in WHAT for verb, where in (("LOAD", "TO RUNTIME"), ("SAVE", "TO DISK"))}
COMMANDS |= {"SAVE MYSQL SERVERS TO MEMORY"}
FUNCTIONS = {"CAST", "COALESCE", "COUNT", "instr", "replace", "trim"}
WORDS = {
    "SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "EXISTS", "AS", "JOIN", "ON", "ORDER", "BY", "DESC", "LIMIT", "UNION", "ALL",
    "UPDATE", "SET", "INSERT", "IGNORE", "INTO", "VALUES", "REPLACE", "DELETE", "NULL", "TEXT",
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<bytes>X'(?:[0-9A-F]{2})*')|(?P<text>'(?:[^'\\]|'')*')|(?P<number>\d+)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign><>|>=|<=|\|\||[=<>(),.*+-])|(?P<space> )"
)


class Wrong(AssertionError):
    pass


def tokens(statement: str) -> list[tuple[str, str]]:
    """Single spaces, no comment, no quote but SQLite's for texts, nothing that MySQL's client would take for its own."""
    if not (statement.isascii() and statement.isprintable()) or "  " in re.sub(r"'(?:[^']|'')*'", "''", statement):
        raise Wrong(f"no plain line: {statement!r}")
    found, place = [], 0
    while place < len(statement):
        match = _TOKEN.match(statement, place)
        if match is None:
            raise Wrong(f"no token at {statement[place : place + 30]!r}")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match.group()))
        place = match.end()
    return found


class _Reader:
    def __init__(self, statement: str) -> None:
        self.statement, self.left = statement, tokens(statement)
        self.tables: set[str] = set()
        self.names: set[str] = set()

    def peek(self, ahead: int = 0) -> str:
        return self.left[ahead][1] if len(self.left) > ahead else ""

    def take(self, *wanted: str) -> str:
        kind, said = self.left.pop(0) if self.left else ("end", "")
        if wanted and said not in wanted and kind not in wanted:
            raise Wrong(f"{said!r} where {' or '.join(wanted)} belongs, in {self.statement}")
        return said

    def table(self) -> str:
        name = self.take("word")
        if name not in COLUMNS:
            raise Wrong(f"{name} is no table that Galvan writes, in {self.statement}")
        self.tables.add(name)
        if self.peek() == "AS":
            self.take("AS")
            self.take("word")
        return name

    def column(self, table: str) -> str:
        name = self.take("word")
        if name not in COLUMNS[table]:
            raise Wrong(f"{table} has no column {name}, in {self.statement}")
        return name

    def whole(self) -> None:
        match self.take("UPDATE", "INSERT", "REPLACE", "DELETE"):
            case "UPDATE":
                table = self.table()
                self.take("SET")
                self.assignment(table)
                while self.peek() == ",":
                    self.take(",")
                    self.assignment(table)
                self.condition()
            case "DELETE":
                self.take("FROM")
                self.table()
                self.condition()
            case verb:
                if verb == "INSERT" and self.peek() == "OR":
                    self.take("OR")
                    self.take("IGNORE")
                self.take("INTO")
                self.inserted(self.table())
        if self.left:
            raise Wrong(f"{self.peek()!r} after the end of {self.statement}")

    def assignment(self, table: str) -> None:
        column = self.column(table)
        self.take("=")
        self.value(COLUMNS[table][column])

    def inserted(self, table: str) -> None:
        self.take("(")
        columns = [self.column(table)]
        while self.peek() == ",":
            self.take(",")
            columns.append(self.column(table))
        self.take(")")
        if self.peek() == "SELECT":
            self.rest()
            return
        self.take("VALUES")
        self.take("(")
        for n, column in enumerate(columns):
            if n:
                self.take(",")
            self.value(COLUMNS[table][column])
        self.take(")")

    def value(self, kind: str) -> None:
        """A lone literal has the column's type; what is computed is left to the tables themselves."""
        alone = self.peek(1) in (",", ")", "WHERE", "")
        if self.left and self.left[0][0] == "number" and alone and kind != "INT":
            raise Wrong(f"a number for a text, in {self.statement}")
        if self.left and self.left[0][0] == "text" and alone and kind != "VARCHAR":
            raise Wrong(f"a text for a number, in {self.statement}")
        depth = 0
        while self.left and not (depth == 0 and self.peek() in (",", ")", "WHERE")):
            depth += {"(": 1, ")": -1}.get(self.step(), 0)

    def condition(self) -> None:
        """No statement without one: an UPDATE or DELETE of everything is never meant."""
        if self.take("WHERE") != "WHERE" or not self.left:
            raise Wrong(f"a condition is missing, in {self.statement}")
        self.rest()

    def rest(self) -> None:
        depth = 0
        while self.left:
            depth += {"(": 1, ")": -1}.get(self.step(), 0)
            if depth < 0:
                raise Wrong(f"a bracket too many, in {self.statement}")
        if depth:
            raise Wrong(f"a bracket too few, in {self.statement}")

    def step(self) -> str:
        kind, said = self.left.pop(0)
        if kind == "word" and said not in WORDS:
            if self.peek() == "(" and said in FUNCTIONS:
                return said
            if said in COLUMNS:
                self.tables.add(said)
            elif said not in ("twin", "g", "rowid") and not any(said in columns for columns in COLUMNS.values()):
                raise Wrong(f"{said} is nothing that ProxySQL knows, in {self.statement}")
        return said


def check(statement: str) -> None:
    if statement.startswith(("LOAD ", "SAVE ")):
        if statement not in COMMANDS:
            raise Wrong(f"no command: {statement}")
        return
    _Reader(statement).whole()
