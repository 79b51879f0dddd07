"""The reading plan fits its budget, repeats nothing, and says what it left out."""

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from knowledge.context import HEADER_TOKENS, Candidate, plan

A, B, C = uuid4(), uuid4(), uuid4()


def hit(version, tokens=100, start=0) -> Candidate:
    return Candidate(uuid4(), version, start, start + tokens * 4, tokens)


def test_a_document_that_fits_is_read_in_full_and_not_again_by_passage():
    made = plan([hit(A), hit(A, start=500)], {A: 400}, budget=1000)
    assert made.full == (A,)
    assert made.passages == ()


def test_a_long_document_is_read_by_passage_best_first():
    hits = [hit(A, start=place) for place in (900, 0, 400)]
    made = plan(hits, {A: 90_000}, budget=2 * (100 + HEADER_TOKENS))
    assert made.full == ()
    assert made.passages == tuple(hits[:2])


def test_room_is_kept_for_the_best_passages_of_other_documents():
    hits = [hit(A), hit(B), hit(B, start=500)]
    made = plan(hits, {A: 700, B: 90_000}, budget=800)
    assert made.full == ()
    assert {passage.version_id for passage in made.passages} == {A, B}


def test_a_document_that_got_no_room_is_named():
    made = plan([hit(A), hit(B, tokens=5000)], {A: 200, B: 90_000}, budget=600)
    assert made.left_out == (B,)


def test_of_a_passage_larger_than_the_budget_its_beginning_is_read():
    made = plan([hit(A, tokens=5000, start=100)], {A: 90_000}, budget=900)
    [passage] = made.passages
    assert passage.start == 100
    assert 100 < passage.end < 100 + 900 * 4
    assert made.used == 900


def test_nothing_found_means_nothing_read():
    made = plan([], {}, budget=500)
    assert (made.full, made.passages, made.used) == ((), (), 0)


versions = st.sampled_from([A, B, C])
hits = st.lists(st.builds(hit, versions, st.integers(1, 600), st.integers(0, 10_000)), max_size=20)
lengths_of_all = st.fixed_dictionaries({version: st.integers(1, 3000) for version in (A, B, C)})


@given(hits, lengths_of_all, st.integers(0, 5000))
def test_the_budget_holds_and_every_hit_is_accounted_for(candidates, lengths, budget):
    made = plan(candidates, lengths, budget)
    assert made.used <= budget
    spent = sum(lengths[version] + HEADER_TOKENS for version in made.full)
    spent += sum(passage.tokens + HEADER_TOKENS for passage in made.passages)
    assert spent == made.used
    assert not {passage.version_id for passage in made.passages} & set(made.full)
    read = {*made.full, *(passage.version_id for passage in made.passages)}
    assert read | set(made.left_out) == {candidate.version_id for candidate in candidates}
