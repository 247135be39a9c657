"""What of the data is encrypted on a host's disk, and where the keys lie. No key leaves a host: only its fingerprint."""

from __future__ import annotations

from typing import Any

from galvan.cluster.facts import VARIABLES, lines, rows
from galvan.model import Fact, Shell, Sql, State, Unreadable
from galvan.pki.keyring import DIRECTORY, PASSWORD

_TABLES = (
    "SELECT COUNT(*), SUM(COALESCE(e.MIN_KEY_VERSION, 0) > 0), "
    "SUM(COALESCE(e.MIN_KEY_VERSION, 0) > 0 OR COALESCE(e.ENCRYPTION_SCHEME, 0) > 0), SUM(s.FILE_SIZE) DIV 1048576, "
    "COALESCE(SUM(IF(e.MIN_KEY_VERSION > 0, s.FILE_SIZE, COALESCE(e.KEY_ROTATION_PAGE_NUMBER * s.PAGE_SIZE, 0))), 0) DIV 1048576, "
    "COALESCE(GROUP_CONCAT(IF(COALESCE(e.MIN_KEY_VERSION, 0) > 0, NULL, s.NAME) ORDER BY s.FILE_SIZE DESC SEPARATOR ' ' LIMIT 4), ''), "
    "COALESCE(GROUP_CONCAT(DISTINCT IF(e.MIN_KEY_VERSION > 0, e.CURRENT_KEY_ID, NULL) ORDER BY e.CURRENT_KEY_ID), ''), "
    "COALESCE((SELECT GROUP_CONCAT(PLUGIN_NAME) FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'ENCRYPTION' AND PLUGIN_STATUS = 'ACTIVE'), ''), "
    "@@innodb_encryption_threads, @@innodb_encrypt_tables, "
    "(SELECT COUNT(*) FROM information_schema.INNODB_SYS_TABLES t WHERE t.SPACE <> 0 AND t.SPACE NOT IN "
    "(SELECT SPACE FROM information_schema.INNODB_SYS_TABLESPACES)), COALESCE((SELECT GROUP_CONCAT(t.NAME SEPARATOR ' ' LIMIT 300) "
    "FROM information_schema.INNODB_SYS_TABLES t WHERE t.SPACE <> 0 AND t.SPACE NOT IN "
    "(SELECT SPACE FROM information_schema.INNODB_SYS_TABLESPACES)), '') "
    "FROM information_schema.INNODB_SYS_TABLESPACES s LEFT JOIN information_schema.INNODB_TABLESPACES_ENCRYPTION e ON e.SPACE = s.SPACE WHERE s.NAME <> 'innodb_temporary'"
)


def tables(output: str) -> State:
    """`tables` is encrypted, clear or mixed; a tablespace that is only begun is neither clear nor encrypted. `unopened`:
    a server knows nothing of tables that nobody opened since it started, and its background threads pass them by."""
    table = rows(output, 12)
    if not table or "NULL" in table[0][:5]:
        raise Unreadable("the server lists no tablespace")
    count, done, begun, size, encrypted, clear, keys, plugin, threads, setting, unopened, names = table[0]
    ends = {done == count: "encrypted", begun == "0": "clear"}
    return {
        "tables": ends.get(True, "mixed") if unopened == "0" else "mixed", "count": count, "encrypted": done, "begun": begun,
        "clear": clear, "keys": keys, "plugin": plugin, "threads": threads, "setting": setting, "unopened": names,
        "progress": f"{encrypted} of {size} MB, {done} of {count} tablespaces are encrypted"
        + (f", {unopened} were not opened yet" if unopened != "0" else "")
        + (f"; left: {clear}" if 0 < int(count) - int(done) <= 4 and int(done) else ""),
    }  # fmt: skip


TABLES: Fact[State] = Fact("hardening.at_rest_tables", Sql(_TABLES), tables, stable=False)

