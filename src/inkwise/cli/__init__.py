"""The command line: thin commands that parse, call the library once, and show the result."""
