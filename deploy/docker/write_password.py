"""Write the password of Airflow's user `admin` where Airflow's SimpleAuthManager reads it."""  # noqa: INP001

from __future__ import annotations

import json
import os
from pathlib import Path

target = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
target.touch(mode=0o600)
target.write_text(json.dumps({"admin": os.environ["ADMIN_PASSWORD"]}), encoding="utf-8")
