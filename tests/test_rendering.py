"""Hostile strings in every place where a page shows what others wrote, in a real browser.

No script of theirs runs, nothing is asked of anywhere else, and the content security policy has nothing to
refuse: escaping alone is enough, as a second visit with the policy switched off shows.
"""

import html
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from knowledge import streams
from knowledge.draft import Event
from knowledge.models import Answer
from tests import hostile
from tests.hostile import STRINGS, Shown
from tests.test_browser import ARGUMENTS, CHROMIUM

DOOR = "outside.invalid"
WATCH = """
window.ranList = [];
window.ran = (n) => window.ranList.push(n);
window.alert = window.confirm = window.prompt = () => window.ranList.push("dialog");
window.refused = [];
addEventListener("securitypolicyviolation", (event) => {
  window.refused.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""
# Elements and attributes that no page of ours has, and links that lead elsewhere.
STRANGE = """() => {
  const tags = ["IFRAME", "OBJECT", "EMBED", "BASE", "STYLE", "IMG", "VIDEO", "AUDIO", "SVG", "MATH"];
  const isOurs = (address) => new URL(address, location.origin).origin === location.origin;
  const found = [];
  for (const each of document.querySelectorAll("*")) {
    if (tags.includes(each.tagName.toUpperCase())) found.push(each.tagName);
    for (const { name } of each.attributes) if (name.startsWith("on")) found.push(name);
    if (each.href && !isOurs(each.href)) found.push(each.href);
    if (each.tagName === "SCRIPT" && !(each.src && isOurs(each.src))) found.push("script");
    if (each.tagName === "META" && each.httpEquiv) found.push("meta");
  }
  return found;
}"""

CLOSED = "</script></style></title></textarea></template></svg></math>--><p>"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("live"),
    pytest.mark.skipif(CHROMIUM is None, reason="There is no Chromium on this machine."),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators"),
]


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Named last by each test: while it is open its thread may not ask the database."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """What pages did that they should not have."""

    page: Page
    address: str
    ran: list[object] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        response = self.page.goto(self.address + path, wait_until="load")
        assert response is not None
        assert response.status in {200, 422}, path  # a query that cannot be read is shown with its mistake
        self.look()

    def look(self) -> None:
        self.ran += self.page.evaluate("window.ranList")
        self.refused += self.page.evaluate("window.refused")
        self.strange += self.page.evaluate(STRANGE)

    @property
    def all(self) -> dict[str, object]:
        return {"ran": self.ran, "asked": self.asked, "refused": self.refused, "strange": self.strange}


def watched(context: BrowserContext, address: str) -> Watched:
    context.add_init_script(WATCH)
    context.set_default_navigation_timeout(120_000)  # pages of hundreds of rows, on a small machine
    page = context.new_page()
    watch = Watched(page, address)
    page.on("request", lambda request: watch.asked.update(outside(request.url, address)))
    page.on(
        "console", lambda message: watch.refused.append(message.text) if "ecurity" in message.text else None
    )
    context.route(f"**://{DOOR}/**", lambda route: route.abort())
    return watch


def outside(url: str, address: str) -> list[str]:
    """The address, if it is not of the service."""
    parts, ours = urlsplit(url), urlsplit(address)
    return [url] if parts.scheme.startswith("http") and parts.netloc != ours.netloc else []


def test_the_strings_are_attacks_and_would_be_noticed(browser):
    """As a page that does not escape would show them."""
    context = browser.new_context()
    watch = watched(context, "http://control.invalid")
    context.route("**://control.invalid/**", lambda route: route.fulfill(body="", content_type="text/html"))
    watch.page.goto("http://control.invalid/")
    for number in range(0, len(STRINGS), 20):
        watch.page.set_content("<!doctype html><p>" + CLOSED.join(STRINGS[number : number + 20]))
    watch.look()
    context.close()
    assert len(STRINGS) >= 500
    assert len(watch.asked) > 20
    assert len(watch.ran) > 20


@pytest.fixture
def shown(transactional_db) -> Shown:
    return hostile.show()


@pytest.fixture
def cookie(live_server, shown) -> dict[str, str]:
    """With which the browser is signed in."""
    client = Client()
    client.force_login(shown.reader)
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}


@pytest.mark.parametrize("policy", ["on", "off"])
def test_no_page_runs_asks_or_is_refused_anything(live_server, shown, cookie, policy, browser):
    context = browser.new_context(bypass_csp=policy == "off")
    context.add_cookies([cookie])
    watch = watched(context, live_server.url)
    for path in shown.paths:
        watch.open(path)
    context.close()
    assert watch.all == {"ran": [], "asked": set(), "refused": [], "strange": []}


def test_each_string_is_on_the_pages_as_it_was_written(client, shown):
    """Every one of them is shown, many times; so the pages above had what to be afraid of."""
    client.force_login(shown.reader)
    text = html.unescape("\n".join(client.get(path).content.decode() for path in shown.paths))
    assert min(text.count(each) for each in STRINGS) >= 8


@pytest.fixture
def unwritten(shown) -> str:
    """The page of an answer that is still to be written."""
    Answer.objects.update(state=Answer.State.READY)
    return next(path for path in shown.paths if path.startswith("/answers/"))


def test_what_is_streamed_to_an_open_page_is_text(live_server, unwritten, cookie, browser):
    """The script of the page puts pieces, sentences, quotes and names in place, as the server frames them."""
    context = browser.new_context(bypass_csp=True)
    context.add_cookies([cookie])
    watch = watched(context, live_server.url)
    body = b"".join(streamed())
    context.route("**/stream/", lambda route: route.fulfill(body=body, content_type="text/event-stream"))
    watch.open(unwritten)
    watch.page.wait_for_function(f"document.querySelectorAll('.sentence').length >= {len(STRINGS)}")
    watch.look()
    context.close()
    assert watch.all == {"ran": [], "asked": set(), "refused": [], "strange": []}


def streamed() -> Iterator[bytes]:
    for number, text in enumerate(STRINGS, start=1):
        cited = {"number": number, "document": text, "document_id": text, "version_id": text, "quote": text,
                 "page": 1, "page_label": text, "start": 0, "end": 1}  # fmt: skip
        yield streams.frame(Event("text", {"text": text}))
        sentence = {
            "text": text,
            "citations": [cited] if number % 2 else [],
            "verbatim": False,
            "problem": text,
        }
        yield streams.frame(Event("sentence", sentence))
