"""Where text goes: tables with colour on a terminal, one line a row elsewhere. rich is only imported for a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galvan.model import WrongUsage

if TYPE_CHECKING:
    from galvan.report.text import Table


def writable(file: Path, option: str) -> None:
    """Said before anything is begun: a report that cannot be written would be lost. Raises WrongUsage."""
    if file.is_dir():
        raise WrongUsage(f"{option} {file} is a directory: name a file in it")
    if not file.parent.is_dir():
        raise WrongUsage(f"{option} {file}: there is no directory {file.parent}")
    if not os.access(file if file.exists() else file.parent, os.W_OK) or not os.access(file.parent, os.W_OK):
        raise WrongUsage(f"{option} {file} cannot be written by this account")


class Output:
    """`color` None decides by the stream and NO_COLOR. `file` receives the report instead of standard output."""

    def __init__(self, as_json: bool, color: bool | None = None, file: Path | None = None) -> None:
        if file:
            writable(file, "--output")
        self.json, self._file = as_json, file
        plain = color is False or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
        self.fancy = sys.stdout.isatty() and file is None and not as_json
        self._plain = plain
        self._lines: list[str] = []
        self._began = time.monotonic()

    def table(self, table: Table) -> None:
        if self.json or not table.rows:
            return
        if self.fancy:
            self._draw(table)
            return
        self.line(f"# {table.title}")
        for row in table.rows:
            self.line("\t".join(cell.replace("\n", " ") for cell in row))

    def _draw(self, table: Table) -> None:
        from rich.console import Console
        from rich.table import Table as Drawn
        from rich.text import Text

        from galvan.report.text import STYLES

        drawn = Drawn(*table.head, title=table.title, title_justify="left", expand=False)
        for row in table.rows:
            drawn.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
        Console(no_color=self._plain).print(drawn)

    def line(self, text: str = "") -> None:
        if self.json:
            return
        if self._file:
            self._lines.append(text)
        else:
            print(text, flush=True)

    def event(self, where: str, text: str) -> None:
        """Progress of a run: one line an event, with the seconds since it began; beside JSON it goes to standard error."""
        stamp = f"{time.monotonic() - self._began:7.1f}s"
        if self.fancy and not self._plain:
            from rich.console import Console
            from rich.markup import escape

            Console().print(f"[dim]{stamp}[/dim]  [cyan]{escape(where):<26}[/cyan] {escape(text)}", highlight=False)
        else:
            print(
                f"{stamp}  {where:<26} {text}", file=sys.stderr if self.json or self._file else sys.stdout, flush=True
            )

    def document(self, content: dict[str, Any] | str) -> None:
        """A value becomes JSON; a text is a document already."""
        text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False)
        if self._file:
            self._lines.append(text)
        else:
            print(text, flush=True)

    def close(self) -> None:
        if self._file:
            new = self._file.with_suffix(self._file.suffix + ".new")
            new.write_text("\n".join(self._lines) + "\n", encoding="utf-8")
            new.replace(self._file)
