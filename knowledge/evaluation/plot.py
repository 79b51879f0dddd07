"""Recall against k as an SVG picture, the published curves beside ours."""

import math
from collections.abc import Iterable, Sequence
from html import escape

from knowledge.evaluation.published import PUBLISHED
from knowledge.evaluation.report import CHARACTERS, KS, OVERALL, Row

WIDTH, HEIGHT = 960, 460
LEFT, RIGHT, TOP, BOTTOM = 60, 430, 40, 50
COLOURS = ("#0b5", "#06c", "#c40", "#80c")
Curve = tuple[str, str, bool, dict[int, float]]  # name, colour, is ours, k → percent


def svg(title: str, rows: Sequence[Row]) -> str:
    """Our overall rows (or the only data set's) of the whole set, and the published curves, dashed."""
    curves = [*_ours(rows), *_published()]
    body = "\n".join(
        [*_frame(title), *(line for place, curve in enumerate(curves) for line in _curve(place, curve))]
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _ours(rows: Sequence[Row]) -> Iterable[Curve]:
    whole = [row for row in rows if row.half == "all" and f"recall@{KS[0]}x500" in row.figures]
    modes = {row.mode: row for row in whole}  # the last of a mode is its overall row
    for (mode, row), colour in zip(modes.items(), COLOURS, strict=False):
        points = {k: 100 * row.figures[f"recall@{k}x{CHARACTERS}"].value for k in KS}
        name = mode if row.dataset == OVERALL else f"{mode}, {row.dataset}"
        yield f"Pincite, {name}", colour, True, points


def _published() -> Iterable[Curve]:
    for place, other in enumerate(PUBLISHED):
        yield f"{other.name} ({other.source})", f"hsl({40 * place} 15% 50%)", False, other.recall


def _frame(title: str) -> Iterable[str]:
    yield f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>'
    for percent in range(0, 101, 20):
        y = _y(percent)
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>'
    for k in KS:
        yield f'<text x="{_x(k):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{k}</text>'
    label = f"k (recall in the first {CHARACTERS} × k characters; published: k chunks)"
    yield f'<text x="{LEFT}" y="{HEIGHT - 10}">{label}</text>'


def _curve(place: int, curve: Curve) -> Iterable[str]:
    name, colour, is_ours, points = curve
    style = f'stroke="{colour}" stroke-width="{2.5 if is_ours else 1.5}"' + (
        "" if is_ours else ' stroke-dasharray="5 4"'
    )
    path = "L".join(f"{_x(k):.1f} {_y(percent):.1f}" for k, percent in sorted(points.items()))
    yield f'<path d="M{path}" fill="none" {style}/>'
    yield from (
        f'<circle cx="{_x(k):.1f}" cy="{_y(p):.1f}" r="3" fill="{colour}"/>' for k, p in points.items()
    )
    x, y = WIDTH - RIGHT + 15, TOP + 10 + 20 * place
    yield f'<path d="M{x} {y}h18" {style}/>'
    yield f'<text x="{x + 24}" y="{y + 4}" font-size="11">{escape(name)}</text>'


def _x(k: float) -> float:
    return LEFT + (WIDTH - RIGHT - LEFT - 10) * math.log2(k) / math.log2(KS[-1])


def _y(percent: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * percent / 100
