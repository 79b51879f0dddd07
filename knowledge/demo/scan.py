"""A demo source as a scanned letter: set in a font that comes with Pillow, turned a little, with noise."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from knowledge.demo import pdf
from knowledge.demo.source import Block, Source

WIDTH, HEIGHT, DPI = 1654, 2339, 200  # A4
MARGIN, SIZE, LEADING, GAP = 190, 32, 46, 26  # pixels
PAPER, INK, GREY = 246, 38, 120
TILT = (0.5, -0.35)  # degrees, page by page


def render(source: Source) -> bytes:
    sheets = [_page(blocks) for blocks in source.pages]
    _stamp(sheets[0])
    _sign(sheets[-1])
    return pdf.images(source, [_scanned(sheet, number) for number, sheet in enumerate(sheets)])


def _page(blocks: list[Block]) -> Image.Image:
    sheet = Image.new("L", (WIDTH, HEIGHT), PAPER)
    draw, y = ImageDraw.Draw(sheet), 150
    for block in blocks:
        y = _write(draw, block, y) + GAP
        if block.plain.startswith("Yours"):
            y += 150  # room for the signature
    return sheet


def _write(draw: ImageDraw.ImageDraw, block: Block, y: int) -> int:
    """Set one block at `y`; returns the line below it."""
    font = ImageFont.load_default(SIZE)
    strong = block.kind in ("title", "heading")
    for line in [part for whole in block.plain.splitlines() for part in _wrap(whole, font)]:
        x = (WIDTH - font.getlength(line)) / 2 if block.kind in ("title", "centre") else MARGIN
        # The font has one weight; a thin outline makes the second.
        draw.text((x, y), line, fill=INK, font=font, stroke_width=0.6 if strong else 0)
        y += LEADING
    return y


def _wrap(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= WIDTH - 2 * MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _stamp(sheet: Image.Image) -> None:
    """The stamp of the Buyer's post room, set askew beside the address."""
    stamp = Image.new("L", (430, 150), 255)
    draw = ImageDraw.Draw(stamp)
    draw.rectangle((4, 4, 425, 145), outline=GREY, width=5)
    for row, text in enumerate(("QUILLMARSH LEGAL", "RECEIVED 31 MAY 2024")):
        draw.text((28, 28 + row * 50), text, fill=GREY, font=ImageFont.load_default(33))
    turned = stamp.rotate(4, expand=True, fillcolor=255, resample=Image.Resampling.BICUBIC)
    mask = turned.point([255 - level for level in range(256)])
    sheet.paste(Image.new("L", turned.size, GREY), (1050, 330), mask)


def _sign(sheet: Image.Image) -> None:
    """A scrawl below the closing line, found as the last wide gap between lines."""
    rows = np.flatnonzero((np.asarray(sheet) < PAPER).any(axis=1))
    gaps = np.diff(rows)
    top = int(rows[int(np.flatnonzero(gaps > 150)[-1])]) + 60
    points = [
        (MARGIN + 10 + step * 9, top + 50 + 45 * np.sin(step * 1.3) * np.cos(step * 0.21))
        for step in range(40)
    ]
    ImageDraw.Draw(sheet).line(points, fill=70, width=4, joint="curve")


def _scanned(sheet: Image.Image, number: int) -> bytes:
    """What a flatbed makes of the sheet: tilt, uneven light, grain, JPEG."""
    turned = sheet.rotate(TILT[number % len(TILT)], resample=Image.Resampling.BICUBIC, fillcolor=PAPER)
    grain = np.random.default_rng(2214 + number).normal(0, 5, (HEIGHT, WIDTH))
    light = np.linspace(0, -14, WIDTH)[None, :]
    pixels = np.clip(np.asarray(turned, dtype=np.float64) + light + grain, 0, 255).astype(np.uint8)
    out = BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=42, dpi=(DPI, DPI))
    return out.getvalue()
