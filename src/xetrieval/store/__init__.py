"""Bytes on disk: whole or not at all, and known by their hash. Knows nothing of their meaning."""

from .arrays import half_precision, read_arrays, write_arrays
from .atomic import cache_folder, check_writable, new_folder, replacing, write_bytes, write_text
from .database import database
from .hashing import digest_of, sha256_of_file
from .json_text import parse_json, read_json
from .lock import alone
from .manifest import Kind, read_manifest, write_manifest

__all__ = [
    "Kind",
    "alone",
    "cache_folder",
    "check_writable",
    "database",
    "digest_of",
    "half_precision",
    "new_folder",
    "parse_json",
    "read_arrays",
    "read_json",
    "read_manifest",
    "replacing",
    "sha256_of_file",
    "write_arrays",
    "write_bytes",
    "write_manifest",
    "write_text",
]
