"""Single sign-on with a real provider over HTTP: who gets in, and every lie that is refused."""

import base64
import time
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialAccount, SocialLogin
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpResponse
from django.test import Client

from knowledge import entrance, factors, published, service_accounts
from knowledge.models import AuditEvent, SignIn
from knowledge.oidc import is_same
from tests.oidc_provider import CLIENT, CLIENT_SECRET, KEY, OTHER_KEY, Provider, providing
from tests.test_factors import enter, is_in, next_code, set_up, show

ADDRESS = "reader@firm.example"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture
def provider(running, people, settings) -> Provider:
    """It knows the reader by their address."""
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = running.url, CLIENT
    settings.OIDC_CLIENT_SECRET, settings.OIDC_NAME = CLIENT_SECRET, "Firm Login"
    running.__init__(url=running.url)
    published.forget()
    running.person = {"sub": "r-1", "email": ADDRESS, "email_verified": True, "given_name": "Rea"}
    User.objects.filter(pk=people.reader.pk).update(email="Reader@Firm.example")
    return running


def go(client: Client, path: str = "/login/oidc/"):
    """As a browser: to the provider, and back."""
    return client.get(way_back(client, path))


def way_back(client: Client, path: str = "/login/oidc/") -> str:
    sent = client.get(path)
    assert sent.status_code == 302, sent.content
    answer = httpx.get(sent["Location"])
    parts = urlsplit(answer.headers["Location"])
    return f"{parts.path}?{parts.query}"


def who(client: Client) -> str:
    return client.get("/sessions/").wsgi_request.user.username


def why() -> str:
    return AuditEvent.objects.filter(act="refused").latest("sequence").details["why"]


def test_a_person_is_found_by_their_verified_address_once_and_then_by_their_id(people, provider):
    client = Client()
    assert "Sign in with Firm Login" in client.get("/login/").content.decode()
    assert go(client)["Location"] == "/"
    assert who(client) == "reader"
    assert SignIn.objects.filter(user=people.reader).count() == 1
    event = AuditEvent.objects.filter(act="sign-in").latest("sequence")
    assert event.details == {"by": "single sign-on", "second factor": "none"}
    provider.person |= {"email": "married@firm.example", "email_verified": False}
    again = Client()
    go(again)
    assert who(again) == "reader"
    assert SocialAccount.objects.get().extra_data == {}


def test_one_comes_out_where_one_wanted_to_go_but_never_elsewhere(people, provider):
    assert go(Client(), "/login/oidc/?next=/tokens/")["Location"] == "/tokens/"
    assert go(Client(), "/login/oidc/?next=https://evil.example/")["Location"] == "/"
    assert go(Client(), "/login/oidc/?next=//evil.example/")["Location"] == "/"


