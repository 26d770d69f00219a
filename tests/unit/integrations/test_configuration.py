import pytest
from contracts.values import AppId, OrganizationId
from integrations.sdk.configuration import AppConfiguration


def configuration(**fields: str) -> AppConfiguration:
    return AppConfiguration(
        app_id=AppId("app"), organization_id=OrganizationId("org"), kind="source", protocol="fs", fields=fields
    )


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("True", True), ("false", False), ("False", False), ("", True)]
)
def test_switches_are_read_in_any_case(value: str, *, expected: bool) -> None:
    assert configuration(on=value).switch("on", default=True) is expected


def test_missing_and_empty_fields_have_their_default() -> None:
    assert configuration(a="").text("a", "x") == configuration().text("a", "x") == "x"


def test_no_value_shows() -> None:
    assert "canary" not in repr(configuration(secret="canary"))
