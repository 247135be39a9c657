"""What a balancer's host shows of its MaxScale. All read only; no secret leaves the host: of each only its kind is said.

Only settings that are named here are printed at all, so that what a later version may hide in a new one stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from galvan.cluster.facts import lines
from galvan.cluster.maxscale import LISTED, LOGIN, MAIN, REST
from galvan.model import Fact, HostFacts, Role, Shell, State, Unreadable
from galvan.tips.load_balancer.maxscale.versions import Version, parse_version

HERE = frozenset({Role.LOAD_BALANCER})
OWN = "/etc/maxscale.cnf.d/galvan.cnf"
HOME = "/etc/galvan/maxscale"
KEEP = "/var/lib/galvan/maxscale"
"""Every file of Galvan's that was ever in force lies here under its digest, root-only, so that the one before can be put back."""
_SHOWN = (
    "type module router router_options servers cluster targets service services protocol address socket port user filters rules "
    "ssl ssl_key ssl_cert ssl_ca ssl_ca_cert ssl_version ssl_cipher ssl_verify_peer_certificate ssl_verify_peer_host "
    "proxy_protocol proxy_protocol_networks priority max_routing_connections max_connections persistpoolmax wait_timeout connection_timeout "
    "transaction_replay use_priority available_when_donor monitor_interval disable_master_failback mode action user_scope match replace "
    "admin_host admin_port admin_auth admin_enabled admin_gui admin_secure_gui admin_ssl_key admin_ssl_cert admin_ssl_ca admin_ssl_ca_cert admin_ssl_version "
    "persistdir datadir secretsdir load_persisted_configs persist_runtime_changes require_secure_transport enable_root_user @include"
)
_SECRET = "passw|passphrase|secret|monitorpw|jwt_key|token"  # noqa: S105 - parts of names
_AWK = r"""
function trimmed(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
function kind(v) {
  if (v == "") return "empty"
  if (v ~ /^(file|env):/) return substr(v, 1, index(v, ":") - 1)
  return (keys == "yes" && v ~ /^[0-9A-Fa-f]+$/ && length(v) % 2 == 0 && length(v) >= 32) ? "encrypted" : "clear"
}
BEGIN { n = split(names, list, " "); for (i = 1; i <= n; i++) shown[list[i]] = 1 }
FNR == 1 { print "file " FILENAME; open = 0 }
{ sub(/\r$/, ""); text = trimmed($0) }
text == "" || text ~ /^[#;]/ { next }
/^[ \t]/ && open { if (open == 2) print "more " text; next }
text ~ /^\[/ { sub(/\].*/, "", text); print "section " substr(text, 2); open = 0; next }
{ i = match(text, /[=:]/); name = tolower(trimmed(i ? substr(text, 1, i - 1) : text)); value = i ? trimmed(substr(text, i + 1)) : ""
  gsub(/-/, "_", name); open = 1
  if (name ~ secret) print "secret " name "=" kind(value)
  else if (name in shown) { open = 2; print "value " name "=" value }
  else print "other " name }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One object. `secrets`: name and kind (clear, encrypted, empty, file, env). `runtime`: changed while MaxScale ran, and kept by it."""

    name: str
    file: str
    values: Mapping[str, str]
    secrets: Mapping[str, str]
    runtime: bool = False

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def on(self, name: str) -> bool:
        return self.get(name).lower() in ("true", "on", "yes", "1")

    def listed(self, name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.get(name).replace("|", ",").split(",") if word.strip())


@dataclass(frozen=True, slots=True)
class Config:
    """The files as MaxScale reads them. What was changed while it ran replaces the whole object of the same name."""

    version: Version
    sections: tuple[Section, ...]
    keys: bool  # there is a key for encrypted passwords

    def of_type(self, kind: str) -> tuple[Section, ...]:
        return tuple(section for section in self.sections if section.get("type") == kind)

    @property
    def core(self) -> Section:
        """[maxscale]; empty where it does not stand in the main file."""
        found = [section for section in self.sections if section.name.lower() == "maxscale"]
        return found[0] if found else Section("maxscale", MAIN, {}, {})

    def named(self, name: str) -> Section | None:
        return next((section for section in self.sections if section.name == name), None)


def config(output: str) -> Config | None:
    """None where no MaxScale is installed."""
    if not output.strip():
        return None
    first, _, rest = output.partition("\n")
    if not first.startswith("version="):
        raise Unreadable(f"MaxScale's files were not printed: {first[:120]!r}")
    said, _, body = rest.partition("\n")
    found: dict[str, Section] = {}
    for section in _sections(body):
        found[section.name.lower()] = section
    return Config(parse_version(first), tuple(found.values()), said == "keys=yes")


def _sections(body: str) -> Iterator[Section]:
    file, name, values, secrets = "", "", dict[str, str](), dict[str, str]()
    runtime, last = False, ""
    for line in body.splitlines():
        word, _, text = line.partition(" ")
        if word in ("file", "runtime", "section") and name:
            yield Section(name, file, values, secrets, runtime)
        if word in ("file", "runtime"):
            file, name, runtime = text or file, "", (word == "runtime" or (runtime and word == "file"))
        elif word == "section":
            name, values, secrets, last = text, {}, {}, ""
        elif word in ("value", "secret"):
            last, _, value = text.partition("=")
            (values if word == "value" else secrets)[last] = value
        elif word == "more" and last in values:
            values[last] += text
        elif word not in ("more", "other"):
            raise Unreadable(f"MaxScale's files hold what cannot be read: {line[:120]!r}")
    if name:
        yield Section(name, file, values, secrets, runtime)


