"""Where a restore point comes from, as the tags of its snapshot tell."""

from collections.abc import Sequence
from urllib.parse import quote, unquote

from contracts.errors import Invalid
from contracts.values import OrganizationId, Value

MARK = "cairn:"


class Origin(Value):
    """Where a restore point comes from, as the tags of its snapshot tell."""

    organization_id: str | None = None
    source_id: str | None = None
    job_id: str | None = None
    environment: str = ""
    data_classes: tuple[str, ...] = ()
    name: str = ""
    resource_class: str = ""
    protocol: str = ""
    address: str = ""
    location: str = ""
    labels: tuple[str, ...] = ()


def tags_of(origin: Origin) -> tuple[str, ...]:
    """The tags of a snapshot: the user's labels, then Cairn's own. Raises `label_invalid`."""
    for label in origin.labels:
        _require_usable(label)
    single = {
        "org": origin.organization_id,
        "source": origin.source_id,
        "job": origin.job_id,
        "environment": origin.environment,
        "name": origin.name,
        "class": origin.resource_class,
        "protocol": origin.protocol,
        "address": origin.address,
        "location": origin.location,
    }
    marks = [(name, value) for name, value in single.items() if value]
    marks += [("data-class", value) for value in origin.data_classes]
    # restic cuts white space off the ends of a tag, so where a label has some, marks repeat all labels in full.
    bare = tuple(label.strip() for label in origin.labels)
    marks += [("label", label) for label in origin.labels if bare != origin.labels]
    return (*bare, *(f"{MARK}{name}={_escape(value)}" for name, value in marks))


def job_tag(job_id: str) -> str:
    """The tag by which a job finds the snapshot it made."""
    return f"{MARK}job={job_id}"


def _marks_in(tags: Sequence[str]) -> list[tuple[str, str]]:
    """Cairn's own tags as names and values."""
    marks = (tag.removeprefix(MARK).partition("=") for tag in tags if tag.startswith(MARK))
    return [(name, _unescape(value)) for name, _, value in marks]


def _require_usable(label: str) -> None:
    if label.strip().startswith(MARK) or "," in label or not label.strip():
        raise Invalid("label_invalid", f"The label {label!r} is empty, has a comma, or begins with {MARK!r}.")


def origin_of(tags: Sequence[str], organization_id: OrganizationId) -> Origin:
    """What tags tell. Of a snapshot that this organization's Cairn did not make, only its labels count."""
    marks = _marks_in(tags)
    labels = tuple(t for t in tags if not t.startswith(MARK))
    named = dict(marks)
    # Cairn always names source and job. Anything less was put on by hand, and must not pass for a backup of ours.
    if named.get("org") != organization_id or not all(named.get(each) for each in ("source", "job")):
        return Origin(labels=labels)
    whole = [value for name, value in marks if name == "label"]
    return Origin(
        organization_id=organization_id,
        source_id=named.get("source"),
        job_id=named.get("job"),
        environment=named.get("environment", ""),
        data_classes=tuple(value for name, value in marks if name == "data-class"),
        name=named.get("name", ""),
        resource_class=named.get("class", ""),
        protocol=named.get("protocol", ""),
        address=named.get("address", ""),
        location=named.get("location", ""),
        labels=_in_full(labels, whole),
    )


def _in_full(labels: Sequence[str], whole: Sequence[str]) -> tuple[str, ...]:
    """Labels as they were given: the `whole` ones that still stand among the tags, then tags that came later."""
    left, given = list(labels), []
    for label in whole:
        if label.strip() in left:
            left.remove(label.strip())
            given.append(label)
    return (*given, *left)


def _escape(value: str) -> str:
    """A value as a mark holds it: percent-encoded where a tag would not keep it."""
    # Commas divide the tags of restic's command line, and white space at the ends of a tag is lost.
    bare = value.strip()
    begin = value.index(bare)
    head, tail = quote(value[:begin], safe=""), quote(value[begin + len(bare) :], safe="")
    return head + bare.replace("%", "%25").replace(",", "%2C") + tail


def _unescape(value: str) -> str:
    return unquote(value)