_OPTIONS = (
    "o=$(my_print_defaults --mysqld 2>/dev/null)\n"
    'given() { printf \'%s\\n\' "$o" | sed -n "s/^--\\(loose[-_]\\)*$1=//Ip" | tail -n 1; }\n'
    "d=$(given datadir); d=${d:-/var/lib/mysql}; d=${d%/}\n"
)
"""The option files are asked once for each fact; the last word counts."""
_FILES = (
    f"{_OPTIONS}"
    f"case $o in *key?management*) ;; *) [ -d {DIRECTORY} ] || {{ echo named=; exit 0; }};; esac\n"
    f"k=$(given 'file[-_]key[-_]management[-_]filename')\n"
    f"p=$(given 'file[-_]key[-_]management[-_]filekey')\n"
    f"m=$(given 'file[-_]key[-_]management[-_]digest')\n"
    'echo "named=$k"\n'
    f"n=$(ls {DIRECTORY} 2>/dev/null | sed -n 's/^keys-\\([0-9]*\\)[.]enc$/\\1/p' | sort -n | tail -n 1)\n"
    f"case $k in ''|{DIRECTORY}/*) [ -z \"$n\" ] || {{ k={DIRECTORY}/keys-$n.enc p=FILE:{PASSWORD}; }};; esac\n"
    '[ -n "$k" ] || exit 0\n'
    "case $p in '') echo password=none;; FILE:*|file:*) p=${p#?????}; echo password=file;; *) p=; echo password=literal;; esac\n"
    'for f in "$k" $p; do\n'
    '  s=$(stat -L -c \'%a %U\' "$f" 2>/dev/null) || { echo "missing=$f"; continue; }\n'
    '  n=$(stat -L -c \'%a %U\' "$(dirname "$f")"); case $(readlink -f "$f") in "$(readlink -f "$d")"/*) n="$n datadir";; esac\n'
    '  echo "file $f=$s in $n"\n'
    "done\n"
    'if [ -n "$p" ]; then t=$(openssl enc -d -aes-256-cbc -md "${m:-sha1}" -pass "file:$p" -in "$k" 2>/dev/null)\n'
    'elif head -c 8 "$k" 2>/dev/null | grep -q Salted__; then t=; else t=$(cat "$k" 2>/dev/null); echo clear=yes; fi\n'
    "printf '%s\\n' \"$t\" | sed -n 's/^[[:space:]]*\\([0-9][0-9]*;[0-9a-fA-F]*\\)[[:space:]]*$/\\1/p' | while IFS= read -r l; do\n"
    '  echo "key ${l%%;*}=$(printf \'galvan-at-rest:%s\' "$l" | sha256sum | cut -c1-16)"\n'
    "done"
)


def files(output: str) -> State:
    """The key file and what opens it, `NAME=MODE OWNER in MODE OWNER`, and its keys by number. Of several files of Galvan's (`ours`)
    the newest counts, whether or not it is the one that the server has read."""
    state: dict[str, Any] = dict(lines(output))
    keys = sorted((name.removeprefix("key ") for name in state if name.startswith("key ")), key=int)
    return {
        **state,
        "keys": ",".join(keys),
        "ours": "yes" if "1" in keys and any(name.startswith(f"file {DIRECTORY}/keys-") for name in state) else "no",
    }


FILES: Fact[State] = Fact("hardening.at_rest_files", Shell(_FILES), files)

_ARIA = (
    "list() { find \"$d\" -mindepth 2 -maxdepth 2 -name '*.MAI' -size +7k -print0 | LC_ALL=C sort -z; }\n"
    "aria() { { list | xargs -0 -r head -q -c 2048 -- | od -An -v -w2048 -tu1 | awk '{ print $(256 * $13 + $14 + 92) % 2 }'; echo @; "
    "list | tr '\\0' '\\n'; } | awk '$0 == \"@\" { named = 1; next } !named { is[++n] = $1; next } is[++m] == 1'; }\n"
)
"""Aria tables that are encrypted, by their files: a bit in the description at the beginning of the index file says so."""
DISK_SCRIPT = (
    f"{_OPTIONS}"
    f"r=$(given 'innodb[-_]log[-_]group[-_]home[-_]dir'); case $r in ''|.|./) r=$d;; /*) ;; *) r=$d/$r;; esac\n"
    'echo "redo=$(od -An -tu1 -N1 "$r/ib_logfile0" 2>/dev/null | tr -d \' \')"\n'
    'case $o in *key?management*) echo "beneath=$(lsblk -nrso TYPE "$(findmnt -no SOURCE -T "$d" 2>/dev/null)" 2>/dev/null | grep -x -m 1 crypt)";; esac\n'
    f"{_ARIA}"
    'echo "aria=$(aria | wc -l)"\n'
    f"b=$(given 'log[-_]bin'); i=\n"
    "case $b in\n"
    '  /*) i=$b.index; [ -e "$i" ] || i=${b%.*}.index;;\n'
    "  '') for i in \"$d\"/*-bin.index; do :; done;;\n"
    "  *) i=$d/$b.index;;\n"
    "esac\n"
    '[ -e "$i" ] || { echo binlogs=0; exit 0; }\n'
    'cd "$d"; set --; while IFS= read -r f; do [ -f "$f" ] && set -- "$@" "$f"; done <"$i"\n'
    "echo binlogs=$#\n"
    '[ $# -eq 0 ] || head -q -c 270 -- "$@" | od -An -v -w270 -tu1 | awk \'\n'
    "  $1 != 254 || $2 != 98 || $3 != 105 { odd++; next }\n"
    "  { n = $14 + 256 * $15 + 9; if ($n == 164) e++ }\n"
    '  END { print "binlogs_odd=" odd+0; print "binlogs_encrypted=" e+0 }\'\n'
    "true"
)


