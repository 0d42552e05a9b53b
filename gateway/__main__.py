"""`python -m gateway` is `ptt-gateway`."""

import sys

from gateway.cli import main

sys.exit(main())
