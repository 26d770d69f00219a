"""What is asked of a collection of aggregates."""

import re

from contracts.values import OrganizationId

from chassis.persistence.aggregates import Keys, Search
from chassis.persistence.mongo import Document
from chassis.texts import is_storable


def can_match(where: Keys | None, search: Search | None = None) -> bool:
    """Whether a document may be found at all."""
    # Asked for a text that cannot be stored, the server answers with an error; no document has it anyway.
    sought = [*(where or {}).values(), search.text if search else ""]
    return all(is_storable(value) for value in sought if isinstance(value, str))


def query_of(org: OrganizationId, where: Keys | None, search: Search | None = None) -> Document:
    """The filter for values of an organization with these keys, whose fields hold the text that is searched."""
    # What was removed has no keys, so `removed` is asked for only where no key is: an index then serves the count.
    query: Document = {**where, "org": org} if where else {"org": org, "removed": False}
    if search and search.text:
        query["$or"] = [{f"value.{f}": {"$regex": re.escape(search.text), "$options": "i"}} for f in search.fields]
    return query
