"""What becomes of files: nothing lost, nothing twice, nothing claimed that is not so."""

import email.message
import io
import random
import threading
import time
import zipfile
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connections
from fpdf import FPDF
from PIL import Image, ImageDraw

from ingestion import pipeline
from knowledge import access, documents, generations, jobs, search, similar
from knowledge.index import Where
from knowledge.models import Document, Job, Page, Version
from tests.conftest import make_people
from tests.test_generations import work_off

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people():
    return make_people()


def add(people, name: str, content: bytes | str) -> documents.Added:
    content = content.encode() if isinstance(content, str) else content
    return documents.add(people.matter, name, [content], people.owner)


def ingested(people, name: str, content: bytes | str) -> Version:
    added = add(people, name, content)
    work_off()
    return Version.objects.get(pk=added.version.pk)


def found(people, query: str) -> list[str]:
    scope = access.scope_for(people.reader, people.matter)
    return [result.passage.text for result in search.retrieve(scope, query)]


def archive(**members: bytes) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as opened:
        for name, content in members.items():
            opened.writestr(name.replace("_", "."), content)
    return output.getvalue()


def mail(*attachments: tuple[str, str]) -> bytes:
    message = email.message.EmailMessage()
    message["Subject"] = "Two scans"
    message.set_content("See attached.")
    for name, text in attachments:
        message.add_attachment(text, filename=name)
    return message.as_bytes()


def test_a_slow_old_version_never_takes_the_place_of_a_newer_one(people):
    old, new = add(people, "lease.txt", "The rent is 100."), add(people, "lease.txt", "The rent is 200.")
    pipeline.run(new.version.job.pk)
    pipeline.run(old.version.job.pk)
    assert Document.objects.get().current == new.version
    assert found(people, "rent") == ["The rent is 200."]
    where = Where(frozenset({people.matter.pk}))
    assert generations.index(generations.current()).count(where) == 1


def test_two_attachments_of_one_name_are_two_documents_also_when_read_again(people):
    version = ingested(people, "mail.eml", mail(("scan.txt", "The first."), ("scan.txt", "The second.")))
    for _ in range(2):
        paths = list(Document.objects.filter(parent=version.document).values_list("path", flat=True))
        assert paths == ["mail.eml/scan (2).txt", "mail.eml/scan.txt"]
        assert Version.objects.count() == 3
        documents.queue_again(version)
        work_off()
    assert {"The first.", "The second."} <= set(found(people, "the first and the second"))


def test_what_was_uploaded_under_the_name_of_an_attachment_is_another_document(people):
    add(people, "mail.eml/scan.txt", "Uploaded by itself.")
    ingested(people, "mail.eml", mail(("scan.txt", "Came with the message.")))
    assert Document.objects.filter(path="mail.eml/scan.txt", parent=None).exists()
    assert Document.objects.get(path="mail.eml/scan (2).txt").parent.path == "mail.eml"


def test_a_long_path_never_makes_an_attachment_a_version_of_its_parent(people):
    ingested(people, "x" * 396 + ".eml", mail(("scan.txt", "Inside.")))
    assert [document.versions.count() for document in Document.objects.all()] == [1, 1]


def test_nesting_ends_and_says_so(people):
    content = archive(note_txt=b"At the bottom.")
    for _ in range(8):
        content = archive(inner_zip=content)
    ingested(people, "outer.zip", content)
    assert Document.objects.count() == pipeline.DEEPEST + 1
    deepest = Version.objects.get(document__depth=pipeline.DEEPEST)
    assert "nested more than" in deepest.note
    assert Job.objects.filter(state__in=jobs.OPEN).count() == 0


def test_the_same_file_is_read_once_and_handed_over_when_the_first_goes(people):
    first = ingested(people, "a.txt", "The only copy of the lease.")
    second = ingested(people, "copies/b.txt", "The only copy of the lease.")
    assert (second.state, second.same_as) == (Version.State.DUPLICATE, first)
    assert len(found(people, "lease")) == 1
    documents.delete(first.document)
    work_off()
    second.refresh_from_db()
    assert (second.state, second.same_as) == (Version.State.SEARCHABLE, None)
    assert len(found(people, "lease")) == 1


