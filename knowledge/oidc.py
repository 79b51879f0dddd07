"""Single sign-on by OpenID Connect: django-allauth carries it, and what it leaves unchecked is checked here.

A person is known by the provider's own id for them. The first time they are found by their e-mail address,
when the provider says that it is verified; from then on the address means nothing any more.
"""

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jwt
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from django.urls import reverse
from requests import RequestException

from knowledge import audit, entrance, published
from knowledge.audit import Act
from knowledge.models.service import is_service

# Signatures by a public key only: with a shared secret whoever can check could also forge.
ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA".split()
LEEWAY_SECONDS = 60
MISSHAPEN = (AttributeError, KeyError, TypeError, ValueError)  # JSON that is not of the shape it should be
FAILURES = (OAuth2Error, RequestException)
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Unbelievable(OAuth2Error):  # type: ignore[misc]  # the library has no types
    """The provider's answer does not hold; the text may be kept in the audit."""


class Provider(OpenIDConnectProvider):  # type: ignore[misc]  # the library has no types
    """The one provider that the settings name."""

    def __init__(self, request: HttpRequest) -> None:
        app = SocialApp(
            provider=OpenIDConnectProvider.id,
            provider_id=settings.OIDC_ISSUER,
            name=settings.OIDC_NAME,
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={"server_url": settings.OIDC_ISSUER.rstrip("/"), "oauth_pkce_enabled": True},
        )
        super().__init__(request, app=app)

    def get_oauth2_adapter(self, request: HttpRequest) -> "Checked":
        return Checked(request)

    def extract_extra_data(self, data: Any) -> dict[str, Any]:  # noqa: ARG002
        """Of what the provider tells nothing is stored but its id for the person."""
        return {}


class Checked(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # the library has no types
    """Believes an id token by its signature, issuer, audience, time and nonce, never by whence it came."""

    nonce = ""  # of the request that this answer belongs to
    must_tell_time = False  # whether that request asked them to show again that it is them

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request, settings.OIDC_ISSUER)

    def get_provider(self) -> Provider:
        return Provider(self.request)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:  # noqa: ARG002
        return request.build_absolute_uri(reverse("oidc_callback"))

    @property
    def openid_config(self) -> dict[str, Any]:
        config: dict[str, Any] = published.read(self.get_provider().server_url, _description)
        return config

    def parse_token(self, data: dict[str, Any]) -> Any:
        try:
            return super().parse_token(data)
        except MISSHAPEN as error:
            raise Unbelievable("The provider's token cannot be read.") from error

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **named: Any) -> Any:  # noqa: ARG002
        try:
            claims = self._claims(named["response"].get("id_token", ""))
            told = self._told(claims, token.token)
            login = self.get_provider().sociallogin_from_response(request, told)
            login.shown = _shown(claims)
            return login
        except MISSHAPEN as error:
            raise Unbelievable("What the provider tells of the person cannot be read.") from error

    def _told(self, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
        """The address and whether it is verified come from one and the same of the two answers."""
        if "userinfo_endpoint" not in self.openid_config:
            return {"id_token": claims}
        userinfo = self._fetch_user_info(access_token)
        if userinfo.get("sub") != claims["sub"]:
            raise Unbelievable("The provider tells of another person than it signed for.")
        return {"userinfo": userinfo} if userinfo.get("email") else {"id_token": claims}

    def _claims(self, token: str) -> dict[str, Any]:
        required = ["exp", "iat", "iss", "aud", "sub", "nonce", *["auth_time"] * self.must_tell_time]
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key=self._key(token),
                algorithms=ALGORITHMS,
                audience=settings.OIDC_CLIENT_ID,
                issuer=settings.OIDC_ISSUER,
                leeway=LEEWAY_SECONDS,
                options={"require": required},
            )
        except jwt.PyJWTError as error:
            raise Unbelievable(f"The id token does not hold: {error}") from error
        if not self.nonce or claims["nonce"] != self.nonce:
            raise Unbelievable("The id token answers another request.")
        is_shared = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", "" if is_shared else settings.OIDC_CLIENT_ID) != settings.OIDC_CLIENT_ID:
            raise Unbelievable("The id token was made for another client.")
        return claims

    def _key(self, token: str) -> jwt.PyJWK:
        """The provider's key that the token names; the only one where it names none."""
        header = jwt.get_unverified_header(token)
        address = self.openid_config["jwks_uri"]
        fitting = _fitting(published.read(address, _keys), header)
        if len(fitting) != 1 or "kid" not in header:  # they may have changed since
            fitting = _fitting(published.read_again(address, _keys), header)
        if len(fitting) != 1:
            raise Unbelievable("The provider has not published the key of this id token.")
        return jwt.PyJWK(fitting[0], fitting[0].get("alg") or header["alg"])


def _fetched(url: str) -> Any:
    with get_adapter().get_requests_session() as session:
        response = session.get(url)
        response.raise_for_status()
        return response.json()


def _description(url: str) -> dict[str, Any]:
    try:
        config = dict(_fetched(url))
    except MISSHAPEN as error:
        raise Unbelievable("The provider's description cannot be read.") from error
    if config.get("issuer") != settings.OIDC_ISSUER:
        raise Unbelievable("The provider calls itself by another name than OIDC_ISSUER.")
    if missing := [name for name in ENDPOINTS if name not in config]:
        raise Unbelievable(f"The provider does not tell its {missing[0]}.")
    return config


def _keys(url: str) -> list[dict[str, Any]]:
    """The keys for signing."""
    return [key for key in _fetched(url)["keys"] if key.get("use", "sig") == "sig"]


