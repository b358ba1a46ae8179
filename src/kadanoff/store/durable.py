"""What durability rests on: atomic replacement of files, the writer's lock, stops that wait for a commit."""

import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from kadanoff.errors import StoreError

__all__ = [
    "STOPS",
    "WriterLock",
    "atomic_write",
    "checksum",
    "checksum_of_file",
    "deferred_interrupt",
    "held",
    "require_no_dangling",
    "sync_folder",
    "visible_names",
]

#: What asks a process to stop: Ctrl-C, a scheduler or `kill`, the end of a wall time.
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


def checksum(*parts: bytes | memoryview) -> str:
    """Hexadecimal blake2b (128 bits) of the concatenated parts.

    >>> checksum(b"ab", b"c") == checksum(b"abc")
    True
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def checksum_of_file(path: Path) -> str:
    """The `checksum` of a file's content, read piece by piece: files may be larger than memory.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "data"
    >>> _ = path.write_bytes(b"abc")
    >>> checksum_of_file(path) == checksum(b"abc")
    True
    """
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, as `os.fsync` does for the content of a file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def atomic_write(path: Path, data: bytes | memoryview, sync_name: bool = True) -> None:
    """Write a whole file: at any moment the path holds its old content or the new one, never a mixture.

    With `sync_name=False` the caller promises to call `sync_folder` once after several files. An `OSError`, such as
    that of a full disk, names the file and leaves the old content.
    """
    # The name is fixed: the writer's lock keeps others away, and a leftover of a kill is overwritten.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # a full disk needs the room
            os.unlink(temporary)
        error.filename = str(path)
        raise
    if sync_name:
        sync_folder(path.parent)


class WriterLock:
    """Advisory lock on a file, held until `release` or the death of the process, `kill -9` included.

    Raises `StoreError` when another writer holds it.
    """

    def __init__(self, path: Path, otherwise: str = "; to read it needs no lock") -> None:
        """Take the lock at once; the file remembers the holder for the message to the next one.

        `otherwise` ends that message: what else than to wait can be done.
        """
        self._handle: int | None = None
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.stat(path)  # a folder that was given up meanwhile took its lock along
        except OSError as error:
            holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise StoreError(
                f"{path.parent} is being written by another process ({holder}): "
                f"wait for it or stop it{otherwise}"
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self._handle = handle

    def release(self) -> None:
        """Let the next writer in; calling it twice is harmless."""
        # The file stays: removing a lock file lets two writers hold "the" lock on different inodes.
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def visible_names(folder: Path) -> list[str]:
    """Names in a folder, none if it is absent; without locks and leftovers of a kill, whose names start with a dot."""
    return sorted(f.name for f in folder.iterdir() if not f.name.startswith(".")) if folder.is_dir() else []


def require_no_dangling(folder: Path) -> None:
    """Raise `StoreError` for a link that leads nowhere, which is neither there nor can be made."""
    if folder.is_symlink() and not folder.exists():
        raise StoreError(f"{folder} is a link that leads nowhere: mend it, or give another path")


@contextmanager
def held(folder: Path | None) -> Iterator[None]:
    """Hold a folder for writing, which is made if it is absent; None holds nothing.

    Raises `StoreError` when another process writes it, or it is a file.
    """
    if folder is None:
        yield
        return
    require_no_dangling(folder)
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file, but results are kept in a folder: give another path")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = WriterLock(folder / ".lock", "")
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # a request that was refused leaves no folder
            if made and [file.name for file in folder.iterdir()] == [".lock"]:
                (folder / ".lock").unlink()
                folder.rmdir()
        raise
    finally:
        lock.release()


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Hold a first of the `STOPS` back until the body is done; a second one acts at once.

    Outside the main thread, where Python delivers no signals, it does nothing; nor to a signal without a handler.
    """
    previous: dict[int, Callable[[int, FrameType | None], object]] = {}
    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in STOPS}
        previous = {number: handler for number, handler in found.items() if callable(handler)}
    pending: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        pending.append((number, frame))
        if len(pending) > 1:
            pending.clear()
            restore()
            previous[number](number, frame)

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    for number in previous:
        signal.signal(number, hold)
    try:
        yield
    finally:
        restore()
        if pending:
            previous[pending[0][0]](*pending[0])
