"""The words of Galvan: what a cluster is, what we saw, what we want, what we will do, what we tried.

Everything here is a value. The package imports nothing else of ours, so every room can speak these words. A word is
loaded when it is first spoken: defining all of them costs a tenth of an audit, and dialling the hosts needs a few.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from galvan.model.changes import (
        Action,
        Certificate,
        Content,
        Deadman,
        How,
        Need,
        ProviderOption,
        PutFile,
        Reach,
        Restart,
        RestoreFile,
        Scope,
        Sealed,
        Setting,
        Signed,
        Step,
        remaining,
    )
    from galvan.model.errors import (
        BadInput,
        Blind,
        GalvanError,
        NotHealed,
        Unreachable,
        Unreadable,
        Unsafe,
        WrongUsage,
    )
    from galvan.model.facts import (
        Fact,
        HostFacts,
        Query,
        Shell,
        Snapshot,
        Sql,
        State,
        Value,
    )
    from galvan.model.findings import (
        Check,
        Finding,
        HostJudge,
        Impact,
        Judgement,
        Manual,
        check,
        holds,
        not_here,
    )
    from galvan.model.hosts import (
        Backup,
        Balancing,
        Budget,
        Cluster,
        Host,
        Opening,
        Pair,
        Policy,
        ProbeAccount,
        Risk,
        Role,
        SecretRef,
        Walls,
        Window,
    )
    from galvan.model.scales import (
        Disruption,
        Phase,
        Rung,
        Severity,
        Stage,
        Verdict,
    )
    from galvan.model.tips import (
        Prober,
        Reader,
        Remote,
        Tip,
    )
    from galvan.model.trials import (
        Attempt,
        Capture,
        ClientHello,
        GroupHello,
        Listening,
        Login,
        Outcome,
        Proof,
        Result,
        Scan,
        Served,
        Trial,
        Weight,
        weigh,
    )

__all__ = [
    "Action",
    "Attempt",
    "Backup",
    "BadInput",
    "Blind",
    "Balancing",
    "Budget",
    "Capture",
    "Certificate",
    "Check",
    "ClientHello",
    "Cluster",
    "Content",
    "Deadman",
    "Disruption",
    "Fact",
    "Finding",
    "GalvanError",
    "GroupHello",
    "Host",
    "HostFacts",
    "HostJudge",
    "How",
    "Impact",
    "Judgement",
    "Listening",
    "Login",
    "Manual",
    "Need",
    "NotHealed",
    "Opening",
    "Outcome",
    "Pair",
    "Phase",
    "Policy",
    "ProbeAccount",
    "Prober",
    "Proof",
    "ProviderOption",
    "PutFile",
    "Query",
    "Reach",
    "Reader",
    "Remote",
    "Restart",
    "RestoreFile",
    "Result",
    "Risk",
    "Role",
    "Rung",
    "Scan",
    "Scope",
    "Sealed",
    "SecretRef",
    "Served",
    "Setting",
    "Severity",
    "Shell",
    "Signed",
    "Snapshot",
    "Sql",
    "Stage",
    "State",
    "Step",
    "Tip",
    "Trial",
    "Unreachable",
    "Unreadable",
    "Unsafe",
    "Value",
    "Verdict",
    "Walls",
    "Weight",
    "Window",
    "WrongUsage",
    "check",
    "holds",
    "not_here",
    "remaining",
    "weigh",
]

_ROOMS = {
    "changes": "Action Certificate Content Deadman How Need ProviderOption PutFile Reach Restart RestoreFile Scope Sealed Setting Signed Step remaining",
    "errors": "BadInput Blind GalvanError NotHealed Unreachable Unreadable Unsafe WrongUsage",
    "facts": "Fact HostFacts Query Shell Snapshot Sql State Value",
    "findings": "Check Finding HostJudge Impact Judgement Manual check holds not_here",
    "hosts": "Backup Balancing Budget Cluster Host Opening Pair Policy ProbeAccount Risk Role SecretRef Walls Window",
    "scales": "Disruption Phase Rung Severity Stage Verdict",
    "tips": "Prober Reader Remote Tip",
    "trials": "Attempt Capture ClientHello GroupHello Listening Login Outcome Proof Result Scan Served Trial Weight weigh",
}
_WHERE = {word: room for room, words in _ROOMS.items() for word in words.split()}


def __getattr__(word: str) -> object:
    if word not in _WHERE:
        raise AttributeError(f"galvan.model has no word {word}")
    value: object = getattr(importlib.import_module(f"galvan.model.{_WHERE[word]}"), word)
    globals()[word] = value
    return value
