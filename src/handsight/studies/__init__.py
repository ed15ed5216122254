"""Encoders measured on recordings: benchmarks, a run's controls, and a robot's probes."""
