"""Connections that nobody has saved are tested for real, and nothing is kept of it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chassis.messaging.envelopes import envelope
from chassis.security.sealing import Place
from connector.programs import open_program
from connector.tasks.draft_test import DraftTests
from contracts.envelope import Envelope
from contracts.field_values import FieldValue
from contracts.messages.connector.connection_tests import TestDraft, TestReport
from contracts.messages.outcomes import CommandOutcome
from integrations.fs.integration import FsIntegration
from integrations.sdk.configuration import AppConfiguration
from integrations.sdk.environment import WorkerEnvironment
from integrations.sdk.registry import Integrations

from tests.unit.connector.parts import ORG, an_app
from tests.unit.connector.workshop import Workshop


@pytest.fixture
async def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    environment = WorkerEnvironment(rclone="rclone", work_dir=tmp_path / "work", open_program=open_program)
    integrations: Any = Integrations(environment, [FsIntegration])
    made.context = replace(made.context, integrations=integrations)
    return made


def a_draft(kind: Any = "source", /, **fields: FieldValue) -> Envelope[Any]:
    app = an_app("draft", kind=kind).model_copy(update={"fields": fields, "revision": 0, "protocol": "fs"})
    return envelope(TestDraft(organization_id=ORG, draft_id="d1", app=app), service="gateway")


async def outcome_of(workshop: Workshop, command: Envelope[Any], **facts: Any) -> tuple[CommandOutcome, TestReport]:
    await DraftTests(workshop.context, **facts).test(command)
    [sent] = workshop.publisher.sent
    assert isinstance(sent.data, CommandOutcome)
    assert sent.data.command_id == command.id
    return sent.data, TestReport.model_validate(sent.data.result)


async def test_a_draft_is_tested_and_only_its_outcome_is_sent(workshop: Workshop, tmp_path: Path) -> None:
    outcome, report = await outcome_of(workshop, a_draft(root=FieldValue(value=str(tmp_path / "source"))))
    assert outcome.accepted
    assert report.ok
    assert [check.name for check in report.checks] == ["reachable", "listable"]


async def test_a_store_is_not_made_and_its_secret_is_told_nobody(workshop: Workshop, tmp_path: Path) -> None:
    sealer = workshop.context.sealer
    place = Place(organization_id=ORG, owner="draft", field="passphrase")
    secret = sealer.seal("canary-draft", data_key=sealer.new_data_key(ORG), place=place)
    root = FieldValue(value=str(tmp_path / "new-store"))
    outcome, report = await outcome_of(workshop, a_draft("store", root=root, passphrase=FieldValue(sealed=secret)))
    assert report.ok
    assert report.initialized is False
    assert not (tmp_path / "new-store").exists()
    assert "canary-draft" not in outcome.model_dump_json()
    assert await workshop.store.repositories.of(ORG, "draft") is None


async def test_what_is_not_there_is_a_report_like_any_other(workshop: Workshop, tmp_path: Path) -> None:
    outcome, report = await outcome_of(workshop, a_draft(root=FieldValue(value=str(tmp_path / "nowhere"))))
    assert outcome.accepted
    assert not report.ok
    assert "path_missing" in report.checks[0].detail


async def test_a_secret_of_elsewhere_and_an_unknown_protocol_fail_in_words(workshop: Workshop) -> None:
    place = Place(organization_id=ORG, owner="another", field="root")
    sealer = workshop.context.sealer
    foreign = FieldValue(sealed=sealer.seal("/srv", data_key=sealer.new_data_key(ORG), place=place))
    _, report = await outcome_of(workshop, a_draft(root=foreign))
    assert not report.ok
    assert "root" in report.checks[0].detail


async def test_what_waited_too_long_is_not_begun(workshop: Workshop, tmp_path: Path) -> None:
    command = a_draft(root=FieldValue(value=str(tmp_path / "source")))
    late = command.model_copy(update={"time": command.time - timedelta(minutes=2)})
    _, report = await outcome_of(workshop, late)
    assert not report.ok
    assert "too late" in report.checks[0].detail


async def test_systems_that_do_not_answer_hold_up_only_so_many_messages(workshop: Workshop) -> None:
    answered = asyncio.Event()

    class Silent(FsIntegration):
        async def test(self, configuration: AppConfiguration, **_: Any) -> TestReport:
            await answered.wait()
            return TestReport(ok=True, checks=())

    environment = WorkerEnvironment(rclone="rclone", work_dir=Path("/nowhere"), open_program=open_program)
    silent: Any = Integrations(environment, [Silent])
    drafts = DraftTests(replace(workshop.context, integrations=silent), most_at_once=1)
    waiting = asyncio.create_task(drafts.test(a_draft(root=FieldValue(value="/srv"))))
    await asyncio.sleep(0)
    await drafts.test(a_draft(root=FieldValue(value="/srv")))
    answered.set()
    await waiting
    reports = [TestReport.model_validate(sent.data.result) for sent in workshop.publisher.sent]  # type: ignore[attr-defined]
    assert [report.ok for report in reports] == [False, True]
    assert "soon" in reports[0].checks[0].detail


async def test_a_second_delivery_brings_the_same_outcome(workshop: Workshop, tmp_path: Path) -> None:
    command = a_draft(root=FieldValue(value=str(tmp_path / "source")))
    drafts = DraftTests(workshop.context)
    await drafts.test(command)
    await drafts.test(command)
    first, second = workshop.publisher.sent
    assert first.id == second.id
