"""Agents: what acts in a place, judges what came of it, and remembers it."""
