"""Records what a lab's first two members say of their accounts: `python tests/tips/hardening/record.py SET`, at a lab that is up."""

from __future__ import annotations

import sys
from pathlib import Path

from galvan import lab
from galvan.edges.script import read, render
from galvan.model import Role, Unreadable
from galvan.tips.hardening.accounts import FACTS

HERE = Path(__file__).parent.parent / "outputs"


def main(name: str) -> None:
    mine = [f for f in FACTS if Role.DATABASE in f.roles and (f.id.startswith("hardening.") or f.id == "server.grants")]
    for host in lab.current().databases[:2]:
        said = lab.execute(
            host.name, f"sh 2>/tmp/err <<'@whole'\n{render(mine, 'mark')}\n@whole\nprintf '@apart'; cat /tmp/err"
        )
        out, _, err = said.partition("@apart")
        (HERE / name / host.name).mkdir(parents=True, exist_ok=True)
        for id, text in read(mine, "mark", out, err).items():
            assert not isinstance(text, Unreadable), text
            (HERE / name / host.name / f"{id}.txt").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
