import pytest

from airflow_mltest.core.errors import ConfigurationError
from airflow_mltest.integrations.yaml_file import documents


@pytest.mark.parametrize(
    "name, text, found",
    [
        ("a.yaml", "cpus: 1\n---\ncpus: 2\n", [{"cpus": 1}, {"cpus": 2}]),
        ("a.json", '{"cpus":\t1}', [{"cpus": 1}]),
        ("a.yaml", "", []),
    ],
)
def test_every_document_is_read(tmp_path, name, text, found):
    (tmp_path / name).write_text(text)

    assert documents(tmp_path / name) == found


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("a.yaml", b"password: s3cret\nenv: [", "no YAML or JSON, see line 2"),
        ("a.json", b'{"password": "s3cret",\n', "no YAML or JSON, see line 2"),
        ("a.yaml", b"\xff\xfe\xfa", "no YAML or JSON"),
        ("gone.yaml", None, "it cannot be read: No such file"),
    ],
)
def test_mistake_is_told_by_its_line_and_not_by_what_is_on_it(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigurationError, match=said) as refused:
        documents(tmp_path / name)
    assert "s3cret" not in str(refused.value)