def test_a_copy_is_read_itself_when_the_first_says_something_new(people):
    ingested(people, "a.txt", "The first draft.")
    copy = ingested(people, "b.txt", "The first draft.")
    ingested(people, "a.txt", "The second draft.")
    copy.refresh_from_db()
    assert copy.state == Version.State.SEARCHABLE
    assert sorted(found(people, "draft")) == ["The first draft.", "The second draft."]


def test_other_matters_have_their_own_copies(people):
    ingested(people, "a.txt", "The same text.")
    theirs = documents.add(people.foreign, "a.txt", [b"The same text."], people.outsider).version
    assert theirs.same_as is None


def test_near_copies_are_flagged_and_others_are_not(people):
    clauses = [f"Clause {number}. The party numbered {number} pays on day {number}." for number in range(80)]
    first = ingested(people, "a.txt", "\n".join(clauses))
    near = ingested(people, "b.txt", "\n".join([*clauses[:-1], "Clause 79. Nobody pays."]))
    other = ingested(people, "c.txt", "\n".join(f"Item {n}: a crane, a boat, a quay {n}." for n in range(80)))
    assert near.near == first.document
    assert other.near is None


@pytest.mark.parametrize("seed", range(20))
def test_prints_that_differ_in_three_bits_have_a_quarter_in_common(seed):
    chance = random.Random(seed)  # noqa: S311
    mark = chance.randrange(-(2**63), 2**63)
    other = mark
    for bit in chance.sample(range(63), similar.NEAR):
        other ^= 1 << bit
    assert set(similar.quarters(mark)) & set(similar.quarters(other))
    assert len(set(similar.quarters(mark))) == 4


def test_the_migration_makes_the_quarters_of_versions_that_were_read_before(people):
    text = "\n".join(f"Clause {number}. The party numbered {number} pays twice." for number in range(80))
    version = ingested(people, "a.txt", text)
    made = set(version.likenesses.values_list("matter", "key"))
    assert len(made) == 4
    for mark in (version.fingerprint, -version.fingerprint, -1):
        Version.objects.filter(pk=version.pk).update(fingerprint=mark)
        version.likenesses.all().delete()
        import_module("knowledge.migrations.0023_likeness").fill(apps, None)
        assert set(version.likenesses.values_list("key", flat=True)) == set(similar.quarters(mark))


def test_versions_are_compared_with_those_of_their_own_matter_that_are_read(people):
    text = "\n".join(f"Clause {number}. The party numbered {number} pays twice." for number in range(80))
    theirs = documents.add(people.foreign, "a.txt", [text.encode()], people.outsider).version
    pipeline.run(theirs.job.pk)
    first = ingested(people, "a.txt", f"{text}\nSigned.")
    assert first.near is None
    assert ingested(people, "a.txt", f"{text}\nSigned twice.").near is None  # of its own document
    assert ingested(people, "b.txt", text).near == first.document


def test_after_an_edit_of_one_clause_at_most_three_passages_are_embedded_again(people):
    clauses = [
        f"{number}.1 The supplier delivers lot {number} within {number + 3} days of the order, at the "
        f"buyer's cost and risk, and tells the harbour office in writing when it is on its way.\n"
        for number in range(1, 60)
    ]
    before = ingested(people, "a.txt", "".join(clauses))
    clauses[20] = clauses[20].replace(
        "in writing", "in writing and by telephone, and keeps a record of both,"
    )
    after = ingested(people, "a.txt", "".join(clauses))
    known = set(before.passages.values_list("key", flat=True))
    new = after.passages.exclude(key__in=known).count()
    assert 1 <= new <= 3
    assert after.passages.count() > 10


