"""The order of what was found, on hits made by hand."""

from uuid import UUID, uuid4

import pytest

from knowledge import ranking
from knowledge.index import Hit
from knowledge.ranking import Weights, ranked

LEASE, LOAN = uuid4(), uuid4()
PLAIN = Weights(meaning=0.5, neighbours=0)


def hit(score: float, place: int = 0, document: UUID = LEASE, pk: UUID | None = None) -> Hit:
    return Hit(pk or uuid4(), score, document, place * 500, place * 500 + 499)


def same(found: Hit, score: float) -> Hit:
    return Hit(found.id, score, found.document_id, found.start, found.end)


def order(meaning, words, weights=ranking.DEFAULT) -> list[UUID]:
    return [found.id for found, _ in ranked(meaning, words, weights)]


def test_meaning_and_words_count_by_their_weights():
    near, worded = hit(0.8, 0), hit(0.4, 5)
    meaning, words = [near, worded], [same(worded, 9.0)]
    assert order(meaning, words, PLAIN) == [worded.id, near.id]
    assert order(meaning, words, Weights(meaning=1, neighbours=0)) == [near.id, worded.id]
    [(_, first), (_, second)] = ranked(meaning, words, PLAIN)
    assert (first, second) == pytest.approx((0.5 * 0.4 + 0.5, 0.5 * 0.8))


def test_what_only_words_found_is_taken_for_as_far_as_the_farthest_in_meaning():
    near, far, worded = hit(0.9, 0), hit(0.2, 5), hit(7.0, 9)
    scores = {found.id: score for found, score in ranked([near, far], [worded], PLAIN)}
    assert scores[worded.id] == pytest.approx(0.5 * 0.2 + 0.5)


def test_a_neighbour_of_good_passages_rises():
    left, middle, right, alone = hit(0.9, 1), hit(0.5, 2), hit(0.9, 3), hit(0.55, 8)
    meaning = [left, right, alone, middle]
    assert order(meaning, [], Weights(1, 0.4))[:3] == [left.id, right.id, middle.id]
    assert order(meaning, [], PLAIN)[2] == alone.id


def test_an_empty_line_or_the_end_of_a_page_is_between_neighbours_too():
    left, right = hit(0.9, 1), hit(0.5, 2)
    apart = Hit(right.id, right.score, LEASE, left.end + 40, left.end + 500)
    [_, (_, lent)] = ranked([left, apart], [], Weights(1, 0.4))
    assert lent == pytest.approx(0.6 * 0.5 + 0.4 * (0.9 + 0.5) / 2)
    far = Hit(right.id, right.score, LEASE, left.end + 400, left.end + 900)
    assert ranked([left, far], [], Weights(1, 0.4))[1][1] == pytest.approx(0.5)


def test_behind_the_head_neighbours_count_more():
    """A long clause fills several passages: between good ones comes before a better one that stands alone."""
    head = [hit(0.9 - place / 100, 10 * place) for place in range(1, 1 + ranking.HEAD)]
    left, middle, right, alone = hit(0.6, 101), hit(0.5, 102), hit(0.6, 103), hit(0.54, 200)
    meaning = [*head, left, right, alone, middle]
    assert order(meaning, [], Weights(1, 0.2, 0.2)).index(alone.id) == ranking.HEAD + 2
    assert order(meaning, [], Weights(1, 0.2, 0.9))[ranking.HEAD] == middle.id
    assert order(meaning, [], Weights(1, 0.2, 0.9))[: ranking.HEAD] == [each.id for each in head]


def test_scores_never_rise_down_the_list():
    beside = [hit(0.5, place) for place in range(8)]
    scores = [score for _, score in ranked([hit(0.52, 50), *beside], [], Weights(1, 0, 0.9))]
    assert scores == sorted(scores, reverse=True)


def test_passages_of_two_documents_are_no_neighbours():
    good, other = hit(0.9, 1), hit(0.5, 2, LOAN)
    [(_, first), (_, second)] = ranked([good, other], [], Weights(1, 0.4))
    assert (first, second) == pytest.approx((0.9, 0.5))


def test_what_is_meant_comes_first_and_the_rest_is_not_lost():
    weak, strong = hit(0.2, 1, LOAN), hit(0.9, 1)
    whole = ranked([strong, weak], [])
    assert [found.id for found, _ in ranking.joined(ranked([weak], []), whole)] == [weak.id, strong.id]
    scores = [score for _, score in ranking.joined(ranked([weak], []), whole)]
    assert scores == sorted(scores, reverse=True)


def test_nothing_found_is_nothing():
    assert ranked([], []) == []
    only = hit(3.0)
    assert order([], [only]) == [only.id]
