"""One page as a picture: of a PDF as it is printed, of a picture its frame."""

import io
import warnings
from contextlib import closing

import pypdfium2 as pdfium
from PIL import Image, UnidentifiedImageError

from ingestion.parse import pdf, progress
from ingestion.parse.errors import ParseError
from ingestion.parse.kinds import kind_of
from ingestion.parse.parsed import File


def draw(file: File, width: int) -> bytes:
    """PNG of the one page in `file.only`, at most so many pixels wide. Raises ParseError."""
    number = min(file.only)
    progress.page(number)
    kind = kind_of(file.path, file.name)
    if kind not in DRAWERS:
        raise ParseError(
            "unsupported", "Only pages of PDFs and of pictures can be shown as they are printed."
        )
    drawn = io.BytesIO()
    DRAWERS[kind](file, number, width).save(drawn, "PNG", compress_level=6)
    return drawn.getvalue()


def _of_pdf(file: File, number: int, width: int) -> Image.Image:
    with closing(pdf.opened(file.path, file.password)) as document:
        try:
            page = document[number - 1]
        except (pdfium.PdfiumError, IndexError) as error:
            raise ParseError("damaged", "This page of the PDF is damaged.") from error
        with closing(page):
            across, down = page.get_size()
            scale = width / max(across, 1.0)
            if across * down * scale * scale > pdf.MOST_PIXELS:
                raise ParseError("bomb", "The page is too long to be shown as a picture.")
            picture: Image.Image = page.render(scale=scale).to_pil()
            return picture.convert("RGB")


def _of_picture(file: File, number: int, width: int) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = pdf.MOST_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file.path) as picture:
                picture.seek(number - 1)
                frame = picture.convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ParseError("bomb", "The picture has too many pixels; it was not opened.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise ParseError("damaged", "The picture is damaged: save it again.") from error
    if frame.width > width:
        frame = frame.resize((width, max(1, round(frame.height * width / frame.width))))
    return frame


DRAWERS = {"pdf": _of_pdf, "image": _of_picture}
