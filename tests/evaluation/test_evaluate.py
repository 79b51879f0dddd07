"""`manage.py evaluate`, through the real queue, on a set small enough to be counted by hand."""

import gzip
import io
import json

import pytest
from django.core.management import CommandError, call_command

from knowledge.evaluation import plot, questions, report
from knowledge.evaluation.metrics import Span
from knowledge.evaluation.questions import Question
from knowledge.evaluation.trial import Asked, Trial
from knowledge.models import Matter

LEASE = "Lease between Quillmarsh and Ostrevane\n\n1. Rent. The rent is nine hundred crowns each month.\n"
LOAN = "Loan between Brackwater and Ferndale\n\n1. Interest. The interest is four percent each year.\n"


def write_set(folder):
    (folder / "corpus" / "deeds").mkdir(parents=True)
    (folder / "corpus" / "deeds" / "lease.txt").write_text(LEASE)
    (folder / "corpus" / "deeds" / "loan.txt").write_text(LOAN)
    query = "Consider the Lease between Quillmarsh and Ostrevane; What is the rent?"
    snippet = {
        "file_path": "deeds/lease.txt",
        "span": [LEASE.index("The rent"), len(LEASE) - 1],
        "answer": "…",
    }
    (folder / "benchmarks").mkdir()
    tests = {"tests": [{"query": query, "snippets": [snippet]}]}
    (folder / "benchmarks" / "deeds.json").write_text(json.dumps(tests))
    return folder


@pytest.mark.django_db(transaction=True)
def test_a_set_is_taken_in_asked_reported_and_thrown_away(tmp_path):
    folder, out = write_set(tmp_path / "mini"), tmp_path / "out"
    output = io.StringIO()
    call_command("evaluate", str(folder), "--out", str(out), stdout=output, stderr=output)
    made = {(row["mode"], row["half"]): row for row in json.loads((out / "mini.json").read_text())}
    figures = made["named", "all"]["figures"]
    assert figures["recall@64"]["value"] == 1
    assert figures["wrong_document@1"]["value"] == 0
    assert 0 < figures["precision@1"]["value"] < 1
    assert figures["quoted_first"]["value"] == figures["quoted"]["value"] == 1
    assert made["chosen document", "all"]["figures"]["wrong_document@8"]["value"] == 0
    assert figures["asked_back"]["value"] == 0
    assert "Cohere" in (out / "mini.svg").read_text()
    assert "unnamed" in output.getvalue()
    assert not Matter.objects.filter(name__startswith="Evaluation").exists()


def test_a_folder_that_is_no_set_is_said_to_be_none(db, tmp_path):
    with pytest.raises(CommandError, match="No question set"):
        call_command("evaluate", str(tmp_path))


def test_the_part_that_names_the_document_is_cut_off(tmp_path):
    [question] = questions.read(write_set(tmp_path / "mini"), tmp_path).questions
    assert question.texts[questions.UNNAMED] == "What is the rent?"
    assert question.texts[questions.NAMED].startswith("Consider the Lease")


def trial(file, found, offered=(), gold=()):
    question = Question(f"{file}?", "deeds", file, {questions.UNNAMED: "What is the rent?"}, tuple(gold))
    return Trial(question, questions.UNNAMED, "tune", tuple(gold), Asked(tuple(found), 4.0, tuple(offered)))


def test_a_question_that_is_asked_back_is_counted_and_whether_its_document_is_offered():
    gold, found = [Span("a", 0, 10)], [Span("b", 0, 10)]
    trials = [
        trial("a", found, ["a", "b"], gold),
        trial("a", found, ["b", "c"], gold),
        trial("a", found, [], gold),
        trial("a", found, [], gold),
    ]
    [row] = report.rows(trials, ["all"])
    assert row.percent("asked_back") == "50.0"
    assert row.percent("offered") == "25.0"
    assert "asked" in report.table([row])


def test_questions_without_an_answer_have_a_row_of_their_own():
    """Nothing can be recalled of them; which document they are about still counts."""
    answered = trial("a", [Span("a", 0, 10)], gold=[Span("a", 0, 10)])
    none = trial("b", [Span("b", 0, 9), Span("c", 0, 9)], ["b", "c"])
    apart, row = report.rows([answered, none], ["all"])
    assert (apart.dataset, apart.questions, row.questions) == (report.UNANSWERABLE, 1, 1)
    assert apart.figures["wrong_document@2"].value == 0.5
    assert apart.percent("asked_back") == apart.percent("offered") == "100.0"
    assert "recall@1" not in apart.figures
    assert row.percent("recall@1") == "100.0"


def test_a_copy_of_a_document_falls_into_the_same_half():
    assert questions.half(LEASE) == questions.half(LEASE.upper().replace("\n", "\r\n"))
    assert {questions.half(f"document {number}") for number in range(20)} == {"tune", "check"}


def test_a_picture_has_our_curve_and_the_published_ones():
    figures = {f"recall@{k}x500": report.Figure(0.5, 0.4, 0.6) for k in report.KS}
    picture = plot.svg("Recall <of> all", [report.Row("named", "all", "cuad", 10, figures)])
    assert "Recall &lt;of&gt; all" in picture
    assert picture.count("stroke-dasharray") == 2 * 5


def test_a_graded_question_is_put_to_what_was_judged_for_it(tmp_path):
    with gzip.open(tmp_path / "corpus.jsonl.gz", "wt") as handle:
        handle.write("\n".join(json.dumps({"_id": each, "text": f"Clause {each}."}) for each in "abc"))
    (tmp_path / "queries.jsonl").write_text(json.dumps({"_id": "cap", "text": "a cap on liability"}))
    head = "query-id\tcorpus-id\tscore\n"
    (tmp_path / "qrels_relevant.tsv").write_text(f"{head}cap\ta\t4\n")
    (tmp_path / "scratch").mkdir()
    [question] = questions.read(tmp_path, tmp_path / "scratch").questions
    assert (question.grades, question.judged) == ({"a.txt": 4}, frozenset())
    with gzip.open(tmp_path / "qrels_all_with_zeros.tsv.gz", "wt") as handle:
        handle.write(f"{head}cap\ta\t4\ncap\tb\t0\n")
    [question] = questions.read(tmp_path, tmp_path / "scratch").questions
    assert question.judged == {"a.txt", "b.txt"}
