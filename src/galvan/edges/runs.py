"""Durable runs on DBOS: which wave is done survives the death of this process.

The plan is the journal. Each wave is two durable steps, `remember` and `carry_out`, and the worker's answers are plain
JSON. Only `carry` launches DBOS: a second process that merely launched it would re-execute running steps, so each run
has an executor of its own and a lock file, and lists go through the client. SQLite by default, PostgreSQL by URL.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from galvan.model import Unsafe

Json = dict[str, Any]


class Worker(Protocol):
    """Answers are JSON; an answer with `failed` ends the run. All are harmless when done twice."""

    def lock(self) -> Json: ...
    def hold(self, number: int) -> Json: ...
    def remember(self, numbers: Sequence[int]) -> Json: ...
    def carry_out(self, numbers: Sequence[int], blocked: Sequence[str]) -> Json: ...
    def after(self, number: int) -> Json: ...
    def watch(self, tip: str) -> Json: ...
    def release(self, status: str) -> Json: ...
    def stop_asked(self, number: int) -> bool: ...


def climb(document: Json, worker: Worker) -> Json:
    """The workflow itself; deterministic but for `stop_asked`, which only ever ends it early at a safe place."""
    if failed := worker.lock().get("failed"):
        return {"status": "refused", "why": failed, "waves_done": 0}
    status, why, done = "done", "", 0
    blocked: list[str] = []
    for numbers in _beside(document):
        number, wave = numbers[0], document["waves"][numbers[0]]
        if worker.stop_asked(number):
            status, why = "interrupted", f"{done} of {len(document['waves'])} waves are done"
            break
        if ended := _ended(worker.hold(number)):
            status, why = ended
            break
        for tip in wave.get("watch", []):
            answer = worker.watch(tip)
            if seen := answer.get("seen") or answer.get("failed"):  # who cannot be seen is not absent
                blocked.append(tip)
                status, why = "watching", seen
        if all(step["tip"] in blocked for step in wave["steps"]):
            continue
        passed, ended = _carried(worker, numbers, blocked)
        done += passed
        if ended:
            status, why = ended
            break
    if left := worker.release(status).get("failed"):
        why = f"{why}; still locked: {left}" if why else f"still locked: {left}"
    return {"status": status, "why": why, "waves_done": done}


def _beside(document: Json) -> Iterator[list[int]]:
    """The waves in turn; those that a plan marks as `beside` the one before go with it, unless the run is to pause between
    them; `always`: then too."""
    together: list[int] = []
    pauses = bool(document.get("orders", {}).get("pause"))
    for number, wave in enumerate(document["waves"]):
        if together and not (wave.get("beside") == "always" or (wave.get("beside") and not pauses)):
            yield together
            together = []
        together.append(number)
    if together:
        yield together


def _carried(worker: Worker, numbers: Sequence[int], blocked: Sequence[str]) -> tuple[int, tuple[str, str] | None]:
    """How many waves that was, and with what the run ends after them, if it does."""
    answer = worker.remember(numbers)
    answer = answer if answer.get("failed") else worker.carry_out(numbers, blocked)
    if ended := _ended(answer):
        return 0, ended
    return len(numbers), _ended(worker.after(numbers[-1])) if answer.get("changed") else None


def _ended(answer: Json) -> tuple[str, str] | None:
    """The status and the reason with which a run ends here, if it does."""
    if failed := answer.get("failed"):
        return answer["kind"], failed
    return (answer["status"], answer["why"]) if "status" in answer else None


class Runs:
    """`url`: a database of DBOS; None keeps runs.sqlite in the state directory, readable by its owner only."""

    def __init__(self, directory: Path, url: str | None, version: str) -> None:
        self._directory, self._version = directory, version
        self._url = url or f"sqlite:///{directory / 'runs.sqlite'}"

    def carry(self, run: str, document: Json | None, worker: Worker) -> Json:
        """Starts the run, or (without a document) goes on with the one that a killed process left. Blocks until it ends.

        Raises Unsafe where another process carries this run.
        """
        with self._lock(run), _private_files():
            return self._launch(run, document, worker)

    def _launch(self, run: str, document: Json | None, worker: Worker) -> Json:
        from dbos import DBOS, SetWorkflowID

        steps: Any = _Durable(worker, DBOS)
        workflow = DBOS.workflow(name="galvan")(lambda document: climb(document, steps))
        DBOS(config={
            "name": "galvan", "system_database_url": self._url, "application_version": self._version,
            "executor_id": run, "log_level": "WARNING", "console_log_level": "ERROR", "serializer": _serializer(),
        })  # fmt: skip
        try:
            DBOS.launch()
            if document is None:
                return dict(DBOS.retrieve_workflow(run).get_result())
            with SetWorkflowID(run):
                return dict(DBOS.start_workflow(workflow, document).get_result())
        finally:
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=0)

    def pending(self, run: str) -> bool:
        """Did a process die while it carried this run?"""
        return any(entry["id"] == run and entry["status"] == "PENDING" for entry in self.list())

    def list(self) -> list[Json]:
        """Newest first: id, status (of DBOS), the result where there is one, created (epoch seconds)."""
        if self._url.startswith("sqlite") and not (self._directory / "runs.sqlite").exists():
            return []
        from dbos import DBOSClient

        client = DBOSClient(system_database_url=self._url, serializer=_serializer())
        try:
            found = client.list_workflows(sort_desc=True, load_input=True, load_output=True)
        finally:
            client.destroy()
        return [
            {
                "id": w.workflow_id, "status": w.status, "result": w.output, "created": (w.created_at or 0) / 1000,
                "document": w.input["args"][0] if w.input else {},
            }
            for w in found
        ]  # fmt: skip

    @contextmanager
    def _lock(self, run: str) -> Iterator[None]:
        with open(self._directory / f"{run}.lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unsafe(f"run {run} is being carried out by another process on this machine") from None
            yield


class _Durable:
    """The worker with each of its answers remembered."""

    def __init__(self, worker: Worker, dbos: Any) -> None:
        for name in ("lock", "remember", "hold", "carry_out", "after", "watch", "release"):
            setattr(self, name, dbos.step(name=name)(_plain(getattr(worker, name))))
        self.stop_asked = worker.stop_asked


def _plain(method: Callable[..., Json]) -> Callable[..., Json]:
    """A function: DBOS writes its own notes on what it decorates, and methods take none."""
    return lambda *words: method(*words)


@contextmanager
def _private_files() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _serializer() -> Any:
    from dbos._serialization import Serializer

    class Plain(Serializer):
        def serialize(self, data: Any) -> str:
            return json.dumps(data, default=str)

        def deserialize(self, serialized_data: str) -> Any:
            return json.loads(serialized_data)

        def name(self) -> str:
            return "galvan-json"

    return Plain()
