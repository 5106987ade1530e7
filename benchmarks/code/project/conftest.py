pytest_plugins = ["tests.traps.plugged", "tests.traps.yamls"]
