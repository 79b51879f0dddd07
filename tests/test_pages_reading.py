"""The pages on which one reads: the viewer, the download, search results and answers."""

from uuid import uuid4

import pytest
from django.test import AsyncClient, Client
from django.urls import reverse

from knowledge import blobs, generations, highlight, writing
from knowledge.exact.catalogue import Entry
from knowledge.exact.places import Place
from knowledge.lookup import Group
from knowledge.models import Answer, Citation, Document, Page, Passage, Version
from tests.conftest import People

FIRST = "ARTICLE 12\n\n12.2 Either party may end this Agreement\n"
SECOND = "on thirty days’ notice. <b>Not bold.</b>\n"
QUOTE = "may end this Agreement\non thirty days’ notice."


@pytest.fixture
def reader(people: People) -> Client:
    client = Client()
    client.force_login(people.reader)
    return client


@pytest.fixture
def version(people: People) -> Version:
    return add_version(Document.objects.create(matter=people.matter, path="Contracts/Agreement.pdf"), 1)


def add_version(document: Document, number: int) -> Version:
    with blobs.incoming(document.matter_id, [f"bytes of version {number}".encode()]) as blob:
        blob.keep()
    version = Version.objects.create(
        document=document,
        number=number,
        sha256=blob.sha256,
        size=blob.size,
        state="partial",
        note="Page 3 could not be read.",
        metadata={"author": "A. Ferreira", "page_size": "A4"},
        characters=len(FIRST + SECOND),
    )
    Page.objects.create(version=version, number=1, label="1", kind="text", start=0, text=FIRST)
    Page.objects.create(
        version=version, number=2, label="2", kind="ocr", confidence=0.876, start=len(FIRST), text=SECOND
    )
    Page.objects.create(version=version, number=3, label="3", kind="unreadable", start=len(FIRST + SECOND))
    document.current = version
    document.save()
    return version


def viewer(shown: Version, /, **place: object) -> str:
    query = "&".join(f"{key}={value}" for key, value in place.items())
    return f"/documents/{shown.document_id}/?{query}"


def text(response) -> str:
    return response.content.decode()


def span() -> tuple[int, int]:
    start = (FIRST + SECOND).index(QUOTE)
    return start, start + len(QUOTE)


def test_the_span_is_highlighted_on_each_page_it_touches(reader, version):
    start, end = span()
    first = text(reader.get(viewer(version, version=version.pk, page=1, start=start, end=end)))
    second = text(reader.get(viewer(version, version=version.pk, page=2, start=start, end=end)))
    assert '<mark id="pin">may end this Agreement\n</mark>' in first
    assert "goes on on the next page" in first
    assert '<mark id="pin">on thirty days’ notice.</mark>' in second
    assert "begins on the page before" in second


def test_without_a_page_the_one_with_the_span_is_shown(reader, version):
    at = len(FIRST) + 3
    assert '<mark id="pin">thirty</mark>' in text(reader.get(viewer(version, start=at, end=at + 6)))


def test_text_of_documents_is_escaped(reader, version):
    page = text(reader.get(viewer(version, page=2)))
    assert "&lt;b&gt;Not bold.&lt;/b&gt;" in page
    assert "<b>Not bold" not in page


def test_each_page_says_how_its_text_came_about(reader, version):
    scan = text(reader.get(viewer(version, page=2)))
    assert "88 % sure" in scan
    assert "OCR 88 %" in scan
    assert "No text could be read" in text(reader.get(viewer(version, page=3)))


def test_a_page_past_the_end_is_the_last_one_and_nonsense_the_first(reader, version):
    assert "No text could be read" in text(reader.get(viewer(version, page=99)))
    for nonsense in ("page=x", "page=-1", "start=a&end=b", "start=9&end=3", f"page={10**12}"):
        response = reader.get(f"/documents/{version.document_id}/?{nonsense}")
        assert response.status_code == 200
        assert "ARTICLE 12" in text(response)
        assert "<mark" not in text(response)


def test_the_file_tells_about_itself(reader, version):
    page = text(reader.get(viewer(version)))
    for told in (
        "A. Ferreira",
        "Page size",
        version.sha256,
        "Page 3 could not be read.",
        "Searchable in part",
    ):
        assert told in page


def test_an_older_version_says_that_it_is_one(reader, version):
    newer = add_version(version.document, 2)
    old = text(reader.get(viewer(version, version=version.pk)))
    assert "This is version 1; version 2 is the one that search and answers read." in old
    assert "This is version" not in text(reader.get(viewer(newer)))


