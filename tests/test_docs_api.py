"""The examples of docs/api.md, run as they stand there against a running service."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Live

DOCS = (Path(__file__).parent.parent / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"```sh\n(.*?)```", DOCS, flags=re.DOTALL)


@pytest.mark.xdist_group("live")
def test_every_example_of_the_document_works(live: Live, tmp_path):
    where = {"PINCITE": f"{live.service.url}/api/v1", "TOKEN": live.service.token, "MATTER": live.matter}
    said = [run(example, where, tmp_path) for example in EXAMPLES]
    assert len(said) >= 9
    for example, text in zip(EXAMPLES, said, strict=True):
        told = json.loads(text.split("\n\n")[-1])  # behind the headers, if they are shown
        if "00000000-0000" in example:
            assert told["status"] == 404
        else:
            assert "status" not in told, (example, told)
    assert any("ratelimit:" in text.lower() for text in said)


def run(example: str, where: dict[str, str], directory: Path) -> str:
    words, environment = ["bash", "-ec", example], {**os.environ, **where}
    done = subprocess.run(
        words, env=environment, cwd=directory, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def test_the_signature_check_of_the_document_agrees_with_what_is_sent():
    from uuid import uuid4

    from knowledge import webhooks

    [code] = re.findall(r"```python\n(import base64.*?)```", DOCS, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - the document's own example
    secret, pk, body = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ=", uuid4(), b'{"type":"answer.done"}'
    signature = webhooks.signature(secret, pk, 1_900_000_000, body)
    headers = {"webhook-id": str(pk), "webhook-timestamp": "1900000000", "webhook-signature": signature}
    assert names["is_ours"](secret, headers, body)
    assert not names["is_ours"](secret, headers, body + b" ")
