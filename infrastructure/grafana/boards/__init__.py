"""The dashboards. Frameworks' names come from the nodes' metrics, or with the titles that docker-compose.yml gives producers."""

from infrastructure.grafana.boards.comparison import comparison
from infrastructure.grafana.boards.framework import framework_board
from infrastructure.grafana.boards.lab import lab
from infrastructure.grafana.boards.redis import redis_board
from infrastructure.grafana.boards.soak import soak
from infrastructure.grafana.boards.system import system
from infrastructure.grafana.panels import Dashboard


def dashboards(titles: dict[str, str]) -> list[Dashboard]:
    """All dashboards: ``titles`` are those of frameworks that have one of their own."""
    own = [framework_board(name, title) for name, title in sorted(titles.items())]
    return [lab(), comparison(), *own, framework_board("", "Any framework"), system(), redis_board(), soak()]
