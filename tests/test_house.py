"""The house as an executable rule: who may import whom, what a tip consists of, how large things may grow.

`make check` runs this file. Each rule that a tool checks is also seen to fail on a planted fault.
"""

from __future__ import annotations

import ast
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from galvan.model import Check, Tip
from galvan.tips import TIPS

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "galvan"
MOST_LINES, MOST_IN_A_FUNCTION = 300, 45
SEED_ORDER = (
    "firewall", "client_tls", "replication_tls", "sst_tls", "selinux", "sst_account", "hardening", "load_balancer",
)  # fmt: skip
PARTS = ("__init__.py", "checks.py", "steps.py", "impact.py", "proofs.py", "tip.md")  # facts.py where it needs its own
CONTROL = re.compile(r"[A-Z]{2}-\d{2}")
STEM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
CHECKS = [(tip, check) for tip in TIPS for check in tip.checks]
MODULES = sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def name_of_check(pair: object) -> str:
    return pair.id if isinstance(pair, Check) else ""


# who may import whom -------------------------------------------------------------------------------------------
def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """lint-imports on the package that lies in `folder`, with the contract of this tree."""
    command = [
        str(Path(sys.executable).with_name("lint-imports")),
        "--no-cache",
        "--config",
        str(ROOT / ".importlinter"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def copy_to(folder: Path) -> Path:
    return shutil.copytree(SOURCE, folder / "galvan", ignore=shutil.ignore_patterns("__pycache__"))


def test_imports_point_down_the_page() -> None:
    done = lint(ROOT / "src")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("tips/client_tls/impact.py", "import galvan.tips.replication_tls.checks", "galvan.tips.client_tls.impact"),
        ("cluster/order.py", "import galvan.engine.plan", "galvan.cluster.order -> galvan.engine.plan"),
        ("model/hosts.py", "import galvan.cluster.quote", "galvan.model.hosts -> galvan.cluster.quote"),
        ("engine/plan.py", "import galvan.edges.state", "galvan.engine.plan -> galvan.edges.state"),
        ("report/text.py", "import galvan.app.desk", "galvan.report.text -> galvan.app.desk"),
        ("cluster/vantage.py", "import galvan.pki.places", "galvan.cluster.vantage -> galvan.pki.places"),
    ],
)
def test_a_wrong_import_is_seen(tmp_path: Path, module: str, line: str, broken: str) -> None:
    path = copy_to(tmp_path) / module
    path.write_text(path.read_text() + f"\n{line}\n")
    done = lint(tmp_path)
    assert done.returncode != 0
    assert broken in done.stdout


def test_a_room_without_a_row_is_seen(tmp_path: Path) -> None:
    (copy_to(tmp_path) / "attic.py").write_text("")
    done = lint(tmp_path)
    assert done.returncode != 0
    assert "galvan.attic" in done.stdout


# a tip is whole ------------------------------------------------------------------------------------------------
def test_every_room_of_a_tip_is_in_the_list_in_the_seeds_order() -> None:
    rooms = {path.parent.name for path in (SOURCE / "tips").glob("*/__init__.py")}
    listed = [tip.id for tip in TIPS]
    assert set(listed) == rooms
    assert listed == sorted(listed, key=SEED_ORDER.index)


@pytest.mark.parametrize("tip", TIPS, ids=lambda tip: tip.id)
def test_a_tip_is_whole(tip: Tip) -> None:
    room = SOURCE / "tips" / tip.id
    assert [part for part in PARTS if not (room / part).is_file()] == []
    assert tip.title
    assert tip.facts
    assert tip.checks
    assert len({check.id for check in tip.checks}) == len(tip.checks)


@pytest.mark.parametrize(("tip", "check"), CHECKS, ids=name_of_check)
def test_a_check_says_what_why_and_which_control(tip: Tip, check: Check) -> None:
    owner, _, stem = check.id.partition(".")
    assert owner == tip.id
    assert STEM.fullmatch(stem), "kebab-case"
    assert CONTROL.fullmatch(check.control)
    assert check.title
    assert check.title[-1].isalnum(), "a sentence without its full stop: it stands in a table"
    assert len(check.why) > 40, "the docstring is what `galvan explain` prints"


@pytest.mark.parametrize(("tip", "check"), CHECKS, ids=name_of_check)
def test_a_check_has_its_case_file(tip: Tip, check: Check) -> None:
    folder = ROOT / "tests" / "tips" / tip.id
    if not folder.is_dir():
        pytest.skip(f"{folder.relative_to(ROOT)} does not exist yet")
    stem = check.id.partition(".")[2]
    assert (folder / f"{stem}.toml").is_file()


