"""``python -m inkwise`` is the ``inkwise`` command."""

from inkwise.cli.app import main

main()
