"""The documents against the code: every command parses, every link leads somewhere, every table says what is."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from galvan import cli
from galvan.cli.parser import build
from galvan.cluster.optionfile import NAME
from galvan.model import Tip
from galvan.pki import authority
from galvan.pki.certificate import describe, problems
from galvan.pki.places import AUTHORITIES, on_application, on_server
from galvan.tips import TIPS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/galvan/tips/*/tip.md")])
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PASSPHRASE = "correct horse battery staple"


def page(name: str) -> str:
    return (ROOT / name).read_text()


def prose(text: str) -> str:
    return BLOCK.sub("", text)


def code(text: str) -> list[str]:
    """Every line of a code block and every code span."""
    lines = [line.strip() for block in BLOCK.findall(text) for line in block.splitlines()]
    return lines + SPAN.findall(prose(text))


def commands(word: str) -> list[str]:
    found = {line for path in PAGES for line in code(path.read_text()) if re.match(rf"(\$ )?{word} ", line)}
    return sorted(line.removeprefix("$ ") for line in found)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("line", commands("galvan"))
def test_every_command_parses(line: str) -> None:
    words = build().parse_args(shlex.split(line, comments=True)[1:])
    assert words.command


@pytest.mark.parametrize("line", commands("make"))
def test_every_target_is_there(line: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", page("Makefile"), re.MULTILINE))
    assert shlex.split(line, comments=True)[1] in targets


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_leads_somewhere(path: Path) -> None:
    links = [link for link in LINK.findall(prose(path.read_text())) if "://" not in link and not link.startswith("#")]
    assert [link for link in links if not (path.parent / link.partition("#")[0]).exists()] == []


def test_the_exit_codes_are_those_of_the_code() -> None:
    told = [int(code) for code in re.findall(r"^\| (\d+) \|", page("README.md"), re.MULTILINE)]
    assert told == [
        cli.OK, cli.ERROR, cli.CHANGES, cli.FINDINGS, cli.INCOMPLETE, cli.GATE, cli.USAGE, cli.INTERRUPTED,
    ]  # fmt: skip


def test_the_readme_links_every_tip_and_no_other() -> None:
    assert re.findall(r"tips/(\w+)/tip\.md", page("README.md")) == [tip.id for tip in TIPS]


@pytest.mark.parametrize("tip", TIPS, ids=lambda tip: tip.id)
def test_a_tips_page_lists_its_checks(tip: Tip) -> None:
    text = page(f"src/galvan/tips/{tip.id}/tip.md")
    rows = re.findall(rf"^\| `({tip.id}\.[a-z-]+)` \| [^|]+ \|$", text, re.MULTILINE)
    assert rows == [check.id for check in tip.checks]


@pytest.mark.parametrize("tip", TIPS, ids=lambda tip: tip.id)
def test_a_tips_page_names_its_proofs(tip: Tip) -> None:
    """As they are spelled in proofs.py, up to the `@HOST`."""
    room = f"src/galvan/tips/{tip.id}"
    stems = re.findall(rf'f"({tip.id}\.[a-z-]+)@\{{host\}}[^"]*"', page(f"{room}/proofs.py"))
    assert stems
    assert [stem for stem in stems if f"`{stem}`" not in page(f"{room}/tip.md")] == []


def test_the_table_of_files_names_every_place() -> None:
    text = page("docs/files.md")
    places = [on_server(authority).directory for authority in AUTHORITIES] + [on_application().directory]
    kept = set(re.findall(r"/var/lib/galvan/(\w+)|\{HOME\}/(\w+)", sources()))
    names = {NAME, *places, *(f"/var/lib/galvan/{a or b}" for a, b in kept)}
    assert [name for name in sorted(names) if name not in text] == []


def sources() -> str:
    rooms = ("app", "cluster", "engine", "pki", "tips")
    files = [path for room in rooms for path in (ROOT / "src" / "galvan" / room).rglob("*.py")]
    return "\n".join(path.read_text() for path in [*files, ROOT / "src" / "galvan" / "edges" / "actions.py"])


# the runbooks' openssl, on keys of Galvan's own ---------------------------------------------------------------
def rehearsed() -> tuple[str, str]:
    """How a leaf is signed, and how a new authority is made: one block in each of the two pages."""
    block = re.compile(r"<!-- rehearsed by tests/test_docs.py -->\n```sh\n(.*?)^```", re.S | re.M)
    (sign,) = block.findall(page("docs/runbooks/expired-leaf.md"))
    (renew,) = block.findall(page("docs/runbooks/authority-lost.md"))
    return sign, renew


def test_every_runbook_is_in_the_list() -> None:
    pages = {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README.md"}
    assert {link for link in LINK.findall(page("docs/runbooks/README.md")) if "/" not in link} == pages


def play(script: str, folder: Path) -> None:
    words = f"set -eu\nstate={folder} passphrase={folder}/passphrase\n{script}"
    done = subprocess.run(["bash", "-c", words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """An authority as Galvan makes it, and a request as a host makes it."""
    made = authority.create("cluster", "shop", PASSPHRASE.encode(), 1095, time.time())
    (tmp_path / "cluster.pem").write_text(made.certificate_pem)
    (tmp_path / "cluster.key").write_bytes(made.key_pem)
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    play('openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem\n'
         'openssl req -new -sha256 -key key.pem -subj "/CN=db1" -out db1.csr', tmp_path)  # fmt: skip
    return tmp_path


def test_the_runbook_signs_a_leaf_that_galvan_calls_good(desk: Path) -> None:
    sign, _ = rehearsed()
    play(sign, desk)
    leaf = describe((desk / "db1.pem").read_text())
    assert problems(leaf, [(desk / "cluster.pem").read_text()], time.time(), warn_days=30) == ()
    assert "db1" in leaf.names


def test_the_runbooks_new_authority_is_one_that_galvan_can_use(desk: Path) -> None:
    sign, renew = rehearsed()
    play(renew, desk)
    made = authority.Authority("cluster", (desk / "new.pem").read_text(), (desk / "new.key").read_bytes())
    assert authority.unlock(made, PASSPHRASE.encode())
    (desk / "new.pem").rename(desk / "cluster.pem")
    (desk / "new.key").rename(desk / "cluster.key")
    play(sign, desk)
    leaf = describe((desk / "db1.pem").read_text())
    assert problems(leaf, [(desk / "cluster.pem").read_text()], time.time(), warn_days=30) == ()
