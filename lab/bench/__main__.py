"""`python -m lab.bench`: the same as `ptt-lab bench`."""

import sys

from lab.bench.run import main

sys.exit(main(sys.argv[1:]))
