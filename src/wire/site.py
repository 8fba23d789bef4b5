"""Which handler a request is for, decided by its head alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .message import Answer, Request

Handler = Callable[[Request], Answer | Awaitable[Answer]]
"""Makes the answer to a request, at once or later."""


@dataclass(frozen=True, slots=True)
class Route:
    """What answers one method at one path.

    Attributes:
        handler: gets the request when all of it has arrived.
        body: bytes that a request's body may have.
    """

    handler: Handler
    body: int = 4096


@dataclass(frozen=True, slots=True)
class Site:
    """All routes. A GET answers HEAD too, OPTIONS is answered everywhere, and so is a slash at a path's end.

    Attributes:
        paths: what each path takes, by method.
        below: what every path below one takes, by method; the key ends with a slash.
    """

    paths: dict[bytes, dict[bytes, Route]]
    below: dict[bytes, dict[bytes, Route]] = field(default_factory=dict)

    def find(self, method: bytes, path: bytes) -> Route | int:
        """Return the route, or the status of there being none: 404, 405.

        >>> route = Route(lambda request: Answer(200))
        >>> site = Site({b"/health": {b"GET": route}})
        >>> site.find(b"HEAD", b"/health") is route
        True
        >>> site.find(b"PUT", b"/health"), site.find(b"GET", b"/")
        (405, 404)
        """
        routes = self.at(path)
        if routes is None:
            return Route(_anything) if (method, path) == (b"OPTIONS", b"*") else 404
        found = routes.get(method)
        if found is not None:
            return found
        if method == b"HEAD" and b"GET" in routes:
            return routes[b"GET"]
        if method == b"OPTIONS":
            return Route(lambda _request: Answer(204, content_type=b"", headers=self.allow(path)))
        return 405

    def at(self, path: bytes) -> dict[bytes, Route] | None:
        """Return what is at a path, by method; None if there is nothing."""
        found = self.paths.get(path)
        if found is None and self.below:
            found = self.below.get(path[: path.rfind(b"/") + 1])
        return found

    def allow(self, path: bytes) -> bytes:
        r"""Return the header that says which methods a path takes, which must be one that there is.

        >>> Site({b"/": {b"GET": Route(lambda request: Answer(200))}}).allow(b"/")
        b'Allow: GET, HEAD, OPTIONS\r\n'
        """
        routes = self.at(path) or {}
        methods = [*routes, *([b"HEAD"] if b"GET" in routes else []), b"OPTIONS"]
        return b"Allow: %b\r\n" % b", ".join(methods)


def _anything(_request: Request) -> Answer:
    return Answer(204, content_type=b"", headers=b"Allow: GET, HEAD, OPTIONS, POST\r\n")


def path_of(target: bytes) -> bytes:
    """Return the path of a request's target, without query and without slashes at its end.

    >>> path_of(b"/health/?deep=1"), path_of(b"http://shard-a:8080/orders"), path_of(b"//"), path_of(b"*")
    (b'/health', b'/orders', b'/', b'*')
    """
    if target[:1] != b"/":
        _, scheme, rest = target.partition(b"://")
        if scheme:  # as a proxy is asked
            target = rest[rest.find(b"/") :] if b"/" in rest else b"/"
    path = target.split(b"?", 1)[0]
    if path[-1:] == b"/":
        path = path.rstrip(b"/") or b"/"
    return path
