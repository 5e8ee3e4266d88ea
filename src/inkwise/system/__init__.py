"""The operating system and the machine: files, folders, optional libraries, progress."""
