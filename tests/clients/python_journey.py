"""The journey that each Python framework makes through the server's sandbox, with the calls as its models make them."""

import asyncio
import json
import sys
from pathlib import Path

COMMAND = "apc-mcp"
ARGUMENTS = ["--sandbox"]
TOOLS = ["create_service_account", "delete_service_account", "get_service_accounts"]
NOTHING = "cmf3n0thing00000000000000"


def good(text):
    assert text.startswith("{"), text
    return json.loads(text)


def refused(text, code):
    # Some frameworks put words of their own before it.
    assert f"{code}: " in text and not text.startswith("{"), text


async def journey(call, label):
    """Lists, creates, finds and deletes an account; `call` returns the text that the model gets."""
    listed = good(await call("get_service_accounts", {}))
    place = {"workspace_id": listed["workspaces"][0]["id"]}
    new = {"label": label, "role": "WORKSPACE_EDITOR"} | place
    created = good(await call("create_service_account", new))
    key = Path(created["api_key_file"]).read_text()
    assert len(key) == 32 and key not in str(created), created
    named = {"service_account_id": created["service_account"]["id"]}
    found = good(await call("get_service_accounts", named))
    assert [each["label"] for each in found["service_accounts"]] == [label], found
    refused(await call("create_service_account", new), "already_exists")
    refused(await call("create_service_account", new | {"role": "SYSTEM_ADMIN"}), "invalid_arguments")
    refused(await call("get_service_accounts", {"service_account_id": NOTHING}), "not_found")
    assert good(await call("delete_service_account", named))["deleted"] is True
    refused(await call("get_service_accounts", named), "not_found")
    assert good(await call("get_service_accounts", {}))["total"] == listed["total"]


def run(name, main):
    """Runs one framework, for a minute at most."""
    asyncio.run(asyncio.wait_for(main(), 60))
    print(f"ok: {name}")
    sys.stdout.flush()
