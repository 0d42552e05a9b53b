"""Virtual vehicles, the demo, load and benchmarks, and the private brokers and cut lines that tests use as well."""
