"""Files that come in pieces: resumable, never larger than announced, and with a report."""

import csv
import io

import pytest
from django.test import Client

from knowledge import blobs, uploads
from knowledge.models import Document, Transfer, Version
from tests.conftest import Live, People
from tests.test_generations import work_off

HUNG_UP = 0
PIECE = b"The rent is due on the first of May. "


@pytest.fixture
def api(people: People) -> Client:
    return Client(headers=people.token(people.member))


@pytest.fixture
def upload(api, people) -> str:
    return api.post(f"/api/v1/matters/{people.matter.pk}/uploads").json()["id"]


def announce(api: Client, upload: str, path: str, size: int):
    body = {"path": path, "size": size}
    return api.post(f"/api/v1/uploads/{upload}/files", body, content_type="application/json")


def send(api: Client, transfer: str, offset: int, content: bytes):
    path = f"/api/v1/transfers/{transfer}?offset={offset}"
    return api.patch(path, content, content_type="application/octet-stream")


def rows(api: Client, upload: str) -> list[dict[str, str]]:
    text = api.get(f"/api/v1/uploads/{upload}/report").content.decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_pieces_become_a_document_and_a_lost_connection_costs_nothing(api, upload, people):
    transfer = announce(api, upload, "letters/a.txt", 3 * len(PIECE)).json()
    assert send(api, transfer["id"], 0, PIECE).json()["offset"] == len(PIECE)
    again = announce(api, upload, "letters/a.txt", 3 * len(PIECE)).json()
    assert (again["id"], again["offset"]) == (transfer["id"], len(PIECE))
    wrong = send(api, transfer["id"], 0, PIECE)
    assert (wrong.status_code, wrong.json()["offset"]) == (409, len(PIECE))
    last = send(api, transfer["id"], len(PIECE), 2 * PIECE).json()
    assert last["outcome"] == "queued"
    document = Document.objects.get(pk=last["document_id"])
    assert document.path == "letters/a.txt"
    assert blobs.path(people.matter.pk, document.latest.sha256).read_bytes() == 3 * PIECE
    assert not Transfer.objects.exists()
    assert [path for path in blobs.folder(people.matter.pk).iterdir() if path.is_file()] == []


def test_more_bytes_than_announced_are_refused_and_what_was_here_stays(api, upload):
    transfer = announce(api, upload, "a.txt", 2 * len(PIECE)).json()
    send(api, transfer["id"], 0, PIECE)
    response = send(api, transfer["id"], len(PIECE), 5 * PIECE)
    assert response.status_code == 422
    assert "More bytes came" in response.json()["detail"]
    assert api.get(f"/api/v1/transfers/{transfer['id']}").json()["offset"] == len(PIECE)
    assert send(api, transfer["id"], len(PIECE), PIECE).json()["outcome"] == "queued"


@pytest.mark.parametrize(("size", "reason"), [(0, "empty"), (-1, "empty"), (10**12, "larger than the limit")])
def test_what_cannot_be_taken_is_refused_before_it_comes(api, upload, size, reason):
    response = announce(api, upload, "a.txt", size)
    assert response.status_code == 422
    assert reason in response.json()["detail"]
    assert [row["path"] for row in rows(api, upload)] == ["a.txt"]


def test_the_report_says_what_became_of_each_file(api, upload, people):
    files = {"a.txt": PIECE, "=cmd.txt": b"Other words.", "b.txt": PIECE, "broken.pdf": b"%PDF-1.7 broken"}
    for path, content in files.items():
        transfer = announce(api, upload, path, len(content)).json()
        send(api, transfer["id"], 0, content)
    announce(api, upload, "half.txt", 100)
    announce(api, upload, "empty.txt", 0)
    work_off()
    told = {row["path"]: row for row in rows(api, upload)}
    assert told["a.txt"]["state"] == "Searchable"
    assert (told["a.txt"]["pages"], told["a.txt"]["text pages"]) == ("1", "1")
    assert told["b.txt"]["same as"] == "a.txt"
    assert "damaged" in told["broken.pdf"]["reason"]
    assert told["broken.pdf"]["reason code"] == "damaged"
    assert told["empty.txt"]["state"] == "Not taken in"
    assert told["half.txt"]["state"] == "Arriving"
    assert "'=cmd.txt" in told  # no spreadsheet takes it for a formula
    counts = api.get(f"/api/v1/uploads/{upload}").json()["counts"]
    assert counts == {"searchable": 2, "duplicate": 1, "failed": 1, "refused": 1, "arriving": 1}


def test_an_unfinished_file_that_nobody_goes_on_with_is_forgotten(api, upload, people, monkeypatch):
    transfer = announce(api, upload, "a.txt", 100).json()
    send(api, transfer["id"], 0, PIECE)
    assert uploads.sweep() == 0
    Transfer.objects.update(touched="2020-01-01T00:00:00Z")
    assert uploads.sweep() == 1
    assert list(blobs.folder(people.matter.pk).glob("transfer-*")) == []


@pytest.mark.xdist_group("live")
@pytest.mark.parametrize("claimed", ["none", "false"])
def test_two_gigabytes_of_no_or_false_length_are_refused_in_little_memory(live: Live, claimed):
    """Sent to the running service: without a length, and with one that is far too small."""
    process = live.service.process
    before = process.memory_info().rss
    status, most = flood(live, claimed)
    assert status in {400, 413, HUNG_UP}
    assert most - before <= 64 * 1024 * 1024
    with live.service.client as client:
        assert client.get("/matters").status_code == 200


def flood(live: Live, claimed: str) -> tuple[int, int]:
    """The status of the reply, and the most memory that the service had meanwhile."""
    import socket
    from urllib.parse import urlsplit

    address = urlsplit(live.service.url)
    length = "Transfer-Encoding: chunked" if claimed == "none" else "Content-Length: 1000"
    head = (
        f"POST /api/v1/matters/{live.matter}/documents HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {live.service.token}\r\nContent-Type: application/octet-stream\r\n"
        f"{length}\r\n\r\n"
    )
    piece = bytes(1024 * 1024)
    framed = b"100000\r\n" + piece + b"\r\n" if claimed == "none" else piece
    most = 0
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(head.encode())
        try:
            for number in range(2048):
                connection.sendall(framed)
                if number % 16 == 0:
                    most = max(most, live.service.process.memory_info().rss)
        except OSError:
            pass  # the service hung up, as it should
        connection.settimeout(10)
        try:
            reply = connection.recv(4096)
        except OSError:
            reply = b""
    return (int(reply.split()[1]) if reply else HUNG_UP), most


def test_versions_know_their_upload(api, upload):
    transfer = announce(api, upload, "a.txt", len(PIECE)).json()
    send(api, transfer["id"], 0, PIECE)
    assert str(Version.objects.get().upload_id) == upload
