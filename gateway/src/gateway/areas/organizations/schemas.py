"""Badges, accounts and organizations."""

from gateway.access.accounts import Account, Grant, Organization
from gateway.access.rights import ROLES
from gateway.http.answers import View
from gateway.http.examples import ACCOUNT, ORGANIZATION, example


class OrganizationView(View):
    """A tenant."""

    model_config = example(id=ORGANIZATION, name="Root", type="enterprise", parent_id=None, info={})

    id: str
    name: str
    type: str
    parent_id: str | None
    info: dict[str, str]


class MemberView(View):
    """A member of an organization."""

    model_config = example(
        user_id=ACCOUNT, email="owner@cairn.local", account="owner@cairn.local", name="Owner", is_service=False
    )

    user_id: str
    email: str
    account: str
    name: str
    is_service: bool


class RoleView(View):
    """A role that can be granted."""

    model_config = example(name="operator", description="Runs what is defined and defines nothing.", rights=["read"])

    name: str
    description: str
    rights: list[str]


class GrantSubjectView(View):
    """Who holds a grant."""

    type: str
    id: str
    name: str
    email: str


class GrantedRoleView(View):
    """The role of a grant."""

    name: str


class GrantView(View):
    """One role that one member holds."""

    model_config = example(
        id="0198b1c2-0000-7000-8000-000000000003",
        subject={"type": "user", "id": ACCOUNT, "name": "Owner", "email": "owner@cairn.local"},
        role={"name": "owner"},
    )

    id: str
    subject: GrantSubjectView
    role: GrantedRoleView


def organization_view(organization: Organization) -> OrganizationView:
    """An organization."""
    return OrganizationView(**organization.model_dump())


def member_view(account: Account) -> MemberView:
    """An account as a member."""
    return MemberView(
        user_id=account.id,
        email=account.email,
        account=account.login,
        name=account.name,
        is_service=account.is_service,
    )


def grant_view(grant: Grant, account: Account | None) -> GrantView:
    """A grant and who holds it."""
    subject = GrantSubjectView(
        type="user",
        id=grant.account_id,
        name=account.name if account else "",
        email=account.email if account else "",
    )
    return GrantView(id=grant.id, subject=subject, role=GrantedRoleView(name=grant.role))


def role_views() -> list[RoleView]:
    """The roles there are."""
    return [RoleView(name=name, description=words, rights=sorted(rights)) for name, (words, rights) in ROLES.items()]
