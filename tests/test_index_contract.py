"""One contract, two engines: the embedded shard, and the server's API (its client's local mode, or a server).

Set QDRANT_TEST_URL to run it against a real server too.
"""

import os
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import pytest
from qdrant_client import QdrantClient

from knowledge import ranking
from knowledge.index import DENSE, NAMES, SPARSE, Ask, IndexConfig, IndexUnavailable, Point, Where
from knowledge.index.edge import EdgeIndex
from knowledge.index.server import ServerIndex, connect

DIMENSIONS = 16
ENGINES = ["edge", "client", *(["server"] if os.environ.get("QDRANT_TEST_URL") else [])]
OURS, THEIRS = uuid4(), uuid4()

# The client's local mode says that it ignores payload indexes; the real engines use them.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")


@pytest.fixture(params=ENGINES)
def index(request, tmp_path):
    config = IndexConfig(tmp_path / "index", DIMENSIONS, collection=f"test-{uuid4()}")
    if request.param == "edge":
        opened = EdgeIndex(config)
    elif request.param == "client":
        opened = ServerIndex(QdrantClient(":memory:"), config)
    else:
        config = IndexConfig(
            tmp_path, DIMENSIONS, os.environ["QDRANT_TEST_URL"], collection=config.collection
        )
        opened = ServerIndex(connect(config), config)
    yield opened
    opened.close()


def unit(*places: int) -> np.ndarray:
    vector = np.zeros(DIMENSIONS, np.float32)
    vector[list(places)] = 1
    return vector / np.linalg.norm(vector)


def point(text: str, *places: int, matter: UUID = OURS, document: UUID | None = None, version=None) -> Point:
    return Point(uuid4(), unit(*places), text, matter, document or uuid4(), version or uuid4())


def found(index, places, text, where, limit=10) -> list[UUID]:
    """Both halves, in the order that search gives them."""
    asks = [Ask(DENSE, unit(*places), where, limit), Ask(SPARSE, text, where, limit)]
    return [hit.id for hit, _ in ranking.ranked(*index.ask(asks))][:limit]


ALL_OURS = Where(frozenset({OURS}))


def test_the_nearest_in_meaning_comes_first(index):
    near, far = point("one", 1), point("two", 7)
    index.upsert([near, far])
    assert found(index, [1], "nothing in common", ALL_OURS)[0] == near.id


def test_a_rare_word_is_found_though_its_meaning_is_far(index):
    points = [point(f"ordinary clause {number}", 1, 2) for number in range(80)]
    rare = point("the Quillmarsh escrow account", 9)
    index.upsert([*points, rare])
    assert rare.id in found(index, [1, 2], "Quillmarsh", ALL_OURS, limit=3)


def test_words_are_found_in_their_other_forms(index):
    index.upsert(
        [point("the parties terminated the lease", 3), *(point("other things", 3) for _ in range(5))]
    )
    assert len(found(index, [8], "termination of leases", ALL_OURS)) == 6
    [best] = index.ask([Ask(SPARSE, "termination of leases", ALL_OURS, 1)])
    assert best[0].score > 0


def test_no_query_crosses_the_wall(index):
    ours, theirs = point("the secret price", 1), point("the secret price", 1, matter=THEIRS)
    index.upsert([ours, theirs])
    assert found(index, [1], "secret price", ALL_OURS) == [ours.id]
    assert found(index, [1], "secret price", Where(frozenset({THEIRS}))) == [theirs.id]
    assert set(found(index, [1], "secret price", Where(frozenset({OURS, THEIRS})))) == {ours.id, theirs.id}


def test_documents_narrow_the_matters_and_never_widen_them(index):
    ours, theirs = point("price", 1), point("price", 1, matter=THEIRS)
    index.upsert([ours, point("price", 1), theirs])
    both = frozenset({ours.document_id, theirs.document_id})
    assert found(index, [1], "price", Where(frozenset({OURS}), both)) == [ours.id]


@pytest.mark.parametrize("where", [Where(frozenset()), Where(frozenset({OURS}), frozenset())])
def test_an_empty_scope_finds_nothing(index, where):
    index.upsert([point("price", 1)])
    assert (found(index, [1], "price", where), index.count(where), list(index.ids(where))) == ([], 0, [])


def test_the_same_point_twice_is_one_point(index):
    twice = point("price", 1)
    index.upsert([twice])
    index.upsert([twice])
    assert index.count(ALL_OURS) == 1


def test_a_version_is_deleted_alone_and_a_document_whole(index):
    document = uuid4()
    old, new = (point("price", 1, document=document) for _ in range(2))
    other = point("price", 1)
    index.upsert([old, new, other])
    index.delete_version(old.version_id)
    assert set(index.ids(ALL_OURS)) == {new.id, other.id}
    index.delete_document(document)
    assert set(index.ids(ALL_OURS)) == {other.id}


def test_ids_go_on_past_one_page(index):
    points = [point("price", place % DIMENSIONS) for place in range(2_100)]
    index.upsert(points)
    assert set(index.ids(ALL_OURS)) == {each.id for each in points}


