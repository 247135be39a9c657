"""What the running kernel lets the server's process do: its own answer over selinuxfs, as it would give it to the process. Nothing is
tried by it, and nothing is noted in the audit log. Both functions are pure.
"""

from __future__ import annotations

from galvan.cluster.quote import sh
from galvan.model import Access, Outcome, Shell, Trial

_QUESTION = r"""
k=/sys/fs/selinux; target={{target}}
[ -e $k/enforce ] || { echo 'the kernel runs no SELinux' >&2; exit 1; }
p=$(pgrep -o -x mariadbd || pgrep -o -x mysqld) || { echo 'no server runs there' >&2; exit 1; }
who=$(tr -d '\0' </proc/$p/attr/current)
case $target in
  self) what=$who ;;
  /*) what=$(stat -c %C "$target") ;;
  *) what=system_u:object_r:$target:s0 ;;
esac
class=$(cat $k/class/{{kind}}/index) && bit=$(cat $k/class/{{kind}}/perms/{{permission}}) || exit 1
said=$(python3 -c 'import os, sys
f = os.open("/sys/fs/selinux/access", os.O_RDWR)
os.write(f, " ".join(sys.argv[1:]).encode()); print(os.read(f, 200).decode())' "$who" "$what" $class 2>/dev/null) ||
  said=$(exec 3<>$k/access && printf '%s %s %s' "$who" "$what" $class >&3 && cat <&3) || { echo "the kernel takes no question about $what" >&2; exit 1; }
set -- $said
echo "enforce=$(cat $k/enforce) allowed=$((0x$1 >> (bit - 1) & 1)) permissive=$(($6 & 1)) who=$who what=$what"
"""


def question(asked: Access) -> Shell:
    return sh(_QUESTION, target=asked.target, kind=asked.kind, permission=asked.permission)


def answer(asked: Access, out: str, err: str, code: int) -> Trial:
    """
    >>> answer(Access("db1", "shadow_t", "file", "read"), "enforce=1 allowed=0 permissive=0 who=a:b:mysqld_t:s0 what=a:b:shadow_t:s0", "", 0)
    Trial(outcome=<Outcome.REFUSED: 'refused'>, seen='mysqld_t may not read file shadow_t')
    """
    said = dict(word.partition("=")[::2] for word in out.split())
    if code or "allowed" not in said:
        return Trial(Outcome.DEAD, f"{asked.host}: {err.strip() or 'the kernel did not answer'}")
    who, what = (said[key].split(":")[2] if said[key].count(":") > 1 else said[key] for key in ("who", "what"))
    does = f"{asked.permission} {asked.kind} {what}"
    if said["allowed"] == "1":
        return Trial(Outcome.ACCEPTED, f"{who} may {does}")
    if said["enforce"] != "1" or said["permissive"] == "1":
        why = "the kernel enforces nothing" if said["enforce"] != "1" else f"{who} is permissive"
        return Trial(Outcome.ACCEPTED, f"{who} may {does}: {why}")
    return Trial(Outcome.REFUSED, f"{who} may not {does}")
