"""The ASGI application; answers stream, so the pages are served by an ASGI server."""

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "knowledge.settings")

# WhiteNoise hands out files through synchronous iterators; ours are a few kilobytes, so reading one at once
# is what we want. Everything long (downloads, answers) is streamed asynchronously.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

pages = get_asgi_application()

from django.conf import settings  # noqa: E402 - needs the settings

from knowledge import callers, lending, mcp  # noqa: E402
from knowledge.bodies import Application, limited  # noqa: E402


def guarded(application: Application) -> Application:
    """With all that stands before the pages."""
    return limited(callers.watched(mcp.mounted(application)), settings.MAX_FILE_BYTES + settings.FORM_BYTES)


application = guarded(lending.lent(pages))
