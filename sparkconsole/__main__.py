"""`python -m sparkconsole` is the same program as `sparkconsole`."""

from sparkconsole.cli import main

if __name__ == "__main__":
    main()
