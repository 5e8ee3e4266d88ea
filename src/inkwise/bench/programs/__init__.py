"""The contenders: programs as a user would write them, each of which prints one line of figures."""