def disk(output: str) -> State:
    """Read off the files themselves: the redo log says in its first byte that it is encrypted, a binary log with its second event."""
    said = dict(lines(output))
    redo, count = str(said.get("redo") or ""), int(str(said.get("binlogs") or 0))
    encrypted = int(str(said.get("binlogs_encrypted") or 0))
    if not redo or str(said.get("binlogs_odd") or 0) != "0":
        raise Unreadable(
            "the redo log or a binary log does not begin as one does" if redo else "there is no ib_logfile0 to look at"
        )
    shown = "encrypted" if int(redo) >= 128 else "clear"
    aria = int(str(said.get("aria") or 0))
    left = [
        *([f"{aria} Aria tables"] if aria else []),
        *(["the redo log"] if shown == "encrypted" else []),
        *([f"{encrypted} binary logs"] if encrypted else []),
    ]
    return {
        "redo": shown, "binlogs": str(count), "binlogs_encrypted": str(encrypted), "left": " and ".join(left) or "nothing",
        "beneath": str(said.get("beneath") or ""),
    }  # fmt: skip


DISK: Fact[State] = Fact("hardening.at_rest_disk", Shell(DISK_SCRIPT), disk, stable=False)
REWRITE_ARIA = (
    f"{_OPTIONS}{_ARIA}"
    "aria | sed -n 's,.*/\\([A-Za-z0-9_$]*\\)/\\([A-Za-z0-9_$]*\\)[.]MAI$,SET SESSION wsrep_on = OFF; ALTER TABLE `\\1`.`\\2` FORCE;,p' | "
    '"$(command -v mariadb || command -v mysql)" --host=localhost --protocol=socket\n'
)
"""Such tables are written anew on this member alone; in clear text, once aria_encrypt_tables is off."""
_CLEAR = (
    f"{_OPTIONS}"
    "printf '%s\\n' \"$o\" | grep -q key[-_]management || { echo all; exit 0; }\n"
    'cd "$d" || exit 1\n'
    "list() { find . -mindepth 2 -maxdepth 2 -name '*.ibd' -size +15k -print0 | LC_ALL=C sort -z; }\n"
    "m=$(printf 's\\016\\014REt\\001')\n"
    "{ list | xargs -0 -r head -q -c 16384 -- | LC_ALL=C grep -a -o -b -F -e \"$m\" | cut -d: -f1 | sed 's/$/ @/'; list | tr '\\0' '\\n'; } | awk '\n"
    '  $2 == "@" { seen[int($1 / 16384) + 1]; next } { n++; if (!(n in seen)) { sub(/^[.]\\//, ""); sub(/[.]ibd$/, ""); print } }\' | head -n 300'
)


def clear(output: str) -> frozenset[str]:
    """Tablespaces whose first page does not say that they are encrypted; `all` where no key store is configured."""
    return frozenset(output.split())


CLEAR: Fact[frozenset[str]] = Fact("hardening.at_rest_clear", Shell(_CLEAR), clear, stable=False)
FACTS: tuple[Fact[Any], ...] = (VARIABLES, TABLES, FILES, DISK, CLEAR)
