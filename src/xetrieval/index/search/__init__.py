"""Search, with one file per mode."""
