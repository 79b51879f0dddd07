"""The local models of a server, each opened at its first use."""

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from inference.embedder import Embedder, EmbedderConfig, open_embedder
from inference.generator import GeneratorConfig, homes

if TYPE_CHECKING:
    from inference.generator.local import LocalGenerator


class Models:
    def __init__(self, embedder: EmbedderConfig, generator: GeneratorConfig) -> None:
        self._embedder_config = embedder
        self._generator_config = generator
        # Two first requests must not load the same model twice; the one model never waits for the other.
        self._opening_embedder, self._opening_generator = Lock(), Lock()

    def embedder(self) -> Embedder:
        with self._opening_embedder:
            return self._embedder

    def generator(self) -> "LocalGenerator":
        with self._opening_generator:
            return self._generator

    def opened_generator(self) -> "LocalGenerator | None":
        """None where nothing has used it yet."""
        return self.__dict__.get("_generator")

    def forget(self, scope: str) -> None:
        """What was read for this scope is no longer known, in memory or on disk. It opens no generator."""
        with self._opening_generator:  # one that is just being opened will be used
            opened = self.opened_generator()
        if opened is not None:
            opened.forget(scope)
        else:
            homes.forget(self._generator_config.disk_cache_dir, scope)

    @cached_property
    def _embedder(self) -> Embedder:
        return open_embedder(self._embedder_config)

    @cached_property
    def _generator(self) -> "LocalGenerator":
        from inference.generator.local import LocalGenerator

        return LocalGenerator(self._generator_config)
