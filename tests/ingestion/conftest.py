"""The shared evaluation data, where it is at hand."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = Path(os.environ.get("PINCITE_TEST_DATA", ROOT.parent / "shared" / "data"))
NO_DATA = (
    f"the evaluation data is not at {DATA.name}/ beside the checkout (PINCITE_TEST_DATA names another place)"
)
