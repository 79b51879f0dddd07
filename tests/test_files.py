"""What is made at the first start is there whole, or is made again."""

from knowledge import files


def test_a_file_that_is_kept_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "key"
    assert files.kept(path, lambda: b"first") == files.kept(path, lambda: b"second") == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_a_power_cut_left_empty_is_made_again(tmp_path):
    path = tmp_path / "key"
    path.touch()
    assert files.kept(path, lambda: b"made") == b"made"


def test_a_folder_is_made_with_those_above_it(tmp_path):
    for _ in range(2):
        files.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
