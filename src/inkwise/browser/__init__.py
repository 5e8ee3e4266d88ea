"""The page, and what answers in a browser without a server."""
