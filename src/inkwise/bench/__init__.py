"""The bench: contenders side by side on one machine, each in a process of its own."""
