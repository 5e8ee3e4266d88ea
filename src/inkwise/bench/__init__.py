"""The bench: libraries and recipes compared on one machine, each in a process of its own."""
