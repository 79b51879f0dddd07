"""Office files are zip archives: packed again so that equal content gives equal bytes."""

import re
import zipfile
from datetime import datetime
from io import BytesIO

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date a zip archive can state
STAMPS = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def settled(content: bytes, date: datetime) -> bytes:
    """The archive with `date` as its properties' only date and no other trace of when it was made."""
    out = BytesIO()
    stamp = date.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "docProps/core.xml":
                data = STAMPS.sub(rb"\g<1>" + stamp, data)
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            new.writestr(entry, data)
    return out.getvalue()
