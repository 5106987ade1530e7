"""Let `python -m late_flights` be the command line."""

import sys

from late_flights.pipeline import main

sys.exit(main())
