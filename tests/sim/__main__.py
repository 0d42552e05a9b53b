"""`python -m tests.sim SEED [SEED...]`: replay seeds; `python -m tests.sim --from A --to B`: a soak."""

import argparse
import sys
import time

from tests.sim.world import World, run_seed


def main() -> int:
    """Run; exit code 1 if any seed violates an invariant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int)
    parser.add_argument("--from", dest="low", type=int, default=0)
    parser.add_argument("--to", dest="high", type=int, default=0)
    args = parser.parse_args()
    seeds = args.seeds or list(range(args.low, args.high))
    bad, began = 0, time.monotonic()
    for n, seed in enumerate(seeds, 1):
        found = run_seed(seed)
        if found:
            bad += 1
            print(found, flush=True)
        elif len(seeds) == 1:
            world = World(seed)
            world.run()
            print("\n".join(world.story), world.watch.tells, world.watch.frames_sent, world.watch.frames_heard)
        if n % 200 == 0:
            print(f"{n} of {len(seeds)} seeds, {bad} bad, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{len(seeds)} seeds, {bad} bad, {time.monotonic() - began:.1f} s")
    return 1 if bad else 0


sys.exit(main())
