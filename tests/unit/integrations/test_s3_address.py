from dataclasses import replace

import pytest
from contracts.values import AppId, OrganizationId
from integrations.s3.address import S3Address, client_options, read_address
from integrations.s3.integration import to_location, to_remote
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.errors import ConfigurationUnusable


def configuration(endpoint: str, **fields: str) -> AppConfiguration:
    return AppConfiguration(
        app_id=AppId("app"),
        organization_id=OrganizationId("org"),
        kind="store",
        protocol="s3",
        endpoints=(endpoint,),
        fields={"root": "bucket/some/where", "access_key": "canary-key", "secret_access_key": "canary-word", **fields},
    )


def address(endpoint: str, **fields: str) -> S3Address:
    return read_address(configuration(endpoint, **fields))


@pytest.mark.parametrize(
    ("endpoint", "fields", "url"),
    [
        ("s3.example.org", {}, "https://s3.example.org"),
        ("s3.example.org:9000", {}, "https://s3.example.org:9000"),
        ("s3.example.org", {"use_tls": "false"}, "http://s3.example.org"),
        ("s3.example.org", {"use_tls": "False", "port": "9000"}, "http://s3.example.org:9000"),
        ("s3.example.org:1", {"port": "9000"}, "https://s3.example.org:9000"),
        ("s3.example.org", {"use_tls": "", "port": ""}, "https://s3.example.org"),
        ("http://s3.example.org:9000/", {}, "http://s3.example.org:9000"),
        ("http://s3.example.org", {"use_tls": "true"}, "https://s3.example.org"),
        ("https://s3.example.org:443", {}, "https://s3.example.org"),
        ("10.0.0.1:80", {"use_tls": "false"}, "http://10.0.0.1"),
        ("[2001:db8::1]:9000", {}, "https://[2001:db8::1]:9000"),
        (" s3.example.org ", {}, "https://s3.example.org"),
    ],
)
def test_the_endpoint_and_the_fields_make_the_url(endpoint: str, fields: dict[str, str], url: str) -> None:
    assert address(endpoint, **fields).url == url


def test_identifiers_among_the_endpoints_are_no_hosts() -> None:
    given = replace(configuration(""), endpoints=("/bucket", "arn:aws:s3:::bucket", "s3.example.org:9000"))
    assert read_address(given).url == "https://s3.example.org:9000"
    with pytest.raises(ConfigurationUnusable, match="must be a host"):
        read_address(replace(given, endpoints=("/bucket",)))


@pytest.mark.parametrize(
    ("endpoint", "fields", "region"),
    [
        ("s3.example.org", {}, "us-east-1"),
        ("s3.example.org", {"region": "fr-par"}, "fr-par"),
        ("s3.eu-west-3.amazonaws.com", {}, "eu-west-3"),
        ("s3.dualstack.ap-southeast-2.amazonaws.com", {}, "ap-southeast-2"),
        ("s3-us-gov-west-1.amazonaws.com", {}, "us-gov-west-1"),
        ("s3.amazonaws.com", {}, "us-east-1"),
    ],
)
def test_aws_endpoints_tell_their_region(endpoint: str, fields: dict[str, str], region: str) -> None:
    assert address(endpoint, **fields).region == region


@pytest.mark.parametrize(
    ("root", "bucket", "prefix"),
    [("b-1", "b-1", ""), ("/b-1/", "b-1", ""), ("b-1/p", "b-1", "p"), ("b-1/p/q/", "b-1", "p/q")],
)
def test_the_root_is_bucket_and_prefix(root: str, bucket: str, prefix: str) -> None:
    found = address("host", root=root)

    assert (found.bucket, found.prefix) == (bucket, prefix)


@pytest.mark.parametrize(
    ("endpoint", "fields", "field"),
    [
        ("", {}, "endpoints"),
        ("user:word@host", {}, "endpoints"),
        ("host/path", {}, "endpoints"),
        ("host?query", {}, "endpoints"),
        ("ftp://host", {}, "endpoints"),
        ("host:port", {}, "endpoints"),
        ("[::1", {}, "endpoints"),
        ("host", {"port": "0"}, "fields.port"),
        ("host", {"port": "65536"}, "fields.port"),
        ("host", {"root": "/"}, "fields.root"),
        ("host", {"root": "bucket//x"}, "fields.root"),
        ("host", {"root": "bucket/x//y"}, "fields.root"),
        ("host", {"root": "bucket/./y"}, "fields.root"),
        ("host", {"root": "bucket/x/../z"}, "fields.root"),
        ("host", {"root": "bucket/.."}, "fields.root"),
        ("host", {"root": "bucket/x\ny"}, "fields.root"),
        ("host", {"root": "bucket/x\x7f"}, "fields.root"),
        ("host", {"root": "bucket/\ud800"}, "fields.root"),
    ],
)
def test_what_cannot_be_right_is_refused_by_its_name(endpoint: str, fields: dict[str, str], field: str) -> None:
    with pytest.raises(ConfigurationUnusable) as refused:
        address(endpoint, **fields)

    assert list(refused.value.fields) == [field]


def test_a_store_is_told_to_the_engine_in_its_words() -> None:
    location = to_location(
        address("host:9000", storage_class="STANDARD_IA", tls_insecure_no_verify="true"), passphrase="canary-phrase"
    )

    assert location.address == "s3:https://host:9000/bucket/some/where"
    assert location.options == {
        "s3.bucket-lookup": "path",
        "s3.region": "us-east-1",
        "s3.storage-class": "STANDARD_IA",
    }
    assert location.insecure_tls
    assert set(location.secrets) == {"canary-phrase", "canary-key", "canary-word"}


@pytest.mark.parametrize(
    ("prefix", "written"),
    [("a?b", "a%3Fb"), ("a#c", "a%23c"), ("50%zz", "50%25zz"), ("ü x", "%C3%BC%20x"), ("...", "...")],
)
def test_a_prefix_is_no_part_of_a_url_to_the_engine(prefix: str, written: str) -> None:
    location = to_location(address("host", root=f"bucket/{prefix}"), passphrase="")

    assert location.address == f"s3:https://host/bucket/{written}"


def test_buckets_in_host_names_are_told_to_all_three() -> None:
    found = address("host:9000", virtual_host="true")

    assert to_location(found, passphrase="x").options["s3.bucket-lookup"] == "dns"
    assert to_remote(found, escaped_listings=True).settings["force_path_style"] == "false"
    assert client_options(found, patient=True)["endpoint"] == "https://bucket.host:9000"


def test_nothing_shows_a_secret() -> None:
    found = address("host", passphrase="canary-phrase")

    shown = [configuration("host"), found, to_location(found, passphrase="canary-phrase")]
    shown.append(to_remote(found, escaped_listings=True))
    assert "canary" not in repr(shown)
