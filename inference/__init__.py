"""Numbers and text: embed, generate. No tenants, no database, no prompts policy."""

import os

# Before any model library is imported: they read these once, at import. Models are folders on disk.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")  # progress bars in a log are noise
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
