"""`PINCITE_TOKEN=pincite_… manage.py mcp`: the MCP server on standard input and output.

For assistants that start their tools as programs. It calls a running service, so that rights, walls, limits
and audit are those of its API; it acts for the person whose token it is given.
"""

import asyncio
from typing import Any

import httpx
from django.core.management.base import BaseCommand, CommandError
from mcp.server.stdio import stdio_server

from knowledge import env, mcp


class Command(BaseCommand):
    help = "Serve MCP on standard input and output, for the person whose token is in PINCITE_TOKEN."
    requires_system_checks = ()
    requires_migrations_checks = False

    def handle(self, *_args: Any, **_options: Any) -> None:
        token = env.text("PINCITE_TOKEN")
        url = env.url("PINCITE_URL", {"http", "https"}) or "http://127.0.0.1:8000"
        if not token:
            raise CommandError("Put the token of a person into PINCITE_TOKEN.")
        asyncio.run(_serve(url.rstrip("/"), token))


async def _serve(url: str, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=f"{url}/api/v1", headers=headers, timeout=mcp.SECONDS, trust_env=False
    ) as api:
        server = mcp.server(api)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
