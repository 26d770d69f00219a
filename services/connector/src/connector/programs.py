"""Starts the programs of integrations as children of this worker."""

from contextlib import AbstractAsyncContextManager

from chassis.subprocesses.children import Child, ChildCommand, open_child
from integrations.sdk.programs import ProgramCommand


def open_program(command: ProgramCommand) -> AbstractAsyncContextManager[Child]:
    """See `OpenProgram`: the kernel kills it when this process ends, however that ends."""
    # Integrations may not import the chassis, so the worker hands them the means to start children.
    return open_child(
        ChildCommand(
            arguments=command.arguments,
            environment=command.environment,
            directory=command.directory,
            nice=command.nice,
        )
    )
