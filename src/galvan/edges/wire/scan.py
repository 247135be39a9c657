"""Which ports can be reached from a vantage: `Scan`. The ports are dialled at the vantage itself, by one exec.

Where there is a Python, `scanner` runs there, for any number of ports. Where there is none (a database host need not have
one), a handful of ports is dialled by bash, or else through ssh; more than that is not tried: either would take hours.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from galvan.cluster.quote import sh
from galvan.edges.wire import scanner
from galvan.edges.wire.dial import Dialer, at
from galvan.model import Outcome, Scan, Trial, Unreadable

FEW = 64  # ports that are tried one by one where the vantage has no Python
LEAST, EACH = 60.0, 0.05  # seconds that a scan may take, and for each port: a full connection table slows it down
PATIENCE = 4.0  # seconds for one dial by bash or through ssh: a kernel sends its SYN three times meanwhile
NONE = 127
SHOWN = 12  # ranges in a sentence
Ask = Callable[[str, bytes, float], Awaitable[tuple[str, str, int]]]
_WITH_PYTHON = """
for python in {{pythons}}; do
  if command -v "$python" >/dev/null 2>&1; then exec "$python" -I - <<'END OF THE SCANNER'
@scanner@
serve(@order@)
END OF THE SCANNER
  fi
done
exit {{none}}
"""
_WITH_BASH = """
command -v bash >/dev/null && command -v timeout >/dev/null || exit {{none}}
export LC_ALL=C
ask() {
  said=$(timeout {{patience}} bash -c "$4" - "$1" "$2" "$3" 2>&1 </dev/null)
  code=$?
  echo "$3 $code $(echo "$said" | tr '\\n' ' ')"
}
tcp='exec 3<>"/dev/$1/$2/$3"'
udp=$tcp'; for try in 1 2; do printf . >&3 && { read -r -t 1 -n 1 -u 3; got=$?; }; [ "$got" -gt 128 ] || exit $got; done; exit 124'
ask tcp {{control}} "$tcp"
[ "$code" = 0 ] || exit 0
for port in {{ports}}; do ask {{protocol}} {{address}} "$port" "${{protocol}}" & done
wait
ask tcp {{control}} "$tcp"
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the ports said. `walled`: those told unreachable by ICMP, and silent otherwise."""

    open: frozenset[int]
    closed: frozenset[int]
    silent: int
    walled: int = 0
    partial: bool = False


async def here(vantage: str, script: bytes, limit: float) -> tuple[str, str, int]:
    """Runs a script on the operator's own machine, and knows no other vantage."""
    if vantage != "operator":
        raise Unreadable(f"{vantage}: only the operator's own machine can be asked from here")
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec("sh", stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(limit):
            out, err = await child.communicate(script)
    finally:
        if child.returncode is None:
            child.kill()
    return out.decode(errors="replace"), err.decode(errors="replace"), child.returncode or 0


def patience(asked: Scan) -> float:
    return LEAST + EACH * len(wanted(asked))


def wanted(asked: Scan) -> list[int]:
    return list(dict.fromkeys(port for first, last in asked.ports for port in range(first, last + 1)))


async def scan(dialer: Dialer, vantage: str, asked: Scan, ask: Ask) -> Trial:
    who = f"{asked.address} from {vantage}"
    if not asked.ports or not all(1 <= first <= last <= 65535 for first, last in asked.ports):
        return Trial(Outcome.DEAD, f"{who}: {asked.ports} are no ranges of ports")
    ports = wanted(asked)
    try:
        heard = await _with_python(vantage, asked, ask)
        if heard is None and len(ports) > FEW:
            raise Unreadable(f"no python3 at {vantage}, without which at most {FEW} ports are tried, not {len(ports)}")
        heard = heard or await _with_bash(vantage, asked, ports, ask)
        heard = heard or await _through_ssh(dialer, vantage, asked, ports)
    except Unreadable as why:
        return Trial(Outcome.DEAD, f"{who}: {why}")
    return judge(asked, heard, f"{who}, {len(ports)} {asked.protocol} ports")


def judge(asked: Scan, heard: Heard, who: str) -> Trial:
    """A scan that is not whole can still say that too much answers, and never that all is as it should be."""
    reached = heard.open | heard.closed
    more, missing = reached - asked.answering, asked.answering - reached
    found = [f"{spans(heard.open)} open"] if heard.open else []
    found += [f"{spans(heard.closed)} closed"] if heard.closed else []
    found += [f"{heard.silent} silent"] if heard.silent else []
    found += [f"{heard.walled} of them called unreachable"] if heard.walled else []
    said = f"{who}: {', '.join(found)}"
    if heard.partial and not more:
        return Trial(
            Outcome.DEAD, f"{said}; each pass found more, the far side rations its answers: the rest is unknown"
        )
    if not more and not missing:
        return Trial(Outcome.MATCHES, said)
    faults = [f"answering, and should not: {spans(more)}"] if more else []
    faults += [f"not answering, and should: {spans(missing)}"] if missing else []
    return Trial(Outcome.DIFFERS, f"{said}; {'; '.join(faults)}")


def spans(ports: Iterable[int]) -> str:
    """
    >>> spans([22, 1, 2, 3, 4567, 4568])
    '1-3,22,4567-4568'
    """
    found: list[list[int]] = []
    for port in sorted(ports):
        if found and found[-1][1] == port - 1:
            found[-1][1] = port
        else:
            found.append([port, port])
    words = [f"{a}-{b}" if a != b else f"{a}" for a, b in found[:SHOWN]]
    return ",".join(words) + (f" and {len(found) - SHOWN} more ranges" if len(found) > SHOWN else "")


async def _with_python(vantage: str, asked: Scan, ask: Ask) -> Heard | None:
    limit = patience(asked)
    order = {
        "address": asked.address, "ports": asked.ports, "answering": sorted(asked.answering), "control": asked.control,
        "protocol": asked.protocol, "limit": limit,
    }  # fmt: skip
    pythons = [sys.executable] if vantage == "operator" else ["python3", "/usr/libexec/platform-python"]
    script = sh(_WITH_PYTHON, pythons=pythons, none=NONE).text.replace("@order@", repr(json.dumps(order)))
    script = script.replace("@scanner@", inspect.getsource(scanner))
    out, err, code = await ask(vantage, script.encode(), limit + 10)
    if code == NONE and not out:
        return None
    try:
        said = json.loads(out)
        if "dead" in said:
            raise Unreadable(said["dead"])
        return Heard(
            frozenset(said["open"]), frozenset(said["closed"]), said["silent"], said["walled"], said["partial"]
        )
    except (ValueError, KeyError, TypeError):
        last = [*err.strip().splitlines(), f"exit status {code}"][-2:][0]
        raise Unreadable(f"the scanner did not end well at {vantage}: {last}") from None


async def _with_bash(vantage: str, asked: Scan, ports: list[int], ask: Ask) -> Heard | None:
    words = sh(
        _WITH_BASH, none=NONE, patience=f"{PATIENCE:g}", address=asked.address, ports=[str(port) for port in ports],
        protocol=asked.protocol, control=[asked.control[0], str(asked.control[1])],
    )  # fmt: skip
    out, err, code = await ask(vantage, words.text.encode(), 4 * PATIENCE + 10)
    if code == NONE:
        return None
    lines = [line.split(" ", 2) for line in out.splitlines()]
    if lines:
        _living(asked, meant(int(lines[0][1]), lines[0][2]))
    if len(lines) != len(ports) + 2:
        raise Unreadable(f"bash at {vantage} answered {len(lines)} dials of {len(ports) + 2}: {err.strip()[-200:]}")
    _living(asked, meant(int(lines[-1][1]), lines[-1][2]))
    return _sorted({int(port): meant(int(status), said) for port, status, said in lines[1:-1]})


def meant(status: int, said: str) -> str:
    """bash's own words, in the C locale. What is no answer and no silence is no measurement: Unreadable."""
    if status == 0:
        return "open"
    if "refused" in said:
        return "closed"
    if status in (124, 137):
        return "silent"
    if "No route to host" in said or "timed out" in said:
        return "unreachable"
    raise Unreadable(f"the vantage cannot dial: {said.strip() or f'exit status {status}'}")


async def _through_ssh(dialer: Dialer, vantage: str, asked: Scan, ports: list[int]) -> Heard:
    if asked.protocol == "udp":
        raise Unreadable(f"{vantage} has neither python3 nor bash, and ssh forwards no udp")
    _living(asked, await _dialled(dialer, vantage, *asked.control))
    answers = await asyncio.gather(*(_dialled(dialer, vantage, asked.address, port) for port in ports))
    _living(asked, await _dialled(dialer, vantage, *asked.control))
    return _sorted(dict(zip(ports, answers, strict=True)))


async def _dialled(dialer: Dialer, vantage: str, address: str, port: int) -> str:
    try:
        _, sink = await dialer.dial(vantage, address, port, PATIENCE)
    except ConnectionRefusedError:
        return "closed"
    except TimeoutError:
        return "silent"
    except Unreadable as why:
        if "no route to host" in str(why).lower():
            return "unreachable"
        raise
    sink.close()
    return "open"


def _living(asked: Scan, answer: str) -> None:
    if answer != "open":
        raise Unreadable(f"the control, {at(*asked.control)}, is {answer}: so silence would mean nothing")


def _sorted(answers: dict[int, str]) -> Heard:
    def those(*kinds: str) -> frozenset[int]:
        return frozenset(port for port, answer in answers.items() if answer in kinds)

    walled = those("unreachable")
    return Heard(those("open"), those("closed"), len(those("silent") | walled), len(walled))
