"""``python -m doubao_core.cli``: the command ``doubao``."""

import sys

from doubao_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
