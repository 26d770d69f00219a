"""Lists of resources as CSV: `Class;Name;URN;Hostname`, without a header; several endpoints separated by commas.

What is read is either all rows, or a report of what is wrong. What was written reads as the same resources.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.messages.catalog import Resource
from contracts.resource_classes import class_of
from contracts.resource_rules import LONGEST_TEXT, LONGEST_URN, MOST_ENDPOINTS, address_fault
from contracts.texts import fault_of

COLUMNS = ("class", "name", "urn", "hostname")
MOST_ROWS = 200_000
MOST_FAULTS = 100
_IN_HEADERS = frozenset(
    {"class", "name", "urn", "hostname", "hostnames", "host", "endpoint", "endpoints", "resource urn"}
)
_BYTE_ORDER_MARK = "\ufeff"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Row(NamedTuple):
    """What a list says about one resource."""

    class_: str
    name: str
    """Never empty: a resource without a name has its URN as name."""
    urn: str
    endpoints: tuple[str, ...]


class Fault(NamedTuple):
    """What is wrong with a line, or with one cell of it."""

    line: int
    column: str
    """One of `COLUMNS`, with the place of an endpoint behind a dot where there are several; empty: the whole line."""
    detail: str


@dataclass
class Report:
    """Why a list cannot be used: the first faults, and how many there are in all."""

    faults: list[Fault] = field(default_factory=list)
    total: int = 0

    def add(self, line: int, column: str, detail: str) -> None:
        """Add a fault; of very many only the first are kept."""
        self.total += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(line, column, detail))


def read_list(content: bytes, *, most_rows: int = MOST_ROWS) -> list[Row] | Report:
    """The rows of a list, in their order; a report instead when anything is wrong with it. An empty list has no rows.

    UTF-8, with or without a byte order mark; lines end in LF, CRLF or CR; blank ones are passed over.
    """
    report = Report()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(_LINE_END.findall(content[: error.start])) + 1
        report.add(line, "", "is not UTF-8: save the file with that encoding")
        return report
    # A cell in quotes is no header: so is written what would be taken for one.
    rows = _Rows(report, most_rows, may_have_header=not text.lstrip().startswith('"'))
    for line, cells in _lines(text, report):
        if not rows.take(line, cells):
            break
    return report if report.total else rows.found


def write_line(resource: Resource) -> str:
    """The line of a resource, with its end."""
    addresses = [endpoint.endpoint for endpoint in resource.endpoints]
    spaced = any(address != address.strip() for address in addresses)
    cells = [resource.class_, resource.name, resource.urn, _joined(addresses, ",", all_quoted=spaced)]
    mistakable = _is_header(cells) or resource.class_.startswith(_BYTE_ORDER_MARK)
    return _joined(cells, ";", all_quoted=mistakable) + "\r\n"


def says_the_same(row: Row, resource: Resource) -> bool:
    """Whether a row describes the resource as it is; a class may be written in another way."""
    return (
        row.name == resource.name
        and class_of(row.class_) == class_of(resource.class_)
        and row.endpoints == tuple(endpoint.endpoint for endpoint in resource.endpoints)
    )


@dataclass
class _Rows:
    """The rows read so far, and on which line each URN is."""

    report: Report
    most: int
    may_have_header: bool
    found: list[Row] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    _seen: int = 0

    def take(self, line: int, cells: list[str]) -> bool:
        """Take a line that is not blank; False when the list is too long to go on."""
        self._seen += 1
        if self._seen > self.most:
            self.report.add(line, "", f"is one too many: a list has {self.most} resources at most")
            return False
        if self._seen == 1 and self.may_have_header and _is_header(cells):
            self.report.add(line, "", "is a header: leave it out, the first line is the first resource")
        elif len(cells) != len(COLUMNS):
            self.report.add(line, "", _columns_fault(cells))
        else:
            self._check(line, cells)
        return True

    def _check(self, line: int, cells: list[str]) -> None:
        before = self.report.total
        for column, fault in _faults(cells):
            self.report.add(line, column, fault)
        class_, name, urn, hosts = cells
        first = self.lines.setdefault(urn, line)
        if first != line and urn:
            self.report.add(line, "urn", f"is the URN of line {first} too; each resource has one of its own")
        if self.report.total == before:
            self.found.append(Row(class_of(class_), name if name.strip() else urn, urn, tuple(_addresses(hosts))))


def _lines(text: str, report: Report) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not blank, with its number; what cannot be read as CSV is reported."""
    # Not translated: a line end inside of quotes stays as it is, and is then a fault of its cell.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            report.add(line, "", _quoting_fault(str(error)))
            continue
        if any(cell.strip() for cell in cells) or len(cells) > 1:
            yield line, cells


def _faults(cells: list[str]) -> Iterator[tuple[str, str]]:
    class_, name, urn, hosts = cells
    if fault := fault_of(class_, longest=LONGEST_TEXT):
        yield "class", fault
    if fault := fault_of(name, longest=LONGEST_URN):
        yield "name", fault
    if fault := fault_of(urn, longest=LONGEST_URN, empty=False):
        yield "urn", fault
    try:
        addresses = list(_addresses(hosts))
    except csv.Error as error:
        yield "hostname", _quoting_fault(str(error))
        return
    if len(addresses) > MOST_ENDPOINTS:
        yield "hostname", f"has more than {MOST_ENDPOINTS} endpoints"
    for place, address in enumerate(addresses[:MOST_ENDPOINTS]):
        if fault := address_fault(address):
            yield f"hostname.{place}" if len(addresses) > 1 else "hostname", fault


def _addresses(cell: str) -> Iterable[str]:
    """The endpoints in a cell. One that has a comma in it stands in quotes."""
    if not cell.strip():
        return ()
    if '"' not in cell:
        return [each.strip() for each in cell.split(",")]
    return next(csv.reader([cell], skipinitialspace=True, strict=True))


def _joined(cells: Iterable[str], delimiter: str, *, all_quoted: bool = False) -> str:
    line = io.StringIO()
    csv.writer(
        line, delimiter=delimiter, lineterminator="", quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    ).writerow(cells)
    return line.getvalue()


def _is_header(cells: list[str]) -> bool:
    names = [cell.strip().lower() for cell in cells]
    return len(names) > 1 and "urn" in " ".join(names) and all(name in _IN_HEADERS for name in names)


def _columns_fault(cells: list[str]) -> str:
    words = "has one column" if len(cells) == 1 else f"has {len(cells)} columns"
    hint = ", separated by semicolons" if len(cells) == 1 else ""
    return f"{words}; there must be four{hint}: class, name, URN, hostname"


def _quoting_fault(error: str) -> str:
    if "end of data" in error:
        return "opens a quote that is not closed"
    if "field limit" in error:
        return "has a cell that is too long"
    return "has a quote in the wrong place: a cell with quotes stands in quotes, and those in it are doubled"
