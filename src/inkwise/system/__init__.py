"""What the machine is asked for: files, folders, optional libraries, the machine itself."""
