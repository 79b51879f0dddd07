"""A real browser on a really running service: what scripts and styles do, at a desk's width and a phone's.

Screenshots land in pytest's temporary folder; `--basetemp` says where to look at them.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.conftest import Live

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WIDTHS = (1280, 380)
QUESTION = "What is the limit of liability?"
# A look from outside every now and then would miss a sentence that is written within a second.
WATCH_WRITING = """
new MutationObserver(() => {
  if (document.querySelector(".tail")?.textContent) document.documentElement.dataset.wasWritten = "yes";
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
WRITING = 120_000  # milliseconds; a small machine writes slowly

expect.set_options(timeout=20_000)  # a small machine does other things meanwhile

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("live"),
    pytest.mark.skipif(CHROMIUM is None, reason="There is no Chromium on this machine."),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Visitor:
    """A person with a browser window, and everything the browser complained about."""

    def __init__(self, context: BrowserContext, live: Live) -> None:
        self.page: Page = context.new_page()
        self.live = live
        self.complaints: list[str] = []
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        is_refusal = "status of 422" in message.text  # the page says in words what was not taken
        if message.type in {"error", "warning"} and not is_refusal:
            self.complaints.append(f"{self.page.url}: {message.text}")

    def open(self, path: str) -> Page:
        self.page.goto(self.live.service.url + path)
        return self.page

    def sign_in(self) -> Page:
        page = self.open("/login/")
        page.get_by_label("User name").fill("admin")
        page.get_by_label("Password").fill(self.live.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Matters")).to_be_visible()
        return page

    def open_matter(self) -> Page:
        return self.open(f"/matters/{self.live.matter}/")

    def ask(self, question: str) -> Page:
        page = self.open_matter()
        page.get_by_role("textbox", name="Ask these documents").fill(question)
        page.get_by_role("button", name="Ask").click()
        page.wait_for_url("**/answers/**")
        return page


def visit(browser: Browser, live: Live, **context: object) -> Iterator[Visitor]:
    opened = browser.new_context(**context)
    opened.add_init_script(WATCH_WRITING)
    visitor = Visitor(opened, live)
    yield visitor
    opened.close()
    assert visitor.complaints == []


@pytest.fixture
def visitor(browser, live) -> Iterator[Visitor]:
    yield from visit(browser, live)


@pytest.fixture
def scriptless(browser, live) -> Iterator[Visitor]:
    yield from visit(browser, live, java_script_enabled=False)


@pytest.fixture(params=WIDTHS)
def sized(request, browser, live) -> Iterator[Visitor]:
    yield from visit(browser, live, viewport={"width": request.param, "height": 900})


def look(page: Page, folder: Path, name: str) -> None:
    """Nothing may stick out to the side."""
    width = page.viewport_size["width"]
    page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def being_written(page: Page) -> None:
    """A piece of text was shown before its sentence was complete; by now it may be."""
    expect(page.locator("html")).to_have_attribute("data-was-written", "yes", timeout=WRITING)


def settled(page: Page) -> None:
    expect(page.locator("#answer-body")).to_have_attribute("data-state", "done", timeout=WRITING)


def test_every_page_fits_the_screen(sized, tmp_path):
    look(sized.open("/login/"), tmp_path, "login")
    look(sized.sign_in(), tmp_path, "matters")
    page = sized.open_matter()
    look(page, tmp_path, "matter")
    page.get_by_text("Add documents").click()
    look(page, tmp_path, "upload")
    page.get_by_role("searchbox", name="Search for passages").fill("limit of liability")
    page.keyboard.press("Enter")
    expect(page.locator(".result").first).to_be_visible()
    look(page, tmp_path, "search")
    page.locator(".result a").first.click()
    expect(page.locator("#pin")).to_be_in_viewport()
    look(page, tmp_path, "viewer")
    page.get_by_role("button", name="Delete this document…").click()
    expect(page.get_by_role("button", name="Delete for good")).to_be_visible()
    look(page, tmp_path, "delete")
    page = sized.ask(QUESTION)
    settled(page)
    page.locator(".plan summary").click()
    look(page, tmp_path, "answer")
    look(sized.ask("Who won the chess tournament in Reykjavik?"), tmp_path, "nothing")


def written(page: Page) -> str:
    """The text, also one that is folded away because no source carries it."""
    fold = page.get_by_text("Show what it wrote")
    if fold.count():
        fold.click()
    return page.locator("[data-text]").inner_text()


def test_an_answer_is_written_before_ones_eyes_and_a_reload_shows_the_same(visitor):
    visitor.sign_in()
    page = visitor.ask(QUESTION)
    assert page.locator("#answer-body").get_attribute("data-state") != "done"
    expect(page.locator(".quote").first).to_be_visible()
    being_written(page)
    settled(page)
    expect(page.locator("[data-told]")).to_have_text("The summary is complete.")
    text = written(page)
    assert text
    for sentence in page.locator(".sentence").all():
        assert sentence.locator(".cite, .flag").count()
    page.reload()
    assert written(page) == text


def test_a_second_window_waits_for_the_first_and_shows_the_same(visitor):
    visitor.sign_in()
    first = visitor.ask(QUESTION)
    being_written(first)
    second = first.context.new_page()
    second.goto(first.url)
    expect(second.locator("[data-told]")).to_contain_text("another window")
    settled(second)
    settled(first)
    assert written(second) == written(first)


def test_an_answer_whose_reader_left_is_written_at_the_next_visit(visitor):
    visitor.sign_in()
    page = visitor.ask(QUESTION)
    being_written(page)
    page.goto(visitor.live.service.url)
    page.go_back()
    settled(page)


def test_a_quote_leads_to_its_own_words_highlighted(visitor):
    visitor.sign_in()
    page = visitor.ask(QUESTION)
    quote = page.locator(".quote").first
    words = quote.locator("blockquote").text_content().split()
    quote.locator("figcaption a").click()
    expect(page.locator("#pin")).to_be_in_viewport()
    assert page.locator("#pin").text_content().split() == words


def test_files_are_sent_one_by_one_and_become_searchable_before_ones_eyes(visitor, tmp_path):
    (tmp_path / "crane log.txt").write_text("The quay crane was repaired on 3 May 2031.\n")
    (tmp_path / "empty.txt").write_text("")
    visitor.sign_in()
    page = visitor.open_matter()
    page.get_by_text("Add documents").click()
    page.get_by_label("Files", exact=True).set_input_files(
        [tmp_path / "crane log.txt", tmp_path / "empty.txt"]
    )
    expect(page.locator("#upload-told")).to_have_text("2 of 2 files sent. 1 not taken in; the list says why.")
    expect(page.locator("#upload-files .rejected")).to_contain_text("The file is empty.")
    row = page.locator(".document", has_text="crane log.txt")
    expect(row.locator(".state")).to_have_text("Searchable", timeout=60_000)
    expect(page.locator("#documents")).to_have_attribute("hx-trigger", "refresh from:body")


def test_a_folder_keeps_its_names(visitor, tmp_path):
    (tmp_path / "bundle" / "2031").mkdir(parents=True)
    (tmp_path / "bundle" / "2031" / "tide table.txt").write_text("High water at Port Ellery is at nine.\n")
    (tmp_path / "bundle" / ".DS_Store").write_text("not a document")
    visitor.sign_in()
    page = visitor.open_matter()
    page.get_by_text("Add documents").click()
    page.get_by_label("A whole folder").set_input_files(tmp_path / "bundle")
    expect(page.locator("#upload-told")).to_have_text("1 of 1 files sent.", timeout=20_000)
    row = page.locator(".document", has_text="tide table.txt")
    expect(row.locator(".folder")).to_have_text("in bundle/2031")


def test_the_list_is_filtered_while_one_types(visitor):
    visitor.sign_in()
    page = visitor.open_matter()
    before = page.locator(".document").count()
    page.get_by_label("Name contains").press_sequentially("agreement")
    expect(page.locator(".document")).not_to_have_count(before)
    assert all("agreement" in name.lower() for name in page.locator(".document-name a").all_inner_texts())
    expect(page.get_by_label("Name contains")).to_be_focused()


def test_a_session_that_ended_leads_to_the_sign_in_page_and_not_into_the_list(visitor):
    visitor.sign_in()
    page = visitor.open_matter()
    page.context.clear_cookies()
    page.evaluate("document.body.dispatchEvent(new CustomEvent('refresh'))")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.wait_for_url("**/login/?next=/matters/**")


def test_the_keyboard_reaches_the_content_first(visitor):
    page = visitor.sign_in()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_without_scripts_a_question_is_answered_all_the_same(scriptless):
    scriptless.page.set_default_timeout(WRITING)
    scriptless.sign_in()
    page = scriptless.ask(QUESTION)
    expect(page.locator(".quote").first).to_be_visible()
    page.get_by_role("button", name="Write the summary").click()
    settled(page)
    assert written(page)
    expect(page.locator(".sentence").first).to_be_visible()
