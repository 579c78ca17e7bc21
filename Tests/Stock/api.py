#!/usr/bin/env python3
"""Lets Schemathesis send a hub's API what its OpenAPI document allows and what it does not, the same each time, and holds
every answer to the document: status, headers, type, schema, no failure of the server, nothing taken that should be refused.
What stands in paths is looked up first, so that half of what is sent finds something.

usage: api.py ADDRESS TOKEN
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.request

CASES = "12"
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
          "response_schema_conformance,negative_data_rejection,unsupported_method,"
          "allow_header_conformance")


def first(address, token, path, member):
    """A member of a list's first item; None: it is empty."""
    request = urllib.request.Request(address + "/api/v1" + path, headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(request, timeout=60) as answer:
        items = json.load(answer)["items"]
    return items[0][member] if items else None


def main():
    address, token = sys.argv[1].rstrip("/"), sys.argv[2]
    names = {
        "device": first(address, token, "/devices", "id"), "rollout": first(address, token, "/rollouts", "id"),
        "store": "1", "item": "1", "family": first(address, token, "/models", "name"),
        "package": first(address, token, "/packages", "digest"),
    }
    command = [
        os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", address + "/api/v1/openapi.json",
        "--header", "Authorization: Bearer " + token, "--checks", CHECKS, "--max-examples", CASES,
        "--generation-deterministic", "--phases", "examples,coverage,fuzzing",
        # A stream that does not end is read by the tests that know it; the rest ends by itself.
        "--exclude-operation-id", "watch", "--no-color", "--warnings", "off", "--no-shrink", "--suppress-health-check", "all",
    ]
    # It keeps what it found in the folder it runs in.
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "schemathesis.toml"), "w", encoding="utf-8") as settings:
            settings.write("[parameters]\n")
            for name, value in names.items():
                settings.write(f'"path.{name}" = {json.dumps(value)}\n')
        return subprocess.run(command, cwd=folder, check=False).returncode


sys.exit(main())
