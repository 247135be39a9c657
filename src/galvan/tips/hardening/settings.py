"""What an audit can say of the server's settings by reading. A variable that a server does not have does not concern it."""

from __future__ import annotations

from collections.abc import Callable

from galvan.cluster.facts import CONFIG, VARIABLES
from galvan.cluster.health import text
from galvan.model import HostFacts, Judgement, Rung, Severity, Snapshot, check, holds, not_here
from galvan.tips.hardening.facts import PLUGINS, SCHEMAS
from galvan.tips.hardening.host import MACHINE

_OFF, _ON = ("OFF", "0", "NO", "FALSE"), ("ON", "1", "YES", "TRUE", "FORCE")


def shown(facts: HostFacts, *names: str) -> str | None:
    """The first of these variables that the server has."""
    seen = facts[VARIABLES]
    text(seen, "version")  # a server that shows none of its own is not one without the variable
    return next((str(seen[name]) for name in names if name in seen), None)


def _is(name: str, good: Callable[[str], bool], want: str) -> Callable[[HostFacts], Judgement]:
    def judge(facts: HostFacts) -> Judgement:
        if (seen := shown(facts, name)) is None:
            return not_here(f"this server has no {name}")
        return holds(good(seen), f"@@{name}={seen or '(empty)'}", want)

    return judge


