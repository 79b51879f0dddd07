"""What models with a state have read, on disk: keys and values in blocks, as of others, and states beside.

A state's file holds also the rows behind the last whole block. Its name begins with the number of tokens, so
that one sees from where a sequence could go on; the rest is a hash of all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from itertools import takewhile
from pathlib import Path

import torch
import transformers
from torch import Tensor

from inference.cores import submitted
from inference.generator.disk import BLOCK, READERS, Place, cut, links
from inference.generator.files import Files, Work, touch
from inference.generator.layout import Layout, Stretch
from inference.generator.prefixes import Tokens


class StateDisk:
    def __init__(self, place: Place, layout: Layout) -> None:
        self._files = Files(place.folder, place.most_bytes, place.key)
        # How the library lays out a state is its own affair.
        self._root = f"{place.fingerprint} {layout.dtype} {BLOCK} states {transformers.__version__}"
        self._layout = layout

    def load(self, scope: str, tokens: Tokens, known: int) -> Stretch | None:
        """What is there behind the first `known` tokens, to the last end from which a sequence can go on."""
        blocks, end = self._names(scope, tokens)
        first = known // BLOCK
        there = list(takewhile(Path.exists, blocks[first:])) if self._layout.row_bytes else []
        if not self._layout.state_bytes:
            pieces = self._blocks(there)
            touch(blocks[: first + len(pieces)])
            return self._joined(pieces, known, BLOCK * (first + len(pieces)))
        has_rows, reach = self._layout.row_bytes > 0, BLOCK * (first + len(there) + 1) - 1
        most = min(reach, len(tokens)) if has_rows else len(tokens)
        lengths = sorted(self._lengths(scope), reverse=True)
        lengths = [at for at in lengths if known < at <= most and end(at).exists()]
        pieces = self._blocks(there[: lengths[0] // BLOCK - first]) if lengths else []
        for length in lengths:
            count = length // BLOCK - first if has_rows else 0
            last = self._read(end(length), length % BLOCK, has_state=True) if count <= len(pieces) else None
            if last is not None:
                touch([*(blocks[: first + count] if has_rows else []), end(length)])
                return self._joined([*pieces[:count], last], known, length)
        return None

    def save(self, scope: str, tokens: Tokens, stretches: Sequence[Stretch]) -> None:
        """All whole blocks of the tokens, which the stretches hold, and each state behind its blocks."""
        blocks, end = self._names(scope, tokens)
        held, works, at = list(stretches), list[tuple[int, Work]](), 0
        for number, name in enumerate(blocks if self._layout.row_bytes else []):
            works.append((BLOCK * (number + 1), (name, partial(_block, held, BLOCK * number))))
        for stretch in held:
            at += len(stretch)
            if stretch.state:
                works.append((at, (end(at), partial(_end, held, stretch.state, at))))
        self._files.save(scope, [work for _, work in sorted(works, key=lambda one: one[0])])

    def wait(self) -> None:
        """Until everything is written."""
        self._files.wait()

    def forget(self, scope: str) -> None:
        self._files.forget(scope)

    def _blocks(self, names: Sequence[Path]) -> list[Stretch]:
        """As far as none is damaged."""
        pieces = list[Stretch]()
        with ThreadPoolExecutor(READERS) as readers:
            works = [partial(self._read, name, BLOCK, has_state=False) for name in names]
            for future in [submitted(readers, work) for work in works]:
                if future is None or (piece := future.result()) is None:
                    break
                pieces.append(piece)
        return pieces

    def _read(self, name: Path, length: int, *, has_state: bool) -> Stretch | None:
        """So many tokens. None where the file is missing, damaged, or of another model."""
        file = self._files.read(name)
        if file is None:
            return None
        piece = Stretch(_numbered("row", file), _numbered("state", file) if has_state else None, length)
        if self._layout.fits(piece):
            return piece
        self._files.drop(name)
        return None

    def _joined(self, pieces: Sequence[Stretch], known: int, length: int) -> Stretch | None:
        """What is behind the `known` tokens; the first piece begins with the block that they end in."""
        if length <= known:
            return None
        device, columns = self._layout.device, zip(*(p.rows for p in pieces if p.rows), strict=True)
        rows = [torch.cat(column, dim=2)[:, :, known % BLOCK :] for column in columns]
        state = [tensor.to(device) for tensor in pieces[-1].state or ()]
        return Stretch([row.to(device).contiguous() for row in rows], state, length - known)

    def _lengths(self, scope: str) -> set[int]:
        """Of all texts of the scope from whose ends a sequence can go on."""
        starts = (path.name.split("-")[0] for path in self._files.home(scope).glob("*-*.safetensors"))
        return {int(start) for start in starts if start.isdecimal()}

    def _names(self, scope: str, tokens: Tokens) -> tuple[list[Path], Callable[[int], Path]]:
        """The file of each whole block, and that of the state behind so many tokens."""
        home, chain = self._files.home(scope), list(links(f"{self._root} {scope}", tokens))

        def end(length: int) -> Path:
            rest = tokens[length // BLOCK * BLOCK : length].tobytes()
            digest = sha256(chain[length // BLOCK] + b"state" + rest).hexdigest()
            return home / f"{length}-{digest}.safetensors"

        return [home / f"{link.hex()}.safetensors" for link in chain[1:]], end


def _numbered(kind: str, tensors: Mapping[str, Tensor]) -> list[Tensor]:
    """In order."""
    names = (f"{kind}.{at}" for at in range(len(tensors)))
    return [tensors[name] for name in names if name in tensors]


def _block(stretches: Sequence[Stretch], start: int) -> dict[str, Tensor]:
    return _rows(stretches, start, start + BLOCK)


def _end(stretches: Sequence[Stretch], state: Sequence[Tensor], at: int) -> dict[str, Tensor]:
    """The state behind `at` tokens, and the rows that fill no whole block."""
    named = {f"state.{number}": tensor for number, tensor in enumerate(state)}
    return named | _rows(stretches, at // BLOCK * BLOCK, at)


def _rows(stretches: Sequence[Stretch], start: int, stop: int) -> dict[str, Tensor]:
    """(1, G, stop - start, D) each, wherever the stretches are."""
    columns = zip(*(part.rows for part in cut(stretches, start, stop)), strict=True)
    return {
        f"row.{number}": torch.cat([row.cpu() for row in column], dim=2)
        for number, column in enumerate(columns)
    }
