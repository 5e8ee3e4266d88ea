"""The sub-commands, a file per group of them."""
