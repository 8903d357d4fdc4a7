"""Replace a file as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["replacing"]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a binary file that takes the place of ``path`` when the block ends well.

    The bytes go to a temporary file in the same folder, are flushed to the disk (fsync), and the temporary file is
    renamed over ``path``. Readers see the old file or the new one, never a part. Whatever ends the block early - an
    exception, a full disk, Ctrl-C - leaves the old file as it was and removes the temporary file.

    Parameters
    ----------
    path : str or PathLike
        Where the file shall be. A symbolic link is followed; the file that it names is replaced. A new file gets the
        permissions that ``open`` would give it, an old one keeps its own.

    Yields
    ------
    BinaryIO
        The open temporary file, seekable. It is closed here.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    IsADirectoryError
        ``path`` is a folder.
    OSError
        ``path`` is no regular file (a device, a pipe), or the system refused: no space, no permission.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "notes.txt")
    ...     with replacing(path) as file:
    ...         _ = file.write(b"whole")
    ...     path.read_bytes(), len(list(path.parent.iterdir()))
    (b'whole', 1)
    """
    target = os.path.realpath(os.fspath(path))
    folder, name = os.path.split(target)
    mode = _mode_of_old_file(path, target, folder)
    # The start of the name is enough to recognise it; a long one would exceed what a file system allows.
    temporary = os.path.join(folder, f".{name[:60]}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            if mode is not None:
                os.chmod(temporary, mode)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _mode_of_old_file(path: str | os.PathLike[str], target: str, folder: str) -> int | None:
    """The permission bits of the file that will be replaced, or None if there is none."""
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"cannot write {os.fspath(path)}: the folder {folder} does not exist; create it first")
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"cannot write {os.fspath(path)}: it is a folder; give the path of a file")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"cannot write {os.fspath(path)}: it is a device or a pipe; give the path of a regular file")
    return stat.S_IMODE(status.st_mode)


def _sync_folder(folder: str) -> None:
    """Make the rename itself survive a power cut."""
    # The file is in place already. Windows cannot open a folder and some network file systems cannot sync one; that is
    # no reason to report a write as failed which has succeeded.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
