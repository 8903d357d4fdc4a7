"""A zip whose members are stored as they are: equal bytes for equal content, no member larger than the file."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Mapping

__all__ = ["MALFORMED", "BoundedFile", "RefusalError", "StoredZip", "pack"]

_MAX_DIRECTORY = 1 << 20

MALFORMED = (ValueError, OverflowError, RuntimeError, EOFError, struct.error, zipfile.BadZipFile)
"""What ``zipfile`` and decoders raise on bad bytes; RuntimeError: encrypted members, unknown methods."""


class RefusalError(ValueError):
    """Why a file is refused, as the end of a sentence that begins with its name."""


class BoundedFile(io.FileIO):
    """A file open for reading that hands out at most ``limit`` bytes at once."""

    limit = _MAX_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to ``size`` bytes."""
        # zipfile reads the whole list of members at once, however long the file claims it to be.
        if size is not None and size > self.limit:
            raise RefusalError(f"is damaged: it claims {size} bytes where at most {self.limit} are possible")
        return super().read(size) or b""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a place in the file."""
        # Damaged offsets lead in front of the file; the system's own error would not say so.
        if whence == os.SEEK_SET and offset < 0:
            raise RefusalError("is damaged: a member lies outside of the file")
        return super().seek(offset, whence)


class StoredZip:
    """The members of a zip that was written by :func:`pack`.

    Parameters
    ----------
    file : BoundedFile
        Stays open while members are read.
    max_members : int
        The largest number of members that is not refused.

    Raises
    ------
    RefusalError
        Too many members, or two of one name.
    """

    def __init__(self, file: BoundedFile, max_members: int) -> None:
        self._archive = zipfile.ZipFile(file)
        self._n_bytes = file.limit = os.fstat(file.fileno()).st_size
        members = self._archive.infolist()
        if len(members) > max_members:
            raise RefusalError(f"has {len(members)} members; a model file has at most {max_members}")
        self._members = {member.filename: member for member in members}
        if len(self._members) != len(members):
            raise RefusalError("is damaged or edited: it has two members of the same name")

    @property
    def names(self) -> set[str]:
        """Names of the members."""
        return set(self._members)

    def size(self, name: str) -> int:
        """Return the number of bytes that a member claims."""
        return self._members[name].file_size

    def read(self, name: str, limit: int) -> bytes:
        """Return the bytes of a member, or refuse it if they are compressed or more than ``limit``."""
        member = self._members[name]
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise RefusalError(f"has a compressed member, {name!r:.120}; a model file of hmmem has none")
        if member.file_size > min(limit, self._n_bytes):
            raise RefusalError(f"claims {member.file_size} bytes for {name!r:.120}; at most {limit} are possible")
        return self._archive.read(member)

    def require_separate(self) -> None:
        """Refuse a file whose members share bytes, which could make their sum many times the size of the file."""
        if sum(member.file_size for member in self._members.values()) > self._n_bytes:
            raise RefusalError("claims more bytes than it has")


def pack(payloads: Mapping[str, bytes]) -> bytes:
    """Return a zip of these members, in this order, with a fixed date: equal content gives equal bytes.

    Examples
    --------
    >>> pack({"a": b"1"}) == pack({"a": b"1"})
    True
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, payload in payloads.items():
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the writing system is not content
            member.external_attr = 0o644 << 16
            archive.writestr(member, payload)
    return buffer.getvalue()
