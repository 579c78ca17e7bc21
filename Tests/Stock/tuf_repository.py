#!/usr/bin/env python3
"""An exported repository, read over HTTP by the reference client of The Update Framework and by ours.

    tuf_repository.py EXPORT STATE CLIENT TARGET...

EXPORT is what `shelfcast-hub keys export` wrote, STATE a folder that each client keeps its trusted metadata in from call to call, CLIENT the program
shelfcast-tuf-client. Downloads the targets with both and prints, as JSON, the versions that both trust and the SHA-256 of what both got.
"""
import functools
import hashlib
import http.server
import json
import pathlib
import subprocess
import sys
import threading

from tuf.ngclient import Updater

ROLES = ("root", "timestamp", "snapshot", "targets")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def versions(folder):
    return {role: json.loads((folder / f"{role}.json").read_text())["signed"]["version"] for role in ROLES}


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(export, state, client, targets):
    handler = functools.partial(Quiet, directory=export)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    first = (pathlib.Path(export) / "metadata" / "1.root.json").read_bytes()

    theirs, ours = pathlib.Path(state) / "theirs", pathlib.Path(state) / "ours"
    for folder in (theirs, ours):
        (folder / "targets").mkdir(parents=True, exist_ok=True)
    is_new = not (theirs / "root.json").exists()
    updater = Updater(
        metadata_dir=str(theirs), metadata_base_url=url + "/metadata/", target_base_url=url + "/targets/",
        target_dir=str(theirs / "targets"), bootstrap=first if is_new else None)
    updater.refresh()
    got = {}
    for target in targets:
        info = updater.get_targetinfo(target)
        if info is None:
            sys.exit(f"the reference client does not find {target}")
        got[target] = sha256(pathlib.Path(updater.download_target(info)))

    if not (ours / "root.json").exists():
        start = pathlib.Path(state) / "first.json"
        start.write_bytes(first)
        subprocess.run([client, "--metadata-dir", ours, "init", start], check=True)
    names = [word for target in targets for word in ("--target-name", target)]
    subprocess.run(
        [client, "--metadata-dir", ours, "--metadata-url", url + "/metadata", *names,
         "--target-base-url", url + "/targets", "--target-dir", ours / "targets", "download"], check=True)
    there = {sha256(path) for path in (ours / "targets").rglob("*") if path.is_file()}
    print(json.dumps({
        "theirs": versions(theirs), "ours": versions(ours), "targets": got,
        "oursHasAll": set(got.values()) <= there,
    }))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
