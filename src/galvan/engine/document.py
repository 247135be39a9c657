"""A plan as a document: what `plan -o` writes, what a run remembers, and what lies on the hosts so that anyone can undo it.

Holds no secret: contents of files are Galvan's own texts, or the names of secrets. `FORMAT` is part of each document
and the application version of durable runs: a document of another format is refused, not guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from galvan.cluster.order import Wave
from galvan.engine.plan import Plan
from galvan.model import (
    Action,
    BadInput,
    Content,
    Deadman,
    Disruption,
    Fact,
    How,
    Impact,
    PutFile,
    Reach,
    Restart,
    RestoreFile,
    Rung,
    Scope,
    Sealed,
    SecretRef,
    Shell,
    Signed,
    Sql,
    Stage,
    State,
    Step,
)

FORMAT = 1
Json = dict[str, Any]
Facts = Mapping[str, Fact[State]]

_ACTIONS: dict[str, Callable[..., Action]] = {"shell": Shell, "sql": Sql, "restore": RestoreFile}


def to_document(plan: Plan) -> Json:
    return {
        "format": FORMAT,
        "cluster": plan.cluster,
        "fingerprint": plan.fingerprint,
        "tips": list(plan.tips),
        "to": plan.to.name.lower(),
        "waves": [wave_document(wave) for wave in plan.waves],
        "restarts_per_host": dict(plan.restarts),
        "outage_s": plan.outage,
        "impact": [asdict(impact) for impact in plan.impact],
        "refused": dict(plan.refused),
    }


def wave_document(wave: Wave) -> Json:
    return {
        "id": wave.id,
        "phase": wave.phase.name.lower(),
        "stage": wave.stage.name.lower(),
        "host": wave.host,
        "restart": wave.restarts,
        "back": wave.back,
        "steps": [_step(step) for step in wave.steps],
    }


def _step(step: Step) -> Json:
    return {
        "id": step.id,
        "tip": step.tip,
        "title": step.title,
        "read": step.read.id,
        "before": dict(step.before),
        "want": dict(step.want),
        "do": [_action(action) for action in step.do],
        "undo": [_action(action) for action in step.undo],
        "disruption": step.disruption.name.lower(),
        "scope": step.scope.value,
        "deadman": asdict(step.deadman) if step.deadman else None,
        "patience": step.patience,
        "progress": step.progress,
    }


def _action(action: Action) -> Json:
    said = asdict(action)
    if isinstance(action, PutFile):
        said["content"] = _content(action.content)
    return said


def _content(content: Content) -> Json:
    match content:
        case str():
            return {"text": content}
        case SecretRef():
            return {"secret": content.name}
        case Signed():
            return {"signed": asdict(content)}
        case Sealed():
            return {"sealed": asdict(content)}


def from_document(document: Json, facts: Facts) -> Plan:
    """Raises BadInput where it is not a plan of this format."""
    if document.get("format") != FORMAT:
        raise BadInput(f"this plan has format {document.get('format')!r}, Galvan reads {FORMAT}: plan again")
    try:
        return Plan(
            document["cluster"], document["fingerprint"], tuple(document["tips"]), Rung[document["to"].upper()],
            tuple(wave_from(wave, facts) for wave in document["waves"]),
            tuple(Impact(**impact) for impact in document["impact"]), document["refused"], document.get("outage_s", 0.0),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as wrong:
        raise BadInput(f"this is no plan that Galvan wrote ({type(wrong).__name__}: {wrong}): plan again") from wrong


def wave_from(said: Json, facts: Facts) -> Wave:
    stage = Stage[said["stage"].upper()]
    return Wave(
        stage, said["host"], tuple(_step_from(step, said["host"], stage, facts) for step in said["steps"]), said["back"]
    )


def _step_from(said: Json, host: str, stage: Stage, facts: Facts) -> Step:
    return Step(
        id=said["id"], tip=said["tip"], host=host, stage=stage, read=facts[said["read"]], before=said["before"],
        want=said["want"], do=tuple(map(_action_from, said["do"])), undo=tuple(map(_action_from, said["undo"])),
        title=said["title"], disruption=Disruption[said["disruption"].upper()], scope=Scope(said["scope"]),
        deadman=_deadman_from(said["deadman"]), patience=said.get("patience", 0.0), progress=said.get("progress", ""),
    )  # fmt: skip


def _deadman_from(said: Json | None) -> Deadman | None:
    return Deadman(said["seconds"], tuple(Reach(**reach) for reach in said["reaches"])) if said else None


def _action_from(said: Json) -> Action:
    fields = dict(said)
    kind = fields.pop("kind")
    if kind == "put":
        return PutFile(fields["path"], _content_from(fields["content"]), fields["mode"], fields["owner"])
    if kind == "restart":
        return Restart(fields["members"], fields["unit"], How(fields.get("how", How.RESTART)))
    return _ACTIONS[kind](**fields)


def _content_from(said: Json) -> Content:
    if "text" in said:
        return str(said["text"])
    if "secret" in said:
        return SecretRef(said["secret"])
    if "sealed" in said:
        sealed = said["sealed"]
        return Sealed(sealed["source"], Shell(sealed["script"]["text"]), sealed["recipient"])
    signed = said["signed"]
    return Signed(**{**signed, "names": tuple(signed["names"]), "addresses": tuple(signed["addresses"])})
