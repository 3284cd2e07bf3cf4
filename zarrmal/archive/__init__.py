"""The stored archive: plan, write, open, info, verify, extract."""

from .extract import extract_archive
from .info import ArchiveInfo, archive_info
from .read import open_archive
from .target import Target
from .verify import VerifyReport, verify_archive
from .write import WriteOptions, write_archive

__all__ = [
    "ArchiveInfo",
    "Target",
    "VerifyReport",
    "WriteOptions",
    "archive_info",
    "extract_archive",
    "open_archive",
    "verify_archive",
    "write_archive",
]
