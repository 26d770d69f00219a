import base64
import hashlib
import hmac

import pytest
from cairn_local.scram import log_in

PASSWORD, SALT = "pencil", b"salt"


class Server:
    """The other side, with an own idea of the password."""

    def __init__(self, password: str = PASSWORD, *, nonce: str = "", iterations: int = 4096) -> None:
        self.salted = hashlib.pbkdf2_hmac("sha512", password.encode(), SALT, iterations)
        self.nonce, self.iterations = nonce, iterations
        self.heard: list[str] = []

    def ask(self, message: bytes) -> bytes:
        self.heard.append(message.decode())
        if len(self.heard) == 1:
            opening = self.heard[0].removeprefix("n,,")
            nonce = self.nonce or opening.partition("r=")[2] + "server"
            self.said = f"r={nonce},s={base64.b64encode(SALT).decode()},i={self.iterations}"
            return self.said.encode()
        closing, _, self.proof = self.heard[1].rpartition(",p=")
        self.signed = ",".join((self.heard[0].removeprefix("n,,"), self.said, closing)).encode()
        signature = self.sign(self.sign(self.salted, b"Server Key"), self.signed)
        return b"v=" + base64.b64encode(signature)

    def accepts(self) -> bool:
        key = self.sign(self.salted, b"Client Key")
        signature = self.sign(hashlib.sha512(key).digest(), self.signed)
        return bytes(a ^ b for a, b in zip(key, signature, strict=True)) == base64.b64decode(self.proof)

    @staticmethod
    def sign(key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, "sha512")


def test_both_sides_know_the_password() -> None:
    server = Server()
    assert log_in(server.ask, username="me", password=PASSWORD)
    assert server.accepts()
    assert not any(PASSWORD in message for message in server.heard)


def test_server_that_does_not_know_the_password_is_not_ours() -> None:
    server = Server("guessed")
    assert not log_in(server.ask, username="me", password=PASSWORD)
    assert not server.accepts()


@pytest.mark.parametrize("server", [Server(nonce="another"), Server(iterations=200_000)])
def test_answer_to_another_client_or_an_endless_one_is_refused(server: Server) -> None:
    with pytest.raises(ValueError, match="not an answer"):
        log_in(server.ask, username="me", password=PASSWORD)
    assert len(server.heard) == 1


def test_words_of_another_protocol_are_an_error() -> None:
    with pytest.raises((KeyError, ValueError)):
        log_in(lambda _: b"HTTP/1.1 400 Bad Request", username="me", password=PASSWORD)
