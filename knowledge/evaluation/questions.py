"""Question sets in the formats that are in use, read from a folder.

- LegalBench-RAG: `corpus/` with `benchmarks/*.json` (as its authors give it) or `queries.jsonl`
- contracts: `served/` and `gold_txt/` with `documents.jsonl` and `questions.jsonl`
- ACORD: `corpus.jsonl.gz`, `queries.jsonl`, `qrels_relevant.tsv`, `qrels_all_with_zeros.tsv.gz`
- files with `questions.jsonl` that name a file and the words of the answer
"""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from knowledge.evaluation.metrics import Span

# "Consider the Lease between A and B; What is the rent?": the document's part and the rest
_NAMED = re.compile(r"\s*Consider\s[^;]*;\s*")
NAMED, UNNAMED, CHOSEN, NATURAL = "named", "unnamed", "chosen document", "natural"


@dataclass(frozen=True)
class Question:
    """`texts` has the wording for each mode. Gold spans count the characters of the official text.

    `words` stands for gold where only the words of the answer are known. Without any of the three, the
    question has no answer.
    """

    id: str
    dataset: str
    file: str  # the document it is about; "" when it is about none in particular
    texts: dict[str, str]
    gold: tuple[Span, ...] = ()
    words: str = ""
    grades: dict[str, int] = field(default_factory=dict)  # of whole files
    judged: frozenset[str] = frozenset()  # files among which it is asked; none named: among all

    @property
    def is_answerable(self) -> bool:
        return bool(self.gold or self.words or self.grades)


@dataclass(frozen=True)
class QuestionSet:
    """`files` maps the name in the matter to the file to take in; `official` to the text gold counts in."""

    name: str
    files: dict[str, Path]
    questions: list[Question]
    official: dict[str, Path] = field(default_factory=dict)

    @property
    def modes(self) -> list[str]:
        return list(dict.fromkeys(mode for question in self.questions for mode in question.texts))

    def only(self, datasets: Sequence[str]) -> "QuestionSet":
        """The questions of these data sets; the files stay all."""
        some = [question for question in self.questions if question.dataset in datasets]
        return replace(self, questions=some)


def read(folder: Path, scratch: Path) -> QuestionSet:
    """The set in this folder. `scratch` takes files that have to be made first. Raises ValueError."""
    if (folder / "qrels_relevant.tsv").exists():
        return _acord(folder, scratch)
    if (folder / "gold_txt").exists():
        return _contracts(folder)
    if (folder / "corpus").exists():
        return _legalbench(folder)
    if (folder / "questions.jsonl").exists():
        return _files(folder)
    raise ValueError(f"No question set in a known format: {folder}")


def half(text: str) -> str:
    """ "tune" or "check", by the words of a document, so that a copy elsewhere falls into the same half."""
    letters = re.sub(r"\W", "", text.lower())[:3_000]
    return "tune" if zlib.crc32(letters.encode()) % 2 else "check"


def unnamed(query: str) -> str:
    """The question without the part that says which document is meant."""
    return _NAMED.sub("", query, count=1)


def text_of(path: Path) -> str:
    """As the offsets of the sets count: every character, a byte order mark and carriage returns too."""
    with path.open(encoding="utf-8", newline="") as handle:
        return handle.read()


def _legalbench(folder: Path) -> QuestionSet:
    corpus = folder / "corpus"
    rows = list(_tests(folder))
    wanted = {Path(snippet["file_path"]).parts[0] for row in rows for snippet in row["snippets"]}
    paths = sorted(path for path in corpus.rglob("*.txt") if path.relative_to(corpus).parts[0] in wanted)
    files = {path.relative_to(corpus).as_posix(): path for path in paths}
    questions = [_legalbench_question(row, number) for number, row in enumerate(rows)]
    return QuestionSet(folder.name, files, questions, files)


def _tests(folder: Path) -> Iterator[dict[str, Any]]:
    if (folder / "queries.jsonl").exists():
        yield from _lines(folder / "queries.jsonl")
    for path in sorted((folder / "benchmarks").glob("*.json")):
        yield from json.loads(text_of(path))["tests"]


