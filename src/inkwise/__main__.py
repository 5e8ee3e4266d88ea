"""``python -m inkwise`` is the ``inkwise`` command."""

from inkwise.cli.main import main

main()
