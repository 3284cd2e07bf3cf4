"""What an archive records of the preprocessing of its pixels, and what follows from it.

An archive is lossless for the cells of its source. Where a source resamples the images or drops
channels, the cells are not the original pixels, and the archive says so.
"""

from __future__ import annotations

from ..errors import InputError
from ..sources import Source
from ..sources.preprocessing import RGB_CHANNELS, Channel, Preprocessing

_CHANNELS: dict[str | None, Channel] = {"red": "red", "green": "green", "blue": "blue"}


def short_summary(record: Preprocessing) -> str:
    """How the cells were preprocessed, in a few words; "" where they are the original pixels."""
    parts = []
    if record.size is not None:
        parts.append(f"resampled to {record.size} x {record.size}, {record.resampling}")
    if record.channel is not None:
        parts.append(f"{record.channel} channel only")
    return ", ".join(parts)


def compared_with(record: Preprocessing | None) -> str:
    """What cells that are equal to a source are equal to, in words."""
    if record is None or not record.changes_pixels:
        return "the source"
    source = (
        "the source" if record.channel is None else f"the {record.channel} channel of the source"
    )
    if record.size is None:
        return source
    return f"{source} as resampled to {record.size} x {record.size}, {record.resampling}"


def pixels_notice(record: Preprocessing | None) -> str:
    """A line that says that an archive does not hold the original pixels; "" where it does.

    Parameters
    ----------
    record
        None where an archive states nothing, as earlier drafts do.
    """
    if record is None or not record.changes_pixels:
        return ""
    return f"the original pixels are NOT in the archive: {record.summary}"


def merged_record(recorded: Preprocessing | None, source: Source, url: str) -> Preprocessing | None:
    """The record of an archive to which the cells of a source are added.

    Cells that were not preprocessed fit any archive: their images have the size already, or are
    grey.

    Parameters
    ----------
    recorded
        Of the archive; None where it states nothing.
    url
        Of the archive, for the message.

    Raises
    ------
    InputError
        If the source is preprocessed in another way than the archive's cells.
    """
    if recorded is None:
        return None
    given = source.preprocessing
    if given.channel not in (None, recorded.channel) or given.size not in (None, recorded.size):
        raise InputError(
            f"the cells of {url} are {_state(recorded)}, these are {_state(given)}: give the same "
            f"--size and --channel as when it was written, or none"
        )
    return Preprocessing.merged([recorded, given])


def requested(
    recorded: Preprocessing | None, url: str, *, channel: Channel, size: int | None
) -> tuple[Channel, int | None]:
    """Channel and size to open a source with, that its cells be like those of an archive.

    Parameters
    ----------
    recorded
        Of the archive; None where it states nothing.
    url
        Of the archive, for the message.
    channel, size
        What the caller asks for; "auto" and None take the archive's.

    Raises
    ------
    InputError
        If the caller asks for others than the archive's.
    """
    if recorded is None:
        return channel, size
    picked = channel if channel in RGB_CHANNELS else None
    differs = (picked or channel == "all") and picked != recorded.channel
    # Where nothing was resampled, a size may be that of all images: what it does is checked later.
    if differs or (recorded.size is not None and size not in (None, recorded.size)):
        asked = [f"--channel {channel}"] if channel != "auto" else []
        asked += [f"--size {size}"] if size is not None else []
        raise InputError(
            f"the cells of {url} are {_state(recorded)}, which {' '.join(asked)} does not give: "
            f"leave --size and --channel out, and the archive's are taken"
        )
    return _CHANNELS.get(recorded.channel, channel), recorded.size or size


def _state(record: Preprocessing) -> str:
    return short_summary(record) or "the original pixels"