_READ = rf"""command -v maxscale >/dev/null || exit 0
echo "version=$(maxscale --version </dev/null 2>&1 | head -n 1)"
of() {{ sed -n "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*//p" {MAIN} 2>/dev/null | tail -n 1; }}
data=$(of datadir); secrets=$(of secretsdir); kept=$(of persistdir)
[ -e "${{secrets:-${{data:-/var/lib/maxscale}}}}/.secrets" ] && keys=yes || keys=no; echo keys=$keys
show() {{ awk -v keys=$keys -v secret='{_SECRET}' -v names='{_SHOWN}' '{_AWK}' "$1" </dev/null; }}
each() {{ find "$1" -type f -name '*.cnf' ! -path '*/.*' 2>/dev/null | sort | while IFS= read -r f; do show "$f"; done; }}
[ -r {MAIN} ] || {{ echo "{MAIN} is not there" >&2; exit 1; }}
show {MAIN}; each {MAIN}.d; echo runtime; each "${{kept:-${{data:-/var/lib/maxscale}}/maxscale.cnf.d}}"
"""
CONFIG: Fact[Config | None] = Fact("load_balancer.maxscale", Shell(_READ), config, roles=HERE)


def config_of(facts: HostFacts) -> Config:
    """Raises Unreadable where a MaxScale ought to be and is not."""
    found = facts[CONFIG]
    if found is None:
        raise Unreadable(f"no MaxScale is installed on {facts.host.name}")
    return found


_TRIED = 'case $a in *"401 Unauthorized"*) echo {name}=no ;; *) [ $ok = 0 ] && echo {name}=yes || echo {name}=unknown ;; esac\n'
_DOOR = (
    "command -v maxctrl >/dev/null && [ -r " + MAIN + " ] || exit 0\n" + REST + "ok=0\n"
    'a=$(HOME=/nonexistent maxctrl $tls -h "$at" -t 3s list users --tsv 2>&1 </dev/null) || ok=$?\n'
    + _TRIED.format(name="default_login")
    + f"[ -r {LOGIN} ] && echo own_login=there || echo own_login=none\n"
    "ok=0; a=$(mx list users --tsv 2>&1 </dev/null) || ok=$?\n"
    + _TRIED.format(name="galvan_enters")
    + "echo sockets=$(ss -Hlnt 2>/dev/null | awk -v p=\":${port:-8989}$\" '$4 ~ p {print $4}' | sort -u)\n"
    "echo active=$(systemctl is-active maxscale)\n"
    + f"echo marked=$(grep -q '^# galvan begin' {MAIN} && awk '/^# galvan begin/ {{b=1; next}} /^# galvan end/ {{b=0}} b && !/^\\[/' {MAIN} | sha256sum | cut -c1-16)\n"
    + f"m=$([ ! -e {OWN} ] || sed 's/^\\(password\\)=.*/\\1=(made here)/' {OWN} | sha256sum | cut -c1-16); echo file=$m\n"
    + f'[ -s "{KEEP}/$m.cnf" ] && [ -s "{KEEP}/$m.now" ] && [ -s "{KEEP}/$m.gone" ] && cmp -s "{KEEP}/$m.cnf" {OWN} && echo kept=yes || echo kept=no\n'
    + f"[ -s {KEEP}/galvan_monitor.pw ] && [ -s {KEEP}/galvan_service.pw ] && echo passwords=made || echo passwords=none\n"
    + f"[ -e {KEEP}/key.new ] && echo key=unread || echo key=read\n"
    + f"h={HOME}; c=$h/cert.pem; [ -s $c ] && openssl x509 -in $c -noout -checkend 2592000 >/dev/null 2>&1 && openssl verify -CAfile $h/ca.pem $c >/dev/null 2>&1 "
    '&& [ "$(openssl x509 -in $c -noout -pubkey)" = "$(openssl pkey -in $h/key.pem -pubout 2>/dev/null)" ] && echo certificate=yes || echo certificate=no\n'
    + f'echo objects=$({LISTED} | grep "^galvan" | sort -u)\n'
)
DOOR: Fact[State] = Fact("load_balancer.maxscale_door", Shell(_DOOR), lines, stable=False, roles=HERE)
"""Who gets into the REST interface, where it listens, and what of Galvan's is there: `kept` that the file can be put back as
it is, `key` whether MaxScale has started since it was made, `certificate` that it is good for 30 days yet. The default login is asked with a home directory that
holds no file, so that maxctrl uses its own default: a known word, and not even that is an argument."""


def listeners(output: str) -> State:
    """Of each listener by name: does it speak TLS? `true` or `false`."""
    found = config(output)
    return {each.name: "true" if each.on("ssl") else "false" for each in found.of_type("listener")} if found else {}


LISTENERS: Fact[State] = Fact("load_balancer.maxscale_listeners", Shell(_READ), listeners, roles=HERE)


def servers(output: str) -> State:
    """Of each server by name: is it reached over TLS, and verified? `true` or `false`."""
    found = config(output)
    said = ("ssl", "ssl_verify_peer_certificate", "ssl_verify_peer_host")
    return (
        {each.name: "true" if all(each.on(name) for name in said) else "false" for each in found.of_type("server")}
        if found
        else {}
    )


SERVERS: Fact[State] = Fact("load_balancer.maxscale_servers", Shell(_READ), servers, roles=HERE)
