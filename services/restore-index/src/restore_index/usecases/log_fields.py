"""What spans and log lines say of a store and its restore points."""

from chassis.telemetry import semantic_conventions as semconv
from contracts.values import OrganizationId


def span_attributes(org: OrganizationId, store_id: str) -> dict[str, str | int | float | bool]:
    """Attributes of a span."""
    return {semconv.ORGANIZATION: org, semconv.STORE: store_id}


def log_fields(store_id: str, snapshot_id: str) -> dict[str, str]:
    """Fields of a log line."""
    return {"store_id": store_id, "snapshot_id": snapshot_id}
