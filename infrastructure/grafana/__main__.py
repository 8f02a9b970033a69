"""Write the dashboards' JSON files anew, and remove those that are none any more."""

import json
from pathlib import Path

import yaml

from infrastructure.grafana.boards import dashboards

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent / "dashboards"
TITLE_LABEL = "queuelab.title"


def titles(compose_file: Path = CHECKOUT / "docker-compose.yml") -> dict[str, str]:
    """Frameworks with a dashboard of their own, and what it is called: those whose producer has a title."""
    services = yaml.safe_load(compose_file.read_text())["services"].values()
    labels = [service.get("labels", {}) for service in services]
    return {label["queuelab.framework"]: label[TITLE_LABEL] for label in labels if TITLE_LABEL in label}


def files() -> dict[str, str]:
    """What belongs into the folder, by name."""
    return {
        f"{board.uid}.json": json.dumps(board.as_json(), indent=2, ensure_ascii=False) + "\n" for board in dashboards(titles())
    }


def main() -> None:
    """Write what belongs there and nothing else."""
    wanted = files()
    for path in FOLDER.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
