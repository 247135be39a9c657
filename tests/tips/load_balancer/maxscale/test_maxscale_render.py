"""What Galvan writes is what MaxScale takes, whatever the policy; and no value leaves its line. No MaxScale ran for this: a reader
written from its source judges the files."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maxscale_grammar import Refused, recognise, sections

from galvan.model import BadInput, Balancing, Pair
from galvan.tips.load_balancer.maxscale.render import Door, Member, Tls, caveats, core, mark, objects, text
from galvan.tips.load_balancer.maxscale.runtime import commands, removal
from galvan.tips.load_balancer.maxscale.statements import Pattern, module, regex_filter

TLS = Tls("/etc/maxscale/galvan/ca.pem", "/etc/maxscale/galvan/cert.pem", "/etc/maxscale/galvan/key.pem")
THREE = tuple(Member(f"db{n}", f"10.0.0.1{n}") for n in (1, 2, 3))
VERSIONS = (
    (22, 8, 0),
    (22, 8, 12),
    (22, 8, 15),
    (23, 2, 9),
    (23, 8, 8),
    (24, 2, 1),
    (24, 2, 4),
    (24, 8, 0),
    (25, 1, 1),
    (25, 10, 0),
    (25, 10, 2),
)
CIPHERS = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
DOOR = Door((24, 2, 4), THREE, Balancing(), TLS, "TLSv1.2", CIPHERS, 200)

policies = st.builds(
    Balancing, door=st.integers(1, 65535), read_door=st.integers(0, 65535), writers=st.sampled_from(["one", "all"]),
    queue_wait=st.integers(1, 3600), interval=st.floats(0.5, 60), donor=st.booleans(), client_address=st.booleans(),
    pair=st.none() | st.just(Pair("10.0.3.10", "eth0")),
)  # fmt: skip
doors = st.builds(
    Door, version=st.sampled_from(VERSIONS), members=st.just(THREE), policy=policies, tls=st.just(TLS), min_tls=st.sampled_from(["TLSv1.2", "TLSv1.3"]),
    ciphers=st.just(CIPHERS), connections=st.integers(0, 100_000), members_tls=st.booleans(), sharing=st.booleans(),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(doors)
def test_every_policy_makes_a_file_that_maxscale_takes(door: Door) -> None:
    found = recognise(text(objects(door)), door.version)
    assert len([each for each in found.values() if each["type"] == "server"]) == 3
    assert all(each["ssl"] == "true" for each in found.values() if each["type"] == "listener")
    assert {each["port"] for each in found.values() if each["type"] == "listener"} == {
        str(port) for port in (door.policy.door, door.policy.read_door) if port
    }
    for each in found.values():
        if each["type"] == "server" and door.members_tls:
            assert each["ssl_verify_peer_certificate"] == each["ssl_verify_peer_host"] == "true"


@settings(max_examples=80, deadline=None)
@given(doors)
def test_the_running_maxscale_is_told_the_same(door: Door) -> None:
    made = objects(door)
    said = commands(door.version, made)
    assert list(said) == [each.name for each in made]
    for each in made:
        create, alter = said[each.name]
        assert create.startswith(f"create {each.kind} ")
        assert re.match(rf"alter {each.kind} {each.name} \S+=\S", alter)
        assert "\n" not in create + alter
        for key, value in each.values:
            assert all(part in create for part in re.split(r"[,|]", value)), key
    assert [line.split()[2] for line in removal(made)] == [each.name for each in reversed(made)]


@settings(max_examples=80, deadline=None)
@given(st.text(), st.sampled_from(["name", "address", "ca", "ciphers"]))
def test_no_value_leaves_its_line(evil: str, place: str) -> None:
    members = (Member(evil if place == "name" else "db1", evil if place == "address" else "10.0.0.11"),)
    door = replace(
        DOOR,
        members=members,
        tls=Tls(evil if place == "ca" else TLS.ca, TLS.cert, TLS.key),
        ciphers=evil if place == "ciphers" else CIPHERS,
    )
    try:
        made = objects(door)
    except BadInput:
        return
    found = sections(text(made))
    assert list(found) == [each.name for each in made]
    for each in made:
        assert found[each.name] == {"type": each.kind, **dict(each.values)}


@pytest.mark.parametrize("evil", ["a\n[maxscale]", "a\rb", " a", "a ", "", "$HOME", '"a"', "'a", "\x00", "ü"])
def test_a_value_that_a_line_cannot_hold_is_refused(evil: str) -> None:
    with pytest.raises(BadInput):
        objects(replace(DOOR, ciphers=evil))


@pytest.mark.parametrize("evil", ["a b", "a/b", "[a]", "@@a", "a" * 80, "a\n"])
def test_a_name_is_a_word(evil: str) -> None:
    with pytest.raises(BadInput):
        objects(replace(DOOR, members=(Member(evil, "10.0.0.11"),)))


def test_the_reader_refuses_what_maxscale_refuses() -> None:
    good = text(objects(DOOR))
    for wrong in (
        good.replace("[galvan-db2]", "[GALVAN-db1]"), good + "[maxscale]\nadmin_host=127.0.0.1\n", good.replace("ssl=true", "ssl=required"),
        good.replace("module=galeramon", "module=galera"), good.replace("router=readwritesplit", "router=rw"), good.replace("3307", "door"),
        good.replace("cluster=galvan-monitor", "cluster=other"), good.replace("monitor_interval=2000ms", "monitor_interval=2000"),
        good.replace("[galvan-service]", "[galvan service]"), good.replace("ssl_key=", "ssl_keys="), good + "[x\n", good.replace("user=", "usr="),
    ):  # fmt: skip
        assert wrong != good
        with pytest.raises(Refused):
            recognise(wrong, (24, 2, 4))
    with pytest.raises(Refused):
        recognise(good, (23, 2, 9))  # lists of TLS versions and safe commits came later


def test_one_writer_takes_everything_and_all_take_turns() -> None:
    one = recognise(text(objects(DOOR)), DOOR.version)["galvan-service"]
    assert (one["router"], one["max_slave_connections"], one["transaction_replay"], one["max_connections"]) == (
        "readwritesplit",
        "0",
        "true",
        "200",
    )
    everywhere = recognise(text(objects(replace(DOOR, policy=Balancing(writers="all")))), DOOR.version)[
        "galvan-service"
    ]
    assert (everywhere["router"], everywhere["router_options"], everywhere["max_connections"]) == (
        "readconnroute",
        "synced",
        "600",
    )


@pytest.mark.parametrize(
    ("version", "replays"),
    [((22, 8, 15), False), ((23, 8, 7), False), ((23, 8, 8), True), ((24, 8, 0), False), ((25, 10, 0), True)],
)
def test_nothing_is_done_twice(version: tuple[int, int, int], replays: bool) -> None:
    door = replace(DOOR, version=version)
    assert ("transaction_replay=true" in text(objects(door))) is replays
    assert any("twice" in each for each in caveats(door)) is not replays


def test_what_maxscale_cannot_do_is_said() -> None:
    assert any("1040" in each for each in caveats(DOOR))
    assert any("LAST_INSERT_ID" in each for each in caveats(replace(DOOR, sharing=True)))
    assert any("no limit is written" in each for each in caveats(replace(DOOR, connections=0)))
    assert any("one TLS version" in each for each in caveats(replace(DOOR, version=(22, 8, 11))))


def test_the_mark_is_of_the_text_without_its_passwords() -> None:
    assert mark(objects(DOOR)) == mark(objects(DOOR))
    assert mark(objects(DOOR)) != mark(objects(replace(DOOR, connections=201)))
    assert re.fullmatch("[0-9a-f]{16}", mark(objects(DOOR)))


def test_filters_stand_in_the_file_of_their_version() -> None:
    learnt = replace(DOOR, version=(25, 10, 0), filters=(module(users=("backup", "root@10.0.0.1")),))
    assert recognise(text(objects(learnt)), (25, 10, 0))["galvan-service"]["filters"] == "galvan-firewall"
    patterns = replace(DOOR, filters=(regex_filter(Pattern("drop", r"\bdrop\s+table\b", "nobody drops tables")),))
    assert recognise(text(objects(patterns)), (24, 2, 4))["galvan-drop"]["module"] == "regexfilter"
    with pytest.raises(Refused):
        recognise(text(objects(learnt)), (25, 1, 1))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_administration_is_for_this_host_alone(version: tuple[int, int, int]) -> None:
    lines = "".join(f"{key}={value}\n" for key, value in core(version, TLS, "TLSv1.2"))
    found = recognise(f"[maxscale]\nthreads=auto\n{lines}", version, main=True)["maxscale"]
    assert found["admin_host"] == "127.0.0.1"
    assert found["admin_ssl_version"] == (
        "TLSv12" if version in VERSIONS[:2] or version in ((23, 2, 9), (24, 2, 1)) else "TLSv1.2,TLSv1.3"
    )


def test_too_old_and_too_empty() -> None:
    with pytest.raises(BadInput, match="older than"):
        objects(replace(DOOR, version=(6, 4, 9)))
    with pytest.raises(BadInput, match="needs a member"):
        objects(replace(DOOR, members=()))