@pytest.mark.parametrize(
    "text", ["", "the of and", "§ 14.2(b)", "Müller ❤ 法律", "x" * 5000, "\x00", "' OR 1=1 --"]
)
def test_any_text_can_be_asked_for(index, text):
    index.upsert([point("price of Müller", 1), point(text, 2)])
    assert len(found(index, [1], text, ALL_OURS)) == 2


def named(index, text: str, where=ALL_OURS) -> list[UUID]:
    [hits] = index.ask([Ask(NAMES, text, where, 5)])
    return [hit.document_id for hit in hits]


def called(name: str, matter: UUID = OURS) -> Point:
    return replace(point("The price is due.", 1, matter=matter), names=name)


def test_a_document_is_found_by_what_it_is_called(index):
    lease, loan = called("Lease Quillmarsh Ostrevane"), called("Loan Brackwater Ostrevane")
    index.upsert([lease, loan, point("Quillmarsh Quillmarsh Quillmarsh", 2)])
    assert named(index, "Quillmarsh") == [lease.document_id]
    assert named(index, "Brackwater Ostrevane") == [loan.document_id, lease.document_id]
    assert named(index, "") == []


def test_names_do_not_cross_the_wall(index):
    index.upsert([called("Lease Quillmarsh", THEIRS), called("Lease Brackwater")])
    assert named(index, "Quillmarsh") == []
    assert named(index, "Quillmarsh", Where(frozenset())) == []


def test_how_rare_a_name_is_is_counted_among_the_names_of_the_matter(index):
    """Not among its passages, and not in another matter."""
    index.upsert([called("Lease Quillmarsh"), called("Lease Brackwater"), called("Lease Ferndale")])
    index.upsert([point("Lease", 1) for _ in range(5)])
    [before] = index.ask([Ask(NAMES, "Lease Quillmarsh", ALL_OURS, 3)])
    assert before[0].score > 3 * before[1].score  # all of them are called a lease
    index.upsert([point("price", 1) for _ in range(200)])
    index.upsert([called("Quillmarsh", THEIRS) for _ in range(20)])
    [after] = index.ask([Ask(NAMES, "Lease Quillmarsh", ALL_OURS, 3)])
    assert [hit.score for hit in after] == pytest.approx([hit.score for hit in before], rel=1e-4)


def test_an_index_of_an_older_form_still_finds_names(tmp_path):
    index = EdgeIndex(IndexConfig(tmp_path / "old", DIMENSIONS, has_called=False))
    ours, theirs = called("Lease Quillmarsh"), called("Lease Quillmarsh", THEIRS)
    index.upsert([ours, theirs])
    assert named(index, "Quillmarsh") == [ours.document_id]
    index.close()


def test_how_rare_a_word_is_is_counted_in_the_matter_alone(index):
    ours = [point(f"crane harbour {number}", 1) for number in range(4)]
    index.upsert([*ours, point("crane", 1)])
    [before] = index.ask([Ask(SPARSE, "harbour", ALL_OURS, 1)])
    index.upsert([point("harbour", 1, matter=THEIRS) for _ in range(300)])
    [after] = index.ask([Ask(SPARSE, "harbour", ALL_OURS, 1)])
    assert after[0].score == pytest.approx(before[0].score, rel=1e-4)


def test_a_hit_says_where_its_passage_stands(index):
    index.upsert([replace(point("price", 1), start=800, end=1_200)])
    [[hit]] = index.ask([Ask(DENSE, unit(1), ALL_OURS, 1)])
    assert (hit.start, hit.end) == (800, 1_200)


def test_asks_that_can_find_nothing_leave_the_others_their_place(index):
    index.upsert([point("price", 1)])
    nothing = Ask(SPARSE, "the of", ALL_OURS, 5)
    answers = index.ask(
        [nothing, Ask(SPARSE, "price", ALL_OURS, 5), Ask(DENSE, unit(1), Where(frozenset()), 5)]
    )
    assert [len(answer) for answer in answers] == [0, 1, 0]


@pytest.mark.parametrize("said", ["§ 14.2(b)", "Section 14.2(b)"])
def test_a_section_is_found_by_its_number(index, said):
    section = point("as provided in Section 14.2(b) hereof", 1)
    index.upsert(
        [section, *(point(f"as in Section 14.{number} and 2.{number} (b)", 1) for number in range(3, 9))]
    )
    [hits] = index.ask([Ask(SPARSE, said, ALL_OURS, 3)])
    assert hits[0].id == section.id


def test_an_index_made_before_names_were_kept_serves_without_them(tmp_path):
    config = IndexConfig(tmp_path / "old", DIMENSIONS, has_names=False)
    index = EdgeIndex(config)
    index.upsert([point("price", 1)])
    assert named(index, "price") == []
    assert len(found(index, [1], "price", ALL_OURS)) == 1
    index.close()


def test_the_limit_holds(index):
    index.upsert([point(f"price {number}", 1) for number in range(30)])
    assert len(found(index, [1], "price", ALL_OURS, limit=7)) == 7
    assert found(index, [1], "price", ALL_OURS, limit=0) == []


def test_a_server_that_is_away_is_said_plainly(tmp_path):
    config = IndexConfig(tmp_path, DIMENSIONS, url="http://127.0.0.1:9")
    with pytest.raises(IndexUnavailable, match="Qdrant server"):
        ServerIndex(QdrantClient(url=config.url, check_compatibility=False, timeout=2), config)
