"""What a worker makes of the apps it is told of."""

import pytest
from chassis.security.sealing import Sealer
from connector.context.apps import check_unlocked
from connector.context.worker_context import configuration_of
from contracts.errors import Conflict
from contracts.field_values import FieldValue
from contracts.messages.outcomes import FieldProblem

from tests.support.builders import a_resource
from tests.unit.connector.parts import ORG, an_app

SEALER = Sealer(bytes(32))


def test_incomplete_app_is_not_worked_with() -> None:
    lacking = (FieldProblem(field="fields.root", detail="is missing"),)
    with pytest.raises(Conflict, match=r"connector_incomplete: .*root is missing") as refused:
        configuration_of(SEALER, ORG, an_app(fields={}, lacking=lacking))
    assert refused.value.fields == {"fields.root": "is missing"}
    complete = configuration_of(SEALER, ORG, an_app(fields={"root": FieldValue(value="/srv")}))
    assert complete.fields == {"root": "/srv"}


def test_an_app_of_a_locked_resource_takes_part_in_no_task() -> None:
    with pytest.raises(Conflict, match=r"resource_locked: Resource vault .* is locked") as refused:
        check_unlocked(an_app(resource=a_resource(name="vault", locked=True)))
    assert "connector" in refused.value.detail
    check_unlocked(an_app(resource=a_resource(name="vault")))
