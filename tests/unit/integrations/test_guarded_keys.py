"""Keys of a bucket that no restore writes, as they belong to stores."""

import pytest
from integrations.s3.guarded_keys import guarded_keys
from integrations.sdk.errors import RootForbidden
from integrations.sdk.ports.destination import GuardedPlace

WHY = "it belongs to the store 'nightly'"
AT = "s3:https://s3.example.org:9000/bucket"


def keys(destination: str, *stores: str) -> dict[str, str]:
    guarded = [GuardedPlace(why=WHY, address=store) for store in stores]
    return dict(guarded_keys("bucket", destination, guarded))


@pytest.mark.parametrize(
    ("destination", "store"),
    [
        (f"{AT}/a", f"{AT}/a"),
        (f"{AT}/a/deeper", f"{AT}/a"),
        (f"{AT}/a", AT),
        ("s3:http://s3.example.org:9000/bucket/a", f"{AT}/a"),
        ("s3:https://s3.eu-west-1.amazonaws.com/bucket/a", "s3:https://s3.amazonaws.com/bucket"),
        ("s3:https://s3.dualstack.eu-west-1.amazonaws.com/bucket", "s3:https://s3-eu-west-1.amazonaws.com/bucket"),
    ],
)
def test_a_destination_in_a_store_is_refused(destination: str, store: str) -> None:
    with pytest.raises(RootForbidden, match=WHY):
        keys(destination, "", store)


@pytest.mark.parametrize(
    ("destination", "store", "begin"),
    [
        (AT, f"{AT}/a", "a/"),
        (f"{AT}/a", f"{AT}/a/my%20store", "my store/"),
        ("s3:https://s3.eu-west-1.amazonaws.com/bucket", "s3:https://s3.amazonaws.com/bucket/b", "b/"),
    ],
)
def test_keys_of_a_store_in_a_destination_are_known(destination: str, store: str, begin: str) -> None:
    assert keys(destination, store) == {begin: WHY}


@pytest.mark.parametrize(
    "store",
    [
        "",
        "/bucket",
        f"{AT}/a beside",
        f"{AT}-2",
        "s3:https://elsewhere.example.org:9000/bucket",
        "s3:https://s3.amazonaws.com.cn/bucket",
    ],
)
def test_what_lies_elsewhere_is_no_obstacle(store: str) -> None:
    assert keys(f"{AT}/a", store) == {}
