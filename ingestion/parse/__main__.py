"""The child of the sandbox: `python -I __main__.py LIMITS FILE NAME OCR PAGES`, in its own scratch folder.

It confines itself before it looks at the file, and leaves its result in the scratch folder. With a
WIDTH at the end that is a picture of the page; with no FILE, which protections this machine allows.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from ingestion.parse import exchange, parse, progress
from ingestion.parse.confine import confine
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import File, Ocr

STUMBLED = "The file cannot be read: it is damaged or unusual. Save it again, or as a PDF."


def _file(path: str, name: str, ocr: str, only: str) -> File:
    numbers = frozenset(int(number) for number in only.split(",") if number)
    return File(Path(path), name, cast(Ocr, ocr), numbers, exchange.take_password(Path.cwd()))


def _work(scratch: Path, file: File, width: str = "") -> None:
    if width:
        from ingestion.parse import picture  # only who draws needs it

        exchange.write_picture(scratch, picture.draw(file, int(width)))
    else:
        exchange.write(scratch, parse(file))


def main() -> None:
    active = confine(json.loads(sys.argv[1]), [Path(word) for word in sys.argv[2:3]])
    if len(sys.argv) == 2:
        Path(exchange.PROTECTIONS).write_text(json.dumps(active))
        return
    scratch = Path.cwd()
    progress.begin(scratch)
    try:
        _work(scratch, _file(*sys.argv[2:6]), *sys.argv[6:])
    except ParseError as error:
        exchange.write_error(scratch, error)
    except MemoryError:
        exchange.write_error(scratch, ParseError("memory", exchange.OUT_OF_MEMORY))
    except RecursionError:
        exchange.write_error(scratch, ParseError("damaged", "The file is nested too deeply to be read."))
    except Exception:  # noqa: BLE001 - a library stumbles over the same file each time: trying thrice is vain
        traceback.print_exc()
        exchange.write_error(scratch, ParseError("damaged", STUMBLED))


main()
