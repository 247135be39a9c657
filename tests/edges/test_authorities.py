import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from galvan.edges.authorities import Authorities, Passphrase, passphrase_from
from galvan.edges.secrets import Secrets
from galvan.model import BadInput, GalvanError, Signed
from galvan.pki.certificate import describe, problems

WORD = "correct horse battery"
NOW = 1_800_000_000.0


class Asked:
    def __init__(self, word: str = WORD) -> None:
        self.word, self.times = word, 0

    def __call__(self) -> str:
        self.times += 1
        return self.word


def wanted(authority: str = "cluster") -> Signed:
    return Signed(authority, "/x/request.pem", ("db1", "db1.lan"), ("10.0.3.1",), "db1", 90)


@pytest.fixture(scope="module")
def csr() -> str:
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", "/dev/null", "-subj", "/CN=x"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "state" / "shop"


def authorities(home: Path, asked: object = None, **more: object) -> Authorities:
    return Authorities(home, "shop", asked or Asked(), clock=lambda: NOW, **more)  # type: ignore[arg-type]


def test_it_is_made_once_with_closed_modes(home: Path) -> None:
    asked = Asked()
    here = authorities(home, asked)
    assert here.certificate("cluster") is None
    assert not home.exists()
    made = here.ensure("cluster", 1095)
    assert describe(made).is_ca
    assert describe(made).not_after == NOW + 1095 * 86_400
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "cluster.key").stat().st_mode) == 0o600
    assert sorted(os.listdir(home)) == [".lock", "cluster.key", "cluster.pem"]
    key = (home / "cluster.key").read_bytes()
    assert b"ENCRYPTED" in key
    assert [here.ensure("cluster", 5), authorities(home).ensure("cluster", 5), here.certificate("cluster")] == [
        made
    ] * 3
    assert (home / "cluster.key").read_bytes() == key
    assert asked.times == 1


def test_looking_needs_no_passphrase(home: Path) -> None:
    made = authorities(home).ensure("cluster", 1095)

    def never() -> str:
        raise AssertionError("asked")

    assert authorities(home, never).certificate("cluster") == made
    assert authorities(home, never).ensure("cluster", 1095) == made


def test_it_signs_and_keeps_a_log(home: Path, csr: str) -> None:
    asked = Asked()
    here = authorities(home, asked)
    roots = {name: here.ensure(name, 1095) for name in ("cluster", "client")}
    leaves = [here.sign(csr, wanted(name)) for name in ("cluster", "client", "cluster")]
    assert asked.times == 1
    assert problems(describe(leaves[0]), roots["cluster"], NOW, ("db1",), ("10.0.3.1",)) == ()
    assert "does not chain" in problems(describe(leaves[1]), roots["cluster"], NOW)[0]
    log = [json.loads(line) for line in (home / "issued.jsonl").read_text().splitlines()]
    assert [line["authority"] for line in log] == ["cluster", "client", "cluster"]
    first = describe(leaves[0])
    assert log[0] == {
        "at": "2027-01-15T08:00:00Z", "serial": first.serial, "authority": "cluster", "host": "db1",
        "names": ["db1", "db1.lan"], "addresses": ["10.0.3.1"], "not_after": "2027-04-15T08:00:00Z", "sha256": first.sha256,
    }  # fmt: skip
    assert stat.S_IMODE((home / "issued.jsonl").stat().st_mode) == 0o600


def test_a_torn_line_of_the_log_stays_alone(home: Path, csr: str) -> None:
    here = authorities(home)
    here.ensure("cluster", 1095)
    (home / "issued.jsonl").write_text('{"torn')
    here.sign(csr, wanted())
    torn, whole = (home / "issued.jsonl").read_text().splitlines()
    assert torn == '{"torn'
    assert json.loads(whole)["host"] == "db1"


def test_what_is_not_signed_is_not_logged(home: Path, csr: str) -> None:
    here = authorities(home)
    with pytest.raises(BadInput, match="there is no authority 'cluster'"):
        here.sign(csr, wanted())
    here.ensure("cluster", 1095)
    with pytest.raises(BadInput):
        here.sign("rubbish", wanted())
    assert not (home / "issued.jsonl").exists()


def test_a_wrong_passphrase_signs_nothing_and_makes_no_second_authority(home: Path, csr: str) -> None:
    authorities(home).ensure("cluster", 1095)
    wrong = authorities(home, Asked("wrong horse battery"))
    for attempt in (lambda: wrong.sign(csr, wanted()), lambda: wrong.ensure("client", 1095)):
        with pytest.raises(BadInput, match="the passphrase does not open the authority 'cluster'") as caught:
            attempt()
        assert "wrong horse" not in str(caught.value)
    assert not (home / "client.key").exists()


def test_a_short_passphrase_makes_nothing(home: Path) -> None:
    with pytest.raises(BadInput, match="at least 12 characters"):
        authorities(home, Asked("elevenchars")).ensure("cluster", 1095)
    assert os.listdir(home) == [".lock"]


