"""What the integration offers."""

from contracts.messages.assignment import AppKind
from contracts.messages.connector.offers import Integration, Match, Protocol
from contracts.values import IntegrationId

from integrations.sdk import field_schema

_KINDS: tuple[AppKind, ...] = ("source", "store", "destination")
_ROOT = {
    "source": "The bucket to back up, or `bucket/prefix` for a part of it.",
    "store": "The bucket that keeps the backups, or `bucket/prefix` for a part of it.",
    "destination": "The bucket to restore to, or `bucket/prefix` for a part of it.",
}


_BUCKET = "[A-Za-z0-9][A-Za-z0-9._-]{1,62}"
# No `.` and `..`, which engine and reader would take for directories: see `read_address`.
_PART = r"(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]+"


def _fields(kind: AppKind) -> field_schema.Schema:
    pattern = f"^/?{_BUCKET}(?:/{_PART})*/?$"
    root = field_schema.text("Bucket", _ROOT[kind], pattern=pattern, examples=["backups/site-1"])
    region = field_schema.text(
        "Region", "The bucket's region; empty: told by an AWS endpoint, else `us-east-1`.", examples=["fr-par"]
    )
    return field_schema.fields(
        {
            "root": field_schema.proposed_from(root, "endpoint.identifier", "tag.bucket"),
            "access_key": field_schema.secret("Access key", "The id of the access key.", minLength=1),
            "secret_access_key": field_schema.secret(
                "Secret access key", "What goes with the access key.", minLength=1
            ),
            "passphrase": field_schema.passphrase(),
            "port": field_schema.port(
                "Port", "The port of the endpoint; empty: the endpoint's own, else 443 with TLS and 80 without."
            ),
            "region": field_schema.proposed_from(region, "tag.region"),
            "use_tls": field_schema.switch("TLS", "Whether the endpoint is reached through TLS (HTTPS).", default=True),
            "tls_insecure_no_verify": field_schema.only_when(
                field_schema.switch(
                    "Trust any certificate",
                    "Accept certificates that nobody vouches for. Anybody on the way can then read and change "
                    "everything.",
                    default=False,
                ),
                "use_tls",
                "true",
                "",
            ),
            "virtual_host": field_schema.switch(
                "Bucket in the host name", "Reach the bucket as `bucket.host` instead of `host/bucket`.", default=False
            ),
            "storage_class": field_schema.text(
                "Storage class",
                "The storage class of what is written; empty: the bucket's own. Archival classes cannot be read back "
                "at once and do not work for stores.",
                examples=["STANDARD", "STANDARD_IA"],
            ),
        },
        required=["root", "access_key", "secret_access_key"],
    )


MANIFEST = Integration(
    id=IntegrationId("0b9a4f1e-6c1d-5a53-9d0a-3f1f6f3f0002"),
    name="s3",
    version="1.0.0",
    title="S3 buckets",
    matches=(Match(class_="object-storage", subclass="s3"),),
    protocols=(Protocol(name="s3", title="S3 bucket", kinds=_KINDS, schemas={kind: _fields(kind) for kind in _KINDS}),),
    keeps=("empty_directories", "times"),
    help="A bucket of AWS S3 or of anything that speaks its protocol. The host is the endpoint of the resource (or of "
    "the connector), with or without a port. The keys need the rights to list and read the bucket; for stores and "
    "destinations also to write and delete in it. What cannot be read of a source (an object in an archive class, "
    "say) is named in the job; the rest is backed up. Keys that cannot be paths are kept under names that tell "
    "them: `x//y` as `x/\u201b_/y`.",
)
