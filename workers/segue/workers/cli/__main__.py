"""`python -m segue.workers.cli`: the same as `segue`."""

from __future__ import annotations

from segue.workers.cli import main

if __name__ == "__main__":
    main()
