"""A matter with one row of every kind in it, made from the models themselves, so that new kinds come along.

Every text of it holds a planted word, so that whatever of it is seen somewhere can be recognised.
"""

import itertools
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, models, transaction
from django.utils import timezone

from knowledge import generations
from knowledge.models import Document, Generation, Matter, Passage, ServiceAccount, Version, Wall

COUNTER = itertools.count()
UNBOUND = {"Generation", "Indexed"}  # of the installation, not of a matter


@dataclass
class World:
    """The rows of one matter by the name of their model; `word` stands in each text of them."""

    matter: Matter
    owner: User
    word: str
    rows: dict[str, models.Model] = field(default_factory=dict)

    def ids(self) -> dict[str, str]:
        """Ids by the name that paths and fields give them: `document_id`, and `token_id` for an ApiToken."""
        named = {snake(name).removeprefix("api_"): str(row.pk) for name, row in self.rows.items()}
        return {f"{name}_id": pk for name, pk in named.items()}


def build(matter: Matter, owner: User, word: str) -> World:
    """Rows that cannot be made by rule are left out; the probes say when a path needs one of them."""
    world = World(matter, owner, word, {"Matter": matter})
    Matter.objects.filter(pk=matter.pk).update(name=f"{word} matter")
    for model in apps.get_app_config("knowledge").get_models():
        with suppress(DatabaseError, TypeError, ObjectDoesNotExist):
            row_of(model, world)
    version = world.rows["Version"]
    assert isinstance(version, Version)
    Version.objects.filter(pk=version.pk).update(state=Version.State.SEARCHABLE)
    Document.objects.filter(pk=version.document_id).update(current=version)
    index(world)
    return world


def row_of(model: type[models.Model], world: World) -> models.Model:
    """The world's row of this model, and of all that it needs."""
    name = model.__name__
    if name not in world.rows:
        values = {each.name: value_of(each, world) for each in model._meta.concrete_fields if is_needed(each)}
        if model in {Wall, ServiceAccount}:  # not its owner's
            values["user"] = User.objects.create_user(f"of {name} {next(COUNTER)}")
        with transaction.atomic():
            world.rows[name] = model._default_manager.create(**values)
    return world.rows[name]


def is_needed(each: "models.Field[Any, Any]") -> bool:
    is_made = isinstance(each, models.AutoField) or getattr(each, "auto_now_add", False)
    is_text = isinstance(each, models.CharField | models.TextField) and not each.choices
    return not is_made and (is_text or not (each.has_default() or each.null))


def value_of(each: "models.Field[Any, Any]", world: World) -> Any:
    if isinstance(each, models.ForeignKey):
        if issubclass(each.related_model, User):
            return world.owner
        return (
            generations.current() if each.related_model is Generation else row_of(each.related_model, world)
        )
    if isinstance(each, models.UUIDField):
        return uuid.uuid4()
    if isinstance(each, models.CharField | models.TextField):
        return text_of(each, world)
    plain = {models.DateTimeField: timezone.now, models.JSONField: dict, models.BinaryField: bytes}
    return next((make() for kind, make in plain.items() if isinstance(each, kind)), 1)


def text_of(each: "models.Field[Any, Any]", world: World) -> str:
    if each.choices:
        return str(each.choices[0][0])
    if each.model._meta.app_label != "knowledge":  # a group of people belongs to the firm, not to the matter
        return f"group-{next(COUNTER)}"
    unique = f"{next(COUNTER)} " if each.unique or each.name in {"path", "sha256", "digest"} else ""
    return f"{unique}{world.word} {each.name}"[: each.max_length or 1000].strip()


def index(world: World) -> None:
    """A passage of the world as a point of the real index."""
    from knowledge.index import Point

    passage = world.rows["Passage"]
    assert isinstance(passage, Passage)
    Passage.objects.filter(pk=passage.pk).update(text=f"{world.word} pays the invoice.", page_first=1)
    version = passage.version
    generation = generations.current()
    vector = generations.embedder(generation).embed_passages([f"{world.word} pays the invoice."])[0]
    point = Point(
        id=passage.pk,
        dense=vector,
        text=f"{world.word} pays the invoice.",
        matter_id=world.matter.pk,
        document_id=version.document_id,
        version_id=version.pk,
    )
    generations.index(generation).upsert([point])


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
