from knowledge.evaluation.alignment import aligned

OFFICIAL = (
    "1. The Supplier shall deliver the pumps to the harbour before the first day of June. "
    "2. The Buyer shall pay ninety thousand crowns within thirty days after delivery of the last pump. "
    "3. This Agreement is governed by the law of the island of Ostrevane and of no other place."
)
CLAUSE = "The Buyer shall pay ninety thousand crowns within thirty days"


def span_of(words: str, text: str = OFFICIAL) -> tuple[int, int]:
    return text.index(words), text.index(words) + len(words)


def test_the_same_text_needs_no_search():
    assert aligned(OFFICIAL, OFFICIAL)(3, 9) == (3, 9)


def test_a_clause_is_found_in_a_text_with_other_line_breaks_and_a_page_head():
    read = "Page 1\n\n" + OFFICIAL.replace(" ", "\n").replace("delivery", "de-\nlivery")
    start, end = aligned(OFFICIAL, read)(*span_of(CLAUSE))
    assert read[start:end] == CLAUSE.replace(" ", "\n")


def test_words_that_were_misread_do_not_move_the_rest():
    read = OFFICIAL.replace("ninety", "nlnety").replace("Buyer", "8uyer")
    start, end = aligned(OFFICIAL, read)(*span_of(CLAUSE))
    assert read[start:end] == CLAUSE.replace("ninety", "nlnety").replace("Buyer", "8uyer")


def test_what_is_not_in_the_text_has_no_place():
    assert aligned(OFFICIAL, "An altogether different letter about the weather.")(*span_of(CLAUSE)) is None
    assert aligned(OFFICIAL, "")(0, 5) is None
