"""A result becomes rows once (`rows`); each output draws those rows: text, html, page, markdown."""
