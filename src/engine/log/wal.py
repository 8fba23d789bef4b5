"""The write-ahead log (stage 2 of five): a record is in it before its order is acknowledged.

:meth:`Wal.append` writes with ``pwrite``, so an acknowledged order survives the
death of the process at any moment: the bytes are in the kernel's page cache.  A
thread syncs them to the disk every few milliseconds (group commit), so power
loss can take the last :attr:`~Wal.unsynced` records with it.  The publisher sends
only what is synced.  Whoever wants to acknowledge only that, too, waits for
``wal.synced >= order.sequence``; that is the seam.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import WalError
from ..orders import Order
from . import segments
from .identity import Identity
from .records import FORMAT, ORDER, SEED, Start, encode, encode_start
from .segments import HEADER_SIZE, Header, Reader, reserve

log = logging.getLogger(__name__)

_SPARE_RETRY = 1.0  # seconds until a spare segment that could not be allocated is tried again


class Wal:
    """One shard's log, owned by one process.

    Use it so: :meth:`open`, then :meth:`replay` to its end, then :meth:`append`.

    Attributes:
        log_id: identity of this log, in hexadecimal.
        identity: of each of its records, which is the log's own up to the first restart.
        bytes_written: in records, since it was opened.
        orders_written: records of orders, since it was opened.
        seeds_written: records of seeds, since it was opened.
        sequence: of the last record.
        recovered: of the last record that was there when it was opened.
        synced: of the last record known to be on the disk.
        failure: why the log has stopped for good, or None.
    """

    def __init__(self, directory: Path, shard: str, segment_bytes: int, sync_seconds: float) -> None:
        self.directory = directory
        self.log_id = ""
        self.sequence = 0
        self.synced = 0
        self.recovered = 0
        self.bytes_written = 0
        self.orders_written = 0
        self.seeds_written = 0
        self.failure: WalError | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.on_sync: Callable[[float], None] = lambda _seconds: None
        self._shard = shard
        self._segment_bytes = segment_bytes
        self._sync_seconds = sync_seconds
        self._id = b""
        self.identity = Identity("")
        self._spare = directory / "spare.wal"
        self._has_spare = False
        self._spare_retry = 0.0
        self._lock_fd = -1
        self._fd = -1
        self._index = 0
        self._offset = HEADER_SIZE
        self._limit = 0
        self._retired: list[int] = []
        # Guards the spare file and the descriptors that the thread syncs; never held across a sync.
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def open(cls, directory: Path, shard: str, segment_mb: int = 64, sync_seconds: float = 0.01) -> Wal:
        """Take possession of ``directory``, creating it if need be.

        Raises:
            WalError: if another process owns it, if it is another shard's or of
                another format, or if there is no room for a segment.
        """
        wal = cls(directory, shard, segment_mb << 20, sync_seconds)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            wal._take_lock()
            wal._check_headers()
        except OSError as error:
            wal._release()
            raise WalError(f"WAL_PATH {directory} can't be used: {error}") from error
        except WalError:
            wal._release()
            raise
        return wal

    def replay(self) -> Iterator[tuple[int, Order]]:
        """Yield (type, order) of every record, then make ready for :meth:`append`.

        A torn tail, which only power loss leaves behind, is erased and logged.

        Raises:
            WalError: if the log is damaged before its end, or can't be read or allocated.
        """
        reader = Reader(self.directory)
        try:
            yield from reader.records()
            self.sequence = self.recovered = reader.sequence
            if reader.index:
                self._sync_all()
                self.synced = reader.sequence
                self.identity = Identity(self.log_id, reader.starts)
                self._resume(reader)
                self._take_over()
            elif files := segments.paths(self.directory):
                raise WalError(
                    f"the log's first segment is missing, {files[0]} is there; restore it from a copy"
                )
            else:
                self._allocate()
                self._begin(1)
        except OSError as error:
            raise WalError(f"the log in {self.directory} can't be read or allocated: {error}") from error
        finally:
            reader.close()
        self._thread = threading.Thread(target=self._sync_forever, name="wal-sync", daemon=True)
        self._thread.start()

    @property
    def unsynced(self) -> int:
        """Records that power loss could take."""
        return self.sequence - self.synced

    def append(self, order: Order) -> None:
        """Give ``order`` the next sequence and write it.  One ``pwrite``; does not wait for the disk.

        Raises:
            WalError: then nothing is sequenced, and a later append may succeed
                (unless :attr:`failure` is set).
        """
        order.sequence = self.sequence + 1
        self._write(encode(ORDER, order))
        self.sequence = order.sequence
        self.orders_written += 1

    def append_seeds(self, orders: Sequence[Order]) -> None:
        """As :meth:`append`, for orders that rest unmatched; they are written together.

        Raises:
            WalError: then none of them is sequenced.
        """
        records = []
        for sequence, order in enumerate(orders, self.sequence + 1):
            order.sequence = sequence
            records.append(encode(SEED, order))
        data = b"".join(records)
        if HEADER_SIZE + len(data) > self._segment_bytes:
            raise WalError(f"{len(orders)} seeds don't fit into one segment of {self._segment_bytes} bytes")
        self._write(data)
        self.sequence += len(orders)
        self.seeds_written += len(orders)

    def finish(self) -> None:
        """Sync what is written, and sync no more.  Blocks for one sync."""
        self._closing.set()
        self._work.set()
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Finish, and give the directory up."""
        self.finish()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Writing

    def _write(self, data: bytes) -> None:
        if self.failure is not None:
            raise WalError(str(self.failure))
        if self._fd < 0:
            raise WalError("the log is not open for appending")
        try:
            if self._offset + len(data) > self._limit:
                self._rotate()
            written = os.pwrite(self._fd, data, self._offset)
        except OSError as error:
            raise WalError(f"the log in {self.directory} can't be written: {error.strerror}") from error
        if written != len(data):
            # The offset stays, so the next record overwrites the part that was written.
            raise WalError(f"the log in {self.directory} took {written} of {len(data)} bytes")
        self._offset += len(data)
        self.bytes_written += len(data)
        if not self._work.is_set():
            self._work.set()

    def _rotate(self) -> None:
        with self._lock:
            # The thread has it ready long before; if not (a full disk, a burst), it is made here and now.
            self._allocate()
            retired = self._fd
            self._begin(self._index + 1)
            self._retired.append(retired)

    def _allocate(self) -> None:
        """Make sure that there is a spare segment, and leave nothing behind if that can't be."""
        if self._has_spare:
            return
        fd = os.open(self._spare, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            # Blocks that are there beforehand: a full disk is an error here and not amid a record.
            reserve(fd, self._segment_bytes)
        except OSError:
            self._spare.unlink()
            raise
        finally:
            os.close(fd)
        self._has_spare = True

    def _begin(self, index: int) -> None:
        """Make the spare segment number ``index`` and write to it from now on."""
        fd = os.open(self._spare, os.O_RDWR | os.O_CLOEXEC)
        os.pwrite(fd, Header(self._id, index, self.sequence + 1, self._shard).pack(), 0)
        self._spare.rename(segments.path_of(self.directory, index))
        self._has_spare = False
        self._fd, self._index, self._offset = fd, index, HEADER_SIZE
        self._limit = os.fstat(fd).st_size

    # Syncing

    def _sync_forever(self) -> None:
        directory_fd = os.open(self.directory, os.O_RDONLY | os.O_CLOEXEC)
        synced_index = 0
        try:
            while not (self._closing.is_set() and self.synced == self.sequence):
                self._work.wait(None if self._has_spare or not self._spare_wanted() else _SPARE_RETRY)
                self._closing.wait(self._sync_seconds)
                self._work.clear()
                with self._lock:
                    target, index, fds = self.sequence, self._index, [*self._retired, self._fd]
                    self._retired.clear()
                started = time.perf_counter()
                for fd in fds:
                    os.fdatasync(fd)
                if index != synced_index:  # a segment that no directory lists is lost with all that is in it
                    os.fsync(directory_fd)
                    synced_index = index
                self.on_sync(time.perf_counter() - started)
                for fd in fds[:-1]:
                    os.close(fd)
                self.synced = target
                self._prepare_spare()
        except OSError as error:
            # The kernel may have dropped the pages that it could not write, and a second
            # sync would succeed without them: what is on the disk is not known any more.
            self.failure = WalError(f"the log in {self.directory} can't be synced: {error.strerror}")
            log.critical("the log can't be synced; the engine stops", extra={"error": str(error)})
            self.on_failure()
        finally:
            os.close(directory_fd)

    def _spare_wanted(self) -> bool:
        return self._offset * 2 > self._limit

    def _prepare_spare(self) -> None:
        if self._has_spare or not self._spare_wanted() or time.monotonic() < self._spare_retry:
            return
        try:
            with self._lock:
                self._allocate()
        except OSError as error:
            self._spare_retry = time.monotonic() + _SPARE_RETRY
            log.error("no room for the next segment of the log", extra={"error": str(error)})  # noqa: TRY400

    # Opening

    def _take_lock(self) -> None:
        path = self.directory / "lock"
        self._lock_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(self._lock_fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._lock_fd)
            self._lock_fd = -1
            raise WalError(
                f"WAL_PATH {self.directory} is in use by process {owner}: "
                "stop it, or give this engine a directory of its own"
            ) from None
        os.ftruncate(self._lock_fd, 0)
        os.pwrite(self._lock_fd, str(os.getpid()).encode(), 0)

    def _check_headers(self) -> None:
        self._spare.unlink(missing_ok=True)
        files = segments.paths(self.directory)
        ids = set()
        for path in files:
            header = Header.read(path)
            if header is None and path == files[-1]:
                # Renamed and then power was lost before the header reached the disk: nothing was in it.
                log.warning("removed a segment that was never begun", extra={"path": str(path)})
                path.unlink()
                continue
            if header is None:
                raise WalError(f"{path} is damaged: it has no header; restore it from a copy")
            if header.shard != self._shard:
                raise WalError(
                    f"{path} was written by shard {header.shard!r} and this is shard {self._shard!r}: "
                    "give each shard a WAL_PATH of its own"
                )
            ids.add(header.log_id)
        if len(ids) > 1:
            raise WalError(f"{self.directory} holds segments of {len(ids)} different logs; keep those of one")
        self._id = ids.pop() if ids else os.urandom(16)
        self.log_id = self._id.hex()
        self.identity = Identity(self.log_id)

    def _sync_all(self) -> None:
        """Sync what a killed process has left in the page cache; what is on the disk costs nothing."""
        for path in (*segments.paths(self.directory), self.directory):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _resume(self, reader: Reader) -> None:
        """Go on behind the last record, once it is certain that nothing valid comes after it."""
        path = segments.path_of(self.directory, reader.index)
        later = segments.paths(self.directory)[-1]
        torn = 0
        for holds_record in reader.rest():
            if holds_record:
                raise WalError(
                    f"{path} is damaged at byte {reader.offset}: the record after sequence "
                    f"{reader.sequence} is not valid and there are valid ones behind it; "
                    "restore the file from a copy"
                )
            torn += 1
        if later != path:
            raise WalError(f"{path} ends at sequence {reader.sequence} and {later} can't follow it")
        self._fd = os.open(path, os.O_RDWR)
        self._index, self._offset = reader.index, reader.offset
        self._limit = os.fstat(self._fd).st_size
        if torn:
            log.warning(
                "erased a torn record at the end of the log",
                extra={"path": str(path), "offset": reader.offset, "sequence": reader.sequence},
            )
            for at in range(self._offset, self._limit, 1 << 20):
                os.pwrite(self._fd, bytes(min(1 << 20, self._limit - at)), at)
            os.fsync(self._fd)
        if reader.version != FORMAT:
            self._upgrade(reader.version)

    def _take_over(self) -> None:
        """Begin another identity: a copy of this log may have gone on in another way, and been heard."""
        start = Start(self.sequence, os.urandom(16))
        self._write(encode_start(start))
        self.identity.add(start)

    def _upgrade(self, version: int) -> None:
        """Go on in a segment of the present format; what is there stays as it is."""
        self._allocate()
        self._retired.append(self._fd)
        self._begin(self._index + 1)
        log.info(
            "the log goes on in another format",
            extra={"path": str(self.directory), "format_before": version, "format": FORMAT},
        )

    def _release(self) -> None:
        if self._has_spare:
            with contextlib.suppress(OSError):
                self._spare.unlink(missing_ok=True)
        for fd in (self._fd, *self._retired, self._lock_fd):  # the lock last: until then all of it is ours
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock_fd = -1
        self._retired.clear()
