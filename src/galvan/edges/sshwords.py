"""Arguments of ssh as inventories carry them (ansible_ssh_common_args): what Galvan honours, what it needs not, what it
refuses because leaving it out could lead somewhere else. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from galvan.model import BadInput

_HONOURED = {"proxyjump": "jump", "user": "user", "port": "port", "identityfile": "identity"}
_NEEDLESS = """
batchmode canonicalizehostname compression connectionattempts connecttimeout controlmaster controlpath controlpersist
forwardagent gssapiauthentication hashknownhosts identitiesonly kbdinteractiveauthentication loglevel
passwordauthentication preferredauthentications pubkeyauthentication serveralivecountmax serveraliveinterval
stricthostkeychecking tcpkeepalive updatehostkeys visualhostkey checkhostip addkeystoagent requesttty
"""
"""Comfort, or what Galvan does its own way: host keys are always checked, one connection is always shared."""
_SHORT = {"-J": "proxyjump", "-l": "user", "-p": "port", "-i": "identityfile"}
_ALONE = frozenset(("-C", "-q", "-v", "-vv", "-vvv", "-A", "-a", "-4", "-6", "-T", "-t", "-tt", "-x", "-X", "-n"))


def read(words: Sequence[str], wrong: Callable[[str], BadInput]) -> dict[str, str]:
    """`jump`, `user`, `port`, `identity`, as far as they are said; the first counts, as with ssh.

    >>> read(["-o", "ProxyCommand=ssh -W %h:%p -q bob@bastion"], BadInput), read(["-J", "a,b", "-C"], BadInput)
    ({'jump': 'bob@bastion'}, {'jump': 'a,b'})
    """
    found: dict[str, str] = {}
    for option, value in _options(list(words), wrong):
        if option in _HONOURED:
            found.setdefault(_HONOURED[option], value)
        elif option == "proxycommand":
            if value.lower() != "none":
                found.setdefault("jump", _jump(value, wrong))
        elif option == "userknownhostsfile" and value in ("/dev/null", "none"):
            continue  # host keys are checked all the same, against the user's own file
        elif option not in _NEEDLESS.split():
            raise wrong(
                f"Galvan does not know the ssh option {option}={value}: put it into ~/.ssh/config, which it honours"
            )
    return found


def _options(words: list[str], wrong: Callable[[str], BadInput]) -> list[tuple[str, str]]:
    found = []
    while words:
        word = words.pop(0)
        if word in _ALONE:
            continue
        short, value = word[:2], word[2:]
        if short not in ("-o", *_SHORT):
            raise wrong(f"Galvan does not know the ssh argument {word}: put it into ~/.ssh/config, which it honours")
        if not value:
            if not words:
                raise wrong(f"the ssh argument {word} lacks its value")
            value = words.pop(0)
        if short == "-o":
            name, _, value = value.replace("=", " ", 1).strip().partition(" ")
            found.append((name.lower(), value.strip().strip('"')))
        else:
            found.append((_SHORT[short], value))
    return found


def _jump(command: str, wrong: Callable[[str], BadInput]) -> str:
    """`ssh -W %h:%p BASTION` is a ProxyJump in older words."""
    refused = wrong(
        f"ProxyCommand {command!r} is no `ssh -W %h:%p BASTION`: put it into ~/.ssh/config, where it is honoured as it is"
    )
    try:
        words = shlex.split(command)
    except ValueError:
        raise refused from None
    if not words or words[0].rpartition("/")[2] != "ssh" or "-W" not in words:
        raise refused
    place = words.index("-W")
    if words[place + 1 : place + 2] not in (["%h:%p"], ["[%h]:%p"]):
        raise refused
    rest = [*words[1:place], *words[place + 2 :]]
    ends = [
        i for i, word in enumerate(rest) if not word.startswith("-") and (i == 0 or rest[i - 1] not in ("-o", *_SHORT))
    ]
    if len(ends) != 1:
        raise refused
    host = rest.pop(ends[0])
    said = read(rest, wrong)
    if "identity" in said:
        raise wrong(f"the key {said['identity']} for the bastion {host} belongs into ~/.ssh/config (IdentityFile)")
    if "user" in said and "@" not in host:
        host = f"{said['user']}@{host}"
    hop = host + (f":{said['port']}" if "port" in said else "")
    return f"{said['jump']},{hop}" if "jump" in said else hop
