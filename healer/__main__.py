"""``python -m healer``."""

from healer.cli.main import main

if __name__ == "__main__":
    main()
