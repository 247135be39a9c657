"""What of galvan.yaml's policy is about single checks.

policy:
  controls: {client_tls.ciphers: {severity: low, reason: "an old driver until spring"}, load_balancer.redundant: off}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from galvan.model import Control, Severity

if TYPE_CHECKING:
    from galvan.edges.fields import Field


def controls(field: Field) -> tuple[Control, ...]:
    return tuple(_control(check, said) for check, said in field.mapping().items())


def _control(check: str, field: Field) -> Control:
    """`off`, `on`, or a mapping that also gives the reason."""
    from yaml import ScalarNode

    if isinstance(field.node, ScalarNode):
        return Control(check, field.one_of("on", "off") == "on")
    said = field.mapping("state", "severity", "reason")
    if not {"state", "severity"} & said.keys():
        raise field.wrong("a control needs state (on, off) or severity, as in {severity: low, reason: …}, or just off")
    asked = said["state"].one_of("on", "off") == "on" if "state" in said else None
    names = [severity.name.lower() for severity in Severity]
    severity = Severity[said["severity"].one_of(*names).upper()] if "severity" in said else None
    return Control(check, asked, severity, said["reason"].text() if "reason" in said else "")
