"""Hooks of schemathesis: which refusals no document of requests can foresee. Loaded by `schemathesis run`."""

import json
import re
from typing import Any

from schemathesis.checks import CHECKS
from schemathesis.specs.openapi import checks

DEPENDS_ON_WHAT_IS_THERE = {
    "conditions_missing": "one of many parameters is needed",
    "configuration_invalid": "each protocol has a schema of its own",
    "cursor_invalid": "a cursor belongs to the listing that gave it",
    "integration_ambiguous": "several fit the resource",
    "integration_incompatible": "the resource in question",
    "integration_not_found": "an id in a body",
    "inventory_type_fixed": "the type that an inventory has",
    "inventory_type_unsupported": "the API names types that cannot be created yet",
    "not_a_directory": "what is at a path",
    "not_a_file": "what is at a path",
    "path_missing": "needed unless there is a link",
    "provider_not_found": "an id in a body",
    "protocol_not_found": "the integration in question",
    "resource_not_found": "an id in a body",
    "target_missing": "needed by some types of tasks",
    "task_type_unsupported": "the API names tasks that cannot be run yet",
    "user_not_found": "an id in a body",
}
"""Codes of a 400 that a request may get although its form is right, and what they depend on."""


TOLD_IN_WORDS = re.compile(r"endpoints\.\d+|config\.labels\.\d+|q|glob|ext")
"""Fields with rules no schema can say: hosts and ports, names that are taken, lengths in bytes, numbers of parts."""


def positive_data_acceptance(ctx: Any, response: Any, case: Any) -> Any:
    """schemathesis' own check, but for refusals that depend on what is there. (A HEAD does not tell its code.)"""
    if response.status_code == 400 and (case.method == "HEAD" or _is_excused(_problem(response))):
        return None
    return checks.positive_data_acceptance(ctx, response, case)


def _is_excused(problem: dict[str, Any]) -> bool:
    fields = [field["field"] for field in problem.get("fields", ())]
    return problem.get("code") in DEPENDS_ON_WHAT_IS_THERE or (
        bool(fields) and all(map(TOLD_IN_WORDS.fullmatch, fields))
    )


def _problem(response: Any) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


CHECKS.register(positive_data_acceptance)
