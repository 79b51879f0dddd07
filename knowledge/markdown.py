"""Words of a document or of a model for a reader that renders Markdown, as other programs' windows do.

They are shown as they are: no image or link in them is alive there, and no element of HTML. An image alone is
enough to carry an answer away, because it is fetched without a click.
"""

import re

# The bracket that would make a link, image or reference; what opens a tag or an automatic link; an address.
ALIVE = re.compile(r"\](?=[\[(:])|<(?=[a-z/!?])|(?<=[a-z]):(?=//)|(?<=\bwww)\.|\\", re.IGNORECASE)


def plain(text: str) -> str:
    return ALIVE.sub(lambda found: f"\\{found[0]}", text)
