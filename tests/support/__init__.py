"""What tests of real processes share: a private broker, a bad line, daemons with captured logs."""
