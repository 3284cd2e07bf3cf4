"""The stored archive: one object, Archive, with the verbs write, append, verify, extract, undo."""

from .archive import Archive
from .extract.report import DamagedCell, ExtractReport
from .info import ArchiveInfo
from .read.chunks.findings import Finding
from .sheet import ContactSheet
from .storage.location import Location
from .verify.report import VerifyReport
from .write.options import AppendOptions, WriteOptions
from .write.runners import Runner

__all__ = [
    "AppendOptions",
    "Archive",
    "ArchiveInfo",
    "ContactSheet",
    "DamagedCell",
    "ExtractReport",
    "Finding",
    "Location",
    "Runner",
    "VerifyReport",
    "WriteOptions",
]
