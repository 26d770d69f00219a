"""What can go wrong while a repository is read. No text here ever holds a secret or a piece of content."""

from collections.abc import Sequence


class ReaderError(Exception):
    """A read that failed. `code` is a stable name, `detail` is for people, `kind` sorts it as an HTTP status would:
    `failed`, `invalid`, `not_found`, `conflict`, or `unavailable` where trying again may help.
    """

    kind = "failed"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class RootNotADirectory(ReaderError):
    """Something else is where the directory of the repository should be."""

    def __init__(self, root: str) -> None:
        super().__init__("not_a_directory", f"{root} is not a directory.")


class RepositoryNotFound(ReaderError):
    """There is no repository at this place."""

    kind = "not_found"

    def __init__(self, *, has_data: bool = False) -> None:
        self.has_data = has_data
        super().__init__("repository_not_found", "There is no repository here: the file 'config' is missing.")


class WrongPassword(ReaderError):
    """No key of the repository opens with this password."""

    def __init__(self, keys: int) -> None:
        self.keys = keys
        super().__init__("wrong_password", f"The password opens none of the repository's keys ({keys} tried).")


class UnsupportedVersion(ReaderError):
    """The repository has a format that this reader does not know."""

    def __init__(self, version: int) -> None:
        self.version = version
        detail = f"The repository has format version {version}; versions 1 and 2 can be read."
        super().__init__("unsupported_repository_version", detail)


class Damaged(ReaderError):
    """Something stored in the repository is not what was written; nothing of it was handed out."""

    def __init__(self, what: str, name: str, *, why: str) -> None:
        self.what, self.name, self.why = what, name, why
        thing = f"{what} {name}".rstrip()
        super().__init__("repository_damaged", f"The {thing} is damaged: {why}.")


class FileMissing(Damaged):
    """A file that the repository refers to is gone."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(what, name, why="the file is missing")


class PartMissing(Damaged):
    """A whole part of the repository is gone, so that nothing may be concluded from what is not found."""

    def __init__(self, directory: str) -> None:
        ReaderError.__init__(
            self,
            "repository_damaged",
            f"The repository is damaged: its directory `{directory}` is gone. Bring it back before anything else is"
            " done to the store.",
        )
        self.what, self.name, self.why = directory, "", "the directory is gone"


class ThawRequired(ReaderError):
    """A file lies in an archive of its store, which gives it out only some time after it was asked to thaw it."""

    kind = "conflict"

    def __init__(self, what: str, path: str) -> None:
        self.what, self.path = what, path
        super().__init__(
            "thaw_required",
            f"The {what} {path} lies in an archive of the store. Have it thawed there (S3: restore the object; Azure:"
            " rehydrate the blob), and try again once that is done; other files of the store may need the same.",
        )


class BlobMissing(ReaderError):
    """No index file of the repository knows this blob, or none of those that can be read."""

    def __init__(self, blob_id: str, *, unreadable: Sequence[Damaged] = ()) -> None:
        self.blob_id, self.unreadable = blob_id, tuple(unreadable)
        detail = f"The repository does not hold the blob {blob_id}."
        if unreadable:
            detail = f"The repository may hold the blob {blob_id}, but {_lowered(unreadable[0].detail)}"
        super().__init__("blob_missing", detail)


class SnapshotNotFound(ReaderError):
    """No snapshot has this id or prefix, or more than one does."""

    kind = "not_found"

    def __init__(self, prefix: str, *, matches: int = 0) -> None:
        self.prefix, self.matches = prefix, matches
        found = f"{matches} snapshots have ids that begin with" if matches else "No snapshot has the id"
        super().__init__("snapshot_not_found", f"{found} {prefix!r}.")


class PathNotFound(ReaderError):
    """The snapshot has nothing at this path."""

    kind = "not_found"

    def __init__(self, path: bytes) -> None:
        self.path = path
        super().__init__("path_not_found", f"The restore point has nothing at {shown(path)}.")


class NotAFile(ReaderError):
    """The path is there, but it is not a file with content."""

    kind = "invalid"

    def __init__(self, path: bytes, *, type_: str) -> None:
        self.path, self.type = path, type_
        super().__init__("not_a_file", f"{shown(path)} is not a file but has the type {type_!r}.")


class NotADirectory(ReaderError):
    """The path goes on below something that is not a directory."""

    kind = "invalid"

    def __init__(self, path: bytes, *, type_: str) -> None:
        self.path, self.type = path, type_
        super().__init__("not_a_directory", f"{shown(path)} is not a directory but has the type {type_!r}.")


class StoreUnavailable(ReaderError):
    """The place that keeps the repository did not answer; trying again may help."""

    kind = "unavailable"

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__("store_unavailable", f"The store cannot be reached: {why}.")


class NoScratch(ReaderError):
    """What is too large for memory could not be put aside on this machine."""

    kind = "unavailable"

    def __init__(self, why: str) -> None:
        super().__init__("scratch_unusable", f"The worker cannot write to its own directory for scratch files: {why}.")


class AccessDenied(ReaderError):
    """The place that keeps the repository refused us."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__("store_access_denied", f"The store denies access to {what}.")


class HostUnknown(ReaderError):
    """The server has none of the host keys that are trusted; no secret was sent to it."""

    def __init__(self) -> None:
        super().__init__(
            "store_host_unknown", "The store's host key is none of the known ones: it may be another machine."
        )


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def printable(name: bytes) -> str:
    """A name as error texts quote it."""
    return repr(shown(name))


def shown(path: bytes) -> str:
    r"""A path as it can be given back: bytes that are not UTF-8 become `\xff`."""
    return path.decode("utf-8", "backslashreplace")
