"""What there is of files beside their names and contents, by words that manifests and results share."""

from typing import Literal

FileProperty = Literal[
    "links",
    "hard_links",
    "holes",
    "special_files",
    "empty_directories",
    "owner",
    "mode",
    "times",
    "xattrs",
    "acls",
]
"""`links`: symbolic ones; `hard_links`: several names of one file; `holes`: parts that take no room on the disk;
`special_files`: pipes and devices; `acls`: access lists of POSIX."""

FILE_PROPERTIES: tuple[FileProperty, ...] = FileProperty.__args__  # type: ignore[attr-defined]