@check(
    "hardening.local-infile", Severity.MEDIUM, "Clients are asked for their own files", rung=Rung.ENFORCED, control="CF-06",
    references=("CIS MariaDB 10.6 4.4", "STIG MADB-10-003400", "dev-sec mysql-conf-03"), remedy="SET GLOBAL local_infile=OFF, and the same in the option file",
)  # fmt: skip
def local_infile(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """With LOAD DATA LOCAL a server may ask any client for any file that the client can read; one statement slipped into
    an application is enough."""
    return _is("local_infile", lambda seen: seen in _OFF, "OFF")(facts)


@check(
    "hardening.file-exchange", Severity.HIGH, "The server reads and writes files anywhere", rung=Rung.READY, control="CF-09",
    references=("CIS MariaDB 10.6 4.7", "CIS MySQL 8.0 4.8"), remedy="secure_file_priv=/var/lib/mysql-files, a directory of the server's own, and a restart",
)  # fmt: skip
def file_exchange(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """With an empty secure_file_priv whoever holds FILE reads every file that the server's user can read, and writes
    files into its directories, where a later start may take them for its own."""
    seen = shown(facts, "secure_file_priv") or ""
    wide = seen.rstrip("/") in ("", "/tmp", "/var/tmp", text(facts[VARIABLES], "datadir").rstrip("/"))  # noqa: S108 - looked for
    return holds(not wide, f"@@secure_file_priv={seen or '(empty)'}", "NULL, or a directory that serves nothing else")


@check(
    "hardening.symbolic-links", Severity.MEDIUM, "Tables may be links to other places", rung=Rung.READY, control="CF-08",
    references=("CIS MariaDB 10.6 4.6", "dev-sec mysql-conf-03"), remedy="symbolic_links=OFF in the option file, and a restart",
)  # fmt: skip
def symbolic_links(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Who may create tables elsewhere can point one at a file that is not his, and have the server overwrite it."""
    return _is("have_symlink", lambda seen: seen in ("DISABLED", "NO"), "DISABLED")(facts)


@check(
    "hardening.strict-mode", Severity.LOW, "Wrong values are bent until they fit", rung=Rung.ENFORCED, control="CF-10",
    references=("CIS MariaDB 10.6 4.8",), remedy="SET GLOBAL sql_mode with STRICT_TRANS_TABLES in it, and the same in the option file",
)  # fmt: skip
def strict_mode(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Without it a value that is too long is cut and stored, which is how a check of an application's is walked around."""
    modes = text(facts[VARIABLES], "sql_mode").split(",")
    good = bool({"STRICT_ALL_TABLES", "STRICT_TRANS_TABLES", "TRADITIONAL"} & {*modes})
    return holds(good, f"@@sql_mode={','.join(modes) or '(empty)'}", "STRICT_ALL_TABLES or STRICT_TRANS_TABLES")


def _given(facts: HostFacts, *names: str) -> list[str]:
    """Which of these options the files or the server's own command line switch on."""
    config, arguments = facts[CONFIG], str(facts[MACHINE].get("arguments", "")).replace("-", "_").split()
    found = [
        f"{name}={config[name]} in the option files"
        for name in names
        if str(config.get(name, "OFF")).upper() not in _OFF
    ]
    return found + [f"--{name} on the server's command line" for name in names if name in arguments]


@check(
    "hardening.grant-tables", Severity.CRITICAL, "The server asks nobody for a password", rung=Rung.READY, control="CF-07",
    references=("CIS MariaDB 10.6 4.5", "dev-sec mysql-conf-03"), remedy="take skip-grant-tables out, and restart",
)  # fmt: skip
def grant_tables(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """skip-grant-tables is for an hour of repair. Left behind, everyone who reaches the server is its administrator."""
    found = _given(facts, "skip_grant_tables")
    return holds(not found, ", ".join(found) or "neither in the option files nor on the command line", "nowhere")


@check(
    "hardening.suspicious-functions", Severity.HIGH, "Any library may become a function", rung=Rung.READY, control="CF-05",
    references=("CIS MariaDB 10.6 4.3",), remedy="take allow-suspicious-udfs out, and restart",
)  # fmt: skip
def suspicious_functions(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A function of a library that was not made for it, such as system() of the C library, is a shell in SQL."""
    found = _given(facts, "allow_suspicious_udfs")
    return holds(not found, ", ".join(found) or "neither in the option files nor on the command line", "nowhere")


@check(
    "hardening.old-passwords", Severity.HIGH, "Passwords of the kind before MySQL 4.1 are taken", rung=Rung.ENFORCED, control="CF-13",
    references=("CIS MariaDB 10.6 7.1",), remedy="SET GLOBAL secure_auth=ON, SET GLOBAL old_passwords=0, and the same in the option file",
)  # fmt: skip
def old_passwords(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """The old hash is 16 digits long and comes apart in seconds."""
    seen = {name: value for name in ("secure_auth", "old_passwords") if (value := shown(facts, name)) is not None}
    if not seen:
        return not_here("this server knows no such passwords any more")
    good = seen.get("secure_auth", "ON") in _ON and seen.get("old_passwords", "0") in ("0", "OFF", "2")
    return holds(
        good, ", ".join(f"@@{name}={value}" for name, value in seen.items()), "secure_auth=ON, old_passwords=0"
    )


@check(
    "hardening.test-schemas", Severity.MEDIUM, "Example schemas are left", rung=Rung.OPEN, control="CF-04",
    references=("CIS MariaDB 10.6 4.2", "STIG MADB-10-003100", "dev-sec mysql-db-03"),
    remedy="look whether anybody uses them, then DROP DATABASE and DELETE the grants that mariadb-secure-installation would; Galvan drops nothing",
)  # fmt: skip
def test_schemas(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Old installers let everybody do everything in whatever is called test: a place to fill the disk from, and to try things in."""
    found = facts[SCHEMAS]
    return holds(not found, ", ".join(found) or "none", "none")


@check(
    "hardening.show-databases", Severity.LOW, "Every account sees the names of all schemas it may use", rung=Rung.OPEN, control="CF-12",
    references=("dev-sec mysql-conf-03",), remedy="skip_show_database=ON and automatic_sp_privileges=OFF in the option file, and a restart", strict=True,
)  # fmt: skip
def show_databases(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Names of schemas are names of customers now and then; and who creates a routine is given rights on it that nobody granted.
    Tools that list schemas stop working, so Galvan does not set it."""
    seen = {
        name: value
        for name in ("skip_show_database", "automatic_sp_privileges")
        if (value := shown(facts, name)) is not None
    }
    good = seen.get("skip_show_database", "ON") in _ON and seen.get("automatic_sp_privileges", "OFF") in _OFF
    return holds(good, ", ".join(f"@@{name}={value}" for name, value in seen.items()) or "neither variable", "ON, OFF")


@check(
    "hardening.listens-everywhere", Severity.MEDIUM, "The server listens at every address", rung=Rung.OPEN, control="CF-14",
    references=("CIS MariaDB 10.6 2.9", "CIS MySQL 8.0 2.14"), remedy="bind_address with the addresses that clients use, and a restart; or the firewall tip alone", strict=True,
)  # fmt: skip
def listens_everywhere(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """A host that gets a second address tomorrow, in a network of strangers, serves there at once. The firewall tip holds
    them back; this is the second wall."""
    if (shown(facts, "skip_networking") or "OFF") in _ON:
        return not_here("skip_networking=ON")
    seen = text(facts[VARIABLES], "bind_address")
    anywhere = {address.strip() for address in seen.split(",")} & {"", "*", "0.0.0.0", "::"}  # noqa: S104 - looked for
    return holds(not anywhere, f"@@bind_address={seen or '(empty)'}", "the addresses that clients use")


@check(
    "hardening.extra-doors", Severity.MEDIUM, "The server has a second port", rung=Rung.OPEN, control="CF-15",
    references=("STIG MADB-10-003500",), remedy="extra_port=0, or let the firewall tip know who needs it",
)  # fmt: skip
def extra_doors(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """extra_port and admin_address take connections beyond max_connections, and are forgotten in every list of ports."""
    extra, admin = shown(facts, "extra_port") or "0", shown(facts, "admin_address") or ""
    found = [f"@@extra_port={extra}"] if extra != "0" else []
    found += [f"@@admin_address={admin}"] if admin else []
    return holds(not found, ", ".join(found) or "@@extra_port=0", "none")


_KNOWN_LIBRARIES = (
    "auth_", "server_audit", "audit_log", "simple_password", "cracklib_password", "password_reuse", "validate_password", "component_",
    "file_key_management", "hashicorp_key", "aws_key", "keyring", "provider_", "ha_", "semisync_", "caching_sha2", "wsrep", "disks", "metadata_lock",
    "query_response", "locales", "mysql_clone", "type_", "ed25519", "client_ed25519", "parsec", "sql_errlog", "query_cache_info", "user_variables", "pam",
    "hashicorp_key_management", "example_key",
)  # fmt: skip


@check(
    "hardening.plugins-known", Severity.LOW, "Plug-ins of others are loaded", rung=Rung.OPEN, control="CF-16",
    references=("STIG MADB-10-003200",), remedy="UNINSTALL SONAME of what nobody needs",
)  # fmt: skip
def plugins_known(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """Each library in the server's process may do what the server may; handlersocket and memcached open ports that know no account."""
    found = {
        name: plugin.library
        for name, plugin in facts[PLUGINS].items()
        if not plugin.library.startswith(_KNOWN_LIBRARIES)
    }
    listed = ", ".join(f"{name} ({library})" for name, library in sorted(found.items()))
    return holds(
        not found, listed or "only what ships with the server", "only what ships with the server, or is documented"
    )


@check(
    "hardening.memcached", Severity.MEDIUM, "Tables are open through memcached", rung=Rung.OPEN, control="CF-11",
    references=("CIS MySQL 8.0 4.7",), remedy="UNINSTALL PLUGIN daemon_memcached",
)  # fmt: skip
def memcached(facts: HostFacts, snapshot: Snapshot) -> Judgement:
    """MySQL's memcached daemon hands out rows on port 11211 without any account."""
    if "mariadb" in f"{shown(facts, 'version')} {shown(facts, 'version_comment')}".lower():
        return not_here("MariaDB has no such plug-in")
    return holds(
        "daemon_memcached" not in facts[PLUGINS],
        "daemon_memcached" if "daemon_memcached" in facts[PLUGINS] else "absent",
        "absent",
    )


CHECKS = (
    local_infile, file_exchange, symbolic_links, strict_mode, grant_tables, suspicious_functions, old_passwords, test_schemas, show_databases,
    listens_everywhere, extra_doors, plugins_known, memcached,
)  # fmt: skip
