"""The stored archive: plan, write, open, info, verify, extract."""

from .append import AppendOptions, append_archive, undo_append
from .extract import extract_archive
from .extract_report import DamagedCell, ExtractReport
from .findings import Finding, VerifyReport
from .info import ArchiveInfo, archive_info
from .read import open_archive, read_cells
from .runners import Runner
from .target import Target
from .verify import verify_archive
from .write import write_archive
from .write_options import WriteOptions

__all__ = [
    "AppendOptions",
    "ArchiveInfo",
    "DamagedCell",
    "ExtractReport",
    "Finding",
    "Runner",
    "Target",
    "VerifyReport",
    "WriteOptions",
    "append_archive",
    "archive_info",
    "extract_archive",
    "open_archive",
    "read_cells",
    "undo_append",
    "verify_archive",
    "write_archive",
]
