"""What a worker makes of the apps it is told of."""

import pytest
from chassis.security.sealing import Sealer
from connector.context.worker_context import configuration_of
from contracts.errors import Conflict
from contracts.field_values import FieldValue
from contracts.messages.outcomes import FieldProblem

from tests.unit.connector.parts import ORG, an_app

SEALER = Sealer(bytes(32))


def test_incomplete_app_is_not_worked_with() -> None:
    lacking = (FieldProblem(field="fields.root", detail="is missing"),)
    with pytest.raises(Conflict, match=r"connector_incomplete: .*root is missing") as refused:
        configuration_of(SEALER, ORG, an_app(fields={}, lacking=lacking))
    assert refused.value.fields == {"fields.root": "is missing"}
    complete = configuration_of(SEALER, ORG, an_app(fields={"root": FieldValue(value="/srv")}))
    assert complete.fields == {"root": "/srv"}
