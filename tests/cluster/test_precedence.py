"""In which order option files are read: the walk run for real by /bin/sh over files of every odd kind, and what it means."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from galvan.cluster.facts import BOOTSTRAP, CONFIG, INSTALL, MOMENT, OWN_CONFIG, OWN_FILES
from galvan.cluster.optionfile import printed
from galvan.cluster.precedence import READING, Reading, home, reading, shadows
from galvan.edges.script import CLIENT, FIND_SOCKET
from galvan.model import Blind, Fact, Shell, Unreadable

TOOLS = {
    "my_print_defaults": '#!/bin/sh\n[ "$1" = --help ] || { cat {root}/printed 2>/dev/null; exit 0; }\n'
    "echo 'Default options are read from the following files in the given order:'\n"
    "echo '{root}/etc/my.cnf {root}/etc/mysql/my.cnf ~/.my.cnf '\n",
    "mariadbd": "#!/bin/sh\necho '/usr/sbin/mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)'\n",
    "systemctl": "#!/bin/sh\ncat {root}/pid 2>/dev/null || echo 0\n",
    "getent": "#!/bin/sh\necho 'mysql:x:100:101:MySQL Server,,,:{root}/home:/bin/false'\n",
    "df": "#!/bin/sh\necho head; echo x x x $2\n",
    "mariadb": '#!/bin/sh\nfor a; do echo "$a"; done\n',
}


class Ground:
    """A host's option files below a directory, with tools that say what the real ones say."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "bin").mkdir()
        for name, text in TOOLS.items():
            (root / "bin" / name).write_text(text.replace("{root}", str(root)))
            (root / "bin" / name).chmod(0o755)

    def has(self, files: Mapping[str, str]) -> Ground:
        for name, text in files.items():
            path = self.root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("=/", f"={self.root}/").replace(" /", f" {self.root}/"))
        return self

    def ask(self, fact: Fact[object]) -> str:
        assert isinstance(fact.query, Shell)
        return self.sh(fact.query.text)

    def sh(self, text: str) -> str:
        text = text.replace("/etc/my", f"{self.root}/etc/my")
        done = subprocess.run(
            ["/bin/sh"], input=text, capture_output=True, text=True, check=False,
            env={"PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"},
        )  # fmt: skip
        assert not done.stderr, done.stderr
        return done.stdout.replace(str(self.root), "")

    def reading(self) -> Reading:
        return reading(self.ask(READING))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


DEBIAN = {
    "/etc/mysql/my.cnf": "[client-server]\nsocket=/s\n!includedir /etc/mysql/conf.d/\n!includedir /etc/mysql/mariadb.conf.d/\n",
    "/etc/mysql/conf.d/mysql.cnf": "[mysql]\n",
    "/etc/mysql/mariadb.conf.d/50-server.cnf": "[mysqld]\nport = 3306 # as ever\n# ssl-cert = x\n;x=1\nskip-name-resolve\n",
}


def test_debian(ground: Ground) -> None:
    found = ground.has(DEBIAN).reading()
    assert found.home == home(found, "db1") == "/etc/mysql/mariadb.conf.d/zz-galvan.cnf"
    assert found.files == tuple(DEBIAN)
    assert (found.own, found.later, found.version) == ((), (), "10.11")


def test_the_order_is_the_servers_own(ground: Ground) -> None:
    """As my_print_defaults 10.11 read the same files: one B _ a, then the nested ones; hidden files count, `.bak`,
    `.ini`, directories and files that all may write do not."""
    ground.has({
        "/etc/mysql/my.cnf": "[mysqld]\none=1\n!includedir /a.d\ntwo=1\n ! includedir   /b.d/  \n!include /c.d/inc.txt\nthree=1\n",
        "/a.d/B.cnf": "[mysqld]\nin_B=1\n", "/a.d/a.cnf": "[mysqld]\nin_a=1\n[client]\n", "/a.d/_.cnf": "[mysqld]\nin__=1\n",
        "/a.d/.h.cnf": "[mysqld]\nin_h=1\n", "/a.d/x.cnf.bak": "[mysqld]\nno=1\n", "/a.d/x.ini": "[mysqld]\nno=1\n",
        "/a.d/w.cnf": "[mysqld]\nno=1\n", "/a.d/dir.cnf/x": "", "/b.d/1.cnf": "[mysqld]\nin_b1=1\n!includedir /c.d\n",
        "/b.d/3.cnf": "[mysqld]\nin_b3=1", "/c.d/1.cnf": "in_no_section=1\n[mysqld]\nin_c=1\n", "/c.d/inc.txt": "[mysqld]\nin_inc=1\n",
    })  # fmt: skip
    (ground.root / "a.d/w.cnf").chmod(0o666)
    options = [line.split("\t")[2] for line in ground.ask(READING).splitlines() if line.startswith("option")]
    assert options == ["one", "in_h", "in_B", "in__", "in_a", "two", "in_b1", "in_c", "in_b3", "in_inc", "three"]
    assert ground.reading().ignored == ("/a.d/w.cnf",)
    assert ground.reading().home == "/b.d/zz-galvan.cnf"


