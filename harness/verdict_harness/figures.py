"""How numbers, times and sizes are shown to people, wherever they are: one style for all."""

from __future__ import annotations

import time

_MINUTE = 60
_WHOLE = (1000, 1e12)  # numbers from and below these are shown without decimals or powers of ten


def number(value: float) -> str:
    """Return a number in four digits, or all of its whole ones.

    >>> [number(value) for value in (12.3456, 4812.4, 0.0, 0.00012345)]
    ['12.35', '4812', '0', '0.0001234']
    """
    whole, most = _WHOLE
    return f"{value:.0f}" if whole <= abs(value) < most else f"{value:.4g}"


def quantity(value: float | None, unit: str) -> str:
    """Return a number with its unit, or a dash for none.

    >>> quantity(12.3456, "ms"), quantity(4812.4, "/min"), quantity(0.0, "")
    ('12.35 ms', '4812 /min', '0')
    """
    return "\N{EN DASH}" if value is None else f"{number(value)} {unit}".strip()


def duration(seconds: float) -> str:
    """Return how long something took or takes.

    >>> duration(8.4), duration(59.7), duration(60), duration(90.2), duration(3725)
    ('8 s', '1:00 min', '1:00 min', '1:30 min', '62:05 min')
    """
    whole = round(seconds)
    return f"{whole} s" if whole < _MINUTE else f"{whole // _MINUTE}:{whole % _MINUTE:02} min"


def about(seconds: float) -> str:
    """Return how long something usually takes.

    >>> about(20), about(89), about(130)
    ('about 20 s', 'about 89 s', 'about 2 min')
    """
    return f"about {seconds:.0f} s" if seconds < 1.5 * _MINUTE else f"about {seconds / _MINUTE:.0f} min"


def clock(moment: float) -> str:
    """Return unix seconds as the time of day in UTC, whatever the zone of the machine that reads it.

    >>> clock(45.7)
    '00:00:45Z'
    """
    return time.strftime("%H:%M:%SZ", time.gmtime(moment))


def moment(time_: float) -> str:
    """Return unix seconds as a day and a time in UTC.

    >>> moment(45.7)
    '1970-01-01 00:00:45Z'
    """
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(time_))


def megabytes(size: float) -> str:
    """Return a number of bytes on a disk or a line.

    >>> megabytes(2_812_300_000)
    '2,812 MB'
    """
    return f"{size / 1e6:,.0f} MB"


def gibibytes(size: float) -> str:
    """Return a number of bytes of a machine's memory.

    >>> gibibytes(25_769_803_776)
    '24.0 GiB'
    """
    return f"{size / 2**30:.1f} GiB"
