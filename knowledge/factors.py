"""Second factors of people: an authenticator app, security keys and passkeys, and recovery codes beside them.

Rows and cryptography are django-allauth's. Every change is one transaction with its event in the audit.
"""

import base64
from collections.abc import Callable
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.crypto import constant_time_compare
from fido2.utils import websafe_encode

from knowledge import audit, sign_ins
from knowledge.audit import Act
from knowledge.sealing import InvalidToken

Kind = Authenticator.Type
NAMES = {Kind.TOTP: "authenticator app", Kind.WEBAUTHN: "security key", Kind.RECOVERY_CODES: "recovery codes"}
# What does not fit: another challenge, an unknown key, a wrong signature.
UNFIT = (ValidationError, TypeError, ValueError, KeyError, AttributeError, RecursionError)


def held_by(person: User) -> Any:
    return Authenticator.objects.filter(user=person).order_by("pk")


def has_any(person: User) -> bool:
    """Recovery codes alone are none: they stand in for a factor that was lost."""
    return bool(held_by(person).exclude(type=Kind.RECOVERY_CODES).exists())


def has_key(person: User) -> bool:
    return bool(held_by(person).filter(type=Kind.WEBAUTHN).exists())


def codes_left(person: User) -> int:
    row = held_by(person).filter(type=Kind.RECOVERY_CODES).first()
    try:
        return len(row.wrap().get_unused_codes()) if row else 0
    except InvalidToken:
        return 0


def fitting_code(person: User, code: str) -> Authenticator | None:
    """The factor that this code is of; it is used up with that. Call it with the person locked."""
    code = "".join(code.split())
    for row in held_by(person).exclude(type=Kind.WEBAUTHN):
        try:
            fits = _fits_app(row, code) if row.type == Kind.TOTP else row.wrap().validate_code(code)
        except InvalidToken:  # sealed with another secret key
            fits = False
        if fits:
            return row
    return None


def fitting_key(person: User, credential: Any) -> Authenticator | None:
    """The key that signed the challenge of this session."""
    if _read(webauthn.parse_authentication_response, credential) is None:
        return None
    try:
        return webauthn.complete_authentication(person, credential)
    except UNFIT:
        return None


def challenge(person: User) -> dict[str, Any] | None:
    """What the browser gives a key of theirs to sign; None where they have no key."""
    return dict(webauthn.begin_authentication(person)) if has_key(person) else None


def new_secret() -> str:
    return str(totp.generate_totp_secret())


def sealed(secret: str) -> str:
    return str(get_adapter().encrypt(secret))


def unsealed(sealed_secret: str) -> str:
    """Raises InvalidToken for what another secret key sealed."""
    return str(get_adapter().decrypt(sealed_secret))


def picture(person: User, secret: str) -> str:
    """The secret as the image that authenticator apps read, as an address of an SVG picture."""
    adapter = get_adapter()
    drawn = adapter.build_totp_svg(adapter.build_totp_url(person, secret))
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.encode()).decode()


def add_app(person: User, secret: str, code: str) -> bool:
    """Whether the code shows that an app has the secret; the app is theirs from then on."""
    counter = _counter(secret, "".join(code.split()))
    with transaction.atomic():
        _lock(person)
        if counter is None or held_by(person).filter(type=Kind.TOTP).exists():
            return False
        row = totp.TOTP.activate(person, secret).instance
        _use_up(row, counter)
        _record(person, row, "added")
    return True


def offer(person: User) -> dict[str, Any]:
    """What the browser needs to make a new key."""
    return dict(webauthn.begin_registration(person, passwordless=False))


def add_key(person: User, name: str, credential: Any) -> bool:
    """Whether the browser's answer to `offer` is sound; the key is theirs from then on."""
    told = _read(webauthn.parse_registration_response, credential)
    if told is None:
        return False
    try:
        webauthn.complete_registration(credential)
    except UNFIT:
        return False
    with transaction.atomic():
        _lock(person)
        _record(person, WebAuthn.add(person, name, _kept(told)).instance, "added")
    return True


def new_codes(person: User) -> list[str]:
    """Fresh recovery codes; those before are void. They can be read in this moment only."""
    with transaction.atomic():
        _lock(person)
        held_by(person).filter(type=Kind.RECOVERY_CODES).delete()
        codes = RecoveryCodes.activate(person)
        _record(person, codes.instance, "added")
    return list(codes.get_unused_codes())


def remove(person: User, row: Authenticator) -> None:
    """With the last factor the recovery codes go too."""
    with transaction.atomic():
        _lock(person)
        _record(person, row, "removed")
        row.delete()
        if not has_any(person):
            held_by(person).delete()


def remove_all(person: User) -> int:
    """For somebody who lost them, by an administrator: it also ends their sessions. How many there were."""
    with transaction.atomic():
        _lock(person)
        rows = list(held_by(person))
        for row in rows:
            _record(person, row, "removed")
        held_by(person).delete()
        sign_ins.end_all(person)
    return len(rows)


def _read(parse: Callable[[Any], Any], credential: Any) -> Any:
    """What a browser says of a key; None where it cannot be read."""
    try:
        return parse(credential)
    except Exception:  # noqa: BLE001 - anybody may send any bytes, and the library's readers raise what they like
        return None


def _kept(told: Any) -> dict[str, Any]:
    """Of what the browser says no more than it takes to know the key again, written anew."""
    name, response = websafe_encode(told.raw_id), told.response
    parts = {"clientDataJSON": response.client_data, "attestationObject": response.attestation_object}
    encoded = {part: websafe_encode(value) for part, value in parts.items()}
    return {"id": name, "rawId": name, "type": "public-key", "response": encoded}


def _fits_app(row: Authenticator, code: str) -> bool:
    """A code that was used, and every older one, fits no more: on every web process, as the row says it."""
    counter = _counter(get_adapter().decrypt(row.data["secret"]), code)
    if counter is None or counter <= row.data["counter"]:
        return False
    _use_up(row, counter)
    return True


def _counter(secret: str, code: str) -> int | None:
    for counter in totp.yield_hotp_counters_from_time():
        if constant_time_compare(code, totp.format_hotp_value(totp.hotp_value(secret, counter))):
            return int(counter)
    return None


def _use_up(row: Authenticator, counter: int) -> None:
    row.data["counter"] = counter
    row.save(update_fields=["data"])


def _lock(person: User) -> None:
    User.objects.select_for_update(no_key=True).get(pk=person.pk)


def _record(person: User, row: Authenticator, what: str) -> None:
    details = {what: NAMES[row.type], "factor": row.pk}
    audit.record(Act.FACTOR, f"user:{person.pk}", details=details)