def _legalbench_question(row: dict[str, Any], number: int) -> Question:
    gold = tuple(Span(each["file_path"], *each["span"]) for each in row["snippets"])
    file, query = gold[0].file, row["query"]
    dataset = row.get("dataset", Path(file).parts[0])
    texts = {NAMED: query, UNNAMED: unnamed(query), CHOSEN: unnamed(query)}
    return Question(row.get("id", f"{dataset}-{number:04}"), dataset, file, texts, gold)


def _contracts(folder: Path) -> QuestionSet:
    rows = {row["doc_id"]: row for row in _lines(folder / "documents.jsonl")}
    names = {pk: Path(row["served"]).name for pk, row in rows.items()}
    files = {names[pk]: folder.parent / row["served"] for pk, row in rows.items()}
    official = {names[pk]: folder.parent / row["gold_txt"] for pk, row in rows.items()}
    questions = [_contract_question(row, names) for row in _lines(folder / "questions.jsonl")]
    return QuestionSet(folder.name, files, questions, official)


def _contract_question(row: dict[str, Any], names: dict[str, str]) -> Question:
    file = names[row["doc_id"]]
    gold = tuple(Span(file, *each["span"]) for each in row["snippets"]) if row["answerable"] else ()
    texts = {
        NAMED: row["query_lbr_style"],
        NATURAL: row["query"],
        UNNAMED: row["query_in_document"],
        CHOSEN: row["query_in_document"],
    }
    return Question(row["qid"], folder_of_form(file), file, texts, gold)


def folder_of_form(file: str) -> str:
    """The data set of a served contract: its form, with scans apart."""
    return "scan" if ".scan." in file else file.rsplit(".", 1)[-1]


def _acord(folder: Path, scratch: Path) -> QuestionSet:
    """Each clause becomes a file. A question is put to those that people judged for it: nobody knows whether
    the others answer.
    """
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as handle:
        clauses = {row["_id"]: row["text"] for row in map(json.loads, handle)}
    files = {f"{pk}.txt": scratch / f"{pk}.txt" for pk in clauses}
    for pk, text in clauses.items():
        files[f"{pk}.txt"].write_text(text, encoding="utf-8")
    with (folder / "qrels_relevant.tsv").open(encoding="utf-8", newline="") as handle:
        grades = _grades(handle)
    judged: dict[str, dict[str, int]] = {}
    if (path := folder / "qrels_all_with_zeros.tsv.gz").exists():
        with gzip.open(path, "rt", encoding="utf-8", newline="") as handle:
            judged = _grades(handle)
    questions = [
        Question(
            row["_id"],
            "acord",
            "",
            {NATURAL: row["text"]},
            grades=grades.get(row["_id"], {}),
            judged=frozenset(judged.get(row["_id"], ())),
        )
        for row in _lines(folder / "queries.jsonl")
    ]
    return QuestionSet(folder.name, files, questions)


def _grades(lines: Iterable[str]) -> dict[str, dict[str, int]]:
    """Of each question the grades of the files that were judged for it."""
    grades: dict[str, dict[str, int]] = {}
    for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
        grades.setdefault(row["query-id"], {})[f"{row['corpus-id']}.txt"] = int(row["score"])
    return grades


def _files(folder: Path) -> QuestionSet:
    rows = list(_lines(folder / "questions.jsonl"))
    paths = sorted(path for path in folder.rglob("*.*") if path.is_file() and path.suffix != ".jsonl")
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    return QuestionSet(folder.name, files, [_file_question(row, folder.name) for row in rows], files)


def _file_question(row: dict[str, Any], name: str) -> Question:
    file = row["file"].removeprefix(f"{name}/")
    gold = tuple(Span(file, *each["span"]) for each in row.get("snippets", ()))
    query = row["query"]
    pk = row.get("qid") or f"{zlib.crc32(query.encode()):08x}"
    return Question(pk, name, file, {NATURAL: query, CHOSEN: query}, gold, words=row.get("answer_text", ""))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as handle:
        yield from map(json.loads, handle)
