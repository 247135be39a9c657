"""The scripts for the host: sh takes them, marked lines come and go without a trace, and no password is an argument.

No MaxScale ran. Where a script calls MaxScale's tools, small recorders write down which words and which input each was given."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maxscale_grammar import sections
from test_maxscale_steps import OPEN, facts_of

from galvan.model import Balancing, Shell
from galvan.tips.load_balancer.maxscale import scripts, steps
from galvan.tips.load_balancer.maxscale.facts import DOOR as SHOWN
from galvan.tips.load_balancer.maxscale.facts import HOME, KEEP
from galvan.tips.load_balancer.maxscale.render import Door, Member, Tls, core, mark, objects, text
from galvan.tips.load_balancer.maxscale.runtime import commands, removal
from galvan.tips.load_balancer.maxscale.statements import set_mode

TLS = Tls("/etc/maxscale/galvan/ca.pem", "/etc/maxscale/galvan/cert.pem", "/etc/maxscale/galvan/key.pem")
DOOR = Door(
    (24, 2, 4),
    (Member("db1", "10.0.0.11"), Member("db2", "10.0.0.12")),
    Balancing(read_door=3308),
    TLS,
    "TLSv1.2",
    "ECDHE+AESGCM",
    200,
)
MADE = objects(DOOR)
MARK = mark(MADE)
PUT = scripts.put(text(MADE), commands(DOOR.version, MADE), removal(MADE), MARK)
CORE = core(DOOR.version, TLS, "TLSv1.2")
ALL = [
    scripts.PASSWORDS, *PUT, *scripts.put_back(""), *scripts.put_back(MARK), scripts.load(MARK), scripts.unload(MARK, ""), scripts.unload(MARK, MARK),
    scripts.RESTART, scripts.REVIVE, scripts.DIGESTS, scripts.serves(["galvan-db1", "galvan-db2"]), scripts.login(), scripts.NO_LOGIN, scripts.CLOSE_DEFAULT, scripts.OPEN_DEFAULT, scripts.old_door("it's", [("ssl", "true")], forget=True),
    *scripts.mark_core(CORE, MARK), scripts.UNMARK_CORE, *(set_mode(each) for each in ("idle", "learn-append", "supervise", "enforce")),
]  # fmt: skip


@pytest.mark.parametrize("action", ALL, ids=lambda action: action.text.strip().splitlines()[-1][:40])
def test_sh_takes_it(action: object) -> None:
    script = action.text  # type: ignore[attr-defined]
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    assert "@shell" not in script, "the edge's own mark of the end"
    for line in script.splitlines():
        if re.search(r'"?\$w"?\b', line) and "for w in" not in line:
            assert re.match(r"\s*(w=|printf|\[|e=|echo \"\$e\"|for|echo \"\$w)", line) or "$w." in line, (
                f"a password as an argument: {line}"
            )


@pytest.mark.parametrize("mark", ["", "../../etc/passwd", "x" * 16, "0" * 15])
def test_a_mark_is_a_digest(mark: str) -> None:
    with pytest.raises(ValueError, match=f"^{mark}$" if mark.isalnum() else None):
        scripts.load(mark)


# marked lines in the main file ---------------------------------------------------------------------------------
def marked(tmp_path: Path, main: str, settings: tuple[tuple[str, str], ...] = CORE) -> tuple[str, str]:
    """The file with the marked lines, and the same without them again."""
    source, block, target, back = (tmp_path / each for each in ("main", "core", "new", "back"))
    source.write_text(main)
    block.write_text("".join(f"{key}={value}\n" for key, value in settings))
    script = scripts.marking(str(source), str(block), str(target)) + scripts.unmarking(str(target), str(back))
    subprocess.run(["sh", "-eu"], input=script, text=True, check=True)
    return target.read_text(), back.read_text()


MAIN = """\
# comment
[maxscale]
threads=auto
admin_host = 0.0.0.0
admin-port=8990
admin-ssl-key=/old/key
    .pem
log_info=0

