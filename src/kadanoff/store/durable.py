"""What durability rests on: atomic replacement of files, the writer's lock, a deferred Ctrl-C."""

import fcntl
import hashlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from kadanoff.errors import StoreError

__all__ = ["WriterLock", "atomic_write", "checksum", "deferred_interrupt", "sync_folder"]


def checksum(*parts: bytes | memoryview) -> str:
    """Hexadecimal blake2b (128 bits) of the concatenated parts.

    >>> checksum(b"ab", b"c") == checksum(b"abc")
    True
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, as `os.fsync` does for the content of a file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def atomic_write(path: Path, data: bytes | memoryview, sync_name: bool = True) -> None:
    """Write a whole file: at any moment the path holds its old content or the new one, never a mixture.

    With `sync_name=False` the caller promises to call `sync_folder` once after several files.
    """
    # The name is fixed: the writer's lock keeps others away, and a leftover of a kill is overwritten.
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    if sync_name:
        sync_folder(path.parent)


class WriterLock:
    """Advisory lock on a file, held until `release` or the death of the process, `kill -9` included.

    Raises `StoreError` when another writer holds it.
    """

    def __init__(self, path: Path, otherwise: str = ", or open the run with mode='r'") -> None:
        """Take the lock at once; the file remembers the holder for the message to the next one.

        `otherwise` ends that message: what else than to wait can be done.
        """
        self._handle: int | None = None
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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


@contextmanager
def deferred_interrupt() -> Iterator[None]:
    """Hold a first Ctrl-C back until the body is done; a second one acts at once.

    Outside the main thread, where Python delivers no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(signal.SIGINT)
    if not callable(previous):
        yield
        return
    held: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        held.append((number, frame))
        if len(held) > 1:
            held.clear()
            signal.signal(signal.SIGINT, previous)
            previous(number, frame)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if held:
            previous(*held[0])
