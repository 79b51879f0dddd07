"""From the passages found to the plan of what is read: lengths, clauses and costs for `knowledge.context`."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from inference.errors import InferenceError
from knowledge import context, engines, units, widening
from knowledge.access import Scope
from knowledge.context import Hit, Plan, Stretch, Whole
from knowledge.listed import among
from knowledge.models import Document, Evidence, Passage, Version
from knowledge.pins import Texts
from knowledge.preferences import Wishes

# Documents longer than this many characters per token of the budget cannot fit, and are not counted exactly.
MOST_CHARACTERS_PER_TOKEN = 6
WORST_ID = 1_000  # units are counted with numbers as long as they get


class Shelf:
    """The documents of the passages found, and those a person wants read."""

    def __init__(self, passages: Sequence[Passage], pinned: Iterable[Version] = ()) -> None:
        self._passages = passages
        self._pinned = {version.pk for version in pinned}
        self.versions = {row.version_id: row.version for row in passages}
        self.versions |= {version.pk: version for version in pinned}
        self._texts = Texts(set(self.versions))

    def plan(self, budget: int) -> Plan:
        return context.plan(self._hits(), self._wholes(budget), budget, self._cost)

    def extend(self, budget: int, held: Sequence[Stretch]) -> Plan:
        return context.extend(self._hits(), self._wholes(0), budget, self._cost, held)

    def evidence(self, plan: Plan) -> list[Evidence]:
        """What the plan adds to the prompt, unsaved, in canonical order."""
        whole = [
            Evidence(kind=Evidence.Kind.FULL, version=version, start=0, end=version.characters)
            for version in (self.versions[pk] for pk in plan.full)
        ]
        parts = [
            Evidence(
                kind=Evidence.Kind.PASSAGE,
                version=self.versions[stretch.version_id],
                start=stretch.start,
                end=stretch.end,
                heading=self._heading(stretch),
            )
            for stretch in plan.passages
        ]
        rows = [*whole, *parts]
        for number, row in enumerate(rows, start=1):
            row.number = number
        return rows

    def _hits(self) -> list[Hit]:
        around = _around(self._passages)
        return [
            Hit(
                Stretch(row.version_id, row.start, row.end),
                Stretch(row.version_id, *widening.widened(_place(row), around.get(row.version_id, []))),
            )
            for row in self._passages
        ]

    def _wholes(self, budget: int) -> dict[UUID, Whole]:
        return {
            pk: Whole(
                version.document.path, version.characters, self._length(version, budget), pk in self._pinned
            )
            for pk, version in self.versions.items()
        }

    def _length(self, version: Version, budget: int) -> int:
        """Tokens of the whole document; an estimate where it cannot fit anyhow."""
        if version.characters > budget * MOST_CHARACTERS_PER_TOKEN:
            return max(version.characters // 4, budget + 1)
        return _length(_generator_name(), version, self._texts)

    def _cost(self, stretch: Stretch) -> int:
        text = self._texts.slice(stretch.version_id, stretch.start, stretch.end)
        return tokens(units.marked(text, stretch.start, units.of(text, stretch.start, WORST_ID)))

    def _heading(self, stretch: Stretch) -> str:
        inside = (
            row.heading
            for row in self._passages
            if stretch.holds(Stretch(row.version_id, row.start, row.end)) and row.heading
        )
        return next(inside, "")


def told(
    rows: Sequence[Evidence], plan: Plan, shelf: Shelf, wishes: Wishes, scope: Scope
) -> dict[str, object]:
    """The plan as the page and the API show it; `rows` are all that stand in the prompt."""
    names = {pk: version.document.path for pk, version in shelf.versions.items()}
    read = {row.version.document_id for row in rows}
    full = {row.version.document.path for row in rows if row.kind == Evidence.Kind.FULL}
    left_out = {names[pk] for pk in plan.left_out}
    there = Document.objects.filter(matter__in=scope.matter_ids, current__isnull=False)
    if scope.document_ids is not None:
        there = there.filter(pk__in=among(scope.document_ids))
    return {
        "full": sorted(full),
        "by_passage": sorted({row.version.document.path for row in rows} - full),
        "not_read": sorted(left_out),  # though something was found in them
        "in_part": sorted({names[stretch.version_id] for stretch in plan.unread} - left_out),
        "passages_not_read": len(plan.unread),
        "is_short": plan.is_short,
        "not_read_count": there.exclude(pk__in=read).count(),
        "pinned": sorted(version.document.path for version in wishes.pinned),
        "too_long": sorted(names[pk] for pk in plan.too_long),
        "excluded": sorted(there.filter(pk__in=wishes.excluded).values_list("path", flat=True)),
        "is_cut": plan.is_cut,
        "sources": len(rows),
        "budget": plan.budget,
        "used": plan.used,
    }


def fit(versions: Sequence[Version]) -> bool:
    """Whether these documents can be read in full for one answer."""
    budget, texts = int(settings.CONTEXT_TOKENS), Texts([version.pk for version in versions])
    if sum(version.characters for version in versions) > budget * MOST_CHARACTERS_PER_TOKEN:
        return False
    name = _generator_name()
    return sum(_length(name, each, texts) + context.HEADER_TOKENS for each in versions) <= budget


def tokens(text: str) -> int:
    try:
        return engines.generator().count_tokens(text)
    except InferenceError:
        return len(text) // 3


def stretches(rows: Iterable[Evidence]) -> list[Stretch]:
    return [Stretch(row.version_id, row.start, row.end) for row in rows]


def _generator_name() -> str:
    try:
        return engines.generator().name
    except InferenceError:
        return ""


# (generator, version, characters) → tokens. A version's text only ever grows, by what is read from scans.
_lengths: dict[tuple[str, UUID, int], int] = {}


def _length(generator: str, version: Version, texts: Texts) -> int:
    """Tokens of a whole document with its units marked; counted once in the life of this process."""
    key = (generator, version.pk, version.characters)
    if key not in _lengths:
        text = texts.slice(version.pk, 0, version.characters)
        _lengths[key] = tokens(units.marked(text, 0, units.of(text, 0, WORST_ID)))
    return _lengths[key]


def _place(row: Passage) -> widening.Place:
    return widening.Place(row.start, row.end, row.heading)


def _around(passages: Sequence[Passage]) -> dict[UUID, list[widening.Place]]:
    """The passages that stand near those found, of the same build of the index, in order."""
    if not passages:
        return {}
    near = (
        Q(
            version=row.version_id,
            generation=row.generation_id,
            start__gte=row.start - widening.WIDEST,
            start__lte=row.end + widening.WIDEST,
        )
        for row in passages
    )
    places: dict[UUID, list[widening.Place]] = {}
    rows = Passage.objects.filter(reduce(or_, near)).order_by("version", "start")
    for version_id, start, end, heading in rows.values_list("version_id", "start", "end", "heading"):
        places.setdefault(version_id, []).append(widening.Place(start, end, heading))
    return places
