"""What the gateway owns: who may come in, where, and with which role."""

from contracts.values import OrganizationId, Value
from pydantic import Field


class Account(Value):
    """A person or a program with a login."""

    id: str
    email: str = Field(description="Lower case")
    name: str
    login: str = Field(description="Login identifier; the bare address for accounts of the root organization")
    home_id: OrganizationId = Field(description="Organization in which a login by password begins")
    password_hash: str | None = Field(default=None, description="scrypt; None: no login by password")
    is_service: bool = False


class Organization(Value):
    """A tenant. Organizations form a tree; whoever is a member of one may operate in those below."""

    id: OrganizationId
    name: str
    type: str = "enterprise"
    parent_id: OrganizationId | None = Field(default=None, description="None at the root")
    info: dict[str, str] = Field(default={}, description="Free facts about the organization")


class Membership(Value):
    """An account belongs to an organization. This alone permits nothing."""

    organization_id: OrganizationId
    account_id: str


class Grant(Value):
    """A role that a member holds in an organization."""

    id: str
    organization_id: OrganizationId
    account_id: str
    role: str


class ApiKey(Value):
    """A key for programs, bound to an account and an organization. Known by the SHA-256 of its value only."""

    # The key itself is nowhere: whoever reads the database cannot log in with what is there.
    id: str = Field(description="SHA-256 of the key, hexadecimal")
    account_id: str
    organization_id: OrganizationId
    description: str = ""


class DataKey(Value):
    """The key that seals an organization's secrets, itself sealed by the master key. Another one follows that."""

    organization_id: OrganizationId
    sealed: str = Field(description="Base64")
    key_id: str = Field(default="", description="Which master key sealed it; empty: made before there were several")
