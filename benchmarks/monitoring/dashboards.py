"""Where the dashboards are to be found."""

import json

from benchmarks.checkout import CHECKOUT

FOLDER = CHECKOUT / "infrastructure" / "grafana" / "dashboards"


def dashboard_addresses(grafana_url: str) -> list[tuple[str, str]]:
    """The title and the address of every dashboard that is provisioned, by title."""
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")]
    return sorted((board["title"], f"{grafana_url}/d/{board['uid']}") for board in boards)
