"""Turns a result into rows (`rows`), which every output draws: text, html, page, markdown."""
