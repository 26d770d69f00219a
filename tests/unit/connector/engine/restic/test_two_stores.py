"""Which way to each of two stores one restic takes."""

from pathlib import Path

import pytest
from connector.engine.errors import CopyFailed, StoresAtOdds
from connector.engine.restic.two_stores import joined
from integrations.sdk.locations import StoreLocation

DISK = StoreLocation(address="/stores/one", passphrase="p", local_path=Path("/stores/one"))
THROUGH_RCLONE = StoreLocation(
    address="rclone:cairn:a", passphrase="q", credentials={"RCLONE_CONFIG_CAIRN_SECRET": "2"}, variables={"R": "1"}
)
PATHS = {"s3.bucket-lookup": "path"}


def bucket(
    key: str, *, options: dict[str, str] = PATHS, insecure: bool = False, other_way: bool = True
) -> StoreLocation:
    return StoreLocation(
        address=f"s3:https://host/{key}",
        passphrase=key,
        credentials={"AWS_SECRET_ACCESS_KEY": key},
        options=options,
        insecure_tls=insecure,
        alternative=THROUGH_RCLONE if other_way else None,
    )


@pytest.mark.parametrize(
    ("target", "origin", "through"),
    [
        (DISK, DISK, DISK.address),
        (DISK, bucket("a", insecure=True), "s3:https://host/a"),
        (bucket("a"), DISK, DISK.address),
        (bucket("a"), bucket("a"), "s3:https://host/a"),
        (bucket("a"), bucket("b"), "rclone:cairn:a"),
        (bucket("a"), bucket("a", options={}), "rclone:cairn:a"),
        (bucket("a"), bucket("a", insecure=True), "rclone:cairn:a"),
    ],
    ids=["disks", "bucket to disk", "disk to bucket", "same keys", "other keys", "other options", "other trust"],
)
def test_the_origin_is_reached_another_way_where_both_set_the_same(
    target: StoreLocation, origin: StoreLocation, through: str
) -> None:
    both, naming = joined(target, origin)

    assert naming == ["--from-repo", through]
    assert both.address == target.address
    assert both.credentials["RESTIC_FROM_PASSWORD"] == origin.passphrase
    assert set(both.secrets) >= {origin.passphrase, target.passphrase}
    assert target.credentials.items() <= both.credentials.items()


def test_the_target_is_where_the_origin_has_no_other_way() -> None:
    both, naming = joined(bucket("a"), bucket("b", other_way=False))

    assert (both.address, naming) == ("rclone:cairn:a", ["--from-repo", "s3:https://host/b"])
    assert both.variables == THROUGH_RCLONE.variables


def test_stores_without_another_way_are_at_odds_and_the_reason_holds_no_secret() -> None:
    with pytest.raises(StoresAtOdds, match="AWS_SECRET_ACCESS_KEY") as raised:
        joined(bucket("key-a", other_way=False), bucket("key-b", other_way=False))

    assert "key-" not in str(raised.value)


@pytest.mark.parametrize("passphrase", ["", "a\0b"])
def test_an_origin_without_a_passphrase_is_told(passphrase: str) -> None:
    with pytest.raises(CopyFailed) as raised:
        joined(DISK, StoreLocation(address="/stores/two", passphrase=passphrase))

    assert (raised.value.side, raised.value.code) == ("origin", "passphrase_missing")