def picture(text: str) -> io.BytesIO:
    image = Image.new("L", (1240, 400), 255)
    ImageDraw.Draw(image).text((80, 120), text, fill=0, font_size=56)
    output = io.BytesIO()
    image.save(output, "png")
    output.seek(0)
    return output


def mixed_pdf() -> bytes:
    """A scan between two born-digital pages."""
    pdf = FPDF(unit="pt", format=(446, 144))
    pdf.set_auto_page_break(auto=False)
    pdf.set_font("Helvetica", size=12)
    for number in (1, 2, 3):
        pdf.add_page()
        if number == 2:
            pdf.image(picture("The scanned rent is due in May"), 0, 0, 446, 144)
        else:
            pdf.multi_cell(0, text=f"Page {number} is born digital. " * 3)
    return bytes(pdf.output())


def test_scanned_pages_never_delay_the_others_of_the_same_file(people):
    added = add(people, "mixed.pdf", mixed_pdf())
    seen: list[tuple[bool, list[str]]] = []

    def work() -> None:
        pipeline.run(added.version.job.pk)
        connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        version = Version.objects.get(pk=added.version.pk)
        is_read = Document.objects.filter(current=version).exists()
        if is_read and version.state == Version.State.PROCESSING:
            seen.append((True, found(people, "born digital")))
        time.sleep(0.02)
    worker.join()
    assert any("Page 1 is born digital" in text for _, texts in seen for text in texts)
    version = Version.objects.get(pk=added.version.pk)
    assert version.state == Version.State.SEARCHABLE
    text = version.text()
    starts = {page.number: page.start for page in version.pages.all()}
    assert starts[1] < starts[3] < starts[2]  # what was cited before the scan was read has not moved
    assert version.pages.get(number=2).kind == Page.Kind.OCR
    for passage in version.passages.all():
        assert text[passage.start : passage.end] == passage.text
        assert passage.page_first == passage.page_last
    scan = version.pages.get(number=2).text
    assert "rent" in scan
    assert any(text in scan for text in found(people, "scanned rent"))


def test_a_cancelled_document_is_not_read_and_can_be_tried_again(people):
    added = add(people, "a.txt", "The rent is due.")
    lease = jobs.claim(added.version.job.pk)
    assert documents.cancel(added.document, people.owner)
    pipeline.work(lease)
    version = Version.objects.get()
    assert (version.state, version.note) == (Version.State.CANCELLED, "Cancelled by owner.")
    assert found(people, "rent") == []
    assert generations.index(generations.current()).count(Where(frozenset({people.matter.pk}))) == 0
    documents.retry(added.document)
    work_off()
    assert found(people, "rent") == ["The rent is due."]


def test_two_clicks_on_retry_make_one_job(people):
    added = add(people, "a.pdf", b"%PDF-1.7 broken")
    work_off()
    documents.retry(added.document)
    with pytest.raises(documents.NotFailed):
        documents.retry(added.document)
    assert Job.objects.filter(state=Job.State.DUE).count() == 1


def test_matters_take_turns(people):
    for number in range(30):
        add(people, f"{number}.txt", f"Letter {number}.")
    documents.add(people.foreign, "one.txt", [b"The only one."], people.outsider)
    served = []
    for _ in range(4):
        lease = jobs.claim_next()
        served.append(Version.objects.get(pk=lease.subject_id).document.matter)
        pipeline.work(lease)
    assert people.foreign in served[:2]


def test_a_paused_matter_waits_and_goes_on(people):
    from knowledge import matters

    add(people, "a.txt", "The rent is due.")
    matters.pause(people.matter)
    assert work_off() == 0
    matters.resume(people.matter)
    assert work_off() == 1


def test_uploads_of_files_inside_of_each_other_are_searched_together(people):
    ingested(people, "bundle.zip", archive(mail_eml=mail(("terms.txt", "Payment within nine days."))))
    assert found(people, "payment")[0] == "Payment within nine days."
    assert Document.objects.get(depth=2).root.path == "bundle.zip"
