import inspect
import re

from airflow_mltest.core import errors


def test_tree_in_the_docstring_is_the_tree_of_classes():
    drawn, path = {}, []
    for line in errors.__doc__.splitlines():
        match = re.match(r"(?P<indent>[|` -]*)(?P<name>\w+Error)\b", line)
        if match:
            depth = len(match["indent"]) // 4
            path[depth:] = [match["name"]]
            drawn[match["name"]] = path[depth - 1] if depth else None
    classes = {name: cls for name, cls in vars(errors).items() if inspect.isclass(cls)}

    assert drawn.keys() == classes.keys()
    for name, parent in drawn.items():
        assert parent is None or classes[parent] in classes[name].__bases__
