"""The units of unattended renewal: their text, and that only Galvan's own are touched. tests/lab/test_api.py runs them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from galvan.app.desk import AUTHORITIES, Desk, sit_down
from galvan.app.timer import Schedule, install, names_of, remove, schedule
from galvan.edges.timer import MARK, Systemd
from galvan.model import BadInput, Cluster, GalvanError, Host, Role

WORDS = "correct horse battery staple"
SERVICE, TIMER = names_of("shop")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("GALVAN_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("GALVAN_PASSPHRASE_FILE", raising=False)
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text(WORDS)
    cluster = Cluster("shop", (Host("db1", "10.0.0.11", Role.DATABASE, "db1"),))
    return sit_down(tmp_path / "galvan.yaml", passphrase_file=secret, input_allowed=False, cluster=cluster)


def made(desk: Desk, folder: Path, **more: str) -> Schedule:
    return schedule(desk, folder / "galvan.yaml", folder / "passphrase", **more)


def value(text: str, name: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name}=")]
    return line.partition("=")[2]


class Machine:
    """systemd as the edge sees it, in a folder."""

    def __init__(self, folder: Path, root: bool = True, fails: str = "-") -> None:
        self.directory, self.calls, self.fails = folder / "units", [], fails
        self.directory.mkdir()
        (folder / "booted").mkdir()
        self.systemd = Systemd(self.directory, folder / "booted", self.run, lambda: root)

    calls: list[str]

    def run(self, argv: Sequence[str]) -> None:
        if self.fails in argv:
            raise GalvanError(f"{argv} failed")
        self.calls.append(" ".join(argv))

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.directory.iterdir()}


# text ----------------------------------------------------------------------------------------------------------
def test_the_passphrase_is_a_credential_and_stands_in_no_unit(desk: Desk, tmp_path: Path) -> None:
    service = made(desk, tmp_path).units[SERVICE]
    assert value(service, "LoadCredential") == f"galvan-passphrase:{tmp_path}/passphrase"
    assert WORDS not in service
    assert "--passphrase" not in service
    assert f"{tmp_path}/passphrase" not in value(service, "ExecStart") + value(service, "Environment")


def test_the_command_is_the_renewal_with_whole_paths(desk: Desk, tmp_path: Path) -> None:
    service = made(desk, tmp_path, python="/usr/bin/python3").units[SERVICE]
    assert shlex.split(value(service, "ExecStart")) == [
        "/usr/bin/python3", "-m", "galvan", "pki", "renew", "--cluster", f"{tmp_path}/galvan.yaml", "--no-input", "--no-color",
    ]  # fmt: skip
    assert value(service, "Environment") == f"GALVAN_STATE={tmp_path}/state"
    assert value(service, "ReadWritePaths") == f"{tmp_path}/state /tmp"


def test_the_timer_catches_up_and_does_not_strike_with_all_others(desk: Desk, tmp_path: Path) -> None:
    timer = made(desk, tmp_path).units[TIMER]
    assert (value(timer, "OnCalendar"), value(timer, "Persistent")) == ("weekly", "true")
    assert value(timer, "RandomizedDelaySec") == "6h"


def test_who_is_told_is_the_operators_choice(desk: Desk, tmp_path: Path) -> None:
    assert "OnFailure" not in made(desk, tmp_path).units[SERVICE]
    paged = made(desk, tmp_path, on_failure="page@%n.service").units[SERVICE]
    assert value(paged, "OnFailure") == "page@%n.service"


@pytest.mark.parametrize("name", ["with space", "50%", 'a"quote', "back\\slash", "a$HOME"])
def test_any_path_stays_one_word(desk: Desk, tmp_path: Path, name: str) -> None:
    said = schedule(desk, Path("/srv") / name / "galvan.yaml", tmp_path / "p").units[SERVICE]
    words = shlex.split(value(said, "ExecStart"))
    assert words[6].replace("%%", "%").replace("$$", "$") == f"/srv/{name}/galvan.yaml"
    assert words[7] == "--no-input"


@pytest.mark.parametrize(
    ("file", "pager"),
    [("/srv/a\nExecStartPre=x/galvan.yaml", ""), ("/srv/galvan.yaml", "page.service\nExecStartPre=x")],
)
def test_a_line_break_cannot_bring_in_a_setting(desk: Desk, tmp_path: Path, file: str, pager: str) -> None:
    with pytest.raises(BadInput, match="cannot stand in a unit"):
        schedule(desk, Path(file), tmp_path / "p", pager)


# install and remove --------------------------------------------------------------------------------------------
@pytest.fixture
def keyed(desk: Desk) -> Desk:
    for name in AUTHORITIES:
        desk.authorities().ensure(name, 1095)
    return desk


def test_install_puts_both_units_and_starts_the_timer(keyed: Desk, tmp_path: Path) -> None:
    machine, units = Machine(tmp_path), made(keyed, tmp_path)
    install(keyed, units, machine.systemd)
    install(keyed, units, machine.systemd)  # its own files may be written over
    assert machine.files() == dict(units.units)
    assert machine.calls == ["systemctl daemon-reload", f"systemctl enable --now {TIMER}"] * 2
    assert remove(keyed, machine.systemd) == (SERVICE, TIMER)
    assert machine.files() == {}
    assert machine.calls[4:] == [f"systemctl disable --now {TIMER}", "systemctl daemon-reload"]
    assert remove(keyed, machine.systemd) == ()


def test_a_unit_of_somebody_else_is_left_alone(keyed: Desk, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.directory / TIMER).write_text("[Timer]\nOnCalendar=daily\n")
    before = machine.files()
    with pytest.raises(BadInput, match="was not written by Galvan"):
        install(keyed, made(keyed, tmp_path), machine.systemd)
    with pytest.raises(BadInput, match="was not written by Galvan"):
        remove(keyed, machine.systemd)
    assert (machine.files(), machine.calls) == (before, [])


def test_a_masked_unit_is_somebody_elses(keyed: Desk, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.directory / SERVICE).symlink_to("/dev/null")
    with pytest.raises(BadInput, match="was not written by Galvan"):
        install(keyed, made(keyed, tmp_path), machine.systemd)


def test_only_root_installs(keyed: Desk, tmp_path: Path) -> None:
    machine = Machine(tmp_path, root=False)
    with pytest.raises(BadInput, match="by root"):
        install(keyed, made(keyed, tmp_path), machine.systemd)
    assert machine.files() == {}


def test_without_systemd_it_says_so(keyed: Desk, tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "booted").rmdir()
    with pytest.raises(BadInput, match="systemd does not run this machine"):
        install(keyed, made(keyed, tmp_path), machine.systemd)
    assert machine.files() == {}


def test_a_wrong_passphrase_is_found_before_the_night_when_it_matters(keyed: Desk, tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_text("another")
    machine = Machine(tmp_path)
    with pytest.raises(GalvanError, match="does not open"):
        install(keyed, made(keyed, tmp_path), machine.systemd)
    assert machine.files() == {}


def test_a_systemctl_that_fails_is_an_error(keyed: Desk, tmp_path: Path) -> None:
    machine = Machine(tmp_path, fails="enable")
    with pytest.raises(GalvanError, match="enable"):
        install(keyed, made(keyed, tmp_path), machine.systemd)


def test_every_unit_begins_with_its_mark(desk: Desk, tmp_path: Path) -> None:
    assert all(text.startswith(MARK) for text in made(desk, tmp_path).units.values())
