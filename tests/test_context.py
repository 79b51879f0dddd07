"""The reading plan fits its budget, repeats nothing, and says what it left out."""

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from knowledge.context import HEADER_TOKENS, MESSAGE_TOKENS, Hit, Stretch, Whole, extend, plan, room

A, B, C = (UUID(int=number) for number in (1, 2, 3))


def hit(version, start=0, length=400, more=0) -> Hit:
    return Hit(
        Stretch(version, start, start + length), Stretch(version, max(0, start - more), start + length + more)
    )


def wholes(pinned=(), **tokens) -> dict[UUID, Whole]:
    versions = {"a": A, "b": B, "c": C}
    return {
        versions[name]: Whole(name, 4 * count, count, versions[name] in pinned)
        for name, count in tokens.items()
    }


def cost(stretch: Stretch) -> int:
    return -(-(stretch.end - stretch.start) // 4)


PRICE = 100 + HEADER_TOKENS  # of a hit as above


def test_a_document_that_fits_is_read_in_full_and_not_again_by_passage():
    made = plan([hit(A), hit(A, 500)], wholes(a=400), 1000, cost)
    assert made.full == (A,)
    assert made.passages == ()
    assert made.used == 400 + HEADER_TOKENS


def test_a_long_document_is_read_by_passage_best_first_and_in_its_own_order():
    hits = [hit(A, 9000), hit(A, 100), hit(A, 5000)]
    made = plan(hits, wholes(a=90_000), 2 * PRICE, cost)
    assert made.full == ()
    assert made.passages == (hits[1].passage, hits[0].passage)


def test_room_is_kept_for_the_best_passages_of_other_documents():
    hits = [hit(A), hit(B), hit(B, 5000)]
    made = plan(hits, wholes(a=700, b=90_000), 800, cost)
    assert made.full == ()
    assert {passage.version_id for passage in made.passages} == {A, B}


def test_a_document_that_is_only_touched_is_read_by_passage_though_it_would_fit():
    hits = [*(hit(A, start) for start in range(0, 8000, 800)), hit(B)]
    made = plan(hits, wholes(a=4000, b=4000), 9000, cost)
    assert made.full == (A,)
    assert [passage.version_id for passage in made.passages] == [B]


def test_passages_are_widened_where_there_is_room_and_those_that_touch_are_one():
    made = plan([hit(A, 1000, more=300), hit(A, 1400, more=300)], wholes(a=90_000), 1000, cost)
    assert made.passages == (Stretch(A, 700, 2100),)
    bare = plan([hit(A, 1000, more=300), hit(A, 3000, more=300)], wholes(a=90_000), 2 * PRICE, cost)
    assert [passage.end - passage.start for passage in bare.passages] == [400, 400]


def test_a_pinned_document_is_read_in_full_though_nothing_was_found_in_it_and_comes_first():
    made = plan([hit(A)], wholes(pinned=[C], a=300, c=500), 1000, cost)
    assert made.full == (C, A)
    assert made.too_long == ()


def test_a_pinned_document_that_does_not_fit_is_named_and_read_by_passage():
    made = plan([hit(A, 100)], wholes(pinned=[A], a=5000), 1000, cost)
    assert made.too_long == (A,)
    assert [passage.version_id for passage in made.passages] == [A]


def test_a_document_that_got_no_room_is_named():
    made = plan([hit(A), hit(B, length=20_000)], wholes(a=200, b=90_000), 600, cost)
    assert made.left_out == (B,)
    assert made.is_short


def test_a_passage_that_got_no_room_is_named_though_its_document_is_read_by_another():
    hits = [hit(A), hit(A, 5000), hit(B)]
    made = plan(hits, wholes(a=90_000, b=90_000), 2 * PRICE, cost)
    assert made.unread == (hits[2].passage,)
    assert made.left_out == (B,)
    made = plan([hits[0], hits[2], hits[1]], wholes(a=90_000, b=90_000), 2 * PRICE, cost)
    assert made.unread == (hits[1].passage,)
    assert made.left_out == ()
    assert made.is_short


def test_of_a_passage_larger_than_the_budget_its_beginning_is_read_and_the_plan_says_so():
    made = plan([hit(A, 100, length=20_000)], wholes(a=90_000), 900, cost)
    [passage] = made.passages
    assert passage.start == 100
    assert 100 < passage.end < 20_100
    assert made.is_cut
    assert made.used <= 900


def test_nothing_found_means_nothing_read():
    made = plan([], {}, 500, cost)
    assert (made.full, made.passages, made.used) == ((), (), 0)


def test_a_follow_up_adds_only_what_is_not_held():
    held = [Stretch(A, 0, 10_000), Stretch(B, 1000, 1200)]
    made = extend([hit(A, 300), hit(B, 900)], wholes(a=9000, b=9000), 1000, cost, held)
    assert made.full == ()
    assert made.passages == (Stretch(B, 900, 1000), Stretch(B, 1200, 1300))
    assert not made.is_short


def test_a_follow_up_whose_best_hits_do_not_fit_falls_short():
    assert extend([hit(C)], wholes(c=9000), PRICE - 1, cost, [Stretch(A, 0, 100)]).is_short


versions = st.sampled_from([A, B, C])
hits = st.lists(
    st.builds(hit, versions, st.integers(0, 10_000), st.integers(1, 2500), st.integers(0, 800)), max_size=20
)
lengths = st.fixed_dictionaries({name: st.integers(1, 3000) for name in "abc"})
pins = st.sets(versions)


def total(made, all_wholes) -> int:
    spent = sum(all_wholes[version].tokens + HEADER_TOKENS for version in made.full)
    return spent + sum(cost(passage) + HEADER_TOKENS for passage in made.passages)


@given(hits, lengths, pins, st.integers(0, 5000))
def test_the_budget_holds_and_every_hit_is_accounted_for(found, tokens, pinned, budget):
    them = wholes(pinned=pinned, **tokens)
    made = plan(found, them, budget, cost)
    assert made.used == total(made, them) <= budget
    assert not {passage.version_id for passage in made.passages} & set(made.full)
    read = {*made.full, *(passage.version_id for passage in made.passages)}
    assert read | set(made.left_out) >= {each.passage.version_id for each in found}
    assert not read & set(made.left_out)
    assert set(made.too_long) == pinned - set(made.full)
    whole = {version for version in (A, B, C) if version in made.full}
    for passage in (each.passage for each in found):
        is_read = passage.version_id in whole or any(each.holds(passage) for each in made.passages)
        assert (passage in made.unread) != is_read
    assert made.is_short == any(each.passage in made.unread for each in found[:3])


@given(hits, lengths, st.integers(0, 9000), st.integers(0, 900), st.lists(st.integers(0, 4000), max_size=6))
def test_with_all_that_stands_beside_it_a_plan_never_exceeds_the_window(
    found, tokens, window, reserve, beside
):
    left = room(window, reserve, beside)
    needed = reserve + sum(beside) + MESSAGE_TOKENS * len(beside)
    assert (left < 0) == (needed > window)
    them = wholes(**tokens)
    made = plan(found, them, max(0, left), cost)
    assert left < 0 or total(made, them) + needed <= window


@given(hits, lengths, pins, st.integers(0, 5000))
def test_nothing_is_read_twice_and_the_order_is_canonical(found, tokens, pinned, budget):
    made = plan(found, wholes(pinned=pinned, **tokens), budget, cost)
    for one, other in zip(made.passages, made.passages[1:], strict=False):
        assert not one.touches(other)
    order = [(version not in pinned, version) for version in made.full]
    assert order == sorted(order)
    places = [(p.version_id not in pinned, p.version_id, p.start) for p in made.passages]
    assert places == sorted(places)


@given(hits, lengths, st.integers(0, 5000), st.lists(st.tuples(versions, st.integers(0, 9000)), max_size=5))
def test_a_follow_up_never_repeats_what_is_held(found, tokens, budget, begun):
    held = [Stretch(version, start, start + 700) for version, start in begun]
    made = extend(found, wholes(**tokens), budget, cost, held)
    for passage in made.passages:
        for other in held:
            overlap = passage.version_id == other.version_id and (
                passage.start < other.end and other.start < passage.end
            )
            assert not overlap
    assert made.used <= budget


@given(hits, lengths, st.integers(0, 5000), st.integers(0, 5000))
def test_the_same_documents_in_full_stand_in_the_same_order_whatever_was_asked(found, tokens, one, other):
    first, second = (plan(found, wholes(**tokens), budget, cost).full for budget in (one, other))
    common = set(first) & set(second)
    assert [pk for pk in first if pk in common] == [pk for pk in second if pk in common]


def test_versions_are_not_confused():
    strange = uuid4()
    assert not Stretch(strange, 0, 10).touches(Stretch(A, 5, 15))
