"""Which apps a bundle is for, and which of two bundles goes before the other. Pure."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from contracts.messages.bundles import Bundle
from contracts.messages.catalog import Resource
from contracts.resource_classes import class_of, is_same_class, is_same_subclass, subclass_of
from contracts.values import IntegrationId


@dataclass(frozen=True)
class Target:
    """An app, as far as the scope of a bundle asks about it."""

    resource: Resource
    environment: str
    integration_id: IntegrationId


def is_for(bundle: Bundle, target: Target) -> bool:
    """Whether an app is within the scope of a bundle: all conditions that are set are met."""
    resource = target.resource
    return (
        bundle.inventory_id in (None, resource.inventory_id)
        and _admits(bundle.integration_id, target.integration_id)
        and _admits(bundle.environment, target.environment)
        and _names(bundle.resource_classes, lambda name: is_same_class(name, resource.class_))
        and _names(bundle.resource_subclasses, lambda name: is_same_subclass(resource.class_, name, resource.subclass))
        and set(bundle.tags) <= set(resource.tags)
    )


def goes_before(one: Bundle, other: Bundle) -> bool:
    """Whether of two bundles for the same app the first one's values count.

    The inventory's goes before the organization's, whatever their scopes; then the one with more conditions, each tag
    being one; then the one whose scope lies within the other's. Else neither does.
    """
    if (one.inventory_id is None) != (other.inventory_id is None):
        return one.inventory_id is not None
    if conditions(one) != conditions(other):
        return conditions(one) > conditions(other)
    return _lies_within(one, other) and not _lies_within(other, one)


def conditions(bundle: Bundle) -> int:
    """How many conditions a scope has."""
    choices = (bundle.environment, bundle.resource_classes, bundle.resource_subclasses, bundle.integration_id)
    return sum(map(bool, choices)) + len(set(bundle.tags))


def can_meet(one: Bundle, other: Bundle) -> bool:
    """Whether it is to be expected that two bundles are for the same app.

    Tags alone are no choice of one of several: a resource may have any two. That bundles for `red` and for `blue` meet
    is not expected, and found out when a resource has both.
    """
    tags, others = set(one.tags), set(other.tags)
    return (
        _agree(one.inventory_id, other.inventory_id)
        and _agree(one.integration_id, other.integration_id)
        and _agree(one.environment, other.environment)
        and _overlap(_classes(one), _classes(other))
        and _overlap(_subclasses(one), _subclasses(other))
        and (tags <= others or others <= tags)
    )


def _lies_within(one: Bundle, other: Bundle) -> bool:
    """Whether each app that the first one is for is one that the other is for."""
    return (
        _admits(other.integration_id, one.integration_id)
        and _admits(other.environment, one.environment)
        and _is_part(_classes(one), _classes(other))
        and _is_part(_subclasses(one), _subclasses(other))
        and set(other.tags) <= set(one.tags)
    )


def _classes(bundle: Bundle) -> Collection[str]:
    return {class_of(each) for each in bundle.resource_classes}


def _subclasses(bundle: Bundle) -> Collection[str]:
    # A subclass may have another name in one class only.
    classes = bundle.resource_classes or ("",)
    return {subclass_of(class_, each) for each in bundle.resource_subclasses for class_ in classes}


def _names(names: Collection[str], is_meant: Callable[[str], bool]) -> bool:
    return not names or any(map(is_meant, names))


def _admits(condition: str | None, value: str | None) -> bool:
    return not condition or condition == value


def _agree(one: str | None, other: str | None) -> bool:
    return not one or not other or one == other


def _overlap(some: Collection[str], others: Collection[str]) -> bool:
    return not some or not others or not set(some).isdisjoint(others)


def _is_part(some: Collection[str], of: Collection[str]) -> bool:
    return not of or (bool(some) and set(some) <= set(of))
