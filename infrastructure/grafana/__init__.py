"""Grafana's dashboards as code: ``python -m infrastructure.grafana`` writes the JSON files under ``dashboards`` anew, and nothing
else does. A test holds that they agree."""
