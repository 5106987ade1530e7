"""On `sys.path` because a conftest.py puts it there."""


def tool():
    return "hammer"
