"""One pass over the files that hold the data, the keys, the settings and the logs: whose they are, and who may use them.

Where the files lie is asked of the option files, in one shell, so that no second look at the host is needed. Names, modes and
owners leave the host; of what is a secret only the name of its option does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from galvan.model import Fact, Shell, State, Unreadable

EXCHANGE = "/var/lib/mysql-files"
"""The one directory that Galvan gives the server to load rows from and to write them to."""
LOGS = "/var/log/mysql"
"""Where the audit log lies on a host whose distribution has no directory for the server's logs."""
_SCRIPT = r"""
t=$(printf '\t')
say() { for f; do [ -e "$f" ] && printf 'tag\t%s\t%s\n' "$tag" "$f"; done; }
look() {
  data=/var/lib/mysql plugin= keys= cas= own=
  for d in /usr/lib/mysql/plugin /usr/lib64/mysql/plugin /usr/lib64/mariadb/plugin; do [ -d $d ] && { plugin=$d; break; }; done
  while IFS='=' read -r name value; do
    case $name in
      datadir) data=${value%/};;
      plugin_dir) plugin=${value%/};;
      *key) own="$own
$value";;
      *ca) cas="$cas
$value";;
    esac
    case $name in *key|*password_file) tag=key; say "$value";; *file|log_error) case $value in /*) ;; *) value=$data/$value;; esac; tag=$name; say "$value";;
      log_bin|relay_log) case $value in /*) ;; *) value=$data/${value:-*-bin};; esac; tag=$name; say $value.index
        find "$(dirname "$value")" -maxdepth 1 -name "$(basename "$value").[0-9]*" \( -perm /007 -o ! -user mysql \) 2>/dev/null | head -n 20 | while read -r f; do say "$f"; done;;
      wsrep_notify_cmd) tag=script; say "${value%% *}";;
      secure_file_priv) tag=exchange; say "${value%/}";;
    esac
  done
  tag=data; say "$data"
  tag=exchange; say /var/lib/mysql-files
  tag=error; say /var/log/mysql /var/log/mariadb /var/log/mysql/error.log /var/log/mariadb/mariadb.log /var/log/mysqld.log
  case $(stat -L -c %A "$data" 2>/dev/null) in *[xst]) tag=loose; find "$data" -maxdepth 2 -type f -perm /007 ! -name '*.flag' ! -name '*_upgrade_info' ! -name '*cert.pem' ! -name ca.pem ! -name public_key.pem 2>/dev/null | head -n 20 | while read -r f; do say "$f"; done;; esac
  tag=plugins; say "$plugin"
  for so in server_audit simple_password_check cracklib_password_check password_reuse_check; do [ -e "$plugin/$so.so" ] && printf 'library\t%s\n' $so; done
  for f in /var/cache/cracklib/cracklib_dict.pwd /usr/share/cracklib/pw_dict.pwd /usr/share/cracklib/pw_dict.pwd.gz; do [ -e $f ] && printf 'dictionary\t%s\n' $f; done
  tag=script; say /usr/bin/wsrep_sst_* /usr/sbin/wsrep_sst_* /usr/local/bin/wsrep_sst_* /usr/bin/clustercheck /usr/local/bin/clustercheck
  tag=options; say /etc/my.cnf /etc/my.cnf.d /etc/my.cnf.d/*.cnf /etc/mysql /etc/mysql/*.cnf /etc/mysql/*.d /etc/mysql/*.d/*.cnf
  tag=login; say /root/.my.cnf /root/.mylogin.cnf /home/*/.my.cnf /home/*/.mylogin.cnf
  for f in /root/.m*_history /home/*/.m*_history "$data"/.m*_history; do
    case $f in */.mysql_history|*/.mariadb_history) [ -s "$f" ] && [ ! -L "$f" ] && printf 'tag\thistory\t%s\n' "$f";; esac
  done
  grep -ls MYSQL_PWD= /etc/environment /etc/profile /etc/profile.d/* /etc/bash.bashrc /etc/default/m* /root/.profile /root/.bash* /home/*/.profile /home/*/.bash* 2>/dev/null | sed "s/^/tag${t}profile${t}/"
  set -f; IFS='
'
  for k in $(for ca in $cas; do dirname "$ca"; done | sort -u | while read -r d; do find -L "$d" -maxdepth 1 -type f -size -20k 2>/dev/null; done | head -n 400 | tr '\n' '\0' | xargs -0 -r grep -ls 'PRIVATE KEY' 2>/dev/null); do
    case "$own
" in *"
$k
"*) continue;; esac
    p=$(openssl pkey -in "$k" -passin pass: -pubout 2>/dev/null) || continue
    for ca in $cas; do [ "$(openssl x509 -in "$ca" -noout -pubkey 2>/dev/null)" = "$p" ] && printf 'tag\tauthority\t%s\n' "$k"; done
  done
  unset IFS; set +f
  set -- /etc/my.cnf /etc/my.cnf.d/*.cnf /etc/mysql/*.cnf /etc/mysql/*.d/*.cnf /root/.my.cnf /home/*/.my.cnf
  for f; do shift; [ -f "$f" ] && set -- "$@" "$f"; done
  [ $# -eq 0 ] || awk '{ line = $0; sub(/^[ \t]+/, "", line); i = index(line, "="); if (!i || line ~ /^[#;]/) next
    name = tolower(substr(line, 1, i - 1)); value = substr(line, i + 1); gsub(/[ \t]/, "", name); gsub("-", "_", name); sub(/^loose_/, "", name); gsub(/[ \t"\047]/, "", value)
    if (name == "wsrep_sst_auth") { if (value !~ /:./) next }
    else if (name !~ /^(password[123]?|master_password|report_password|tls_key_passphrase|ssl_passphrase|hashicorp_key_management_token)$/) next
    if (value != "") print "secret\t" name "\t" FILENAME }' "$@"
}
said=$(my_print_defaults --mysqld sst 2>/dev/null | awk '/^--/ { s = substr($0, 3); i = index(s, "="); k = i ? substr(s, 1, i - 1) : s; v = i ? substr(s, i + 1) : ""
    k = tolower(k); gsub("-", "_", k); sub(/^loose_/, "", k); o[k] = v; if (v != "" && k ~ /^(ssl_key|tkey|ssl_ca|tca)$/) pem[k "=" v] }
  END { n = split("datadir plugin_dir log_error log_bin relay_log slow_query_log_file general_log_file server_audit_file_path wsrep_notify_cmd secure_file_priv", want, " ")
    for (i = 1; i <= n; i++) if (want[i] in o) print (want[i] == "server_audit_file_path" ? "server_audit_file" : want[i]) "=" o[want[i]]
    for (one in pem) print one
    m = split(o["wsrep_provider_options"], part, ";")
    for (i = 1; i <= m; i++) { gsub(/^[ \t]+|[ \t]+$/, "", part[i]); if (part[i] ~ /^socket\.ssl_(key|ca|password_file)[ \t]*=/) { sub(/[ \t]*=[ \t]*/, "=", part[i]); print part[i] } } }' | look)
printf '%s\n' "$said"
printf '%s\n' "$said" | sed -n "s/^tag${t}[a-z_]*${t}//p" | sort -u | tr '\n' '\0' | xargs -0 -r stat -L -c "stat${t}%a${t}%U${t}%G${t}%F${t}%m${t}%n" 2>/dev/null; true
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A file or directory, links followed. `mount`: where its filesystem is mounted."""

    mode: int
    owner: str
    group: str
    directory: bool
    mount: str

    def others(self, bits: int) -> bool:
        return bool(self.mode & bits)

    def __str__(self) -> str:
        return f"{self.mode:04o} {self.owner}:{self.group}"


