"""The page without a server: the network and all that it needs, in a browser."""
