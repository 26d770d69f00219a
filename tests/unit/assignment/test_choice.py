"""Which integration and protocol a resource is put to use with."""

from typing import Any

import pytest
from assignment.apps.domain import choice
from contracts.errors import Invalid

from tests.support import builders as make

POSIX = make.a_resource()
BUCKET = make.a_resource(**{"class": "object-storage", "subclass": "s3"})
FS, S3 = make.fs_integration(), make.s3_integration()
SFTP = make.an_integration("sftp", matches="file-storage/sftp")
NFS = make.an_integration("nfs", matches="file-storage/posix")
CLOUD = make.an_integration(
    "cloud",
    matches="compute/cloud",
    protocols=[make.a_protocol("cloud-disk", "source"), make.a_protocol("cloud-keys", "source", "destination")],
)
MACHINE = make.a_resource(**{"class": "compute", "subclass": "cloud"})


@pytest.mark.parametrize(
    ("resource", "wanted", "chosen"),
    [
        (POSIX, {}, ("fs", "fs")),
        (BUCKET, {}, ("s3", "s3")),
        (BUCKET, {"integration_id": "int-s3", "protocol": "s3"}, ("s3", "s3")),
        (BUCKET, {"integration_id": "", "protocol": ""}, ("s3", "s3")),
        (make.a_resource(**{"class": "object-storage", "subclass": ""}), {}, ("s3", "s3")),
        (make.a_resource(subclass=""), {"protocol": "sftp"}, ("sftp", "sftp")),
        (MACHINE, {"protocol": "cloud-keys"}, ("cloud", "cloud-keys")),
        (MACHINE, {"kind": "destination"}, ("cloud", "cloud-keys")),
    ],
)
def test_class_and_subclass_decide_and_wishes_are_met(
    resource: Any, wanted: dict[str, Any], chosen: tuple[str, str]
) -> None:
    got = choice.choose([FS, S3, SFTP, CLOUD], resource, **{"kind": "source", **wanted})
    assert (got.integration.name, got.protocol.name) == chosen


@pytest.mark.parametrize(
    ("resource", "wanted", "code", "said"),
    [
        (make.a_resource(**{"class": "teapot", "subclass": "brown"}), {}, "integration_incompatible", "teapot"),
        (make.a_resource(subclass="ext5"), {}, "integration_incompatible", "ext5"),
        (POSIX, {"integration_id": "int-s3"}, "integration_incompatible", "object-storage/s3"),
        (POSIX, {"integration_id": "nobody"}, "integration_not_found", "cloud, fs, nfs, s3"),
        (POSIX, {}, "integration_ambiguous", "fs, nfs"),
        (BUCKET, {"protocol": "ftp"}, "protocol_not_found", "s3"),
        (BUCKET, {"integration_id": "int-s3", "protocol": "fs"}, "protocol_not_found", "s3"),
        (MACHINE, {}, "protocol_ambiguous", "cloud-disk, cloud-keys"),
        (MACHINE, {"kind": "store"}, "kind_not_offered", "cloud cannot be used as a store"),
        (MACHINE, {"kind": "store", "integration_id": "int-cloud"}, "kind_not_offered", "store"),
        (MACHINE, {"kind": "destination", "protocol": "cloud-disk"}, "kind_not_offered", "cloud-disk"),
        (POSIX, {"kind": "destination"}, "kind_not_offered", "destination"),
    ],
)
def test_what_cannot_be_chosen_is_told_with_what_can(
    resource: Any, wanted: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(Invalid) as refused:
        choice.choose([FS, S3, NFS, CLOUD], resource, **{"kind": "source", **wanted})
    assert refused.value.code == code
    assert said in refused.value.detail
    assert refused.value.fields


def test_a_resource_without_subclass_goes_to_the_integration_made_for_that() -> None:
    bare = make.a_resource(subclass="")
    plain = make.an_integration("plain", matches="file-storage/")
    assert choice.choose([FS, plain, SFTP], bare, kind="source").integration == plain
    assert choice.choose([FS, plain], bare, kind="source", integration_id=FS.id).integration == FS
    with pytest.raises(Invalid, match="integration_ambiguous"):
        choice.choose([FS, SFTP], bare, kind="source")


def test_nothing_fits_while_nothing_is_known() -> None:
    with pytest.raises(Invalid, match="integration_incompatible"):
        choice.choose([], POSIX, kind="source")


def test_secret_fields_are_those_of_the_schema_the_passphrase_and_unknown_ones() -> None:
    chosen = choice.choose([S3], BUCKET, kind="source")
    assert chosen.secret_fields() == ("passphrase", "secret_access_key")
    assert chosen.secret_fields(["root", "colour"]) == ("colour", "passphrase", "secret_access_key")


def test_a_passphrase_is_a_secret_field_of_every_protocol() -> None:
    bare = make.an_integration("bare", protocols=[make.a_protocol("bare", schema=make.a_schema(root={}))])
    chosen = choice.choose([bare], POSIX, kind="source")
    assert chosen.secret_fields() == ("passphrase",)
    assert set(chosen.properties) == {"passphrase", "root"}
