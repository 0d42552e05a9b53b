"""`python -m monitor` is `ptt`."""

import sys

from monitor.cli import main

sys.exit(main())
