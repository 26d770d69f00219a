"""What the integration offers."""

from contracts.file_properties import FILE_PROPERTIES
from contracts.messages.assignment import AppKind
from contracts.messages.connector.offers import Integration, Match, Protocol
from contracts.values import IntegrationId

from integrations.sdk import field_schema

_KINDS: tuple[AppKind, ...] = ("source", "store", "destination")
_ROOT = {
    "source": "The directory to back up, as an absolute path on the worker's machine.",
    "store": "The directory that keeps the backups, by its absolute path. It is made if missing.",
    "destination": "The directory to restore to, by its absolute path. It is made if missing.",
}


def _fields(kind: AppKind) -> field_schema.Schema:
    root = field_schema.text("Directory", _ROOT[kind], pattern="^/", examples=["/srv/data"], **{"x-path": True})
    root = field_schema.proposed_from(root, "endpoint.identifier", "tag.path")
    return field_schema.fields({"root": root, "passphrase": field_schema.passphrase()}, required=["root"])


MANIFEST = Integration(
    id=IntegrationId("0b9a4f1e-6c1d-5a53-9d0a-3f1f6f3f0001"),
    name="fs",
    version="1.0.0",
    title="Directories",
    # A file storage of which nothing more is said is a directory.
    matches=(
        Match(class_="file-storage", subclass="posix"),
        Match(class_="file-storage", subclass=""),
    ),
    protocols=(Protocol(name="fs", title="Directory", kinds=_KINDS, schemas={kind: _fields(kind) for kind in _KINDS}),),
    keeps=FILE_PROPERTIES,
    help="A directory that the worker's machine can reach by a path: a local disk, or a network share mounted there. "
    "Workers touch only the directories that their setting CAIRN_ALLOWED_ROOTS names, and never Cairn's own state.",
)
