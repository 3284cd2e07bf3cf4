"""The stored archive: plan, write, open, info, verify, extract."""

from .extract import extract_archive
from .extract_report import DamagedCell, ExtractReport
from .findings import Finding, VerifyReport
from .info import ArchiveInfo, archive_info
from .read import open_archive, read_cells
from .target import Target
from .verify import verify_archive
from .write import WriteOptions, write_archive

__all__ = [
    "ArchiveInfo",
    "DamagedCell",
    "ExtractReport",
    "Finding",
    "Target",
    "VerifyReport",
    "WriteOptions",
    "archive_info",
    "extract_archive",
    "open_archive",
    "read_cells",
    "verify_archive",
    "write_archive",
]
