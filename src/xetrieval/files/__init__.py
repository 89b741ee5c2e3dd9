"""Files and folders, written completely or not at all and identified by hashes. Knows nothing about their meaning."""

from .arrays import check_written, half_precision, read_arrays, write_arrays
from .atomic import (
    cache_folder,
    check_apart,
    check_file,
    check_folder,
    check_writable,
    is_stream,
    read_bytes,
    read_text,
    replacing,
    write_bytes,
    write_text,
)
from .database import database
from .folders import Work, check_new_folder, claim, is_vacant, new_folder, recover
from .hashing import digest_of, sha256_of_file, stamp_of
from .json_text import is_whole, parse_json, read_json, read_object
from .kind import Kind, check_outside_indexes, kind_of
from .lock import alone, writing
from .manifest import facts_of, read_manifest, write_manifest
from .paths import path_of

__all__ = [
    "Kind",
    "Work",
    "alone",
    "cache_folder",
    "check_apart",
    "check_file",
    "check_folder",
    "check_new_folder",
    "check_outside_indexes",
    "check_writable",
    "check_written",
    "claim",
    "database",
    "digest_of",
    "facts_of",
    "half_precision",
    "is_stream",
    "is_vacant",
    "is_whole",
    "kind_of",
    "new_folder",
    "parse_json",
    "path_of",
    "read_arrays",
    "read_bytes",
    "read_json",
    "read_manifest",
    "read_object",
    "read_text",
    "recover",
    "replacing",
    "sha256_of_file",
    "stamp_of",
    "write_arrays",
    "write_bytes",
    "write_manifest",
    "write_text",
    "writing",
]
