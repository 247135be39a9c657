"""garbd as data: what its unit, its command line and its log say, and what Galvan would write for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvan.cluster import arbitrator, identity, provider
from galvan.cluster.arbitrator import OWN, PACKAGED, RUNNING, SETUP, drop_in, options_in, running, setup, start_of
from galvan.cluster.facts import CONFIG, PLATFORM, VARIABLES
from galvan.cluster.settle_arbitrator import arbitrate
from galvan.model import (
    Cluster,
    Host,
    HostFacts,
    ProviderOption,
    PutFile,
    Restart,
    Role,
    Snapshot,
    Stage,
    Step,
    Unreadable,
)

HEAD = "load=loaded\nuser=nobody\nconfig=/etc/default/garb\ndynamic=yes\n"
PLAIN = (
    HEAD + "@unit\nExecStart=/usr/bin/garb-systemd start\n@config\n"
    'GALERA_OPTIONS="gmcast.segment=0; evs.suspect_timeout=PT5S"\n@own\n'
)
ARGS = (
    "@args\n/usr/bin/garbd\n-a\ngcomm://10.89.128.11:4567,10.89.128.12:4567\n-g\nlab\n-o\n"
    "gmcast.segment=0; evs.suspect_timeout=PT5S\n@log\nlistening at tcp://0.0.0.0:4567\n"
)
TLS = "socket.ssl_key=/t/key.pem;socket.ssl_cert=/t/cert.pem;socket.ssl_ca=/t/ca.pem"
CONFIG_FILE = "/etc/default/garb"
ARB = Host("arb1", "10.0.0.41", Role.ARBITRATOR, "arb1")


def shown(options: str, log: str = "") -> dict[str, object]:
    return dict(running(f"@args\ngarbd\n-a\ngcomm://x\n-g\nlab\n-o\n{options}\n@log\n{log}"))


def test_the_packaged_start_is_read_from_its_own_file() -> None:
    seen = setup(PLAIN)
    assert (seen.user, seen.dynamic, seen.start, seen.ours, seen.own) == ("nobody", True, PACKAGED, False, "")
    assert provider.parse(seen.options) == {"gmcast.segment": "0", "evs.suspect_timeout": "PT5S"}


def test_galvans_start_is_read_from_its_drop_in() -> None:
    own = drop_in(CONFIG_FILE, {"gmcast.segment": "0", "socket.ssl": "yes"})
    text = PLAIN.replace("@config", f"ExecStart=\nExecStart={start_of(CONFIG_FILE)}\n@config") + own
    seen = setup(text)
    assert seen.ours
    assert provider.parse(seen.options) == {"gmcast.segment": "0", "socket.ssl": "yes"}
    assert seen.own == own


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("load=loaded", "load=not-found", "no unit garb"),
        ("/usr/bin/garb-systemd start", "/opt/garb -a gcomm://x", "knows only /usr/bin/garb-systemd"),
        ('"gmcast.segment=0; evs.suspect_timeout=PT5S"', '"gmcast.segment=$SEGMENT"', "only a shell can read"),
        ('"gmcast.segment=0; evs.suspect_timeout=PT5S"', '"gmcast.segment=0', "only a shell can read"),
        ('"gmcast.segment=0; evs.suspect_timeout=PT5S"', "a=1 b=2", "only a shell can read"),
    ],
)
def test_a_start_that_is_not_understood_is_unreadable(old: str, new: str, why: str) -> None:
    assert old in PLAIN
    with pytest.raises(Unreadable, match=why.replace("$", "[$]")):
        setup(PLAIN.replace(old, new))


def test_a_drop_in_that_somebody_edited_is_unreadable() -> None:
    own = drop_in(CONFIG_FILE, {"socket.ssl": "yes"})
    with pytest.raises(Unreadable, match="not as Galvan wrote it"):
        options_in(own + "LimitNOFILE=4\n", CONFIG_FILE)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]+\.[a-z_]+", fullmatch=True), st.text(st.characters(min_codepoint=32, max_codepoint=126))
    )
)
def test_every_option_comes_back_from_the_drop_in(options: dict[str, str]) -> None:
    text = drop_in(CONFIG_FILE, options)
    assert provider.parse(options_in(text, CONFIG_FILE)) == options
    line = next(line for line in text.splitlines() if line.startswith("Environment="))
    assert "%" not in line.replace("%%", "")  # systemd would put something else there


def test_the_running_options_and_the_listener() -> None:
    seen = running(ARGS)
    assert (seen["listener"], seen["witness"]) == ("tcp", "its log")
    assert seen["provider.gmcast.listen_addr"] == "tcp://0.0.0.0:4567"
    assert seen["provider.evs.suspect_timeout"] == "PT5S"


@pytest.mark.parametrize(
    ("options", "log", "listener"),
    [
        (TLS, "listening at ssl://0.0.0.0:4567", "ssl"),  # 26.4.23
        (TLS, "listening at tcp://0.0.0.0:4567", "tcp"),  # a version that ignores them
        (TLS, "", "tcp"),  # nobody says so: not taken for granted
        (f"socket.ssl=yes;{TLS}", "", "ssl"),
        (f"socket.ssl=yes;socket.dynamic=true;{TLS}", "", "tcp"),
        (f"socket.ssl=yes;{TLS}", "listening at tcp://0.0.0.0:4567\nlistening at ssl://0.0.0.0:4567", "ssl"),
    ],
)
def test_what_it_does_outranks_what_it_was_told(options: str, log: str, listener: str) -> None:
    assert shown(options, log)["listener"] == listener


@pytest.mark.parametrize("words", ["-o\na=1", "--options\na=1", "--options=a=1", "-oa=1"])
def test_every_way_to_give_the_options(words: str) -> None:
    assert running(f"@args\ngarbd\n{words}\n@log\n")["provider.a"] == "1"


@pytest.mark.parametrize(
    "output", ["", "@args\n@log\n", "@args\ngarbd\n", "@args\ngarbd\n--cfg\n/etc/garb.cnf\n@log\n"]
)
def test_a_command_line_that_does_not_tell_is_unreadable(output: str) -> None:
    with pytest.raises(Unreadable):
        running(output)


def needs() -> list[ProviderOption]:
    wanted = {"socket.ssl": "yes", "socket.ssl_cert": "/c.pem", "socket.dynamic": "true"}
    first = [ProviderOption("arb1", k, v, Stage.FIRST_RESTART, "replication_tls", "why") for k, v in wanted.items()]
    return [*first, ProviderOption("arb1", "socket.dynamic", None, Stage.STAGE_STRICT, "replication_tls", "why")]


def settled(said: str = PLAIN, args: str = ARGS) -> list[Step]:
    facts = HostFacts(ARB, {SETUP.id: setup(said), RUNNING.id: running(args)})
    return list(arbitrate(facts, needs(), 3))


def test_it_goes_the_stages_of_a_database_host() -> None:
    steps = settled()
    assert [step.stage for step in steps] == [
        Stage.FIRST_RESTART, Stage.FIRST_RESTART, Stage.STAGE_STRICT, Stage.SECOND_RESTART,
    ]  # fmt: skip
    first, restart, strict, again = steps
    assert [action.path for action in (first.do[0], strict.do[0]) if isinstance(action, PutFile)] == [OWN, OWN]
    assert restart.want == {
        "provider.socket.ssl": "yes",
        "provider.socket.ssl_cert": "/c.pem",
    }  # its listener stays tcp
    assert again.want == {"listener": "ssl"}
    assert [a for step in steps for a in step.do if isinstance(a, Restart)] == [Restart(3, "garb")] * 2


def test_what_the_host_had_set_is_kept_and_only_ours_is_added() -> None:
    written = [str(a.content) for step in settled() for a in step.do if isinstance(a, PutFile)]
    options = [provider.parse(options_in(text, CONFIG_FILE)) for text in written]
    kept = {"gmcast.segment": "0", "evs.suspect_timeout": "PT5S", "socket.ssl": "yes", "socket.ssl_cert": "/c.pem"}
    assert options == [
        kept | {"socket.dynamic": "true"},
        kept,
        kept,
    ]  # the restart writes once more what it has to read


def test_nothing_is_left_to_do_where_it_is_strict() -> None:
    own = drop_in(CONFIG_FILE, {"socket.ssl": "yes", "socket.ssl_cert": "/c.pem"})
    said = PLAIN.replace("@config", f"ExecStart=\nExecStart={start_of(CONFIG_FILE)}\n@config") + own
    args = ARGS.replace("gmcast.segment=0; evs.suspect_timeout=PT5S", "socket.ssl=yes; socket.ssl_cert=/c.pem")
    facts = HostFacts(ARB, {SETUP.id: setup(said), RUNNING.id: running(args.replace("tcp://0", "ssl://0"))})
    assert list(arbitrate(facts, needs()[3:], 3)) == []


def test_an_arbitrator_is_added_to_the_addresses_that_a_member_dials() -> None:
    def member(name: str, address: str, role: Role, said: str = "") -> HostFacts:
        platform = {"hostname": name, "short": name, "addresses": address}
        shown = {"provider.gmcast.listen_addr": "tcp://0.0.0.0:4567"}
        readings = {
            PLATFORM.id: platform,
            CONFIG.id: {"wsrep_cluster_address": said},
            VARIABLES.id: shown,
            RUNNING.id: shown,
        }
        return HostFacts(Host(name, address, role, name), readings)

    one = member("db1", "10.0.0.1", Role.DATABASE, "gcomm://10.0.0.1,db2:4567?pc.wait_prim=no")
    hosts = (one, member("db2", "10.0.0.2", Role.DATABASE), member("arb1", "10.0.0.41", Role.ARBITRATOR))
    snapshot = Snapshot(Cluster("lab", tuple(f.host for f in hosts)), hosts, {}, 0.0)
    wanted = identity.everyone(one, snapshot)
    assert wanted == "gcomm://10.0.0.1,db2:4567,10.0.0.41?pc.wait_prim=no"
    short = HostFacts(ARB, {**hosts[2].readings, RUNNING.id: running("@args\ngarbd\n-a\ngcomm://db1:4567\n@log\n")})
    assert identity.everyone(short, replace(snapshot, hosts=(*hosts[:2], short))) == "gcomm://db1:4567,10.0.0.2"
    whole = member("db1", "10.0.0.1", Role.DATABASE, wanted)
    assert identity.everyone(whole, snapshot) == wanted
    with pytest.raises(Unreadable, match=r"dials .* names no member"):
        identity.everyone(member("db1", "10.0.0.1", Role.DATABASE, "gcomm://"), snapshot)


def test_garbds_own_list_is_read_from_its_command_line() -> None:
    facts = HostFacts(ARB, {SETUP.id: setup(PLAIN), RUNNING.id: running(ARGS)})
    assert identity.dials(facts) == "gcomm://10.89.128.11:4567,10.89.128.12:4567"


def test_the_same_words_ask_a_server_and_an_arbitrator() -> None:
    facts = HostFacts(ARB, {SETUP.id: setup(PLAIN), RUNNING.id: running(ARGS)})
    assert arbitrator.shown(facts)["listener"] == "tcp"
    assert arbitrator.configured(facts)["gmcast.segment"] == "0"
    assert identity.group_port(facts) == 4567
