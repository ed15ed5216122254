"""`python -m handsight`."""

from handsight.cli import main

if __name__ == "__main__":
    main()