def test_the_last_directory_is_the_one_that_ends_last(ground: Ground) -> None:
    site = {
        "/etc/mysql/my.cnf": "!includedir /etc/mysql/conf.d\n!includedir /zz site.d/\n",
        "/etc/mysql/conf.d/a.cnf": "",
    }
    assert ground.has(site).reading().home == "/zz site.d/zz-galvan.cnf"
    nested = {"/etc/mysql/my.cnf": "!includedir /outer\n", "/outer/a.cnf": "!includedir /inner\n", "/inner/a.cnf": ""}
    assert ground.has(nested).reading().home == "/outer/zz-galvan.cnf"


def test_without_a_directory_there_is_no_place(ground: Ground) -> None:
    found = ground.has(
        {"/etc/my.cnf": "[mysqld]\nport=3306\n", "/etc/mysql/my.cnf": "!include /x.txt\n", "/x.txt": ""}
    ).reading()
    with pytest.raises(Blind, match=r"db2 reads \(/etc/my.cnf, /etc/mysql/my.cnf, /x.txt\) include no directory"):
        home(found, "db2")


def test_no_file_at_all_is_not_an_empty_one(ground: Ground) -> None:
    with pytest.raises(Unreadable, match="no option file was found"):
        ground.reading()


@pytest.mark.parametrize(
    ("name", "text", "seen"),
    [
        ("/etc/mysql/mariadb.conf.d/zzz-yours.cnf", "[mariadb]\nssl-cert=/x\n", "ssl_cert in [mariadb] in /etc/mysql/mariadb.conf.d/zzz-yours.cnf"),
        ("/etc/mysql/my.cnf", DEBIAN["/etc/mysql/my.cnf"] + "[galera]\nloose-SSL_cert = /x\n", "ssl_cert in [galera] in /etc/mysql/my.cnf"),
        ("/etc/mysql/my.cnf", DEBIAN["/etc/mysql/my.cnf"] + "[mysqld]\nskip-ssl\n", "ssl in [mysqld] in /etc/mysql/my.cnf"),
        ("/home/.my.cnf", "[mariadb-10.11]\nssl_cert=/x\n", "ssl_cert in [mariadb-10.11] in /home/.my.cnf"),
        ("/home/.my.cnf", "[mariadb-10.6]\nssl_cert=/x\n[client]\nssl_cert=/x\n[sst]\nssl_cert=/x\n", ""),
        ("/home/.my.cnf", "[mysqld]\nssl_certain=1\nport=1\n", ""),
        ("/etc/mysql/mariadb.conf.d/zz-a.cnf", "[mysqld]\nssl_cert=/x\n", ""),
        ("/etc/my.cnf", "[mysqld]\nssl_cert=/x\n", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("written", [False, True])
def test_who_has_the_last_word(ground: Ground, name: str, text: str, seen: str, written: bool) -> None:
    """The same before Galvan's file is there and once it is: its own lines are no shadow of themselves."""
    own = {"/etc/mysql/mariadb.conf.d/zz-galvan.cnf": "[mysqld]\nssl_cert = '/g'\n"} if written else {}
    found = ground.has({**DEBIAN, **own, name: text}).reading()
    assert [*shadows(found, ["ssl_cert", "tls_version"])] == ([seen] if seen else [])


@pytest.mark.parametrize(
    ("words", "seen"),
    [(["--wsrep_start_position=x:1", "--ssl-cert=/x"], ["ssl_cert in the server's command line"]), (["--wsrep-new-cluster"], [])],
)  # fmt: skip
def test_the_command_line_comes_after_every_file(ground: Ground, words: list[str], seen: list[str]) -> None:
    server = subprocess.Popen(["/bin/sh", "-c", "sleep 60; true", *words])
    try:
        found = ground.has({**DEBIAN, "pid": str(server.pid)}).reading()
    finally:
        server.kill()
        server.wait()
    assert [*shadows(found, ["ssl_cert", "tls_version"])] == seen
    assert found.arguments[-1] == words[-1].partition("=")[0].removeprefix("--").replace("-", "_")


@pytest.mark.parametrize("word", ["defaults-file", "defaults-extra-file", "no-defaults", "defaults_group_suffix"])
def test_a_server_that_was_told_to_read_other_files(ground: Ground, word: str) -> None:
    said = ground.has(DEBIAN).ask(READING) + f"argument\t{word}\n"
    with pytest.raises(Blind, match=f"db3 was started with --{word.replace('_', '-')}"):
        home(reading(said), "db3")


def test_two_files_of_ours_are_one_too_many(ground: Ground) -> None:
    twice = {f"/etc/mysql/{d}/zz-galvan.cnf": "" for d in ("conf.d", "mariadb.conf.d")}
    with pytest.raises(Blind, match=r"two files zz-galvan\.cnf on db1"):
        home(ground.has({**DEBIAN, **twice}).reading(), "db1")


@pytest.mark.parametrize("place", ["/srv/odd", "/etc/mysql/mariadb.conf.d", "/in/side", "/with blank"])
def test_our_file_is_found_in_any_included_directory(ground: Ground, place: str) -> None:
    ground.has({
        "/etc/mysql/my.cnf": "! includedir /srv/odd/\n!includedir /etc/mysql/mariadb.conf.d\n!include /more.txt\n",
        "/etc/mysql/mariadb.conf.d/1.cnf": "!includedir /in/side\n", "/more.txt": "!includedir /with blank/ \n", f"{place}/zz-galvan.cnf": "# ours\n",
    })  # fmt: skip
    assert ground.ask(OWN_CONFIG) == "# ours\n"
    assert [*OWN_FILES.parse(ground.ask(OWN_FILES))] == [f"{place}/zz-galvan.cnf"]


def test_where_there_is_none_of_ours(ground: Ground) -> None:
    assert ground.has(DEBIAN).ask(OWN_CONFIG) == ground.ask(OWN_FILES) == ""


def test_a_data_directory_and_a_provider_of_ones_own(ground: Ground) -> None:
    ground.has(
        {
            "printed": "--datadir=/var/lib/mysql\n--loose-datadir=/srv/mysql\n--wsrep-provider=/own.so\n",
            "own.so": "xsocket.dynamicx",
        }
    )
    assert MOMENT.parse(ground.ask(MOMENT))["disk_kb"] == "/srv/mysql"  # as the df of these tests says it
    assert INSTALL.parse(ground.ask(INSTALL))["dynamic"] == "yes"


@pytest.mark.parametrize("said", ["--socket=/run/o d.sock", "--socket=/a\n--loose_socket=/run/o d.sock"])
def test_the_servers_own_socket(ground: Ground, said: str) -> None:
    arguments = ground.has({"printed": said}).sh(f"{FIND_SOCKET}\n{CLIENT} x").splitlines()
    assert arguments[:3] == ["--socket=/run/o d.sock", "--host=localhost", "--protocol=socket"]


def test_where_no_file_names_a_socket(ground: Ground) -> None:
    assert ground.has({"printed": "--port=1"}).sh(f"{FIND_SOCKET}\n{CLIENT} x").splitlines()[0] == "--host=localhost"


@pytest.mark.parametrize(
    "name", ["wsrep_sst_auth", "wsrep-sst-auth", "loose-wsrep_sst-auth", "WSREP_SST_AUTH", "wsrep_sst_a"]
)
def test_a_password_does_not_leave_the_host(ground: Ground, name: str) -> None:
    said = ground.has({"printed": f"--port=1\n--{name}=root:secret\n--wsrep_sst_method=rsync\n"}).ask(CONFIG)
    assert "secret" not in said
    assert printed(said)["wsrep_sst_method"] == "rsync"


@pytest.mark.parametrize("name", ["/run/mariadb-wsrep-new-cluster", "/run/mysqld/wsrep-new-cluster"])
def test_a_bootstrap_that_was_left_is_seen_under_either_name(ground: Ground, name: str) -> None:
    """galera_new_cluster of 10.11.19 writes the first; both looks know both."""
    for fact in (BOOTSTRAP, MOMENT):
        assert isinstance(fact.query, Shell)
        text = fact.query.text.replace("/run/", f"{ground.root}/run/")
        assert fact.parse(ground.has({}).sh(text))["bootstrap"] == "0"
        ground.has({name: "_WSREP_NEW_CLUSTER='--wsrep-new-cluster'\n"})
        assert fact.parse(ground.sh(text))["bootstrap"] == "1"
        (ground.root / name.lstrip("/")).unlink()