def test_a_version_of_another_document_is_not_found(reader, people, version):
    other = add_version(Document.objects.create(matter=people.matter, path="other.pdf"), 1)
    foreign = add_version(Document.objects.create(matter=people.foreign, path="secret.pdf"), 1)
    for wrong in (other.pk, foreign.pk, uuid4(), "nonsense"):
        assert reader.get(viewer(version, version=wrong)).status_code == 404


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_the_original_is_a_download_that_no_browser_interprets(people, version):
    client = AsyncClient()
    await client.aforce_login(people.reader)
    response = await client.get(f"/documents/{version.document_id}/file/")
    content = b"".join([piece async for piece in response.streaming_content])
    assert content == b"bytes of version 1"
    assert response["Content-Length"] == str(len(content))
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == 'attachment; filename="Agreement.pdf"'
    assert response["X-Content-Type-Options"] == "nosniff"


def test_bytes_that_are_gone_are_told_to_those_who_may_see_the_document(reader, version):
    blobs.delete(version.document.matter_id, version.sha256)
    response = reader.get(f"/documents/{version.document_id}/file/")
    assert response.status_code == 410
    assert "The original is gone" in text(response)


def test_search_without_a_query_is_just_the_form(reader, people):
    page = text(reader.get(reverse("search", args=[people.matter.pk])))
    assert "Search for passages" in page
    assert "Nothing was found" not in page


@pytest.mark.parametrize(("query", "told"), [("  ", "Type what to look for."), ("x" * 2001, "at most 2,000")])
def test_a_query_that_cannot_be_searched_says_why(reader, people, query, told):
    response = reader.get(reverse("search", args=[people.matter.pk]), {"q": query})
    assert response.status_code == 422
    assert told in text(response)


def test_results_link_to_the_highlighted_passage_and_escape_what_they_show(rf, people, version):
    from django.template.loader import render_to_string

    passage = Passage.objects.create(
        id=uuid4(), version=version, generation=generations.current(), key="", start=3, end=9,
        page_first=1, page_last=1,
        heading="ARTICLE <12>", text="the <i>notice</i> period",
    )  # fmt: skip
    snippet = highlight.snippet(passage.text, "notice")
    place = Place(
        version.document_id, version.pk, 1, "1", passage.start, passage.end, snippet, passage.heading
    )
    entry = Entry(version.document_id, version.pk, version.document.path, "", "", None, "", "", 1)
    context = {"matter": people.matter, "query": "notice", "groups": [Group(entry, [place])]}
    page = render_to_string("matters/search.html", context, request=None)
    assert (
        f"/documents/{version.document_id}/?version={version.pk}&amp;page=1&amp;start=3&amp;end=9#pin" in page
    )
    assert "<mark>notice</mark>" in page
    assert "&lt;i&gt;" in page
    assert "ARTICLE &lt;12&gt;" in page


@pytest.mark.parametrize(
    ("question", "told"), [(" ", "Type what to look for."), ("x" * 2001, "at most 2,000")]
)
def test_a_question_that_cannot_be_asked_is_told_beside_it(reader, people, question, told):
    response = reader.post(reverse("ask", args=[people.matter.pk]), {"question": question})
    assert response.status_code == 422
    assert told in text(response)
    assert not Answer.objects.exists()


@pytest.fixture
def answer(people: People, version: Version) -> Answer:
    plan = {"full": ["Contracts/Agreement.pdf"], "by_passage": ["gone.txt"], "not_read": [], "budget": 900}
    plan["not_read_count"] = 31
    answer = Answer.objects.create(
        matter=people.matter, asker=people.owner, question="With what <notice>?", plan={**plan, "used": 512}
    )
    start, end = span()
    Citation.objects.create(
        answer=answer, number=1, origin="key", version=version, page=2, page_label="2", start=start, end=end,
        quote=QUOTE,
    )  # fmt: skip
    return answer


def shown(reader: Client, answer: Answer, **fields: object) -> str:
    for name, value in fields.items():
        setattr(answer, name, value)
    answer.save()
    page, body = (text(reader.get(reverse(name, args=[answer.pk]))) for name in ("answer", "answer_body"))
    assert 'id="answer-body"' in page
    assert 'id="answer-body"' in body
    return page


def test_an_answer_begins_with_the_quotes_before_anything_is_written(reader, answer):
    page = shown(reader, answer)
    assert 'data-state="ready"' in page
    assert "may end this Agreement" in page
    assert "checked verbatim" in page
    assert "from a scan" in page
    assert "&lt;notice&gt;" in page


def test_sentences_without_a_source_are_marked(reader, answer):
    sentences = [
        {"text": "It ends on notice.", "citations": [1]},
        {"text": "It <ends> never.", "citations": []},
        {"text": "", "citations": []},
        {"text": "Once cited.", "citations": [7]},
    ]
    page = shown(reader, answer, state="done", sentences=sentences)
    assert "[1]</a>" in page
    assert page.count("not found word for word in the sources") == 1
    assert page.count("its source has been deleted") == 1
    assert "It &lt;ends&gt; never." in page
    assert "data-write" not in page


