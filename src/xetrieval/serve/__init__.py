"""The API and the page: what the library answers, over HTTP. Needs the extra `ui`."""
