import uuid

import pytest
from cairn_local.infrastructure.kafka import new_cluster_id


def test_cluster_id_is_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=bytes(16))])
    monkeypatch.setattr(uuid, "uuid4", lambda: next(drawn))

    assert new_cluster_id() == "A" * 22
