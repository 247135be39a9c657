import os
from pathlib import Path

import pytest

from galvan.edges.secrets import Secrets, check
from galvan.model import BadInput, SecretRef

VALUE = "hunter2 with spaces "


def never(prompt: str) -> str:
    raise AssertionError("nobody may be asked")


def secrets(
    environ: dict[str, str] | None = None, *, tty: bool = False, input_allowed: bool = True, ask: object = never
) -> Secrets:
    return Secrets(environ=environ or {}, interactive=lambda: tty, input_allowed=input_allowed, ask=ask)  # type: ignore[arg-type]


def written(path: Path, content: bytes, mode: int = 0o600) -> SecretRef:
    path.write_bytes(content)
    path.chmod(mode)
    return SecretRef(f"file:{path}")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_gives_all_but_its_last_line_end(tmp_path: Path, end: str) -> None:
    assert secrets().reveal(written(tmp_path / "s", (VALUE + end).encode())) == VALUE


def test_only_one_line_end_is_taken_off(tmp_path: Path) -> None:
    assert secrets().reveal(written(tmp_path / "s", b"a\n\n")) == "a\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o610])
def test_a_file_that_others_may_open_is_refused_with_the_way_out(tmp_path: Path, mode: int) -> None:
    ref = written(tmp_path / "s", VALUE.encode(), mode)
    with pytest.raises(BadInput, match=rf"mode {mode:04o}\): chmod 0600 {tmp_path}/s") as caught:
        secrets().reveal(ref)
    assert "hunter2" not in str(caught.value)


def test_the_mode_is_the_files_and_not_the_links(tmp_path: Path) -> None:
    written(tmp_path / "s", VALUE.encode(), 0o644)
    (tmp_path / "link").symlink_to(tmp_path / "s")
    with pytest.raises(BadInput, match="0644"):
        secrets().reveal(SecretRef(f"file:{tmp_path}/link"))


def test_a_pipe_will_do() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"from a pipe\n")
    os.close(writing)
    try:
        assert secrets().reveal(SecretRef(f"file:/dev/fd/{reading}")) == "from a pipe"
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xffhunter2", "no UTF-8"), (b"x" * 70_000, "too large")],
)
def test_files_that_hold_no_secret(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        secrets().reveal(written(tmp_path / "s", content))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("what", ["none", "."])
def test_files_that_cannot_be_read_say_why(tmp_path: Path, what: str) -> None:
    with pytest.raises(BadInput, match=r"cannot be read: (No such file|Is a directory)"):
        secrets().reveal(SecretRef(f"file:{tmp_path}/{what}"))


def test_the_environment() -> None:
    assert secrets({"PW": VALUE}).reveal(SecretRef("env:PW")) == VALUE
    for environ in ({}, {"PW": ""}):
        with pytest.raises(BadInput, match="env:PW is empty or not set"):
            secrets(environ).reveal(SecretRef("env:PW"))


def test_a_systemd_credential_whose_access_list_shows_as_group_bits(tmp_path: Path) -> None:
    written(tmp_path / "probe", b"cred\n", 0o440)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert secrets(environ).reveal(SecretRef("credential:probe")) == "cred"
    assert secrets(environ).has_credential("probe")
    assert not secrets(environ).has_credential("other")
    assert not secrets().has_credential("probe")


def test_without_systemd_the_way_out_is_named() -> None:
    with pytest.raises(BadInput, match="LoadCredentialEncrypted=probe"):
        secrets().reveal(SecretRef("credential:probe"))


def test_the_prompt_asks_once() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return VALUE

    given = secrets(tty=True, ask=ask)
    assert [given.reveal(SecretRef("prompt:Password of probe")) for _ in range(3)] == [VALUE] * 3
    assert asked == ["Password of probe: "]
    assert "hunter2" not in repr(given)


@pytest.mark.parametrize(("tty", "allowed", "why"), [(False, True, "no terminal"), (True, False, "--no-input")])
def test_where_nobody_may_be_asked_the_other_forms_are_named(tty: bool, allowed: bool, why: str) -> None:
    given = secrets(tty=tty, input_allowed=allowed)
    assert not given.may_ask
    with pytest.raises(BadInput, match=f"{why}.*file:/PATH, env:NAME or credential:NAME"):
        given.reveal(SecretRef("prompt:Password"))


def test_an_end_of_input_is_no_secret() -> None:
    def ask(prompt: str) -> str:
        raise EOFError

    with pytest.raises(BadInput, match="nothing was typed"):
        secrets(tty=True, ask=ask).reveal(SecretRef("prompt:Password"))


@pytest.mark.parametrize("name", ["hunter2", "hunter2:x", "file:", "env:", "", "File:/hunter2", "file:/a\nhunter2"])
def test_a_password_where_its_name_belongs_is_not_repeated(name: str) -> None:
    with pytest.raises(BadInput, match="never by itself: file:/PATH, env:NAME") as caught:
        check(SecretRef(name))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["file:relative", "credential:../x", "credential:a/b", "credential:.."])
def test_places_that_are_none(name: str) -> None:
    with pytest.raises(BadInput, match=r"whole path|plain name"):
        check(SecretRef(name))


def test_checking_reads_nothing(tmp_path: Path) -> None:
    ref = SecretRef(f"file:{tmp_path}/not-there-yet")
    assert check(ref) is ref
