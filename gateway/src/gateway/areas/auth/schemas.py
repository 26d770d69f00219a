"""Logging in."""

from pydantic import Field

from gateway.access.accounts import Account
from gateway.access.principal import Principal
from gateway.http.answers import View
from gateway.http.body_fields import Body, Id
from gateway.http.examples import ACCOUNT, ORGANIZATION, example


class ApiKeyLogin(Body):
    """Log in with an API key."""

    model_config = example(api_key="pcp_ak_3q2-7wEXAMPLE")

    api_key: str = Field(max_length=500)


class PasswordLogin(Body):
    """Log in with email and password."""

    model_config = example(email="owner@cairn.local", password="correct horse battery staple")  # noqa: S106

    email: str = Field(max_length=500)
    password: str = Field(max_length=1000)


class BadgeExchange(Body):
    """Go to another organization."""

    model_config = example(organization_id="0198b1c2-0000-7000-8000-000000000001")

    organization_id: Id


class BadgeView(View):
    """A badge: a token bound to one account and one organization."""

    model_config = example(token="eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", expires_in_seconds=3600)  # noqa: S106

    token: str
    expires_in_seconds: int


class MeView(View):
    """Who is logged in, and in which organization."""

    model_config = example(
        id=ACCOUNT,
        email="owner@cairn.local",
        account="owner@cairn.local",
        name="Owner",
        is_service=False,
        organization_id=ORGANIZATION,
        roles=["owner"],
    )

    id: str
    email: str
    account: str
    name: str
    is_service: bool
    organization_id: str
    roles: list[str]


def me_view(who: Principal, account: Account) -> MeView:
    """The account of a principal."""
    return MeView(
        id=account.id,
        email=account.email,
        account=account.login,
        name=account.name,
        is_service=account.is_service,
        organization_id=who.organization_id,
        roles=list(who.roles),
    )
