"""The arithmetic of the audit's chain: canonical JSON, digests, signatures. Knows no database.

Ed25519 and not HMAC: whoever checks an export offline needs the public key only, and cannot forge with it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from knowledge import files

START = "0" * 64  # what the first event names as the one before
FIELDS = (
    "sequence", "at", "person_id", "person", "via", "address", "act", "matter_id", "subject", "details",
    "commitment", "previous",
)  # fmt: skip


class Broken(Exception):
    """The chain does not hold; the message names the first event that is wrong."""


def canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical({name: entry[name] for name in FIELDS})).hexdigest()


def commitment(salt: str, text: str) -> str:
    return hashlib.sha256(f"{salt}:{text}".encode()).hexdigest()


def private_key(path: Path) -> Ed25519PrivateKey:
    """The key of this installation, made at its first use."""
    made = files.kept(path, lambda: Ed25519PrivateKey.generate().private_bytes_raw())
    return Ed25519PrivateKey.from_private_bytes(made)


def sign(key: Ed25519PrivateKey, sequence: int, last: str) -> str:
    return key.sign(_anchored(sequence, last)).hex()


def is_signed(key: Ed25519PublicKey, sequence: int, last: str, signature: str) -> bool:
    try:
        key.verify(bytes.fromhex(signature), _anchored(sequence, last))
    except (InvalidSignature, ValueError):
        return False
    return True


def _anchored(sequence: int, last: str) -> bytes:
    return canonical({"sequence": sequence, "digest": last})


class Check:
    """Follows a chain event by event; raises Broken at the first that does not continue it."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self.key = key
        self.sequence = 0
        self.last = START
        self.digests = [START]

    def event(self, entry: Mapping[str, Any]) -> None:
        number = self.sequence + 1
        if entry.get("sequence") != number:
            raise Broken(f"Event {number} is not where it belongs: event {entry.get('sequence')} is there.")
        if set(FIELDS) - set(entry) or entry.get("previous") != self.last:
            raise Broken(f"Event {number} does not continue the one before it.")
        if digest(entry) != entry.get("digest"):
            raise Broken(f"Event {number} has been changed.")
        said = entry.get("said")
        if said and commitment(said["salt"], said["text"]) != entry["commitment"]:
            raise Broken(f"What was said in event {number} has been changed.")
        self.sequence, self.last = number, str(entry["digest"])
        self.digests.append(self.last)

    def anchor(self, entry: Mapping[str, Any]) -> None:
        """An anchor closes what came before it: so many events, this last digest, signed."""
        if (entry.get("sequence"), entry.get("digest")) != (self.sequence, self.last):
            raise Broken(f"Event {self.sequence + 1} is missing: an anchor counts {entry.get('sequence')}.")
        if not is_signed(self.key, self.sequence, self.last, str(entry.get("signature"))):
            raise Broken(f"The anchor after event {self.sequence} is not signed by this key.")

    def reaches(self, anchor: Mapping[str, Any]) -> None:
        """Whether the chain contains what an anchor that was kept elsewhere has signed."""
        number, last = int(anchor["sequence"]), str(anchor["digest"])
        if number > self.sequence:
            raise Broken(f"Event {self.sequence + 1} is missing: the anchor counts {number}.")
        if self.digests[number] != last or not is_signed(self.key, number, last, str(anchor["signature"])):
            raise Broken(f"Event {number} or one before it is not what the anchor has signed.")


def check_lines(lines: Iterator[str], key: Ed25519PublicKey) -> Check:
    """Check an exported chain, which ends with an anchor. Raises Broken."""
    check, is_closed = Check(key), False
    for line in lines:
        entry = _entry(line, check.sequence + 1)
        is_closed = "signature" in entry
        (check.anchor if is_closed else check.event)(entry)
    if not is_closed:
        raise Broken(f"The end is missing: there is no anchor after event {check.sequence}.")
    return check


def _entry(line: str, number: int) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        raise Broken(f"Event {number} cannot be read.")
    if canonical(entry) != line.rstrip("\n").encode():
        raise Broken(f"Event {number} is not written as it was exported.")
    return entry
