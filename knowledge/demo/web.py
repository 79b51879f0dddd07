"""A demo source as a saved web page, with the menu and script around the text that such pages have."""

from html import escape

from knowledge.demo.source import Block, Source

PAGE = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="author" content="{author}">
<meta name="date" content="{date}">
<style>body {{ font-family: Georgia, serif; max-width: 40em; margin: 2em auto }} nav li {{ display: inline }}</style>
<script>window.visits = (window.visits || 0) + 1;</script>
</head>
<body>
<nav><ul><li>Our milk</li><li>Our farmers</li><li>News</li></ul></nav>
<main>
{main}
</main>
<footer><p>Quillmarsh Dairies Limited, Saltreed Works, Fenner’s Lane, Saltreed</p></footer>
</body>
</html>
"""
TAGS = {"heading": "h1", "subheading": "h2"}


def render(source: Source) -> bytes:
    head = {key: escape(source.head[key]) for key in ("title", "author", "date")}
    return PAGE.format(main="\n".join(_element(block) for block in source.blocks), **head).encode()


def _element(block: Block) -> str:
    if block.kind == "table":
        rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in block.rows)
        return "<table>\n" + "\n".join(f"<tr>{row}</tr>" for row in rows) + "\n</table>"
    tag = TAGS.get(block.kind, "p")
    return f"<{tag}>{escape(block.plain, quote=False)}</{tag}>"