def test_a_text_that_no_source_carries_is_folded_away(reader, answer):
    unsupported = [{"text": "It never ends.", "citations": []}]
    page = shown(reader, answer, state="done", sentences=unsupported)
    assert "The sources carry nothing of what the machine wrote." in page
    assert page.index("Show what it wrote") < page.index("It never ends.") < page.index("</details>")
    silent = [{"text": "The sources do not say.", "citations": [], "silent": True}]
    assert "Show what it wrote" not in shown(reader, answer, state="done", sentences=silent)
    assert "Show what it wrote" not in shown(reader, answer, state="done", sentences=[])


def test_the_reading_plan_names_what_was_read(reader, answer, version):
    page = shown(reader, answer, state="done", model="smol", seconds_to_first_token=1.26)
    assert "1 document read in full, 1 by passage, 31 not read" in page
    assert "31 documents in which nothing close to the question was found" in page
    assert f'href="/documents/{version.document_id}/"' in page
    assert "gone.txt (deleted)" in page
    assert "512 of 900" in page
    assert "1.3 s" in page


def test_a_sentence_says_what_is_wrong_with_it(reader, answer):
    sentences = [
        {"text": "One may leave on notice.", "citations": [1], "verbatim": False, "problem": ""},
        {"text": "It costs EUR 5.", "citations": [], "verbatim": False, "problem": "“EUR 5” is not there"},
    ]
    page = shown(reader, answer, state="done", sentences=sentences)
    assert "in other words than the source: compare" in page
    assert "not in the sources: “EUR 5” is not there" in page


def test_sources_that_differ_are_both_shown(reader, people, answer):
    version = add_version(Document.objects.create(matter=people.matter, path="other.pdf"), 1)
    for number, days in ((2, "30 days"), (3, "45 days")):
        of = answer.citations.get(number=1).version if number == 2 else version
        Citation.objects.create(
            answer=answer, number=number, origin="key", version=of, page=1, page_label="1", start=0, end=1,
            quote=f"Either party may end this Agreement on {days} of written notice.",
        )  # fmt: skip
    page = shown(reader, answer, state="done")
    assert "Sources differ." in page
    assert "“30 days”" in page
    assert "“45 days”" in page


def test_what_a_person_wants_read_is_chosen_beside_the_document(reader, people, answer, version):
    path = reverse("document_reading", args=[version.document_id])
    response = reader.post(path, {"kind": "full", "answer": str(answer.pk)})
    assert response["Location"] == reverse("answer", args=[answer.pk])
    assert "always in full" in shown(reader, answer)
    assert people.reader.preferences.get().kind == "full"
    reader.post(path, {"kind": ""})
    assert not people.reader.preferences.exists()
    assert reader.post(path, {"kind": "often"}).status_code == 404


def test_a_conversation_leads_back_and_on(reader, people, answer):
    second = Answer.objects.create(
        matter=people.matter, asker=people.owner, question="And then?", follows=answer, state="nothing"
    )
    assert "With what &lt;notice&gt;?" in shown(reader, second)
    first = shown(reader, answer)
    assert "And then?" in first
    assert f'name="follows" value="{answer.pk}"' in first


def test_nothing_found_gives_reasons_and_ways_on(reader, answer):
    page = shown(reader, answer, state="nothing", reason="Nothing is close enough.")
    assert "Nothing is close enough." in page
    assert "?q=With%20what%20%3Cnotice%3E%3F" in page
    assert "Summary" not in page


def test_a_failure_gives_its_reason_and_another_try(reader, answer):
    page = shown(reader, answer, state="failed", reason="The generator does not answer.")
    assert "The generator does not answer." in page
    assert "Try again" in page


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
async def test_the_stream_says_when_there_is_nothing_to_write(people):
    answer = await Answer.objects.acreate(
        matter=people.matter, asker=people.owner, question="Who pays?", state=Answer.State.NOTHING
    )
    client = AsyncClient()
    await client.aforce_login(people.reader)
    response = await client.get(reverse("answer_stream", args=[answer.pk]))
    assert response["Content-Type"] == "text/event-stream"
    assert response["Cache-Control"] == "no-store, private"
    assert response["X-Accel-Buffering"] == "no"
    frames = b"".join([frame async for frame in response.streaming_content])
    assert frames.startswith(b"event: done\n")
    await client.aforce_login(people.outsider)
    assert (await client.get(reverse("answer_stream", args=[answer.pk]))).status_code == 404


def test_an_answer_that_is_being_written_elsewhere_is_not_written_twice(answer):
    writing._claim(answer.pk)
    assert [event.kind for event in writing.write(answer.pk, lambda: False)] == ["busy"]
