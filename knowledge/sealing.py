"""How the secrets of second factors lie in the database: encrypted, with a key made from the secret key."""

import base64
from hashlib import sha256

from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.contrib.auth.models import User

__all__ = ["InvalidToken", "SealedFactors"]


class SealedFactors(DefaultMFAAdapter):  # type: ignore[misc]  # the library has no types
    """What django-allauth asks. `decrypt` raises InvalidToken for what another secret key sealed."""

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _fernet().decrypt(encrypted_text.encode()).decode()

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": "Pincite"}

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, object]:
        name = user.get_username()
        return {"id": f"pincite-{user.pk}".encode(), "name": name, "display_name": name}


def _fernet() -> Fernet:
    key = sha256(b"second factors:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
