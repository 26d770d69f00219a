"""What a bucket says of its Object Lock."""

from xml.etree import ElementTree

from integrations.s3.address import S3Address
from integrations.s3.requests import TRIES, NoAnswer, Requests, open_requests
from integrations.sdk.ports.retaining_store import Retention

_DAYS_PER_YEAR = 365


async def read_object_lock(address: S3Address, *, pause_seconds: float) -> Retention | None:
    """How a bucket locks its objects; None where it does not, or where the server does not tell."""
    async with open_requests(address, pause_seconds=pause_seconds) as requests:
        for number in range(TRIES):
            try:
                return read_configuration(await _ask(requests))
            except NoAnswer:
                await requests.pause(number)
    return None


async def _ask(requests: Requests) -> bytes:
    async with requests.get("", query={"object-lock": ""}) as answer:
        # A bucket without Object Lock has no such document, and servers without the feature have other answers yet.
        return await answer.body() if answer.status == 200 else b""


def read_configuration(document: bytes) -> Retention | None:
    """What an `ObjectLockConfiguration` says; None of any other document."""
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - expat bounds how far entities expand.
    except ElementTree.ParseError:
        return None
    found = {each.tag.rpartition("}")[2]: (each.text or "").strip() for each in root.iter()}
    if found.get("ObjectLockEnabled") != "Enabled":
        return None
    days = _number(found.get("Days", "")) + _DAYS_PER_YEAR * _number(found.get("Years", ""))
    if not days:
        return Retention(rule="S3 Object Lock (without a default period)")
    return Retention(rule=f"S3 Object Lock ({found.get('Mode', '')}, {days} days)", days=days)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
