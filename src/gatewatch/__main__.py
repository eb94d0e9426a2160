"""`python -m gatewatch` is the `gatewatch` command."""

from gatewatch.cli.main import main

if __name__ == "__main__":
    main()
