"""Which build of the index serves, which is being built beside it, and the switch between them.

A generation is complete when every version that can be read is in it. Only then does it take over, in one
transaction; a version that settles meanwhile must be in every live generation first.
"""

import logging
import shutil
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.utils import timezone

from inference.embedder import Embedder, EmbedderConfig
from knowledge import engines, prepared, queue
from knowledge.index import Index, IndexBroken, IndexConfig
from knowledge.models import Generation, Indexed, Job, Version

logger = logging.getLogger(__name__)

LIVE = (Generation.State.CURRENT, Generation.State.BUILDING)


FORM = 4  # of the points that are made now; Generation.form
NAMED_FORM, CALLED_FORM = 2, 4  # since when names are in them, and since when those with names say so


class AlreadyBuilding(Exception):
    """A new generation is being built; the message says how far it is."""


@dataclass(frozen=True)
class Recipe:
    """What a generation is made with."""

    embedder: EmbedderConfig
    dimensions: int
    chunk_characters: int
    chunk_overlap: int
    form: int = FORM


def configured() -> Recipe:
    """The recipe that the settings name."""
    return Recipe(
        settings.EMBEDDER, settings.EMBEDDER_DIMENSIONS, settings.CHUNK_CHARACTERS, settings.CHUNK_OVERLAP
    )


def current() -> Generation:
    """The generation that search reads. The first one is made from the settings."""
    found = next(iter(prepared.rows_by(Generation, "state", [Generation.State.CURRENT.value])), None)
    if found is None:
        try:
            with transaction.atomic():
                found = _create(configured(), Generation.State.CURRENT)
        except IntegrityError:  # another process was faster
            found = Generation.objects.get(state=Generation.State.CURRENT)
    return found


def live() -> list[Generation]:
    """The generations that new passages go into: the current one, and one that is being built."""
    first = current()
    return [first, *Generation.objects.filter(state=Generation.State.BUILDING)]


def locked() -> list[Generation]:
    """The live generations, locked against a switch until the transaction ends."""
    return list(Generation.objects.select_for_update().filter(state__in=LIVE))


def embedder(generation: Generation) -> Embedder:
    config = replace(settings.EMBEDDER, url=generation.embedder_url, model=generation.embedder_model)
    return engines.embedder(config)


def index(generation: Generation) -> Index:
    return engines.index(index_config(generation))


def index_config(generation: Generation) -> IndexConfig:
    config: IndexConfig = settings.INDEX
    return replace(
        config,
        path=config.path / str(generation.number),
        collection=f"{config.collection}-{generation.number}",
        dimensions=generation.dimensions,
        has_names=generation.form >= NAMED_FORM,
        has_called=generation.form >= CALLED_FORM,
    )


def is_outdated() -> bool:
    """Whether the index that serves was made by an older recipe; `manage.py reindex` makes a new one."""
    return current().form < FORM


def readable() -> QuerySet[Version]:
    """The versions that a complete generation holds."""
    return Version.objects.filter(current_of__isnull=False).exclude(state=Version.State.UNPACKED)


def missing(generation: Generation) -> QuerySet[Version]:
    """Readable versions that are not in this generation yet."""
    held = Indexed.objects.filter(version=OuterRef("pk"), generation=generation)
    return readable().filter(~Exists(held))


_MISSING = prepared.Prepared(  # of one matter: search asks for it each time
    lambda generation_id, matter_id: missing(Generation(pk=generation_id)).filter(document__matter=matter_id),
    generation_id=-987_654_321,
    matter_id=UUID(int=7),
)


def begin(recipe: Recipe) -> Generation:
    """Start building a generation beside the one that serves. Raises AlreadyBuilding."""
    current()
    with transaction.atomic():
        locked()
        building = Generation.objects.filter(state=Generation.State.BUILDING).first()
        if building is not None:
            raise AlreadyBuilding(f"{building} is being built: {missing(building).count()} documents to go.")
        made = _create(recipe, Generation.State.BUILDING)
        bring_in(made)
    return made


def bring_in(generation: Generation) -> int:
    """Queue what this generation lacks; returns how many versions. Safe to repeat."""
    return len(go_over(missing(generation)))


def go_over(versions: QuerySet[Version]) -> list[Job]:
    """A job for each of these that has none: it gets what it lacks from what was stored of it."""
    waiting = Job.objects.filter(
        version=OuterRef("pk"), kind=Job.Kind.INDEX, state__in=(Job.State.DUE, Job.State.RUNNING)
    )
    lacking = versions.filter(~Exists(waiting)).values_list("pk", "document__matter")
    jobs = [Job(kind=Job.Kind.INDEX, version_id=pk, matter_id=matter) for pk, matter in lacking]
    Job.objects.bulk_create(jobs, batch_size=500)
    for job in jobs[: settings.WORKERS]:
        queue.wake_after_commit(job.pk)  # the dispatcher finds the rest
    return jobs


def advance() -> Generation | None:
    """Switch to the generation that is being built if it is complete; returns it, or None."""
    with transaction.atomic():
        states = {generation.state: generation for generation in locked()}
        building = states.get(Generation.State.BUILDING)
        if building is None or missing(building).exists():
            return None
        now = timezone.now()
        Generation.objects.filter(state=Generation.State.CURRENT).update(
            state=Generation.State.RETIRED, switched=now
        )
        Generation.objects.filter(pk=building.pk).update(state=Generation.State.CURRENT, switched=now)
    logger.warning("The index switched to generation %s.", building.number)
    return building


def abandon() -> bool:
    """Give up the generation that is being built; the one that serves stays."""
    return bool(
        Generation.objects.filter(state=Generation.State.BUILDING).update(
            state=Generation.State.RETIRED, switched=timezone.now()
        )
    )


def sweep(older_than_seconds: float = 60) -> int:
    """Remove retired generations, once no question that began on them can still be running."""
    before = timezone.now() - timedelta(seconds=older_than_seconds)
    retired = list(Generation.objects.filter(state=Generation.State.RETIRED, switched__lte=before))
    for generation in retired:
        engines.remove_index(index_config(generation))
        generation.delete()
    return len(retired)


def restore() -> int:
    """Where the files of a live generation are gone or broken, queue all of it again; returns how many."""
    return sum(restore_one(generation) for generation in live())


def rebuilding(matter_ids: frozenset[UUID]) -> int:
    """How many readable documents of these matters the current generation does not hold yet."""
    if len(matter_ids) > 1:
        return missing(current()).filter(document__matter__in=matter_ids).count()
    return sum(_MISSING.count(generation_id=current().pk, matter_id=pk) for pk in matter_ids)


def restore_one(generation: Generation) -> int:
    config = index_config(generation)
    try:
        is_lost = engines.index_is_lost(config) or engines.index(config).is_empty()
    except IndexBroken as error:
        logger.warning("%s is rebuilt: %s", generation, error)
        shutil.rmtree(config.path, ignore_errors=True)
        is_lost = True
    with transaction.atomic():
        locked()
        if is_lost and generation.passages.filter(version__indexed__generation=generation).exists():
            Indexed.objects.filter(generation=generation).delete()
        return bring_in(generation)


def _create(recipe: Recipe, state: Generation.State) -> Generation:
    newest = Generation.objects.aggregate(newest=Max("number"))["newest"] or 0
    return Generation.objects.create(
        number=newest + 1,
        state=state,
        embedder_url=recipe.embedder.url,
        embedder_model=recipe.embedder.model,
        dimensions=recipe.dimensions,
        chunk_characters=recipe.chunk_characters,
        chunk_overlap=recipe.chunk_overlap,
        form=recipe.form,
    )
