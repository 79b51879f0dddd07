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
        blocks, ends = self._names(scope, tokens)
        if not self._layout.state_bytes:
            whole = list(takewhile(Path.exists, blocks))
            return self._found(whole, None, known, BLOCK * len(whole))
        for length in sorted(self._lengths(scope), reverse=True):
            if length <= len(tokens) and ends(length).exists():
                found = self._found(blocks[: length // BLOCK], ends(length), known, length)
                if found is not None or length <= known:
                    return found
        return None

    def save(self, scope: str, tokens: Tokens, stretches: Sequence[Stretch]) -> None:
        """All whole blocks of the tokens, which the stretches hold, and the states behind them."""
        blocks, ends = self._names(scope, tokens)
        held, works, at = list(stretches), list[Work](), 0
        if self._layout.row_bytes:
            works += [(name, partial(_block, held, start * BLOCK)) for start, name in enumerate(blocks)]
        for stretch in held:
            at += len(stretch)
            if stretch.state:
                works.append((ends(at), partial(_end, held, stretch.state, at)))
        self._files.save(scope, works)

    def wait(self) -> None:
        """Until everything is written."""
        self._files.wait()

    def forget(self, scope: str) -> None:
        self._files.forget(scope)

    def _found(self, blocks: Sequence[Path], end: Path | None, known: int, length: int) -> Stretch | None:
        """Nothing where one of the files is missing or damaged."""
        if length <= known:
            return None
        names = [*(blocks[known // BLOCK :] if self._layout.row_bytes else []), *([end] if end else [])]
        with ThreadPoolExecutor(READERS) as readers:
            futures = [submitted(readers, partial(self._files.read, name)) for name in names]
            files = [future.result() if future is not None else None for future in futures]
        touch(names)
        read = [file for file in files if file is not None]
        return self._joined(read, known % BLOCK, length - known) if len(read) == len(names) else None

    def _joined(self, files: Sequence[dict[str, Tensor]], skipped: int, length: int) -> Stretch | None:
        device, rows = self._layout.device, list[Tensor]()
        for name in _numbered("row", files[0] if len(files) == 1 else files[0] | files[-1]):
            parts = [file[name] for file in files if name in file]
            rows.append(torch.cat(parts, dim=2)[:, :, skipped : skipped + length].to(device).contiguous())
        state = [files[-1][name].to(device) for name in _numbered("state", files[-1])]
        stretch = Stretch(rows, state, length)
        return stretch if self._layout.fits(stretch) else None

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


def _numbered(kind: str, tensors: Mapping[str, Tensor]) -> list[str]:
    """Their names, in order."""
    count = sum(name.startswith(f"{kind}.") for name in tensors)
    return [f"{kind}.{at}" for at in range(count)]


def _block(stretches: Sequence[Stretch], start: int) -> dict[str, Tensor]:
    return _rows(stretches, start, start + BLOCK)


def _end(stretches: Sequence[Stretch], state: Sequence[Tensor], at: int) -> dict[str, Tensor]:
    """The state behind `at` tokens, and the rows that fill no whole block."""
    named = {f"state.{number}": tensor for number, tensor in enumerate(state)}
    return named | _rows(stretches, at // BLOCK * BLOCK, at)


def _rows(stretches: Sequence[Stretch], start: int, stop: int) -> dict[str, Tensor]:
    """(1, G, stop - start, D) each."""
    columns = zip(*(part.rows for part in cut(stretches, start, stop)), strict=True)
    return {f"row.{number}": torch.cat(column, dim=2) for number, column in enumerate(columns)}
