"""What was learned: a protocol a file, with its controls and its intervals."""
