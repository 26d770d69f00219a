"""Values that nobody typed, with their origin."""

from contracts.queries.wizard import Origin, PrefilledField, PrefilledText, PrefilledTexts
from pydantic import Field

from gateway.areas.connectors.schemas.answers import ProviderView
from gateway.http.answers import Absent, View


class OriginView(View):
    """Where a value comes from that nobody typed."""

    kind: str = Field(description="`default`, `endpoint`, `tag`, `resource`, `bundle` or `generated`")
    id: str | None = Field(default=None, exclude_if=lambda value: value is None, description="Id of the bundle")
    name: str = Field(description="Name of the bundle or the resource; the tag; the endpoint")


class PrefilledFieldView(View):
    """A value of a configuration field that need not be typed."""

    value: str = Field(description="Empty where it is not shown")
    provider: ProviderView | None = Absent
    masked: bool = Field(
        default=False, exclude_if=lambda value: not value, description="Present and true: a secret is there, not shown"
    )
    origin: OriginView


class PrefilledTextView(View):
    """A text that need not be typed."""

    value: str
    origin: OriginView


class PrefilledTextsView(View):
    """A list that need not be typed."""

    values: list[str]
    origin: OriginView


def prefilled_view(each: PrefilledField) -> PrefilledFieldView:
    """A value of a configuration field."""
    provider = ProviderView(id=each.provider_id) if each.provider_id else None
    return PrefilledFieldView(
        value=each.value or "", provider=provider, masked=each.masked, origin=_origin(each.origin)
    )


def text_view(each: PrefilledText) -> PrefilledTextView:
    """A text."""
    return PrefilledTextView(value=each.value, origin=_origin(each.origin))


def texts_view(each: PrefilledTexts) -> PrefilledTextsView:
    """A list."""
    return PrefilledTextsView(values=list(each.values), origin=_origin(each.origin))


def _origin(origin: Origin) -> OriginView:
    return OriginView(kind=origin.kind, id=origin.id, name=origin.name)
