"""Environments and data classes."""

from collections.abc import Sequence

from pydantic import Field, JsonValue

from gateway.areas.classification.labels import KnownLabel
from gateway.http.answers import View
from gateway.http.body_fields import LONGEST_AUDITED_TEXT, Body, LabelText, Switch
from gateway.http.examples import example

_USAGE = {"sources": 12, "stores": 0, "destinations": 1, "bundles": 2, "resources": 40}
_LABEL = {"name": "production", "listed": True, "usage": _USAGE}


class LabelUsageView(View):
    """How often a label is used."""

    model_config = example(**_USAGE)

    sources: int
    stores: int
    destinations: int
    bundles: int = Field(
        default=0,
        exclude_if=lambda value: value == 0,
        description="Configuration bundles for this environment; left out where there are none",
    )
    resources: int | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Resources whose tags name it (`environment=...`, `data_class=...`); no use that keeps it listed",
    )


class LabelView(View):
    """An environment or a data class."""

    model_config = example(**_LABEL)

    name: str
    listed: bool = Field(description="`false`: it is used, and not among those that the organization offers")
    usage: LabelUsageView


class ClassificationView(View):
    """All labels of an organization."""

    model_config = example(environments=[_LABEL], data_classes=[{**_LABEL, "name": "personal_data"}])

    environments: list[LabelView]
    data_classes: list[LabelView]


class LabelBody(Body):
    """A label."""

    model_config = example(name="acceptance")

    name: LabelText = Field(description="Neither begins nor ends with a space or a slash")

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log holds of it."""
        return {"name": self.name[:LONGEST_AUDITED_TEXT]}


class LabelChange(LabelBody):
    """A new name for a label."""

    model_config = example(name="acceptance", merge=False)

    merge: Switch = Field(
        default=False, description="Whether it may be the name of another label: both are one afterwards, for good"
    )

    def summary(self) -> dict[str, JsonValue]:
        """What the audit log holds of it."""
        return {"new_name": self.name[:LONGEST_AUDITED_TEXT], "merge": self.merge}


def label_view(label: KnownLabel) -> LabelView:
    """A label."""
    use = label.use
    usage = LabelUsageView(
        sources=use.sources,
        stores=use.stores,
        destinations=use.destinations,
        bundles=use.bundles,
        resources=use.resources if label.tags_counted else None,
    )
    return LabelView(name=label.name, listed=label.listed, usage=usage)


def classification_view(environments: Sequence[KnownLabel], data_classes: Sequence[KnownLabel]) -> ClassificationView:
    """All labels of an organization."""
    return ClassificationView(
        environments=[label_view(label) for label in environments],
        data_classes=[label_view(label) for label in data_classes],
    )
