"""The arithmetic, against examples computed by hand."""

import math

import pytest

from knowledge.evaluation import metrics
from knowledge.evaluation.metrics import Span

GOLD = [Span("a", 100, 200)]


def spans(*places: tuple[int, int], file: str = "a") -> list[Span]:
    return [Span(file, start, end) for start, end in places]


def test_precision_is_the_share_of_the_retrieved_characters_that_are_gold():
    assert metrics.precision(spans((150, 350)), GOLD) == 50 / 200
    assert metrics.precision([*spans((100, 200)), *spans((100, 200), file="b")], GOLD) == 0.5
    assert metrics.precision([], GOLD) == 0


def test_recall_is_the_share_of_the_gold_characters_retrieved():
    assert metrics.recall(spans((150, 350)), GOLD) == 0.5
    assert metrics.recall(spans((0, 120), (180, 190)), [*GOLD, Span("b", 0, 100)]) == 30 / 200
    assert metrics.recall(spans((100, 200), file="b"), GOLD) == 0


def test_a_character_found_twice_costs_precision_and_brings_no_recall():
    twice = spans((100, 150), (100, 150))
    assert metrics.recall(twice, GOLD) == 0.5
    assert metrics.precision(twice, GOLD) == 0.5


def test_spans_that_meet_only_at_their_border_share_nothing():
    assert metrics.precision(spans((0, 100), (200, 300)), GOLD) == 0


def test_wrong_documents_are_counted_by_span():
    found = [*spans((0, 5)), *spans((100, 200), (1, 2), (3, 4), file="b")]
    assert metrics.wrong_documents(found, {"a"}) == 0.75


def test_the_first_span_that_touches_gold_gives_the_reciprocal_rank():
    assert metrics.reciprocal_rank(spans((0, 9), (50, 60), (199, 300)), GOLD) == 1 / 3
    assert metrics.reciprocal_rank(spans((0, 9)), GOLD) == 0
    assert (metrics.hit(spans((0, 9)), GOLD), metrics.hit(spans((199, 300)), GOLD)) == (0, 1)


def test_ndcg_by_hand():
    gained = (2**3 - 1) / math.log2(2) + (2**1 - 1) / math.log2(4)
    ideal = (2**4 - 1) / math.log2(2) + (2**3 - 1) / math.log2(3) + (2**1 - 1) / math.log2(4)
    assert metrics.ndcg([3, 0, 1], [1, 3, 4], 5) == pytest.approx(gained / ideal)
    assert metrics.ndcg([3, 0, 1], [1, 3, 4], 1) == pytest.approx(7 / 15)
    assert metrics.ndcg([0, 0], [], 5) == 0


def test_the_last_span_is_clipped_where_the_characters_end():
    assert metrics.within(spans((0, 300), (400, 700), (800, 900)), 500) == spans((0, 300), (400, 600))
    assert metrics.within(spans((0, 500), (600, 700)), 500) == spans((0, 500))


def test_merged_spans_do_not_overlap():
    assert metrics.merged([*spans((5, 9), (0, 6)), Span("b", 0, 1)]) == [Span("a", 0, 9), Span("b", 0, 1)]


def test_the_interval_holds_the_mean_and_narrows_with_more_questions():
    few, many = [0.0, 1.0] * 10, [0.0, 1.0] * 1_000
    low, high = metrics.interval([few])
    assert low < 0.5 < high
    narrow_low, narrow_high = metrics.interval([many])
    # Half of the width is 1.96 standard errors of a fair coin: 1.96 * 0.5 / sqrt(2000).
    assert narrow_high - narrow_low == pytest.approx(2 * 0.0219, rel=0.15)
    assert metrics.interval([[1.0] * 5, [0.0] * 500]) == (0.5, 0.5)  # sets count alike, whatever their size
