"""``python -m grafana``: write ``me-experiment.json`` from the code, or put the dashboard into a Grafana.

With ``--push``, GRAFANA_TOKEN, or GRAFANA_USER and GRAFANA_PASSWORD, say who does it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from verdict_harness.errors import HarnessError

from .api import Grafana, credentials
from .dashboard import FILE, TITLE, text


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="nox -s dashboard --", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--push", metavar="URL", help="put it into the Grafana that answers there")
    parser.add_argument("--folder", metavar="UID", help="with --push: into this folder")
    parser.add_argument(
        "--prometheus",
        metavar="URL",
        help="with --push: make a data source of this Prometheus, as Grafana sees it",
    )
    options = parser.parse_args(words)
    if not options.push and (options.folder or options.prometheus):
        parser.error("--folder and --prometheus go with --push URL")
    try:
        if options.push:
            _push(options.push, options.folder, options.prometheus)
        else:
            _write()
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _write() -> None:
    content = text()
    same = FILE.exists() and FILE.read_text(encoding="utf-8") == content
    FILE.write_text(content, encoding="utf-8")
    print(f"{FILE}: {'as it was' if same else 'written anew'}")


def _push(url: str, folder: str | None, prometheus: str | None) -> None:
    with Grafana(url, credentials(os.environ)) as grafana:
        source = grafana.use_prometheus(prometheus) if prometheus else None
        pushed = grafana.push(json.loads(text()), folder)
    print(f"{TITLE}: {pushed.change}, version {pushed.version}")
    print(pushed.url + (f"?var-datasource={source}" if source else ""))


if __name__ == "__main__":
    sys.exit(main())
