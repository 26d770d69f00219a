"""What an S3 server's refusal means, in words. Its own texts are not shown: some of them repeat the access key."""

import re

from chassis.errors import CairnError, NotFound, PermanentError

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
    """The error behind what obstore raised, told without any of the server's own words."""
    text = str(error)
    code = found[1] if (found := _CODE.search(text)) else ""
    status = found[1] if (found := _STATUS.search(text)) else ""
    if code in CREDENTIALS:
        return WrongCredentials("credentials_wrong", f"The credentials are refused: {CREDENTIALS[code]} ({code}).")
    if code == "NoSuchBucket" or (not code and status == "404"):
        return NotFound("bucket_missing", f"The bucket {bucket} does not exist.")
    if code in _OTHERS:
        return PermanentError("s3_refused", f"The server refused: {_OTHERS[code]} ({code}).")
    if status == "401":
        return WrongCredentials("credentials_wrong", "The credentials are refused.")
    if status or code:
        return PermanentError("s3_refused", f"The server answered {' '.join(filter(None, (status, code)))}.")
    return PermanentError("s3_unreachable", "The server does not answer as an S3 server does.")
