"""Benchmarks of the main job: real processes, each figure a ratio of two things measured in the same run."""
