"""Who is asking, as a value."""

from chassis.http.tokens import Caller
from contracts.values import OrganizationId, Value

from gateway.access.rights import Right, require, rights_of


class Principal(Value):
    """A caller whose account and organization exist, with the roles of the moment."""

    account_id: str
    organization_id: OrganizationId
    roles: tuple[str, ...] = ()
    is_member: bool = True
    """False: may do no more than go to an organization where it is one."""
    # Handed on to exchanged badges and to links, so that they end with the key (0027).
    key_id: str | None = None
    """The API key its badge came from."""

    def caller(self) -> Caller:
        """The caller as other services see it."""
        return Caller(organization_id=self.organization_id, account_id=self.account_id, roles=self.roles)

    def may(self, right: Right) -> bool:
        """Whether one of the roles permits it."""
        return right in rights_of(self.roles)

    def require(self, right: Right) -> None:
        """Raise `Forbidden` unless one of the roles permits it."""
        require(self.roles, right)