@dataclass(frozen=True, slots=True)
class Files:
    places: Mapping[str, tuple[str, ...]]
    seen: Mapping[str, Seen]
    secrets: tuple[tuple[str, str], ...]  # option, file
    libraries: frozenset[str]
    dictionaries: tuple[str, ...]

    def of(self, *tags: str) -> Iterator[tuple[str, Seen]]:
        for tag in tags:
            yield from ((path, self.seen[path]) for path in self.places.get(tag, ()) if path in self.seen)


def files(output: str) -> Files:
    places: dict[str, list[str]] = {}
    seen: dict[str, Seen] = {}
    lines = [line.split("\t") for line in output.splitlines() if line]
    for kind, *rest in lines:
        if kind == "tag":
            places.setdefault(rest[0], []).append(rest[1])
        elif kind == "stat":
            mode, owner, group, what, mount, path = rest
            seen[path] = Seen(int(mode, 8), owner, group, what == "directory", mount)
    if "data" not in places or not seen:
        raise Unreadable("the host does not show where the server keeps its data")
    return Files(
        {tag: tuple(dict.fromkeys(paths)) for tag, paths in places.items()}, seen,
        tuple((rest[0], rest[1]) for kind, *rest in lines if kind == "secret"),
        frozenset(rest[0] for kind, *rest in lines if kind == "library"),
        tuple(rest[0] for kind, *rest in lines if kind == "dictionary"),
    )  # fmt: skip


FILES: Fact[Files] = Fact("hardening.files", Shell(_SCRIPT), files, stable=False)
MODES: Fact[State] = Fact(
    "hardening.modes",
    FILES.query,
    lambda output: {path: str(seen) for path, seen in files(output).seen.items()},
    stable=False,
)
"""The same look, as steps compare it."""
