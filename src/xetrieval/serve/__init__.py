"""The HTTP API and the page. Needs the extra `ui`."""