[server1]
type=server
admin_host=not here
"""


def test_the_owners_lines_are_kept_as_comments(tmp_path: Path) -> None:
    new, back = marked(tmp_path, MAIN)
    assert back == MAIN
    found = sections(new, main=True)
    assert found["maxscale"] == {"threads": "auto", "admin-port": "8990", "log_info": "0", **dict(CORE)}
    assert found["server1"]["admin_host"] == "not here"
    assert "# galvan kept: admin_host = 0.0.0.0\n" in new


def test_a_main_file_without_its_section_gets_one(tmp_path: Path) -> None:
    main = "[server1]\ntype=server\n"
    new, back = marked(tmp_path, main)
    assert back == main
    assert sections(new, main=True)["maxscale"] == dict(CORE)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "[maxscale]",
                "[MaxScale]",
                "[s1]",
                "admin_host=::",
                "  more",
                "# note",
                "",
                "threads=4",
                "admin_auth : false",
                ";x",
                "a=b",
                "admin-host=x",
            ]
        ),
        max_size=12,
    )
)
def test_marked_lines_leave_no_trace(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    main = "".join(f"{line}\n" for line in lines)
    new, back = marked(tmp_path_factory.mktemp("main"), main)
    assert back == main
    assert new.count("# galvan begin") == 1
    again, _ = marked(tmp_path_factory.mktemp("again"), back)
    assert again == new


# what MaxScale's tools are given -------------------------------------------------------------------------------
TOOL = """#!/bin/sh
echo "$(basename "$0") $*" >>{log}
case "$(basename "$0") $*" in
  *"--tsv"*) cat | grep -q '^list' && printf 'galvan-db1\\t10.0.0.11\\t3306\\t0\\tSlave, Synced, Running\\n' ;;
  *" list "*) ;;
  maxpasswd*) cat >>{log}.in; echo 61DD955512C39A4A8BC4BB1E5F11670561DD955512C39A4A8BC4BB1E5F116705 ;;
  maxkeys*) for last; do :; done; : >"$last/.secrets" ;;
  maxctrl*) [ $# -gt 6 ] || cat >>{log}.in ;;
esac
"""


class Ground:
    """A host's folders under another root, with recorders for MaxScale's tools."""

    def __init__(self, root: Path) -> None:
        self.root, self.log = root, root / "log"
        (root / "bin").mkdir()
        for folder in (root / "etc" / "maxscale.cnf.d", root / "lib"):
            folder.mkdir(parents=True)
        (root / "etc" / "maxscale.cnf").write_text(MAIN)
        for tool in ("maxctrl", "maxpasswd", "maxkeys", "maxscale", "systemctl", "chown"):
            path = root / "bin" / tool
            path.write_text(TOOL.format(log=self.log))
            path.chmod(0o755)

    def path(self, text: str) -> str:
        for there, here in (
            (KEEP, "keep"),
            (HOME, "home"),
            ("/etc/maxscale.cnf", "etc/maxscale.cnf"),
            ("/var/lib/maxscale", "lib"),
        ):
            text = text.replace(there, str(self.root / here))
        return text

    def run(self, script: str) -> None:
        environment = {**os.environ, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"}
        subprocess.run(
            ["sh", "-eu"], input=self.path("{\n" + script + "\n} </dev/null\n"), text=True, check=True, env=environment
        )

    def passwords(self) -> list[str]:
        return [path.read_text().strip() for path in (self.root / "keep").glob("*.pw")]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_passwords_are_random_closed_and_made_once(ground: Ground) -> None:
    ground.run(scripts.PASSWORDS.text)
    made = ground.passwords()
    assert len({*made}) == 2
    assert all(re.fullmatch("Gv[0-9a-f]{48}", each) for each in made)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (ground.root / "keep").glob("*.pw"))
    assert stat.S_IMODE((ground.root / "keep").stat().st_mode) == 0o700
    ground.run(scripts.PASSWORDS.text)
    assert ground.passwords() == made


def test_a_key_is_not_made_where_clear_passwords_look_encrypted(ground: Ground) -> None:
    (ground.root / "etc" / "maxscale.cnf").write_text("[m]\npassword=abcdef0123\n")
    with pytest.raises(subprocess.CalledProcessError):
        ground.run(scripts.PASSWORDS.text)


def test_the_file_is_filled_checked_and_put_in_place(ground: Ground) -> None:
    for action in (scripts.PASSWORDS, *PUT):
        ground.run(action.text)
    own = ground.root / "etc" / "maxscale.cnf.d" / "galvan.cnf"
    found = sections(own.read_text())
    assert (
        found["galvan-monitor"]["password"]
        == found["galvan-read"]["password"]
        == "61DD955512C39A4A8BC4BB1E5F116705" * 2
    )
    assert stat.S_IMODE(own.stat().st_mode) == 0o640
    assert re.search(r"^maxscale --config=\S+ --config-check --user=", ground.log.read_text(), re.M)
    told = ground.log.read_text()
    assert not any(password in told or password in own.read_text() for password in ground.passwords())
    assert all(password in ground.log.with_suffix(".in").read_text() for password in ground.passwords()), (
        "over standard input"
    )


def test_a_refused_file_is_not_put_in_place(ground: Ground) -> None:
    (ground.root / "bin" / "maxscale").write_text("#!/bin/sh\necho 'error : no such module'\nexit 1\n")
    ground.run(scripts.PASSWORDS.text)
    with pytest.raises(subprocess.CalledProcessError):
        ground.run(PUT[0].text)
    assert list((ground.root / "etc" / "maxscale.cnf.d").iterdir()) == []


def test_what_is_there_is_altered_and_what_is_not_is_made(ground: Ground) -> None:
    for action in (scripts.PASSWORDS, *PUT):
        ground.run(action.text)
    (ground.root / "lib" / "maxscale.cnf.d").mkdir()
    copy, mode = (ground.root / "lib" / "maxscale.cnf.d" / f"galvan-{each}.cnf" for each in ("db1", "firewall"))
    copy.write_text("[galvan-db1]\ntype=server\n")
    mode.write_text("[galvan-firewall]\ntype=filter\nmode=enforce\n")
    ground.run(scripts.load(MARK).text)
    said = [
        line for line in ground.log.with_suffix(".in").read_text().splitlines() if line.startswith(("create", "alter"))
    ]
    assert [line.split()[:2] for line in said[:3]] == [["alter", "server"], ["create", "server"], ["create", "monitor"]]
    assert sum("password=61DD9555" in line for line in said) == 3
    assert "@galvan" not in "".join(said)
    assert "61DD9555" not in ground.log.read_text(), "not even in its encrypted form an argument"
    assert (copy.exists(), mode.exists()) == (False, True)


def test_what_was_brought_is_taken_away(ground: Ground) -> None:
    for action in (scripts.PASSWORDS, *PUT):
        ground.run(action.text)
    ground.run(scripts.unload(MARK, "").text)
    said = [line for line in ground.log.with_suffix(".in").read_text().splitlines() if line.startswith("destroy")]
    assert said == list(removal(MADE))
    ground.run(scripts.put_back("")[0].text)
    assert list((ground.root / "etc" / "maxscale.cnf.d").iterdir()) == []


def test_the_marked_main_file_is_checked_first_and_comes_back(ground: Ground) -> None:
    main = ground.root / "etc" / "maxscale.cnf"
    for action in scripts.mark_core(CORE, MARK):
        ground.run(action.text)
    assert sections(main.read_text(), main=True)["maxscale"]["admin_host"] == "127.0.0.1"
    assert "maxscale --config=" in ground.log.read_text()
    ground.run(scripts.UNMARK_CORE.text)
    assert main.read_text() == MAIN


def test_an_undo_where_nothing_was_brought_says_nothing(ground: Ground) -> None:
    ground.run(scripts.unload(MARK, "").text)
    assert not ground.log.exists()


LIST = "galvan-db1\t10.0.0.11\t3306\t0\t{}\ngalvan-db2\t10.0.0.12\t3306\t0\tSlave, Synced, Running\n"


@pytest.mark.parametrize(
    ("state", "good"),
    [("Master, Synced, Running", True), ("Running", False), ("Down", False), ("Auth Error, Down", False), ("Maintenance, Slave, Synced, Running", False)],
)  # fmt: skip
def test_members_are_waited_for(ground: Ground, state: str, good: bool) -> None:
    (ground.root / "bin" / "maxctrl").write_text(f"#!/bin/sh\ncat <<'@'\n{LIST.format(state)}@\n")
    (ground.root / "bin" / "sleep").write_text("#!/bin/sh\n")
    (ground.root / "bin" / "sleep").chmod(0o755)
    script = scripts.serves(["galvan-db1", "galvan-db2"]).text
    if good:
        ground.run(script)
    else:
        with pytest.raises(subprocess.CalledProcessError):
            ground.run(script)


CTL = """#!/bin/sh
case "$*" in *"list servers --tsv"*) {listed} ;; *data.attributes.users*) echo '[{{"user":"app"}}]' ;; *) cat >>{log}.in ;; esac
"""


def tree(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (root / "etc").rglob("*") if path.is_file()}


@pytest.mark.parametrize("before", ["", MARK])
def test_door_and_administration_go_back_byte_for_byte(ground: Ground, before: str) -> None:
    """The whole of both steps as they are planned, forth and back: over nothing, and over an earlier door of Galvan's."""
    listed = "".join(
        f"printf 'galvan-{each}\\t10.0.0.1\\t3306\\t0\\tSlave, Synced, Running\\n'; " for each in ("db1", "db2")
    )
    (ground.root / "bin" / "maxctrl").write_text(CTL.format(listed=listed.rstrip("; "), log=ground.log))
    if before:
        for action in (scripts.PASSWORDS, *PUT):
            ground.run(action.text)
    first = tree(ground.root)
    names = " ".join(sorted(each.name for each in MADE)) if before else ""
    seen = facts_of(OPEN, {"file": before, "objects": names})
    (door,) = steps.door(seen, replace(DOOR, connections=150))
    (administration,) = steps.administration(seen, TLS, "TLSv1.2", ["galvan-db1", "galvan-db2"])
    for action in (*door.do, *administration.do):
        assert isinstance(action, Shell)
        ground.run(action.text)
    assert tree(ground.root).keys() > first.keys() or (before and tree(ground.root) != first)
    for action in (*administration.undo, *door.undo):
        assert isinstance(action, Shell)
        ground.run(action.text)
    assert tree(ground.root) == first