def _fitting(keys: list[dict[str, Any]], header: dict[str, Any]) -> list[dict[str, Any]]:
    return [key for key in keys if header.get("kid") in {None, key.get("kid")}]


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # the library has no types
    """Takes over from the library as soon as it knows who it is: who gets in is decided by `entrance`.

    For every provider of the library, so that a firm can add another one (SAML) by its settings.
    """

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Any:
        if provider == settings.OIDC_ISSUER:
            return Provider(request)
        return super().get_provider(request, provider, client_id)

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        person = sociallogin.user if sociallogin.is_existing else _found(told_of(sociallogin))
        if person is None or not person.is_active:
            raise ImmediateHttpResponse(refused(request, "nobody with this verified address may come in"))
        next_url = sociallogin.get_redirect_url(request) or resolve_url("matters")
        shown = getattr(sociallogin, "shown", None)  # of the library's other providers it is not known
        raise ImmediateHttpResponse(
            entrance.enter(request, person, next_url, by="single sign-on", shown=shown)
        )

    def on_authentication_error(self, request: HttpRequest, *_args: Any, **named: Any) -> None:
        error = named.get("exception")
        why = why_of(error) if error else "cancelled, or not asked for here"
        raise ImmediateHttpResponse(refused(request, why))


class Callback(OAuth2CallbackView):  # type: ignore[misc]  # the library has no types
    def _get_state(self, request: HttpRequest, provider: Provider) -> Any:
        state, response = super()._get_state(request, provider)
        self.adapter.nonce = (state or {}).get("nonce", "")
        self.adapter.must_tell_time = (state or {}).get("max_age") is not None
        return state, response


def begin(request: HttpRequest, next_url: str) -> HttpResponse:
    """Send the browser to the provider."""
    nonce = secrets.token_urlsafe(24)
    asked: dict[str, Any] = {"nonce": nonce}
    if request.user.is_authenticated:  # they are to show again that it is them
        asked |= {"prompt": "login", "max_age": 0}
    try:
        response: HttpResponse = Provider(request).redirect(
            request,
            process="login",
            next_url=next_url,
            auth_params=asked,
            nonce=nonce,
            max_age=asked.get("max_age"),
        )
    except FAILURES as error:
        return refused(request, why_of(error))
    return response


def finish(request: HttpRequest) -> HttpResponse:
    """The browser comes back from the provider with a code that is exchanged for what it tells."""
    try:
        response: HttpResponse = Callback.adapter_view(Checked(request))(request)
    except FAILURES as error:
        return refused(request, why_of(error))
    return response


def _shown(claims: dict[str, Any]) -> int:
    """When they last showed the provider that it is them; 0 where it does not say, or names the future."""
    at, now = claims.get("auth_time"), int(time.time())
    if not isinstance(at, int | float) or isinstance(at, bool) or not 0 < at <= now + LEEWAY_SECONDS:
        return 0
    return min(int(at), now)


def why_of(error: Exception) -> str:
    """For the audit: our own words, and of a failure elsewhere only its kind."""
    return str(error)[:150] if isinstance(error, Unbelievable) else type(error).__name__


def refused(request: HttpRequest, why: str) -> HttpResponse:
    """One answer whatever was wrong; the audit says what."""
    details = {"by": "single sign-on", "why": why}
    audit.record(Act.REFUSED, "nobody who is known", details=details)
    return render(request, "refused.html", {"provider": settings.OIDC_NAME}, status=403)


@dataclass(frozen=True)
class Told:
    """What a provider says of a person; `address` is empty unless it says that it is verified."""

    provider: str
    uid: str
    address: str
    first_name: str
    last_name: str


def told_of(sociallogin: Any) -> Told:
    """Only `true` is verified: a provider may send the word “false”, which is true in many a language."""
    verified = [each.email for each in sociallogin.email_addresses if each.verified is True]
    account, user = sociallogin.account, sociallogin.user
    address = verified[0] if len(verified) == 1 else ""
    return Told(account.provider, account.uid, address, user.first_name, user.last_name)


def _found(told: Told) -> User | None:
    """The one person with this verified address, bound to the provider's id for them from now on.

    Whom another window of theirs bound or made at the same moment is found by that.
    """
    if not told.address:
        return None
    with suppress(IntegrityError):
        if person := _bound(told):
            return person
    known = SocialAccount.objects.filter(provider=told.provider, uid=told.uid).select_related("user").first()
    return known.user if known else None


def _bound(told: Told) -> User | None:
    with transaction.atomic():
        alike = User.objects.select_for_update(no_key=True).filter(email__iexact=told.address)
        people = [person for person in alike if is_same(person.email, told.address)]
        if not people and settings.OIDC_CREATE_PEOPLE:
            people = _created(told)
        if len(people) != 1 or not _may_bind(people[0], told):
            return None
        SocialAccount.objects.create(user=people[0], provider=told.provider, uid=told.uid)
        audit.record(Act.CHANGE, f"user:{people[0].pk}", details={"bound to": "single sign-on"})
    return people[0]


def _may_bind(person: User, told: Told) -> bool:
    """Not a second time: an address can pass to somebody else."""
    is_bound = SocialAccount.objects.filter(user=person, provider=told.provider).exists()
    return person.is_active and not is_service(person) and not is_bound


def is_same(one: str, other: str) -> bool:
    """Letters of other scripts that a database takes for ours are not ours."""
    return one.encode().lower() == other.encode().lower()


def _created(told: Told) -> list[User]:
    """A new person without a password, called by their address: only for that the provider vouches."""
    names = {"first_name": told.first_name[:150], "last_name": told.last_name[:150]}
    person = User(username=told.address, email=told.address, **names)
    person.set_unusable_password()
    try:
        person.full_clean()
    except ValidationError:  # such a name exists, or the address cannot be one
        return []
    person.save()
    audit.record(Act.ADD, f"user:{person.pk}", details={"by": "single sign-on"})
    return [person]
