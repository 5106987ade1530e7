"""Something that tests replace."""


def fetch(url):
    raise OSError(url)


def title(url):
    return fetch(url).title()
