"""How search grows with the passages, as an SVG picture of three panels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PICTURE = Path(__file__).parent.parent / "docs" / "growth.svg"
WIDTH, HEIGHT, LEFT, TOP, GAP = 220, 160, 50, 40, 70


@dataclass(frozen=True)
class Point:
    """Times in milliseconds, memory and disk in MB."""

    passages: int
    median: float
    p95: float
    embedding: float
    memory: float
    disk: float


# title → its lines: name, attribute, colour
PANELS = (
    ("time, ms", (("p95", "p95", "#c40"), ("median", "median", "#06c"), ("embedding", "embedding", "#999"))),
    ("memory, MB", (("", "memory", "#06c"),)),
    ("disk, MB", (("", "disk", "#06c"),)),
)


def draw(points: Sequence[Point], picture: Path = PICTURE) -> None:
    """Nothing from one size alone: no growth can be seen."""
    if len(points) > 1:
        picture.write_text(svg(points))


def svg(points: Sequence[Point]) -> str:
    body = "\n".join(line for place in range(len(PANELS)) for line in _panel(place, points))
    width, height = len(PANELS) * (WIDTH + GAP) + LEFT, HEIGHT + TOP + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11">\n<rect width="{width}" height="{height}" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _panel(place: int, points: Sequence[Point]) -> Iterator[str]:
    title, lines = PANELS[place]
    left, foot = LEFT + place * (WIDTH + GAP), TOP + HEIGHT
    most = max(getattr(point, name) for _, name, _ in lines for point in points) or 1.0
    yield f'<text x="{left}" y="{TOP - 15}" font-size="13">{title}</text>'
    yield f'<path d="M{left} {TOP}V{foot}H{left + WIDTH}" fill="none" stroke="#999"/>'
    yield f'<text x="{left - 6}" y="{TOP + 4}" text-anchor="end">{most:,.0f}</text>'
    yield f'<text x="{left - 6}" y="{foot}" text-anchor="end">0</text>'
    widest = points[-1].passages
    for point in points:
        x = left + WIDTH * point.passages / widest
        yield f'<text x="{x:.0f}" y="{foot + 15}" text-anchor="middle">{point.passages // 1000}k</text>'
    for label, name, colour in lines:
        places = [
            (left + WIDTH * point.passages / widest, foot - HEIGHT * getattr(point, name) / most)
            for point in points
        ]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield f'<text x="{places[-1][0] + 5:.0f}" y="{places[-1][1] + 4:.0f}" fill="{colour}">{label}</text>'
