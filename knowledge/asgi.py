"""The ASGI application; answers stream, so the pages are served by an ASGI server."""

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "knowledge.settings")

# WhiteNoise hands out files through synchronous iterators; ours are a few kilobytes, so reading one at once
# is what we want. Everything long (downloads, answers) is streamed asynchronously.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

_django = get_asgi_application()

from django.conf import settings  # noqa: E402 - needs the settings

from knowledge import callers, lending, mcp  # noqa: E402
from knowledge.bodies import limited  # noqa: E402

_most = settings.MAX_FILE_BYTES + settings.FORM_BYTES
application = limited(callers.watched(mcp.mounted(lending.lent(_django))), _most)
