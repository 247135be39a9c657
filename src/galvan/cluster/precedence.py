"""In which order the server reads its option files: where Galvan's own file belongs, and who has the last word after it.

Rules tried with my_print_defaults of 10.11: a directory is read where it is named, its `*.cnf` in the order of their
bytes (hidden ones too); an included file begins without a section, and the file that includes it goes on in its own; a
file that all may write is ignored, and one that the server's user cannot read is passed over without a word. What
stands on the server's own command line comes after every file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from galvan.cluster.optionfile import NAME, same
from galvan.model import Blind, Fact, Shell, Unreadable

_AWK = r"""
function quoted(s) { gsub(/\047/, "\047\\\047\047", s); return "\047" s "\047" }
function walk(file, deep,   line, section, done, c) {
  c = "f=" quoted(file) "; [ -f \"$f\" ] && [ -r \"$f\" ] && case $(ls -ldL \"$f\") in ????????w*) echo ignored;; *) echo read;; esac"
  done = ""; c | getline done; close(c)
  if (done == "" || deep > 10) return
  print (done == "read" ? "file" : "ignored") "\t" file
  if (done != "read") return
  while ((getline line < file) > 0) {
    gsub(/^[ \t]+|[ \t\r]+$/, "", line)
    if (line ~ /^![ \t]*includedir[ \t]/) { sub(/^![ \t]*includedir[ \t]+/, "", line); directory(line, deep) }
    else if (line ~ /^![ \t]*include[ \t]/) { sub(/^![ \t]*include[ \t]+/, "", line); walk(line, deep + 1) }
    else if (line ~ /^\[/) { section = line; gsub(/^\[[ \t]*|[ \t]*\].*/, "", section) }
    else if (line ~ /^[^#;!]/ && section != "") { sub(/[ \t]*[=#].*/, "", line); print "option\t" section "\t" line "\t" file }
  }
  close(file)
}
function directory(d, deep,   c, name, names, n, i) {
  sub(/\/+$/, "", d); print "dir\t" d
  c = "LC_ALL=C ls -A " quoted(d) " 2>/dev/null"
  while ((c | getline name) > 0) if (name ~ /\.cnf$/) names[++n] = name
  close(c)
  for (i = 1; i <= n; i++) walk(d "/" names[i], deep + 1)
  print "end\t" d
}
BEGIN { for (i = 1; i < ARGC; i++) walk(ARGV[i], 1) }
"""
_WALK = (
    "h=$(getent passwd mysql | cut -d: -f6); as=\n"
    "setpriv --reuid mysql --regid mysql --init-groups true 2>/dev/null && as='setpriv --reuid mysql --regid mysql --init-groups'\n"
    "f=$(my_print_defaults --help | sed -n '/^Default options are read/{n;p;q;}') || exit 1\n"
    '[ -n "$f" ] || { echo "my_print_defaults does not say which files are read" >&2; exit 1; }\n'
    "set --; for f in $f; do case $f in '~'*) f=$h${f#'~'};; esac; set -- \"$@\" \"$f\"; done\n"
    "$as awk '" + _AWK.replace("'", "'\\''") + '\' "$@"\n'
    "$(command -v mariadbd || command -v mysqld || echo /usr/sbin/mariadbd) --no-defaults --version </dev/null 2>/dev/null | "
    "sed -n 's/.* Ver \\([0-9]*[.][0-9]*\\).*/version\\t\\1/p'\n"
    "for u in mariadb mysql mysqld; do\n"
    '  p=$(systemctl show -p MainPID --value $u.service 2>/dev/null); [ "${p:-0}" = 0 ] || break\n'
    "done\n"
    "[ \"${p:-0}\" = 0 ] || tr '\\0' '\\n' </proc/$p/cmdline | sed -n 's/^--\\([^=]*\\).*/argument\\t\\1/p'"
)

GIVEN = "my_print_defaults --mysqld 2>/dev/null | sed -n 's/^--\\(loose[-_]\\)*{name}=//Ip' | tail -n 1"
"""What the option files say of one option; the last one wins."""
OWN = r"""
IFS='
'; set -f; n='/etc/my.cnf
/etc/mysql/my.cnf'
for level in 1 2 3; do
  n=$(sed -n 's/^[[:space:]]*![[:space:]]*include\(dir\)*[[:space:]][[:space:]]*\(.*[^[:space:]]\)[[:space:]]*$/\2/p' $n 2>/dev/null)
  [ -n "$n" ] || break
  m=$n n=
  for d in $m; do
    if [ -d "$d" ]; then
      set +f; for f in "${d%/}"/*.cnf; do n="$n
$f"; done; set -f
      [ -f "${d%/}/zz-galvan.cnf" ] && set -- "$@" "${d%/}/zz-galvan.cnf"
    else n="$n
$d"; fi
  done
done
set +f; unset IFS"""
"""Sets the shell's arguments to Galvan's option file, in whatever directory the server's files include. Two programs are
run for it, because it is asked in every audit; in which order the files are read is asked by READING."""


@dataclass(frozen=True, slots=True)
class Said:
    """One option and where it stands: `section` is empty for the command line."""

    name: str
    section: str
    file: str


@dataclass(frozen=True, slots=True)
class Reading:
    """`home`: Galvan's file where it is or where it belongs, empty where no directory is included. `later`: what the
    server reads after it. `own`: where the file lies now. `arguments`: names on the server's command line. `version` of
    the server's program, as in 10.11."""

    home: str
    own: tuple[str, ...]
    later: tuple[Said, ...]
    files: tuple[str, ...]
    directories: tuple[str, ...]
    ignored: tuple[str, ...]
    arguments: tuple[str, ...]
    version: str


def reading(output: str) -> Reading:
    """Parses the walk. Raises Unreadable where no option file was found at all."""
    events = [tuple(line.split("\t")) for line in output.splitlines()]
    files, directories, ignored, given, version = (
        tuple(dict.fromkeys(event[1] for event in events if event[0] == kind))
        for kind in ("file", "dir", "ignored", "argument", "version")
    )
    if not files:
        raise Unreadable("no option file was found that the server would read")
    if not version:
        raise Unreadable("the server's program does not tell its version, so it is not known which sections it reads")
    own = tuple(file for file in files if file.endswith(f"/{NAME}"))
    home, place = _home(events, own)
    later = [Said(plain(event[2]), event[1], event[3]) for event in events[place:] if event[0] == "option"]
    later += [Said(plain(name), "", "the server's command line") for name in given]
    return Reading(home, own, tuple(later), files, directories, ignored, tuple(map(same, given)), version[0])


def _home(events: Sequence[tuple[str, ...]], own: Sequence[str]) -> tuple[str, int]:
    """Where the file lies or belongs, and the number of the first event after it."""
    if own:
        at = max(n for n, event in enumerate(events) if event == ("file", own[-1])) + 1
        return own[-1], next((n for n in range(at, len(events)) if events[n][0] != "option"), len(events))
    ends = [n for n, event in enumerate(events) if event[0] == "end"]
    if not ends:
        return "", len(events)
    directory = events[ends[-1]][1]
    home, begins = f"{directory}/{NAME}", max(n for n, event in enumerate(events) if event == ("dir", directory))
    after = (
        n
        for n in range(begins, ends[-1])
        if events[n][0] == "file" and events[n][1].rpartition("/")[0] == directory and events[n][1] > home
    )
    return home, next(after, ends[-1])


def plain(name: str) -> str:
    """The option behind the prefixes that the server takes.

    >>> plain("loose-skip_SSL"), plain("Wsrep-Provider_Options")
    ('ssl', 'wsrep_provider_options')
    """
    name = same(name)
    for prefix in ("skip_", "disable_", "enable_", "maximum_"):
        name = name.removeprefix(prefix)
    return name


READING: Fact[Reading] = Fact("host.reading", Shell(_WALK), reading)
"""Only plans and runs need it: it runs a few more programs than an audit should."""
_ELSEWHERE = ("defaults_file", "defaults_extra_file", "defaults_group_suffix", "no_defaults")
_SECTIONS = ("mysqld", "server", "mariadb", "mariadbd", "galera")


def home(found: Reading, host: str) -> str:
    """The path of Galvan's file. Raises Blind where the server would not read it, or where there is no place for it."""
    if given := [name for name in found.arguments if name in _ELSEWHERE]:
        raise Blind(
            f"the server on {host} was started with --{given[0].replace('_', '-')}, so it does not read the usual option files "
            f"({', '.join(found.files)}): start it from those, or leave its TLS to your own hands"
        )
    if not found.home:
        raise Blind(
            f"the option files that the server on {host} reads ({', '.join(found.files)}) include no directory, so there is no "
            "place for a file of Galvan's own: add a line such as `!includedir /etc/mysql/conf.d/` at the end of the last one "
            "(nothing has to be restarted for it)"
        )
    if len(found.own) > 1:
        raise Blind(f"there are two files {NAME} on {host}: {' and '.join(found.own)}; move the older one away")
    return found.home


def shadows(found: Reading, names: Iterable[str]) -> Iterator[str]:
    """What would outdo Galvan's file: the same option later, or a beginning of it that the server would complete
    (`ssl=OFF` after a certificate takes TLS away). A section such as [mariadb-10.11] counts where it is the server's."""
    wanted = tuple(dict.fromkeys(names))
    for said in found.later:
        stem, _, suffix = said.section.partition("-")
        concerns = stem in _SECTIONS and (not suffix or suffix == found.version)
        if said.name and (concerns or not said.section) and any(name.startswith(said.name) for name in wanted):
            where = f"[{said.section}] in {said.file}" if said.section else said.file
            yield f"{said.name} in {where}"