LIES = {
    "nonce": {"claims": {"nonce": "of another request"}},
    "no nonce": {"claims": {"nonce": None}},
    "audience": {"claims": {"aud": "another client"}},
    "no audience": {"claims": {"aud": None}},
    "two audiences": {"claims": {"aud": [CLIENT, "another"]}},
    "made for another": {"claims": {"azp": "another"}},
    "issuer": {"claims": {"iss": "https://evil.example"}},
    "expired": {"claims": {"exp": 1_000_000_000}},
    "no end": {"claims": {"exp": None}},
    "nobody": {"claims": {"sub": None}},
    "signature": {"key": OTHER_KEY},
    "unsigned": {"key": None, "algorithm": "none"},
    "no id token": {"token": {"id_token": None}},
    "id token of another kind": {"token": {"id_token": 5}},
    "other person's info": {"userinfo": {"sub": "r-2"}},
    "time of another kind": {"token": {"expires_in": "soon"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_what_does_not_hold_is_refused(people, provider, lie):
    for name, value in LIES[lie].items():
        setattr(provider, name, value)
    client = Client()
    response = go(client)
    assert response.status_code == 403
    assert not is_in(client)
    assert not SocialAccount.objects.exists()
    assert why()


def test_the_public_key_is_no_shared_secret(people, provider, monkeypatch):
    """An id token “signed” with what everybody can read."""
    # PyJWT would refuse to sign it
    monkeypatch.setattr("jwt.algorithms.HMACAlgorithm.prepare_key", lambda _self, key: key)
    provider.key = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    provider.algorithm = "HS256"
    assert go(Client()).status_code == 403


def test_a_shared_secret_signs_nothing_even_where_the_provider_publishes_it(people, provider):
    """All else holds: the list of algorithms alone stands in the way."""
    provider.key, provider.algorithm = b"a secret of thirty-two bytes....", "HS256"
    secret = base64.urlsafe_b64encode(provider.key).rstrip(b"=").decode()
    provider.published = {"kty": "oct", "k": secret, "alg": "HS256"}
    assert go(Client()).status_code == 403
    assert "alg" in why()


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "PS256"])
def test_a_key_need_not_say_what_it_signs_with(people, provider, algorithm):
    provider.algorithm, provider.published = algorithm, {"alg": None}
    client = Client()
    assert go(client).status_code == 302
    assert is_in(client)


@pytest.mark.parametrize("published", [{"use": "enc"}, {"kid": "second"}, {"kty": "EC"}, {"alg": "HS256"}])
def test_a_key_that_is_not_for_this_signs_nothing(people, provider, published):
    provider.published = published
    assert go(Client()).status_code == 403


def test_a_provider_of_another_name_is_refused_before_anybody_is_sent_there(people, provider):
    provider.description = {"issuer": "https://evil.example"}
    assert Client().get("/login/oidc/").status_code == 403
    assert "another name" in why()


def test_a_state_is_good_once_and_only_in_the_browser_that_asked(people, provider):
    client, thief = Client(), Client()
    back = way_back(client)
    assert thief.get(back).status_code == 403
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert client.get(back.replace(state, "x" * len(state))).status_code == 403
    assert not is_in(client)
    assert client.get(back).status_code == 302
    assert client.get(back).status_code == 403
    code_without_state = back.split("&state")[0]
    assert Client().get(code_without_state).status_code == 403


def test_who_cancels_there_is_told_so_here(people, provider):
    client = Client()
    state = parse_qs(urlsplit(client.get("/login/oidc/")["Location"]).query)["state"][0]
    assert client.get(f"/login/oidc/callback/?error=access_denied&state={state}").status_code == 403


@pytest.mark.parametrize("verified", [False, None, "true", "false", 1])
def test_an_address_that_is_not_verified_takes_over_nobody(people, provider, settings, verified):
    settings.OIDC_CREATE_PEOPLE = True
    provider.person["email_verified"] = verified
    before = User.objects.count()
    client = Client()
    assert go(client).status_code == 403
    assert not is_in(client)
    assert User.objects.count() == before


def test_an_address_and_its_being_verified_come_from_one_answer(people, provider):
    provider.userinfo = {"email": None, "email_verified": True}
    provider.claims = {"email_verified": False}
    assert go(Client()).status_code == 403
    provider.claims = {}
    assert go(Client()).status_code == 302  # some tell the address in the id token alone


@pytest.mark.parametrize("address", ["", None, 5, "nobody@firm.example", "reader@firm.example.evil.example"])
def test_who_is_not_known_here_does_not_get_in(people, provider, address):
    provider.person["email"] = address
    before = User.objects.count()
    assert go(Client()).status_code == 403
    assert User.objects.count() == before


def test_letters_that_only_look_alike_are_another_address():
    assert is_same("Reader@Firm.example", "reader@firm.EXAMPLE")
    assert not is_same("kate@firm.example", "\N{KELVIN SIGN}ate@firm.example")
    assert not is_same("mike@firm.example", "m\N{LATIN SMALL LETTER DOTLESS I}ke@firm.example")
    assert not is_same("strasse@firm.example", "straße@firm.example")


def test_an_address_that_two_have_or_that_is_bound_already_lets_nobody_in(people, provider):
    User.objects.filter(pk=people.member.pk).update(email=ADDRESS)
    assert go(Client()).status_code == 403
    User.objects.filter(pk=people.member.pk).update(email="")
    assert go(Client()).status_code == 302
    provider.person["sub"] = "r-2"  # somebody who was given the address of one who left
    assert go(Client()).status_code == 403


def test_a_closed_account_stays_closed(people, provider):
    go(Client())
    for bound in (True, False):
        User.objects.filter(pk=people.reader.pk).update(is_active=False)
        client = Client()
        assert go(client).status_code == 403, bound
        assert not is_in(client)
        SocialAccount.objects.all().delete()


def test_people_are_made_only_where_the_firm_wants_it_and_have_no_password(people, provider, settings):
    provider.person = {
        "sub": "n-1",
        "email": "new@firm.example",
        "email_verified": True,
        "family_name": "New",
    }
    assert go(Client()).status_code == 403
    settings.OIDC_CREATE_PEOPLE = True
    client = Client()
    assert go(client).status_code == 302
    made = User.objects.get(username="new@firm.example")
    assert (made.last_name, made.has_usable_password(), made.is_staff) == ("New", False, False)
    assert who(client) == "new@firm.example"
    assert AuditEvent.objects.filter(act="add", subject=f"user:{made.pk}").count() == 1


def test_nobody_is_made_under_a_name_that_exists(people, provider, settings):
    settings.OIDC_CREATE_PEOPLE = True
    User.objects.create_user("new@firm.example", email="somebody@firm.example")
    provider.person = {"sub": "n-1", "email": "new@firm.example", "email_verified": True}
    assert go(Client()).status_code == 403


def test_the_second_factor_is_asked_for_here_too(people, provider):
    secret, _ = set_up(enter("reader"))
    client = Client()
    assert go(client)["Location"] == "/login/second/"
    assert not is_in(client)
    assert show(client, next_code(secret)).status_code == 302
    assert is_in(client)


def test_who_has_no_password_shows_at_the_provider_that_it_is_them(people, provider):
    people.reader.set_unusable_password()
    people.reader.save(update_fields=["password"])
    client = Client()
    assert "prompt=login" not in client.get("/login/oidc/")["Location"]
    go(client)
    session = client.session
    session[entrance.SHOWN] = 0
    session.save()
    confirm = client.get("/factors/app/")["Location"]
    assert "/login/oidc/?next=/factors/app/" in client.get(confirm).content.decode()
    assert "prompt=login" in client.get("/login/oidc/?next=/factors/app/")["Location"]
    assert go(client, "/login/oidc/?next=/factors/app/")["Location"] == "/factors/app/"
    assert client.get("/factors/app/").status_code == 200


@pytest.mark.parametrize("moved", [-3600, 3600, "text", True, None])
def test_who_was_not_asked_again_there_has_not_shown_that_it_is_them(people, provider, moved):
    """A provider may pass over `prompt` and `max_age`: what it says of the time decides."""
    client = Client()
    go(client)
    assert client.get("/factors/app/")["Location"].startswith("/sessions/confirm/")
    sent = client.get("/login/oidc/")["Location"]
    assert parse_qs(urlsplit(sent).query)["max_age"] == ["0"]
    is_moved = isinstance(moved, int) and not isinstance(moved, bool)
    provider.claims = {"auth_time": int(time.time()) + moved if is_moved else moved}
    response = go(client, "/login/oidc/?next=/factors/app/")
    assert response.status_code == (403 if moved is None else 302)
    assert client.get("/factors/app/")["Location"].startswith("/sessions/confirm/")
    provider.claims = {}
    go(client, "/login/oidc/?next=/factors/app/")
    assert client.get("/factors/app/").status_code == 200


def test_who_waits_for_the_second_step_is_in_no_session_of_another(people, provider):
    secret, _ = set_up(enter("reader"))
    client = enter("member")
    assert go(client)["Location"] == "/login/second/"
    assert not is_in(client)
    assert not SignIn.objects.filter(user=people.member).exists()
    show(client, next_code(secret))
    assert who(client) == "reader"


def test_a_firm_that_demands_a_second_factor_demands_it_of_these_too(people, provider, settings):
    settings.REQUIRE_MFA = True
    client = Client()
    go(client)
    assert client.get("/")["Location"] == "/factors/"
    go(client, "/login/oidc/?next=/factors/app/")
    set_up(client)
    assert is_in(client)
    assert factors.has_any(people.reader)


def test_a_provider_that_does_not_answer_is_said_so(people, provider, settings):
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    assert Client().get("/login/oidc/").status_code == 403
    assert why() == "ConnectionError"


def test_without_the_setting_nobody_is_asked_and_nothing_is_shown(people, running):
    running.asked.clear()
    assert "Sign in with" not in Client().get("/login/").content.decode()
    assert Client().get("/login/oidc/").status_code == 404
    assert Client().get("/login/oidc/callback/?code=1&state=1").status_code == 404
    assert running.asked == []


def test_a_service_account_is_nobody_to_the_provider(people, provider):
    robot = service_accounts.create("intake-robot", "Sends in scans.").user
    User.objects.filter(pk=people.reader.pk).update(email="")
    User.objects.filter(pk=robot.pk).update(email=ADDRESS)
    assert go(Client()).status_code == 403


@pytest.mark.parametrize("is_verified", [True, False])
def test_another_provider_of_the_library_is_held_to_the_same_rules(people, rf, is_verified):
    """As SAML, which a firm adds by its settings; what its provider says arrives here."""
    User.objects.filter(pk=people.reader.pk).update(email=ADDRESS)
    request = rf.get("/login/saml/firm/acs/finish/")
    SessionMiddleware(lambda _: HttpResponse()).process_request(request)
    request.user = AnonymousUser()
    account = SocialAccount(provider="https://idp.firm.example", uid="r-1")
    address = EmailAddress(email=ADDRESS, verified=is_verified)
    login = SocialLogin(User(), account, email_addresses=[address])
    login.provider = SimpleNamespace(app=None, get_settings=dict)
    response = complete_social_login(request, login)
    assert response.status_code == (302 if is_verified else 403)
    assert ("_auth_user_id" in request.session) is is_verified
    assert SocialAccount.objects.filter(user=people.reader).exists() is is_verified
