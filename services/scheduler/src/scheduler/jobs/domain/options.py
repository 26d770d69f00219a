"""Which options of a run can be used, before a worker hands them to an engine as its arguments."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from chassis.texts import fault_of
from contracts.errors import Invalid
from contracts.ignore_patterns import pattern_fault
from contracts.paths import path_fault
from contracts.task_types.base import TaskType
from contracts.tasks import TASK_KINDS, TaskOptions
from contracts.wording import with_article

RESERVED = "cairn:"
"""Tags of a restore point that begin so are Cairn's own."""
LONGEST_LABEL = 255
MOST_LABELS = 200
LONGEST_IGNORE = 512
MOST_IGNORES = 200
"""All labels and patterns together fit into one message and one command line, whatever the alphabet."""
LONGEST_PATH = 4096
MOST_PATHS = 200
# The refusal is a message, and messages have a limit.
MOST_FAULTS = 20


def check_options(options: TaskOptions, type_: TaskType) -> None:
    """Raise `Invalid` (`options_invalid`) naming the fields at fault as the HTTP API calls them.

    The type is one of `TASK_KINDS`.
    """
    found = dict(islice(chain(_faults_of_type(options, type_), _faults(options)), MOST_FAULTS))
    if found:
        words = "; ".join(f"{name} {fault}" for name, fault in found.items())
        raise Invalid("options_invalid", f"The task cannot be run like this: {words}.", fields=found)


def _faults_of_type(options: TaskOptions, type_: TaskType) -> Iterator[tuple[str, str]]:
    kind = TASK_KINDS[type_]
    for name in kind.required_options:
        if not getattr(options, name):
            yield f"config.{name}", f"is missing, and {with_article(type_)} needs it"
    if kind.one_of_options and not any(getattr(options, name) for name in kind.one_of_options):
        yield (
            "config",
            f"says nothing that {with_article(type_)} needs: one of {', '.join(kind.one_of_options)} at least",
        )
    for name, field in TaskOptions.model_fields.items():
        if name in kind.options.model_fields:
            continue
        # Clients may send all options with every task; a default asks for nothing.
        if getattr(options, name) != field.default:
            yield f"config.{name}", f"is not an option of {with_article(type_)}"
    if "locate" in kind.options.model_fields and options.locate.group_by and type_ != "prune":
        yield "config.locate.group_by", f"is of a prune, whose rule counts in groups; {with_article(type_)} has none"
    if type_ == "check" and options.read_shares:
        yield from _faults_of_shares(options)


def _faults_of_shares(options: TaskOptions) -> Iterator[tuple[str, str]]:
    if options.read_percent:
        yield "config.read_percent", "cannot be together with read_shares: one says how much is read, or the other"
    if options.selects:
        yield "config.read_shares", "are of the whole store, and cannot be together with a choice of restore points"


def _faults(options: TaskOptions) -> Iterator[tuple[str, str]]:
    for name, values, most in (
        ("labels", options.labels, MOST_LABELS),
        ("ignores", options.ignores, MOST_IGNORES),
        ("paths", options.paths, MOST_PATHS),
    ):
        if len(values) > most:
            yield f"config.{name}", f"are more than {most}"
    for hook, why in options.hooks.faults() if options.hooks else ():
        yield f"config.hooks.{hook}", why
    yield from _each("labels", options.labels[:MOST_LABELS], _label_fault)
    yield from _each("ignores", options.ignores[:MOST_IGNORES], _ignore_fault)
    yield from _each("paths", options.paths[:MOST_PATHS], _path_fault)


def _each(name: str, values: Iterable[str], fault_in: Callable[[str], str | None]) -> Iterator[tuple[str, str]]:
    for place, value in enumerate(values):
        if fault := fault_in(value):
            yield f"config.{name}.{place}", fault


def _ignore_fault(pattern: str) -> str | None:
    return fault_of(pattern, longest=LONGEST_IGNORE) or pattern_fault(pattern)


def _path_fault(path: str) -> str | None:
    # Names of files may hold any character but NUL.
    return f"is longer than {LONGEST_PATH} characters" if len(path) > LONGEST_PATH else path_fault(path)


def _label_fault(label: str) -> str | None:
    if fault := fault_of(label, longest=LONGEST_LABEL, empty=False):
        return fault
    # restic reads a comma in a tag as the beginning of the next one.
    if "," in label:
        return "must not contain a comma"
    return f"must not begin with {RESERVED}" if label.strip().startswith(RESERVED) else None
