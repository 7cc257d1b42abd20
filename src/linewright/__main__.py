"""``python -m linewright``: the same as the command ``linewright``."""

import sys

from linewright.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