def test_a_typed_passphrase_is_typed_twice_for_the_first_authority_only(home: Path) -> None:
    with pytest.raises(BadInput, match="differ"):
        authorities(home, confirm=Asked("correct horse batteri")).ensure("cluster", 1095)
    assert os.listdir(home) == [".lock"]
    again = Asked()
    here = authorities(home, confirm=again)
    here.ensure("cluster", 1095)
    here.ensure("client", 1095)
    assert again.times == 1


@pytest.mark.parametrize(("what", "mode"), [("", 0o750), ("", 0o701), ("cluster.key", 0o640), ("cluster.key", 0o604)])
def test_looser_modes_are_refused_with_the_way_out(home: Path, csr: str, what: str, mode: int) -> None:
    authorities(home).ensure("cluster", 1095)
    (home / what).chmod(mode)
    here = authorities(home)
    for attempt in (
        lambda: here.certificate("cluster"),
        lambda: here.ensure("cluster", 9),
        lambda: here.sign(csr, wanted()),
    ):
        with pytest.raises(BadInput, match=rf"mode {mode:04o}\): chmod 0[67]00 "):
            attempt()


@pytest.mark.parametrize("lost", ["cluster.key", "cluster.pem"])
def test_half_an_authority_is_never_made_anew(home: Path, lost: str) -> None:
    authorities(home).ensure("cluster", 1095)
    (home / lost).unlink()
    left = sorted(os.listdir(home))
    with pytest.raises(BadInput, match="put that back from a backup"):
        authorities(home).ensure("cluster", 1095)
    assert sorted(os.listdir(home)) == left


def test_a_crash_between_the_two_files_is_made_good(home: Path, csr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def crash(source: object, target: object) -> None:
        if str(target).endswith("cluster.pem"):
            raise KeyboardInterrupt
        replace(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        authorities(home).ensure("cluster", 1095)
    monkeypatch.setattr(os, "replace", replace)
    assert sorted(os.listdir(home)) == [".lock", "cluster.key", "cluster.pem.making"]
    here = authorities(home)
    made = here.ensure("cluster", 1095)
    assert problems(describe(here.sign(csr, wanted())), made, NOW) == ()


def test_two_processes_make_one_authority(home: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from galvan.edges.authorities import Authorities\n"
        f"print(Authorities(Path(sys.argv[1]), 'shop', lambda: {WORD!r}).ensure('cluster', 1095))"
    )
    both = [subprocess.Popen([sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE) for _ in range(3)]
    assert len({process.communicate()[0] for process in both}) == 1
    assert [process.returncode for process in both] == [0, 0, 0]


def test_names_cannot_leave_the_directory(home: Path) -> None:
    with pytest.raises(BadInput):
        authorities(home).ensure("../evil", 1095)


def test_a_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GalvanError, match=f"{tmp_path}/file"):
        authorities(tmp_path / "file" / "x").ensure("cluster", 1095)


def source(environ: dict[str, str], *, tty: bool = False, file: Path | None = None) -> Passphrase:
    secrets = Secrets(environ=environ, interactive=lambda: tty, ask=lambda prompt: f"typed at {prompt}")
    return passphrase_from(secrets, file, environ)


def test_the_first_source_that_is_there(tmp_path: Path) -> None:
    for name in ("flag", "variable", "galvan-passphrase"):
        (tmp_path / name).write_text(f"from {name}\n")
        (tmp_path / name).chmod(0o600)
    environ = {"GALVAN_PASSPHRASE_FILE": f"{tmp_path}/variable", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert source(environ, tty=True, file=tmp_path / "flag").ask() == "from flag"
    assert source(environ, tty=True).ask() == "from variable"
    del environ["GALVAN_PASSPHRASE_FILE"]
    assert source(environ, tty=True).ask() == "from galvan-passphrase"
    assert source(environ, tty=True).confirm is None
    typed = source({}, tty=True)
    assert typed.ask() == "typed at Passphrase of the authorities' keys: "
    assert typed.confirm is not None
    assert typed.confirm().endswith("again: ")


def test_without_any_source_all_are_named(home: Path, csr: str) -> None:
    here = Authorities(home, "shop", source({}).ask, clock=time.time)
    with pytest.raises(
        BadInput, match=r"--passphrase-file FILE, GALVAN_PASSPHRASE_FILE, .*galvan-passphrase, or at the prompt"
    ):
        here.ensure("cluster", 1095)


def test_an_open_passphrase_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "flag").write_text(WORD)
    (tmp_path / "flag").chmod(0o644)
    with pytest.raises(BadInput, match="chmod 0600"):
        source({}, file=tmp_path / "flag").ask()


def test_nothing_that_is_printed_holds_the_passphrase(home: Path) -> None:
    here = authorities(home)
    here.ensure("cluster", 1095)
    assert WORD not in repr(here)
    assert all(WORD.encode() not in path.read_bytes() for path in home.iterdir())
