"""The demo case file: a fictional dispute over a milk powder dryer, with questions and their answers.

All persons, firms and places in it are invented. `python -m knowledge.demo.build` makes the files.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

NAME = "Quillmarsh v Ostrevane: the Saltreed dryer"
QUESTION = "What output per hour does the supply agreement guarantee?"
FILES = Path(__file__).parent / "files"
TEXT = Path(__file__).parent / "text"
QUESTIONS = Path(__file__).parent / "questions.jsonl"


@dataclass(frozen=True)
class Question:
    """A question about the case file; what an unanswerable one has no use for is None."""

    id: str
    question: str
    kind: Literal["answerable", "unanswerable"]
    document: str | None  # file name in FILES
    answer: str | None
    quote: str | None  # verbatim: text[start:end] of the document's plain text in TEXT
    page: int | None  # 1-based, PDFs only
    start: int | None  # code points
    end: int | None


def questions() -> list[Question]:
    return [Question(**json.loads(line)) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
