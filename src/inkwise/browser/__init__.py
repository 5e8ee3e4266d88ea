"""The browser: reading pictures in a page, without a server, as the library does."""
