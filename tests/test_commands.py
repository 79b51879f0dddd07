"""The command line: clear messages, and an exit code that scripts can trust."""

import io
import zipfile

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from knowledge.models import ApiToken, Document, Matter, Version


def run(*words: str) -> str:
    output = io.StringIO()
    call_command(*words, stdout=output, stderr=output)
    return output.getvalue()


@pytest.mark.parametrize("matter", ["No such matter", "00000000-0000-4000-8000-000000000000"])
def test_an_unknown_matter_is_named_with_the_known_ones(people, tmp_path, matter):
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(CommandError, match=r"Known: .*Harbour dispute"):
        run("ingest", matter, str(tmp_path))


def test_a_missing_path_is_named(people, tmp_path):
    with pytest.raises(CommandError, match=r"No such file or folder: .*nothing-here"):
        run("ingest", "Harbour dispute", str(tmp_path / "nothing-here"))


def test_an_empty_folder_is_said_to_be_empty(people, tmp_path):
    with pytest.raises(CommandError, match="Nothing to ingest"):
        run("ingest", "Harbour dispute", str(tmp_path))


def test_two_matters_of_one_name_need_the_id(people, tmp_path):
    (tmp_path / "a.txt").write_text("text")
    Matter.objects.create(name="Harbour dispute")
    with pytest.raises(CommandError, match="several matters"):
        run("ingest", "Harbour dispute", str(tmp_path))


@pytest.mark.django_db(transaction=True)
def test_a_folder_is_ingested_and_one_bad_file_never_stops_its_neighbours(tmp_path):
    from tests.conftest import make_people

    people = make_people()
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "good.txt").write_text("The crane was delivered on 4 May 2031.")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (tmp_path / "tool.exe").write_bytes(b"MZ\x90\x00" + bytes(100))
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("inside/note.txt", "The quay wall was inspected in June.")
        archive.writestr("inside/empty.txt", "")
    with pytest.raises(CommandError, match="3 of the files"):
        run("ingest", str(people.matter.pk), str(tmp_path))
    states = {document.path: document.latest for document in Document.objects.all()}
    assert states["letters/good.txt"].state == Version.State.SEARCHABLE
    assert states["bundle.zip/inside/note.txt"].state == Version.State.SEARCHABLE
    assert states["bundle.zip"].state == Version.State.UNPACKED
    assert "inside/empty.txt: It is empty." in states["bundle.zip"].note
    assert states["broken.pdf"].state == Version.State.FAILED
    assert "damaged" in states["broken.pdf"].note
    assert "program" in states["tool.exe"].note
    assert "empty.txt" not in states  # turned away at the door, and said so
    again = run("ingest", str(people.matter.pk), str(tmp_path / "letters" / "good.txt"), "--no-wait")
    assert "unchanged" not in again  # another path in the matter is another document


def test_setup_makes_one_superuser_and_tells_the_password_once(db, monkeypatch):
    monkeypatch.delenv("PINCITE_ADMIN_PASSWORD", raising=False)
    told = run("setup")
    admin = User.objects.get(is_superuser=True)
    password = told.split("password: ")[1].split()[0]
    assert admin.check_password(password)
    assert run("setup") == ""
    assert User.objects.filter(is_superuser=True).count() == 1


def test_setup_takes_the_password_from_the_environment(db, monkeypatch):
    monkeypatch.setenv("PINCITE_ADMIN_PASSWORD", "a given password")
    assert "a given password" not in run("setup")
    assert User.objects.get(is_superuser=True).check_password("a given password")


def test_a_token_is_printed_and_works(people):
    token = run("token", "reader", "script").strip()
    assert ApiToken.person(token) == people.reader


def test_a_token_for_nobody_is_refused(db):
    with pytest.raises(CommandError, match="No active user"):
        run("token", "nobody", "script")
