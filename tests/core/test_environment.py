import json
import platform

import numpy as np

from airflow_mltest.core.environment import conditions


def test_conditions_are_strict_json_and_leave_out_what_is_not_installed():
    found = conditions(["numpy", "no-such-package"])

    json.dumps(found, allow_nan=False)
    assert found["python"] == platform.python_version()
    assert found["packages"] == {"numpy": np.__version__}
    assert found["cpus"] >= 1
