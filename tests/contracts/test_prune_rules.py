"""What a rule of retention can say."""

from typing import Any

import pytest
from contracts.errors import Invalid
from contracts.prune_rules import UNITS, PruneRule
from pydantic import ValidationError


def test_what_is_not_set_is_none() -> None:
    asked: dict[str, Any] = dict.fromkeys(PruneRule.model_fields, 0) | {"day": 5.0, "locate": None, "per_day": None}

    rule = PruneRule.model_validate(asked)

    assert rule == PruneRule(day=5)
    assert rule.of("day") == (5, None)


@pytest.mark.parametrize("bad", [-1, 1.5, "5", "", True, False, 10**7])
def test_a_bad_number_is_refused_by_the_name_of_its_field(bad: object) -> None:
    with pytest.raises(ValidationError) as caught:
        PruneRule.model_validate({"per_week": bad})

    assert caught.value.errors()[0]["loc"] == ("per_week",)


def test_a_rule_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(Invalid, match="rule_empty"):
        PruneRule().require_a_unit()

    for name in (*UNITS, *(f"per_{unit}" for unit in UNITS)):
        PruneRule.model_validate({name: 1}).require_a_unit()
