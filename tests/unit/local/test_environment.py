from pathlib import Path

from cairn_local.environment import SharedSettings, base_environment, named_kafka_access, service_environment
from cairn_local.paths import StateDir
from cairn_local.services import SERVICES, Service

STATE = StateDir(Path("/state"))
PORTS = {service.name: 7000 + number for number, service in enumerate(SERVICES)}
SURROUNDINGS = SharedSettings(
    "127.0.0.1:9",
    "mongodb://127.0.0.1:8/",
    restic="/bin/restic",
    rclone="/bin/rclone",
    ports=PORTS,
    kafka_access={"security": "SASL_PLAINTEXT", "password_file": "/state/keys/kafka.password"},
)
CALLER = {
    "PATH": "/bin",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
    "CAIRN_LEASE_SECONDS": "4",
    "CAIRN_HTTP_PORT": "1",
    "CAIRN_MASTER_KEY_FILE": "/elsewhere",
    "CAIRN_SUPERVISED": "/another",
    "CAIRN_KAFKA_SECURITY": "SSL",
    "CAIRN_KAFKA_CA_FILE": "/ca.pem",
}


def of(name: str, **more: str) -> dict[str, str]:
    return service_environment(service(name), SURROUNDINGS, state=STATE, services=SERVICES, environ=CALLER | more)


def service(name: str) -> Service:
    return next(service for service in SERVICES if service.name == name)


def test_settings_of_the_caller_reach_the_services_and_its_secrets_do_not() -> None:
    environment = of("catalog")
    assert environment["CAIRN_LEASE_SECONDS"] == "4"
    assert environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"
    assert "secret" not in environment.values()


def test_what_we_decide_prevails_over_the_caller() -> None:
    environment = of("connector")
    assert environment["CAIRN_HTTP_PORT"] == str(PORTS["connector"])
    assert environment["CAIRN_MASTER_KEY_FILE"] == "/state/keys/master.key"
    assert environment["CAIRN_SUPERVISED"] == "/state"


def test_keys_go_to_who_needs_them_even_if_the_caller_names_one() -> None:
    assert "CAIRN_MASTER_KEY_FILE" not in of("catalog")
    assert "CAIRN_BADGE_KEY_FILE" not in of("connector")
    assert of("gateway")["CAIRN_BADGE_KEY_FILE"] == "/state/keys/badge.key"
    assert all("CAIRN_SERVICE_KEY_FILE" in of(each.name) for each in SERVICES)


def test_every_service_learns_where_the_others_are() -> None:
    environment = of("scheduler")
    assert environment["CAIRN_URL_RESTORE_INDEX"] == f"http://127.0.0.1:{PORTS['restore-index']}"
    assert {each.url_variable for each in SERVICES} <= environment.keys()


def test_servers_get_nothing_of_the_caller_but_what_any_program_needs() -> None:
    assert base_environment(STATE, CALLER) == {"PATH": "/bin", "CAIRN_SUPERVISED": "/state"}


def test_proxies_reach_the_service_that_goes_out_and_are_not_for_this_machine() -> None:
    proxies = {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "intra.example.org"}
    connector = of("connector", **proxies)
    assert connector["HTTPS_PROXY"] == "http://proxy:3128"
    assert connector["NO_PROXY"] == connector["no_proxy"] == "intra.example.org,localhost,127.0.0.1"
    assert "HTTPS_PROXY" not in of("gateway", **proxies)
    assert "NO_PROXY" not in of("connector")


def test_services_learn_how_kafka_is_spoken_to_and_nothing_of_another_kafka() -> None:
    told = {name: value for name, value in of("catalog").items() if name.startswith("CAIRN_KAFKA_")}
    assert told == {
        "CAIRN_KAFKA_SECURITY": "SASL_PLAINTEXT",
        "CAIRN_KAFKA_PASSWORD_FILE": "/state/keys/kafka.password",
    }


def test_named_kafka_is_spoken_to_as_its_owner_says() -> None:
    assert named_kafka_access(CALLER) == {"security": "SSL", "ca_file": "/ca.pem"}
