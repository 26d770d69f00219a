"""What an S3 server's refusal means, in our words. Its own are not shown: some of them repeat the access key."""

import re

from contracts.errors import CairnError, NotFound, PermanentError

from integrations.object_storage.port import ARCHIVED, FORBIDDEN, MISSING, UNREADABLE, ObjectUnread
from integrations.sdk.errors import (
    DestinationFull,
    DestinationMissing,
    DestinationRefused,
    DestinationUnreachable,
    SourceMissing,
    SourceRefused,
    SourceUnreachable,
)

# obstore's errors have no fields for these: they stand in the text, with the server's whole answer.
_CODE = re.compile(r"<Code>\s*(\w+)\s*</Code>")
_STATUS = re.compile(r"status code: (\d{3})")

CREDENTIALS = {
    "SignatureDoesNotMatch": "the secret access key does not go with the access key",
    "InvalidAccessKeyId": "the access key is not known there",
    "InvalidClientTokenId": "the access key is not known there",
    "InvalidSecurity": "the access key is not accepted",
    "ExpiredToken": "the credentials have expired",
    "TokenRefreshRequired": "the credentials have expired",
    "RequestTimeTooSkewed": "the clocks of this machine and of the server differ too much",
}
_OTHERS = {
    "AccessDenied": "the access key does not have the right to do that",
    "AllAccessDisabled": "the access key does not have the right to do that",
    "PermanentRedirect": "the bucket is in another region: set the field region",
    "TemporaryRedirect": "the bucket is in another region: set the field region",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set the field region",
    "IllegalLocationConstraintException": "the bucket is in another region: set the field region",
    "InvalidBucketName": "this cannot be the name of a bucket",
    "InvalidStorageClass": "the storage class is not known there",
    "QuotaExceeded": "the quota is used up",
    "SlowDown": "the server asks for fewer requests",
    "ServiceUnavailable": "the server is not available at the moment",
    "InternalError": "the server had an internal error",
}


class WrongCredentials(PermanentError):
    """The server does not accept the keys."""


def read_refusal(error: Exception, *, bucket: str) -> CairnError:
    """The error behind what obstore raised, without any of the server's own words."""
    text = str(error)
    code = found[1] if (found := _CODE.search(text)) else ""
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    return judge_refusal(status, code, bucket=bucket)


def judge_refusal(status: int, code: str, *, bucket: str) -> CairnError:
    """The error behind an answer; `code` is what its document says, if it is one of S3."""
    # By the code before the status: 403 stands for wrong keys as well as for missing rights.
    if code in CREDENTIALS:
        return WrongCredentials("credentials_wrong", f"The credentials are refused: {CREDENTIALS[code]} ({code}).")
    if code == "NoSuchBucket" or (not code and status == 404):
        return NotFound("bucket_missing", f"The bucket {bucket} does not exist.")
    if code in _OTHERS:
        return PermanentError("s3_refused", f"The server refused: {_OTHERS[code]} ({code}).")
    if status == 401:
        return WrongCredentials("credentials_wrong", "The credentials are refused.")
    if status or code:
        return PermanentError("s3_refused", f"The server answered {_answer(status, code)}.")
    return PermanentError("s3_unreachable", "The server does not answer as an S3 server does.")


def judge_object(status: int, code: str, *, storage_class: str) -> ObjectUnread:
    """Why one object cannot be read, where the bucket can."""
    if code == "InvalidObjectState":
        archive = f"archive class {storage_class}" if storage_class else "an archive class"
        return ObjectUnread(ARCHIVED, f"is in {archive} and must be retrieved first")
    if status == 404:
        return ObjectUnread(MISSING, "is listed, but the server answers that it does not exist")
    if code == "AccessDenied" or (status == 403 and not code):
        return ObjectUnread(FORBIDDEN, "the access key does not have the right to read it")
    return ObjectUnread(UNREADABLE, f"the server answers {_answer(status, code)}")


def as_source_error(error: CairnError) -> CairnError:
    """The same, as the error of a source."""
    if isinstance(error, WrongCredentials) or error.code == "s3_refused":
        return SourceRefused(error.detail)
    if error.code == "bucket_missing":
        return SourceMissing(error.detail)
    if error.code == "tls_misconfigured":
        return error
    return SourceUnreachable(error.detail)


def as_destination_error(error: CairnError) -> CairnError:
    """The same, as the error of a destination."""
    if "QuotaExceeded" in error.detail:
        return DestinationFull(_OTHERS["QuotaExceeded"])
    if isinstance(error, WrongCredentials) or error.code == "s3_refused":
        return DestinationRefused(error.detail)
    if error.code == "bucket_missing":
        return DestinationMissing(error.detail)
    if error.code == "tls_misconfigured":
        return error
    return DestinationUnreachable(error.detail)


def _answer(status: int, code: str) -> str:
    return " ".join(filter(None, (str(status or ""), code)))
