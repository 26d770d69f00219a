"""What the audit log tells of stores: by what somebody gave up, or risked, what was in one."""

from collections.abc import Mapping

from pydantic import JsonValue

from gateway.domain.audit import Actor, Deed, Subject
from gateway.usecases.visitors import Visitor

CREATE_STORE, REPLACE_STORE, BELIEVE_STORE, UNLOCK_STORE = (
    "store.create",
    "store.replace",
    "store.believe",
    "store.unlock",
)


def store_deed(who: Visitor, action: str, store_id: str, details: Mapping[str, JsonValue]) -> Deed:
    """What is done to a store by somebody with a badge."""
    return Deed(
        organization_id=who.organization_id,
        actor=Actor(account_id=who.account_id, via="badge"),
        action=action,
        subject=Subject(kind="store", id=store_id),
        details=dict(details),
    )
