import json
import os

from airflow_mltest.folder import content_digest, files_below, is_file, line_count, marks, put_back, remove


def test_every_file_is_listed_but_those_of_git_and_python(tmp_path):
    for path in ("a.py", "sub/é.csv", ".git/config", "sub/__pycache__/a.pyc", ".hidden"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "link").symlink_to("nowhere")

    assert set(files_below(tmp_path)) == {"a.py", "sub/é.csv", ".hidden", "link"}
    assert [is_file(tmp_path / name) for name in ("a.py", "link", "sub", "none")] == [True, True, False, False]


def test_digest_tells_content_kind_and_permission_apart(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "same").write_text("1")
    (tmp_path / "other").write_text("2")
    (tmp_path / "program").write_text("1")
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "link").symlink_to("a")
    os.mkfifo(tmp_path / "pipe")

    digests = {
        name: content_digest(tmp_path / name) for name in ("a", "same", "other", "program", "link", "pipe", "none")
    }

    assert digests["a"] == digests["same"]
    assert digests["pipe"] == digests["none"]
    assert len(set(digests.values())) == 5


def test_lines_are_counted_as_git_counts_them(tmp_path):
    file = tmp_path / "a"
    for content, count in {b"": 0, b"1": 1, b"1\n": 1, b"1\n2": 2, b"\n\n": 2, b"1\r2\x0c3\n": 1, b"1\0\n": 0}.items():
        file.write_bytes(content)
        assert line_count(file) == count
    (tmp_path / "link").symlink_to("a")
    assert line_count(tmp_path / "link") == line_count(tmp_path / "none") == 0


def test_what_changed_since_it_was_marked_is_removed_and_the_rest_is_left_alone(tmp_path):
    for path in ("same", "written", "sub/inner", "frozen/file", ".git/config", "gone/file"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("1")
    marked = json.loads(json.dumps(marks(tmp_path)))
    assert put_back(tmp_path, marked)
    (tmp_path / "written").write_text("2")
    (tmp_path / "sub" / "new").mkdir()
    (tmp_path / "sub" / "link").symlink_to("/etc")
    (tmp_path / "frozen").chmod(0o500)
    (tmp_path / ".git" / "config").write_text("2")
    remove(tmp_path / "gone")

    assert not put_back(tmp_path, marked)

    assert set(files_below(tmp_path)) == {"same", "sub/inner", "frozen/file"}
    assert (tmp_path / ".git" / "config").read_text() == "2"
    assert (tmp_path / "frozen").stat().st_mode == marked["frozen"][0]
    assert not put_back(tmp_path, marked)  # two files and a folder are missing


def test_folder_goes_with_whatever_modes_are_in_it_and_a_link_goes_alone(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "a" / "b").chmod(0)
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")

    for name in ("a", "link", "nothing"):
        remove(tmp_path / name)

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
