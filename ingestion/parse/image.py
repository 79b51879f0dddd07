"""Pictures of documents: PNG, JPEG and TIFF of several pages, read by OCR."""

import warnings

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from ingestion.parse import ocr, progress
from ingestion.parse.errors import ParseError
from ingestion.parse.parsed import File, Page, Parsed
from ingestion.parse.pdf import MOST_PIXELS

MOST_FRAMES = 2_000
DPI = 200  # assumed where the picture does not say
LONGEST_SIDE = 3_500  # pixels; more only costs time


def parse(file: File) -> Parsed:
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file.path) as picture:
                if getattr(picture, "n_frames", 1) > MOST_FRAMES:
                    raise ParseError("too_many_pages", f"The picture has more than {MOST_FRAMES:,} pages.")
                media_type = Image.MIME.get(picture.format or "", "image/*")
                frames = enumerate(ImageSequence.Iterator(picture), start=1)
                return Parsed(media_type, tuple(_page(number, frame) for number, frame in frames))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ParseError("bomb", "The picture has too many pixels; it was not opened.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise ParseError("damaged", "The picture is damaged: save it again.") from error


def _page(number: int, frame: Image.Image) -> Page:
    progress.page(number)
    scale = min(1.0, LONGEST_SIDE / max(frame.size))
    small = frame.convert("RGB")
    if scale < 1:
        small = small.resize((round(frame.width * scale), round(frame.height * scale)))
    read = ocr.read(np.asarray(small)[:, :, ::-1])
    points = 72 / float(frame.info.get("dpi", (DPI,))[0] or DPI) / scale  # of one pixel that was read
    width, height = small.width * points, small.height * points
    if not read.text:
        return Page(number, str(number), "", "unreadable", None, width, height)
    words = read.words.scaled(points).packed()
    return Page(number, str(number), read.text, "ocr", read.confidence, width, height, words)
