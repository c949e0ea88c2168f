"""Connect to Temporal, configured as Temporal's own tools are.

    client = await segue.client.connect()
    receipt = await client.execute_workflow(FulfilOrder.run, order, id=f"order-{order.id}", task_queue="orders")

The result is a plain `temporalio.client.Client` with Segue's plugin on it.
"""

from __future__ import annotations

import os
from typing import Any, Final

from temporalio.client import Client
from temporalio.envconfig import ClientConfig

from segue.client.plugin import SeguePlugin

__all__ = ["DEFAULT_TARGET", "connect"]

DEFAULT_TARGET: Final = "localhost:7233"


async def connect(
    *,
    profile: str | None = None,
    config_file: str | os.PathLike[str] | None = None,
    plugin: SeguePlugin | None = None,
    **options: Any,
) -> Client:
    """Return a client with Segue's plugin.

    The target, namespace, TLS and API key come from Temporal's environment configuration, which the `temporal` command
    reads too: a profile of its TOML file, overridden by the `TEMPORAL_` variables. Without any, a server on
    `localhost:7233` is meant.

    Args:
        profile: Name of the profile; by default `$TEMPORAL_PROFILE` or `default`.
        config_file: The TOML file; by default `$TEMPORAL_CONFIG_FILE` or the platform's usual place.
        plugin: The plugin, where its defaults are not wanted.
        options: Further options of `temporalio.client.Client.connect`; they win over the configuration.

    Raises:
        RuntimeError: The profile does not exist, or nothing answers at the target.
        SettingsError: `segue.toml` cannot be applied.
    """
    loaded = ClientConfig.load_client_connect_config(
        profile=profile, config_file=os.fspath(config_file) if config_file is not None else None
    )
    plugins = [*options.pop("plugins", ()), plugin if plugin is not None else SeguePlugin()]
    merged: dict[str, Any] = {"target_host": DEFAULT_TARGET, **loaded, **options}
    return await Client.connect(**merged, plugins=plugins)
