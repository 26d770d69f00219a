"""Which integrations work with a resource for a kind of connector, and why others do not. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.messages.assignment import App, AppKind
from contracts.messages.catalog import Resource
from contracts.messages.connector.offers import Integration, Match, Protocol
from contracts.queries.wizard import MatchCode
from contracts.resource_classes import is_same_class, is_same_subclass
from contracts.values import IntegrationId

Obstacle = Literal["class_differs", "subclass_differs", "gone", "not_installed", "kind_not_offered"]
"""What keeps an integration from being used, in the order in which it is looked for."""

CLASS_OBSTACLES: tuple[Obstacle, ...] = ("class_differs", "subclass_differs")


@dataclass(frozen=True)
class Assessment:
    """An integration for a kind of connector on a resource; the resource is None while nobody has named it."""

    integration: Integration
    kind: AppKind
    resource: Resource | None
    match: Match | None
    """What the manifest says of the resource's class; None where it says nothing of it, or no class is known."""
    is_made_for: bool
    """Whether the match names the subclass of the resource too."""
    obstacle: Obstacle | None

    @property
    def is_usable(self) -> bool:
        """Whether a connector can be made with it."""
        return self.obstacle is None

    @property
    def is_near_miss(self) -> bool:
        """Whether people would expect it to work with the resource."""
        return self.obstacle not in (None, "class_differs")

    @property
    def code(self) -> MatchCode:
        """The verdict for programs: what matches, or the obstacle."""
        if self.obstacle:
            return self.obstacle
        if self.resource is None or not self.resource.class_:
            return "kind_offered"
        return "subclass_matches" if self.is_made_for else "class_matches"

    @property
    def reason(self) -> str:
        """The verdict as a sentence for a person."""
        title, this = self.integration.title, self.resource
        match self.code:
            case "class_differs":
                return f"{title} does not work with resources of {class_of(this)}."
            case "subclass_differs":
                return f"{title} works with {listed(works_with(self.integration))}, not with {class_of(this)}."
            case "gone":
                return f"{title} would fit, but no worker has offered it for a long time."
            case "not_installed":
                return f"{title} would fit, but is not installed."
            case "kind_not_offered":
                return f"{title} cannot be used as a {self.kind}."
            case "subclass_matches":
                return f"{title} is made for resources of {class_of(this)}."
            case "class_matches":
                return f"{title} works with resources of {class_of(this)}; the resource names no subclass."
        return f"{title} can be used as a {self.kind}."


def assess(
    integration: Integration,
    resource: Resource | None,
    *,
    kind: AppKind,
    uninstalled: Collection[IntegrationId] = (),
    gone: Collection[IntegrationId] = (),
) -> Assessment:
    """Whether an integration can be used. It matches class and subclass, or the class where the resource has no more.
    Of a resource without a class nothing is known: any may do.

    `uninstalled`: those that the organization does not want; `gone`: those that no worker offers any more.
    """
    known = resource if resource and resource.class_ else None
    match = _match_of(integration, known) if known else None
    is_made_for = known is not None and match is not None and _names_subclass(match, known)
    obstacle: Obstacle | None = None
    if known and match is None:
        obstacle = "class_differs"
    elif known and known.subclass and not is_made_for:
        obstacle = "subclass_differs"
    elif integration.id in gone:
        obstacle = "gone"
    elif integration.id in uninstalled:
        obstacle = "not_installed"
    elif not offering(integration, kind):
        obstacle = "kind_not_offered"
    return Assessment(integration, kind, resource, match, is_made_for, obstacle)


def misfit(app: App, integrations: Iterable[Integration]) -> str:
    """Why the integration of an app does not go with the class that its resource has by now; empty where it does."""
    integration = next((each for each in integrations if each.id == app.integration.id), None)
    if integration is None:
        return ""
    found = assess(integration, app.resource, kind=app.kind)
    return found.reason if found.obstacle in CLASS_OBSTACLES else ""


def preferred(assessments: Iterable[Assessment], *, protocol: str | None = None) -> Sequence[Assessment]:
    """Those that come into question when none is named: of the usable ones that have the protocol, if one was named,
    those made for the subclass, else all. Exactly one is chosen by itself."""
    usable = [each for each in assessments if each.is_usable]
    # A protocol that none of them has is refused by `choose_protocol`, which can say which there are.
    usable = [e for e in usable if any(p.name == protocol for p in e.integration.protocols)] or usable
    return [each for each in usable if each.is_made_for] or usable


def why_none(
    assessed: Iterable[Assessment], shown: Iterable[Assessment], resource: Resource | None, name: str
) -> str | None:
    """Why a list shows neither integrations that can be used nor near misses; None where it shows some.

    `shown`: those of all that are `assessed` whose name or title has `name` in it.
    """
    if any(_is_expected(each) for each in shown):
        return None
    if any(_is_expected(each) for each in assessed):
        return f"No integration that fits is called {name!r}."
    return f"No integration works with resources of {class_of(resource)}."


def _is_expected(assessment: Assessment) -> bool:
    return assessment.is_usable or assessment.is_near_miss


def offering(integration: Integration, kind: AppKind) -> list[Protocol]:
    """The protocols of an integration that a connector of a kind can have."""
    return [protocol for protocol in integration.protocols if kind in protocol.kinds]


def preferred_protocols(integration: Integration, kind: AppKind) -> list[Protocol]:
    """The protocols that come into question when none is named. Exactly one is chosen by itself."""
    offered = offering(integration, kind)
    # Clients of the API leave the protocol out and mean the one that is called like its integration: `s3` of `s3`.
    return [p for p in offered if p.name == integration.name] or offered


def works_with(integration: Integration) -> list[str]:
    """The classes and subclasses that a manifest names."""
    return [f"{m.class_}/{m.subclass}" if m.subclass else m.class_ for m in integration.matches]


def class_of(resource: Resource | None) -> str:
    """The class of a resource in words."""
    if resource is None or not resource.class_:
        return "any class"
    return f"class {resource.class_}" + (f", subclass {resource.subclass}" if resource.subclass else "")


def listed(names: Iterable[str]) -> str:
    """Names one after the other, sorted."""
    return ", ".join(sorted(names)) or "none"


def _match_of(integration: Integration, resource: Resource) -> Match | None:
    of_class = [match for match in integration.matches if is_same_class(match.class_, resource.class_)]
    exact = (match for match in of_class if _names_subclass(match, resource))
    return next(exact, of_class[0] if of_class else None)


def _names_subclass(match: Match, resource: Resource) -> bool:
    return is_same_subclass(resource.class_, match.subclass, resource.subclass)
