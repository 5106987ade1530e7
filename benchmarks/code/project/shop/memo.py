"""A cache made by hand."""

_KNOWN = {}


def compute(key):
    return len(key)


def remembered(key):
    if key not in _KNOWN:
        _KNOWN[key] = compute(key)
    return _KNOWN[key]
