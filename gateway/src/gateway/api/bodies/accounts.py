"""Logging in."""

from pydantic import Field

from gateway.api.bodies.base import Body, Id, example


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
