"""What reads for an engine and what remembers, by what its model can do."""

import logging
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel

from inference.generator.disk import Disk, Place
from inference.generator.layout import Layout
from inference.generator.memory import Memory
from inference.generator.plain import PlainReader
from inference.generator.reader import Reader, can_be_packed
from inference.generator.snapshots import Forgetful, Snapshots
from inference.generator.states import StateDisk

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    running: int = 16  # answers written side by side
    waiting: int = 64  # requests beyond those; more are told to come back
    cache_bytes: int = 512 << 20
    host_bytes: int = 0
    alone: int = 512  # tokens of a prompt in one step, when nobody else is being answered
    fast: int = 512  # the same where the machine turns out to be quick; never fewer than `alone`
    beside: int = 128  # and when somebody is being answered
    rounds: bool = False  # remember in int8


def parts(model: PreTrainedModel, limits: Limits, place: Place | None) -> tuple[Any, Any]:
    """With states of their own kind."""
    if not can_be_packed(model):
        return _plain(model, limits, place)
    reader = Reader(model)
    disk = Disk(place, reader.shape) if place else None
    sizes = (limits.cache_bytes, limits.host_bytes)
    return reader, Memory(reader.shape, *sizes, disk, rounds=limits.rounds)


def _plain(model: PreTrainedModel, limits: Limits, place: Place | None) -> tuple[Any, Any]:
    layout, kind = Layout(model), model.config.model_type
    reader = PlainReader(model, layout)
    if limits.rounds:
        logger.warning("What a model of the kind “%s” reads is not kept in 8 bits, but as it is.", kind)
    if layout.unknown:
        layers = ", ".join(layout.unknown)
        logger.warning("Nothing that a model of the kind “%s” reads is remembered: %s", kind, layers)
        return reader, Forgetful(layout)
    disk = StateDisk(place, layout) if place else None
    return reader, Snapshots(layout, limits.cache_bytes, limits.host_bytes, limits.alone, disk)
