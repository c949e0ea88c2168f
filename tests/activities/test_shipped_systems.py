"""The systems of Segue's own connectors."""

from __future__ import annotations

from segue.activities import http, mail, objects, sql
from segue.activities.settings import SHIPPED


def test_settings_may_name_every_shipped_system() -> None:
    """A `segue.toml` may override any connector's system, whether or not a module has imported it."""
    declared = {http.system, http.downloads, mail.system, objects.system, sql.system}
    assert {system.name for system in declared} == SHIPPED
