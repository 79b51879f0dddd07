"""What a browser says of a security key may be any bytes: each is refused in words, and counted."""

import base64
import json

import pytest

from knowledge import factors
from tests.test_factors import enter, events, owner  # noqa: F401 - owner is a fixture

JUNK = [
    *("{}", "[]", "1", '"x"', "null", "{", "[" * 5000),
    '{"id": 5, "rawId": {}, "response": [], "type": "public-key"}',
    '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "AA"}}',
]


def key_of(attestation: bytes = b"", data: bytes = b"") -> str:
    """What a browser would say of a key, with these bytes where the library reads CBOR."""
    client = {"type": "webauthn.get", "challenge": "AA", "origin": "http://testserver"}
    parts = {
        "clientDataJSON": json.dumps(client).encode(),
        "attestationObject": attestation,
        "authenticatorData": data,
        "signature": b"x",
    }
    said = {name: base64.urlsafe_b64encode(part).decode().rstrip("=") for name, part in parts.items()}
    return json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": said})


CBOR = [b"", b"\xa3", b"\x78", b"\x9b" + b"\xff" * 8, b"\x1b", b"\x81" * 3000, b"\xa1\x00" * 3000]
UNREADABLE = [key_of(junk, bytes(32) + b"\x80" + bytes(4) + junk) for junk in CBOR]
JUNK += [*UNREADABLE, '{"id": ' + "1" * 5000 + "}"]


@pytest.mark.parametrize("credential", UNREADABLE)
def test_what_cannot_be_read_counts_as_an_attempt(people, owner, credential):  # noqa: F811
    before = len(events("refused"))
    assert enter("owner").post("/login/second/", {"credential": credential}).status_code == 422
    assert len(events("refused")) == before + 1


@pytest.mark.parametrize("credential", JUNK)
def test_what_is_no_key_is_refused_in_words(people, owner, credential):  # noqa: F811
    client = enter("owner")
    assert client.post("/login/second/", {"credential": credential}).status_code == 422
    signed_in = enter("reader")
    signed_in.get("/factors/key/")
    assert signed_in.post("/factors/key/", {"name": "Blue", "credential": credential}).status_code == 422
    assert not factors.has_any(people.reader)
