"""The cache that huggingface_hub writes: a small repository served from this process, fetched, and every entry recorded."""

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ID, COMMIT, TAG = "owner/name", "0123456789abcdef0123456789abcdef01234567", "v1"
FILES = {
    "config.json": b'{"_class_name": "UNet2DConditionModel"}',
    "diffusion_pytorch_model.safetensors": b"0123456789abcdef" * 640,
    "scheduler/scheduler_config.json": b"{}",
    "scheduler/copy.json": b"{}",
}
LARGE = ".safetensors"

# The library reads its environment once, when it is imported: each download has a process of its own.
PROGRAM = """
import sys
from huggingface_hub import hf_hub_download
for name in sys.argv[2:]:
    hf_hub_download("owner/name", name, revision=sys.argv[1])
"""


def blob(name):
    """The name of a blob: SHA-256 of large files, git's SHA-1 of others."""
    data = FILES[name]
    if name.endswith(LARGE):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub(BaseHTTPRequestHandler):
    """Answers what hf_hub_download asks: HEAD and GET of /owner/name/resolve/revision/file."""

    def do_HEAD(self):
        self.do_GET(False)

    def do_GET(self, body=True):
        name = self.path.split("?")[0].split("/resolve/")[-1].split("/", 1)[-1]
        data = FILES.get(name)
        self.send_response(404 if data is None else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        if data is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_header("ETag", f'"{blob(name)}"')
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if body and data is not None:
            self.wfile.write(data)

    def log_message(self, *_):
        pass


def entries(folder):
    """What lies in the repository's folder: links with where they point, refs with what they say, blobs with their length."""
    found = {}
    for place in sorted(folder.rglob("*")):
        name = place.relative_to(folder).as_posix()
        if place.is_symlink():
            found[name] = {"link": os.readlink(place)}
        elif place.is_file():
            found[name] = {"text": place.read_text()} if name.startswith("refs/") else {"bytes": place.stat().st_size}
    return found


def record(store):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ,
            "HF_HOME": home,
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"):
            environment.pop(name, None)
        for revision in ("main", TAG):
            subprocess.run([sys.executable, "-c", PROGRAM, revision, *FILES], env=environment, check=True)
        layout = entries(Path(home) / "hub" / "models--owner--name")
    server.shutdown()
    files = {name: data.decode("latin-1") for name, data in FILES.items()}
    store.put("hub", {"id": ID, "commit": COMMIT, "revisions": ["main", TAG], "files": files, "layout": layout})
