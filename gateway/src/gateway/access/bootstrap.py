"""The first start: a root organization and its owner, with generated credentials.

The credentials file is written first, whole and by one atomic step; every document is then derived from it. So a start
that dies anywhere is completed by the next one, and the file always opens what the database holds.
"""

import contextlib
import json
import logging
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any, TypeVar

from chassis.errors import LostRace
from chassis.ids import derived_id, new_id
from chassis.persistence.aggregates import Aggregates
from chassis.security.sealing import Sealer
from chassis.telemetry.tracing import span
from contracts.errors import Invalid
from contracts.messages.connector.base import EVERYBODY
from contracts.values import OrganizationId, Value
from pydantic import BaseModel, ValidationError

from gateway.access.accounts import Account, ApiKey, DataKey, Grant, Membership, Organization
from gateway.access.api_keys import API_KEY_PREFIX, digest_of
from gateway.access.passwords import WORK, hash_password
from gateway.access.store import ROOT, Accounts, membership_id

log = logging.getLogger(__name__)
V = TypeVar("V", bound=BaseModel)
OWNER_KEY = "made at first start"


class Credentials(Value):
    """What the credentials file holds."""

    url: str
    email: str
    password: str
    api_key: str
    organization_id: OrganizationId


async def bootstrap(
    accounts: Accounts, sealer: Sealer, *, path: Path, url: str, email: str, password_work: int = WORK
) -> None:
    """Make sure that there is a root organization with an owner who can log in. Does nothing when there is.

    `password_work` is how much work it is to try a password; see `hash_password`.
    """
    with span("gateway.bootstrap"):
        root = next(iter(await accounts.children(ROOT)), None)
        credentials = read_credentials(path)
        # The file may be taken away once everything is there, and is not made again.
        if credentials is None and root is not None and await _is_complete(accounts, root.id):
            return
        if credentials is None:
            credentials = write_credentials(path, _new_credentials(url, email, root))
        if root is not None and root.id != credentials.organization_id:
            raise Invalid("credentials_foreign", f"{path} belongs to another installation; move it away.")
        # The address of the gateway may change; clients on this machine read it here.
        if credentials.url != url:
            _replace(path, credentials.model_copy(update={"url": url}))
        if root is None or not await _is_complete(accounts, root.id):
            await _insert(accounts, sealer, credentials, password_work)
            log.info("root organization and owner are in place", extra={"organization": credentials.organization_id})


def _new_credentials(url: str, email: str, root: Organization | None) -> Credentials:
    return Credentials(
        url=url,
        email=email,
        password=secrets.token_urlsafe(18),
        api_key=API_KEY_PREFIX + secrets.token_urlsafe(32),
        organization_id=root.id if root else OrganizationId(new_id()),
    )


async def _is_complete(accounts: Accounts, org: OrganizationId) -> bool:
    """The data key is inserted last."""
    return await accounts.data_keys.get(org, org) is not None


async def _insert(accounts: Accounts, sealer: Sealer, credentials: Credentials, password_work: int) -> None:
    org, email = credentials.organization_id, credentials.email.lower()
    owner = derived_id(org, "owner")
    password_hash = hash_password(credentials.password, work=password_work)
    account = Account(id=owner, email=email, name="Owner", login=email, home_id=org, password_hash=password_hash)
    key = ApiKey(id=digest_of(credentials.api_key), account_id=owner, organization_id=org, description=OWNER_KEY)
    grant = Grant(id=derived_id(org, "owner", "grant"), organization_id=org, account_id=owner, role="owner")
    await _put(accounts.organizations, EVERYBODY, org, Organization(id=org, name="Root"))
    await _put(accounts.accounts, EVERYBODY, owner, account)
    membership = Membership(organization_id=org, account_id=owner)
    await _put(accounts.memberships, org, membership_id(org, owner), membership)
    await _put(accounts.grants, org, grant.id, grant)
    await _put(accounts.api_keys, EVERYBODY, key.id, key)
    # The last one: `_is_complete` takes it as the sign that all the others are there.
    await _put(accounts.data_keys, org, org, new_data_key(sealer, org))


def new_data_key(sealer: Sealer, org: OrganizationId) -> DataKey:
    """A fresh data key for an organization."""
    sealed = sealer.new_data_key(org)
    return DataKey(organization_id=org, sealed=sealed, key_id=sealer.key_of(sealed, org) or "")


async def _put(aggregates: Aggregates[V], org: OrganizationId, aggregate_id: str, value: V) -> None:
    """Save a value unless another gateway, which read the same file, was quicker."""
    with contextlib.suppress(LostRace):
        await aggregates.save(await aggregates.load(org, aggregate_id), value)


def read_credentials(path: Path) -> Credentials | None:
    """The credentials in a file; None when there is no file. Raises `Invalid` for a file of another form."""
    try:
        return Credentials.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise Invalid("credentials_unreadable", f"{path} cannot be read as credentials; move it away.") from None


def write_credentials(path: Path, credentials: Credentials) -> Credentials:
    """Write a new file by one atomic step; what stands in it then, which another gateway may have written first."""
    written = _written(path, credentials)
    try:
        # `link` fails where the file exists, which `rename` does not: of two gateways that start at once one wins.
        os.link(written, path)
    except FileExistsError:
        return read_credentials(path) or credentials
    finally:
        written.unlink()
    _sync(path.parent)
    return credentials


def _replace(path: Path, credentials: Credentials) -> None:
    _written(path, credentials).replace(path)
    _sync(path.parent)


def _written(path: Path, credentials: Credentials) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content: dict[str, Any] = credentials.model_dump()
    # In the same directory, as a link or a renaming is one step within a file system only. `mkstemp` lets nobody but
    # the owner read the file.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _sync(folder: Path) -> None:
    # The name of a new file is in its directory, which has to reach the disk as well.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