def test_what_a_plan_is_built_on_is_read_from_what_the_scripts_leave(ground: Ground) -> None:
    def seen() -> dict[str, object]:
        script = ground.path("{\n" + SHOWN.query.text + "\n} </dev/null\n")  # type: ignore[union-attr]
        environment = {**os.environ, "PATH": f"{ground.root / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(["sh"], input=script, text=True, capture_output=True, check=True, env=environment)
        return dict(SHOWN.parse(done.stdout))

    names = ("file", "kept", "passwords", "key", "certificate", "marked")
    assert [seen()[name] for name in names] == ["", "no", "none", "read", "no", ""]
    for action in (scripts.PASSWORDS, *PUT, *scripts.mark_core(CORE, steps.core_mark(CORE))):
        ground.run(action.text)
    assert [seen()[name] for name in names] == [MARK, "yes", "made", "unread", "no", steps.core_mark(CORE)]
    home = ground.root / "home"
    made = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=lb1 -days 90 -keyout key.pem -out cert.pem"
    subprocess.run(f"{made} 2>/dev/null; cp cert.pem ca.pem", shell=True, cwd=home, check=True)
    (ground.root / "bin" / "maxctrl").write_text(CTL.format(listed=":", log=ground.log))
    ground.run(scripts.RESTART.text)
    assert (seen()["certificate"], seen()["key"]) == ("yes", "read")
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-out", str(home / "key.pem")],
        check=True,
        capture_output=True,
    )
    assert seen()["certificate"] == "no", "another key"
    own = ground.root / "etc" / "maxscale.cnf.d" / "galvan.cnf"
    own.write_text(own.read_text() + "# mine\n")
    assert (seen()["kept"], seen()["file"] != MARK) == ("no", True)
