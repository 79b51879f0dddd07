"""A real browser with a security key in it: adding the key and signing in with it, under our content policy.

Screenshots land in pytest's temporary folder; `--basetemp` says where to look at them.
"""

import re
import time
from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from django.test import override_settings
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from tests.test_browser import WIDTHS, browser, look, pytestmark  # noqa: F401 - a fixture and a mark
from tests.test_factors import code_at

KEY = {
    "protocol": "ctap2",
    "transport": "usb",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """The browser's event loop runs in the thread that sets up and clears the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture
def address(people, live_server) -> Iterator[str]:
    """Keys are bound to a name, so the address has one."""
    with override_settings(ALLOWED_HOSTS=["localhost"]):
        yield live_server.url.replace("127.0.0.1", "localhost")


@pytest.fixture(params=WIDTHS)
def page(request, browser, address) -> Iterator[Page]:  # noqa: F811
    context: BrowserContext = browser.new_context(
        viewport={"width": request.param, "height": 800}, base_url=address
    )
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
    yield page
    context.close()
    assert complaints == []


def is_complaint(message: ConsoleMessage) -> bool:
    """A refusal is said in words on the page."""
    return not any(f"status of {status}" in message.text for status in (403, 422))


def plug_in(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})


def sign_in(page: Page) -> None:
    page.goto("/login/")
    page.get_by_label("User name").fill("owner")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()


def test_a_security_key_is_added_and_signs_in(page, people, tmp_path):
    plug_in(page)
    sign_in(page)
    page.goto("/factors/")
    look(page, tmp_path, "factors-none")
    page.get_by_role("link", name="Add a key").click()
    look(page, tmp_path, "key")
    page.get_by_label("What do you call it?").fill("The blue key")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    look(page, tmp_path, "codes")
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("The blue key")).to_be_visible()
    look(page, tmp_path, "factors-key")
    page.get_by_role("button", name="Sign out").click()
    sign_in(page)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    look(page, tmp_path, "second-step-key")
    page.get_by_role("button", name="Use a security key").click()
    expect(page.get_by_role("heading", name="Matters")).to_be_visible()
    assert Authenticator.objects.get(user=people.owner, type="webauthn").last_used_at is not None


def test_an_app_is_set_up_and_asked_for(page, tmp_path):
    sign_in(page)
    page.goto("/factors/app/")
    look(page, tmp_path, "app")
    secret = page.locator("code.secret").inner_text().replace(" ", "")
    page.get_by_label("The code that the app shows").fill(code_at(secret, time.time()))
    page.get_by_role("button", name="Set it up").click()
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page)
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("did not fit")
    look(page, tmp_path, "second-step-app")
    page.get_by_label("Code").fill(code_at(secret, time.time() + 30))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Matters")).to_be_visible()
    assert re.search(r"localhost:\d+/$", page.url)


def test_a_key_that_was_taken_away_meanwhile_opens_nothing(page, people):
    plug_in(page)
    sign_in(page)
    page.goto("/factors/key/")
    page.get_by_label("What do you call it?").fill("The blue key")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.context.clear_cookies()
    sign_in(page)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    Authenticator.objects.filter(user=people.owner, type="webauthn").update(user=people.reader)
    page.get_by_role("button", name="Use a security key").click()
    expect(page.get_by_role("alert").first).to_contain_text("did not fit")


def test_the_other_pages_of_the_entrance_fit_the_screen(page, tmp_path):
    with override_settings(OIDC_ISSUER="http://127.0.0.1:9", OIDC_NAME="Firm Login"):
        page.goto("/login/")
        look(page, tmp_path, "login")
        page.get_by_role("link", name="Sign in with Firm Login").click()
        expect(page.get_by_role("alert")).to_contain_text("did not work")
        look(page, tmp_path, "refused")
    sign_in(page)
    page.goto("/sessions/confirm/?next=/factors/app/")
    look(page, tmp_path, "confirm")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Set up an app")).to_be_visible()
    page.goto("/sessions/")
    look(page, tmp_path, "sessions")
