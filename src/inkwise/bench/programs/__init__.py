"""The contenders' programs, written as a user would; each prints one line of results."""
