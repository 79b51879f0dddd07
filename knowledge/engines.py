"""The embedders, the generator and the indexes of this process: each opened once, at first use."""

from functools import cache
from threading import Lock
from uuid import UUID

from django.conf import settings

from inference.embedder import Embedder, EmbedderConfig, open_embedder
from inference.generator import Generator, homes, open_generator
from knowledge.index import Index, IndexConfig, open_index, remove

# cache() alone would let two threads load the same model side by side; search never waits for the generator.
_opening_embedder, _opening_generator, _opening_index = Lock(), Lock(), Lock()
_indexes: dict[IndexConfig, Index] = {}


def embedder(config: EmbedderConfig | None = None) -> Embedder:
    """The embedder of this configuration; without one, that of the settings."""
    with _opening_embedder:
        return _embedder(config or settings.EMBEDDER)


def generator() -> Generator:
    with _opening_generator:
        return _generator()


def scope_of(matter_id: UUID) -> str:
    """The name under which the generator remembers what it has read of a matter: for no other matter."""
    return f"matter-{matter_id}"


def forget_matter(matter_id: UUID) -> None:
    """What the generator remembers of a matter is no longer known: something of it was deleted.

    Another process forgets only what is on disk; its memory is its own, and ends with it. A server is told.
    Raises InferenceError.
    """
    is_open = _generator.cache_info().currsize > 0
    if is_open or settings.GENERATOR.url:
        generator().forget(scope_of(matter_id))
    else:  # no model is loaded for this
        homes.forget(settings.GENERATOR.disk_cache_dir, scope_of(matter_id))


def index(config: IndexConfig) -> Index:
    with _opening_index:
        if config not in _indexes:
            _indexes[config] = open_index(config)
        return _indexes[config]


def index_is_lost(config: IndexConfig) -> bool:
    """Whether the files of an open index were taken away; it is closed then and made anew when used."""
    with _opening_index:
        opened = _indexes.get(config)
        if opened is None or not opened.is_lost():
            return False
        _indexes.pop(config).close()
        return True


def remove_index(config: IndexConfig) -> None:
    """Close this index and delete what it stored."""
    with _opening_index:
        opened = _indexes.pop(config, None)
        if opened is not None:
            opened.close()
        remove(config)


def close() -> None:
    """Close the indexes that are open; the models need no goodbye."""
    with _opening_index:
        while _indexes:
            _indexes.popitem()[1].close()


def forget() -> None:
    """Close what is open; the next use opens it again, from the settings as they are then."""
    close()
    with _opening_embedder, _opening_generator:
        _embedder.cache_clear()
        _generator.cache_clear()


@cache
def _embedder(config: EmbedderConfig) -> Embedder:
    return open_embedder(config)


@cache
def _generator() -> Generator:
    return open_generator(settings.GENERATOR)
