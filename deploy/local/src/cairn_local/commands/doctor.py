"""`cairn doctor`."""

import argparse

from cairn_local.machine_checks import examine
from cairn_local.paths import StateDir


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """`cairn doctor` has no options."""


def run(_arguments: argparse.Namespace, state: StateDir) -> int:
    """Print what each check found and what to do about it. Exits with 1 when something keeps Cairn from starting."""
    findings = examine(state)
    for finding in findings:
        print(f"{finding.verdict:<5} {finding.subject:<9} {finding.found}")
        if finding.advice:
            print(f"{'':<15} {finding.advice}")
    return int(any(finding.verdict == "fail" for finding in findings))
