"""One trace from the gateway's request through every service to the engine and the index."""

from pathlib import Path

from cairn_local.api_client import Api

from tests.e2e.conftest import SERVICES, Directory
from tests.support.otlp import OtlpReceiver, Span
from tests.support.waiting import eventually

INDEXED = "process cairn.listings"


def _trace_of_run(otlp: OtlpReceiver) -> list[Span]:
    roots = [s for s in otlp.spans() if s.service == "gateway" and s.name == "POST /api/v1/scheduling/scheduler/run"]
    return [s for s in otlp.spans() if roots and s.trace_id == roots[-1].trace_id]


def test_a_backup_is_one_trace(api: Api, otlp: OtlpReceiver, directory: Directory, tree: Path, tmp_path: Path) -> None:
    _, source = directory("source", tree)
    _, store = directory("store", tmp_path / "store")
    api.post(f"/connectors/{store}/stores/create")
    api.wait_for_run(api.start_backup(source, store))

    def whole() -> bool:
        spans = _trace_of_run(otlp)
        names = {s.name for s in spans}
        # The index is told of the restore point first, and of what is in it afterwards.
        return {s.service for s in spans} >= set(SERVICES) and {"engine.backup", INDEXED} <= names

    eventually(whole, deadline_seconds=30)
    eventually(lambda: not _orphans(_trace_of_run(otlp)), deadline_seconds=30)
    spans = _trace_of_run(otlp)
    by_id = {s.span_id: s for s in spans}
    engine = next(s for s in spans if s.name == "engine.backup")
    assert _ancestors(engine, by_id)[-1].service == "gateway"
    assert {s.service for s in _ancestors(engine, by_id)} >= {"gateway", "scheduler", "connector"}
    indexed = [s for s in spans if s.service == "restore-index" and s.name == INDEXED]
    assert indexed
    assert {s.service for s in _ancestors(indexed[0], by_id)} >= {"gateway", "scheduler", "connector"}


def _orphans(spans: list[Span]) -> list[Span]:
    ids = {s.span_id for s in spans}
    return [s for s in spans if s.parent_id and s.parent_id not in ids]


def _ancestors(span: Span, by_id: dict[str, Span]) -> list[Span]:
    found = []
    while span.parent_id:
        span = by_id[span.parent_id]
        found.append(span)
    return found
