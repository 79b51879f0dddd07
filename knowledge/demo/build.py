"""Make the demo case file from its sources: `python -m knowledge.demo.build [folder]`.

Writes files/ (what a person uploads), text/ (the plain text of each file as written here) and
questions.jsonl (with the offsets of each answer in that text). Equal sources give equal bytes.
"""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2

from knowledge.demo import mail, pdf, scan, sheet, source, web, word
from knowledge.demo.source import SOURCES, Source

HERE = Path(__file__).parent
RENDER: dict[str, Callable[[Source], bytes]] = {
    "supply-agreement.pdf": pdf.render,
    "amendment-1.docx": word.render,
    "nda-ostrevane.docx": word.render,
    "nda-drovemeer.docx": word.render,
    "purchase-order.pdf": pdf.render,
    "board-minutes-2023-09-19.docx": word.render,
    "board-minutes-2024-06-11.pdf": pdf.render,
    "deliveries-and-invoices.xlsx": sheet.render,
    "web-notice.html": web.render,
    "inspection-report.pdf": pdf.render,
    "notice-of-default.pdf": pdf.render,
    "ostrevane-letter.pdf": scan.render,
    "settlement-proposal.docx": word.render,
}
ATTACHED: dict[str, dict[str, Callable[[Source], bytes]]] = {
    "mail-amendment.eml": {"amendment-1-draft.docx": word.render},
    "mail-atomiser.eml": {},
    "mail-performance-test.eml": {"performance-test-2-record.pdf": pdf.render},
}
PLAIN = "witness-statement.md"  # is its own text


def build(folder: Path) -> None:
    """Write the whole case file below `folder`."""
    for name in ("files", "text"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, (content, text) in documents().items():
        (folder / "files" / name).write_bytes(content)
        (folder / "text" / f"{name}.txt").write_text(text, encoding="utf-8", newline="\n")
    lines = [json.dumps(row, ensure_ascii=False) for row in located(folder)]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def documents() -> dict[str, tuple[bytes, str]]:
    """File name to content and plain text."""
    made: dict[str, tuple[bytes, str]] = {}
    for name, render in RENDER.items():
        read = source.read(Path(name).stem)
        made[name] = (render(read), source.plain(read.blocks))
    for name, parts in ATTACHED.items():
        attachments = {part: render(source.read(Path(part).stem)) for part, render in parts.items()}
        made[name] = (mail.render(Path(name).stem, attachments), mail.plain(Path(name).stem))
    statement = _markdown(source.read(Path(PLAIN).stem))
    made[PLAIN] = (statement.encode(), statement)
    return made


def located(folder: Path) -> list[dict[str, Any]]:
    """The questions of the sources, with the offsets and the page of each answer."""
    rows: list[dict[str, Any]] = []
    for line in (SOURCES / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        row: dict[str, Any] = {"id": f"q{len(rows) + 1:02}", **json.loads(line)}
        row.update(page=None, start=None, end=None)
        if row["kind"] == "answerable":
            row.update(_place(folder, row["document"], row["quote"]))
        rows.append(row)
    return rows


def _place(folder: Path, document: str, quote: str) -> dict[str, int | None]:
    """Where the quote stands; raises ValueError unless the text has it exactly once."""
    text = (folder / "text" / f"{document}.txt").read_text(encoding="utf-8")
    if text.count(quote) != 1:
        raise ValueError(f"{document} has this {text.count(quote)} times: {quote}")
    start = text.index(quote)
    return {"page": _page(folder, document, quote), "start": start, "end": start + len(quote)}


def _page(folder: Path, document: str, quote: str) -> int | None:
    """The 1-based page that shows the whole quote; None where the format has no pages."""
    if not document.endswith(".pdf"):
        return None
    if RENDER[document] is scan.render:
        pages = [source.plain(page) for page in source.read(Path(document).stem).pages]
    else:
        opened = pypdfium2.PdfDocument(folder / "files" / document)
        pages = [page.get_textpage().get_text_bounded() for page in opened]
    found = [number for number, page in enumerate(pages, 1) if squeezed(quote) in squeezed(page)]
    if len(found) != 1:
        raise ValueError(f"{document} shows this on pages {found}: {quote}")
    return found[0]


def squeezed(text: str) -> str:
    """Text with all blanks removed, so that line wraps do not matter."""
    return re.sub(r"\s+", "", text)


def _markdown(read: Source) -> str:
    marks = {"title": "# ", "heading": "## "}
    return "\n\n".join(marks.get(block.kind, "") + block.plain for block in read.blocks) + "\n"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description="Make the demo case file from its sources.")
    arguments.add_argument("folder", nargs="?", type=Path, default=HERE)
    build(arguments.parse_args().folder)