def test_no_case_file_without_its_check() -> None:
    cases = {f"{path.parent.name}.{path.stem}" for path in (ROOT / "tests" / "tips").glob("*/*.toml")}
    assert cases - {check.id for _, check in CHECKS} == set()


@pytest.mark.parametrize("tip", TIPS, ids=lambda tip: tip.id)
def test_what_a_person_has_to_judge_is_the_tips_own_and_says_how(tip: Tip) -> None:
    ids = [row.id for row in tip.manual]
    assert len({*ids, *(check.id for check in tip.checks)}) == len(ids) + len(tip.checks)
    for row in tip.manual:
        owner, _, stem = row.id.partition(".")
        assert owner == tip.id
        assert STEM.fullmatch(stem), "kebab-case"
        assert CONTROL.fullmatch(row.control)
        assert row.title[-1].isalnum()
        assert len(row.look) > 20


# sizes and habits ----------------------------------------------------------------------------------------------
def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def handlers(tree: ast.AST) -> Iterator[ast.ExceptHandler]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))


def caught(handler: ast.ExceptHandler) -> set[str]:
    """The names that a handler catches; a bare one catches `everything`."""
    if handler.type is None:
        return {"everything"}
    return {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}


def comments(text: str) -> Iterator[tokenize.TokenInfo]:
    return (token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT)


def faults(text: str, may_print: bool) -> list[str]:
    tree, lines = ast.parse(text), len(text.splitlines())
    found = [f"{lines} lines, at most {MOST_LINES}"] if lines > MOST_LINES else []
    for function in functions(tree):
        length = int(function.end_lineno or 0) - function.lineno + 1
        if length > MOST_IN_A_FUNCTION:
            found.append(f"line {function.lineno}: {function.name} has {length} lines, at most {MOST_IN_A_FUNCTION}")
    for handler in handlers(tree):
        if wide := caught(handler) & {"everything", "Exception", "BaseException"}:
            found.append(f"line {handler.lineno}: catches {', '.join(wide)}; a bug is not caught")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" and not may_print:
            found.append(f"line {node.lineno}: prints; only the doors and the lab do")
    for comment in comments(text):
        if re.search(r"type:\s*ignore(?!\[)", comment.string):
            found.append(f"line {comment.start[0]}: type: ignore without its code")
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_sizes_and_habits(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    assert faults(path.read_text(), room in ("cli", "lab")) == []


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n" * (MOST_LINES + 1),
        "def f():\n" + "    x = 1\n" * MOST_IN_A_FUNCTION,
        "try:\n    pass\nexcept Exception:\n    pass\n",
        "try:\n    pass\nexcept (OSError, BaseException):\n    pass\n",
        "try:\n    pass\nexcept:\n    pass\n",
        "print(1)\n",
        "x = 1  # type: ignore\n",
    ],
    ids=["file", "function", "exception", "base-exception", "bare", "print", "ignore"],
)
def test_the_rules_see_a_planted_fault(text: str) -> None:
    assert len(faults(text, may_print=False)) == 1


# what must not be in the tree ----------------------------------------------------------------------------------
# Brackets keep this file from naming what it looks for.
REGISTRIES = re.compile(
    r"pyp[i][.](?:org|python)|pythonh[o]sted|docker[.]i[o]\b|quay[.]i[o]\b|[/]simpl[e]/|--[e]xtra-index"
)
TOOLS = re.compile(r"\bissue[s] (?:show|list|close)\b|\bfar[m]-[a-z]")


def tracked() -> list[Path]:
    """All that is, or is about to be, in the repository; everything where there is none."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        return [path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def forbidden(text: str) -> list[str]:
    """Names of registries and tools, and the places where this very checkout and its Python lie."""
    own = {str(ROOT), str(Path(sys.prefix)), str(Path.home() / ".local")}
    found = [word for word in own if word.count("/") > 1 and re.search(re.escape(word) + r"(?![\w-])", text)]
    return found + REGISTRIES.findall(text) + TOOLS.findall(text)


def test_the_tree_names_no_machine_and_no_registry() -> None:
    bad = {}
    for path in tracked():
        try:
            words = forbidden(path.read_text())
        except UnicodeDecodeError:
            continue
        if words:
            bad[str(path.relative_to(ROOT))] = words
    assert bad == {}


def test_the_rule_sees_a_planted_name() -> None:
    index, host = "simple", "pyp" + "i.org"
    assert forbidden(f"at https://{host}/{index}/x")
    assert forbidden(f"{ROOT}/src")
    assert not forbidden("a plain sentence about farms and issues")


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_are_pinned_with_hashes_and_name_no_place(name: str) -> None:
    text = (ROOT / name).read_text()
    blocks = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
    assert blocks
    assert [block.splitlines()[0] for block in blocks if "==" not in block or "--hash=sha256:" not in block] == []
    assert "://" not in text
