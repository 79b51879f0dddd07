"""Small matters of texts that are searchable at once, without a queue or a model."""

from knowledge import wordings
from knowledge.models import Document, Matter, Page, Version


def add(matter: Matter, path: str, *pages: str, **fields: object) -> Version:
    """A document with these pages, stored as ingestion stores them. `fields` are those of the version."""
    document = Document.objects.create(matter=matter, path=path)
    texts = [page if page.endswith("\n") else f"{page}\n" for page in pages]
    more = {"state": Version.State.SEARCHABLE, "characters": len("".join(texts)), **fields}
    version = Version.objects.create(document=document, number=1, sha256="0" * 64, size=1, **more)
    start = 0
    for number, text in enumerate(texts, start=1):
        Page.objects.create(
            version=version, number=number, label=str(number), kind="text", start=start, text=text
        )
        start += len(text)
    wordings.keep(version)
    Document.objects.filter(pk=document.pk).update(current=version)
    return version
