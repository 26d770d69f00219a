"""A package of somebody else's is an integration of the workers by its entry point alone."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest
from assignment.apps.domain.choice import Choice, choose
from assignment.apps.domain.configuration import check_configuration
from assignment.apps.domain.form import form_of
from connector.programs import open_program
from contracts.errors import Invalid
from contracts.field_values import FieldValue
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.form_rules import form_faults
from integrations.sdk.registry import GROUP, Integrations

from tests.support import builders as make
from tests.support.installed_package import SHELF, install


@pytest.fixture
def integrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Integrations:
    monkeypatch.syspath_prepend(str(install(SHELF, tmp_path / "site")))
    environment = WorkerEnvironment(rclone="rclone", work_dir=tmp_path / "work", open_program=open_program)
    return Integrations(environment)


def test_nothing_of_ours_names_it() -> None:
    assert "shelf" not in {each.name for each in entry_points(group=GROUP)}


def test_it_is_found_beside_ours(integrations: Integrations) -> None:
    assert [manifest.name for manifest in integrations.manifests()] == ["fs", "s3", "shelf"]
    assert {limit.protocol for limit in integrations.reach()} >= {"fs", "shelf+folder", "shelf+board"}
    [shelf] = [each for each in integrations.manifests() if each.name == "shelf"]
    for protocol in shelf.protocols:
        for schema in protocol.schemas.values():
            assert list(form_faults(schema)) == []


def test_it_overlaps_with_ours_and_has_a_class_of_its_own(integrations: Integrations) -> None:
    manifests = integrations.manifests()
    with pytest.raises(Invalid, match="integration_ambiguous"):
        choose(manifests, make.a_resource(), kind="source")
    steel = make.a_resource(**{"class": "shelving", "subclass": "steel"})
    with pytest.raises(Invalid, match="protocol_ambiguous"):
        choose(manifests, steel, kind="source")
    assert choose(manifests, steel, kind="store").protocol.name == "shelf+folder"
    without = [each for each in manifests if each.name != "shelf"]
    assert choose(without, make.a_resource(), kind="source").integration.name == "fs"
    with pytest.raises(Invalid, match="integration_incompatible"):
        choose(without, steel, kind="store")


def test_a_field_of_its_form_depends_on_another_one(integrations: Integrations) -> None:
    [shelf] = [each for each in integrations.manifests() if each.name == "shelf"]
    board: Choice = choose([shelf], make.a_resource(), kind="source", protocol="shelf+board")
    number = next(field for field in form_of(board, None).fields if field.name == "number")
    assert number.when is not None
    assert (number.when.field, number.when.values) == ("layout", ("numbered",))
    given = {"base": FieldValue(value="/srv"), "layout": FieldValue(value="numbered")}
    assert [lack.field for lack in check_configuration(board, given)] == ["fields.number"]
    assert check_configuration(board, {"base": FieldValue(value="/srv")}) == ()
