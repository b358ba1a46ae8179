"""Lets ``python -m kadanoff`` do what the ``kadanoff`` command does."""

from kadanoff.cli import main

if __name__ == "__main__":
    main()
