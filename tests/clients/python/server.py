"""The real binary: `campanile serve` on a free port with a data directory of its own."""

import json
import os
import re
import ssl
import subprocess
import tempfile
import threading
import urllib.request
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any, Self

from tokens import SECRET, product_token, seconds, sign, workspace_token

ROOT = Path(__file__).parents[3]
LIMIT = 20
"""Seconds to wait for what must come. Generous: it only ends tests that fail."""


def _binary() -> str:
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return os.environ.get("CAMPANILE_BIN", str(target / "debug" / "campanile"))


class Server:
    """A server in a process of its own. Its end is judged: exit 0, nothing secret and no error in its log."""

    def __init__(self, certificates: Path | None = None) -> None:
        """`certificates`: a directory of certificates.sh; with it, the server speaks TLS."""
        self._directory = tempfile.TemporaryDirectory(prefix="campanile-clients-")
        self._data = str(Path(self._directory.name) / "data")
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("CAMPANILE_")}
        self._environment["CAMPANILE_SECRET"] = SECRET
        self._authority = certificates / "ca.pem" if certificates else None
        if certificates:
            self._environment["CAMPANILE_SERVER__TLS__CERT_FILE"] = str(certificates / "cert.pem")
            self._environment["CAMPANILE_SERVER__TLS__KEY_FILE"] = str(certificates / "key.pem")
        self._listen = "127.0.0.1:0"
        self._log: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self.boot()
        except BaseException:
            self._directory.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._process:
                self.stop()
        finally:
            self._directory.cleanup()

    def boot(self) -> None:
        """Starts the process; returns once it listens. A second start is on the same address and data."""
        command = [_binary(), "serve", "--listen", self._listen, "--data", self._data]
        process = subprocess.Popen(command, env=self._environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr
        listening: Future[str] = Future()
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process.stderr, listening))
        self._reader.start()
        try:
            self._listen = listening.result(LIMIT)
        except BaseException:
            self._process = None
            process.kill()
            process.wait()
            self._reader.join()
            raise

    def _read(self, stderr: IO[str], listening: Future[str]) -> None:
        for line in stderr:
            self._log.append(line)
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("message") == "listening":
                listening.set_result(entry["address"])
        stderr.close()
        if not listening.done():
            listening.set_exception(RuntimeError("ended before it listened:\n" + "".join(self._log)))

    def stop(self) -> None:
        """Ends the process as an operator would, and judges what it leaves."""
        process, reader = self._process, self._reader
        assert process
        assert reader
        self._process = None
        process.terminate()
        try:
            status = process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        reader.join()
        log = "".join(self._log)
        assert status == 0, log
        assert SECRET not in log, log
        assert "eyJ" not in log, log
        assert not re.search(r'panicked|"level":"ERROR"', log), log

    def trusting(self) -> ssl.SSLContext:
        """What a client trusts that knows the server's authority alone."""
        return ssl.create_default_context(cafile=self._authority)

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The same, if the server speaks TLS."""
        return self.trusting() if self._authority else None

    def ws(self, path: str) -> str:
        """An address for sockets."""
        return f"{'wss' if self._authority else 'ws'}://{self._listen}{path}"

    def workspace(self, token: str, more: str = "") -> str:
        """The documented address of the workspace surface."""
        return self.ws(f"/?token={token}&workspaceSlug=acme{more}")

    def product(self, token: str, more: str = "") -> str:
        """The documented address of the product surface."""
        return self.ws(f"/api/ws/notification?access_token={token}{more}")

    def publish(self, workspace: str, user: str, **fields: object) -> str:
        """Publishes to a user and returns the notification's id."""
        claims = {"userId": "backend", "workspaces": [workspace], "scope": "notifications:write"}
        body = {"to": {"user": user}, "title": "A title", "message": "A message", **fields}
        token = sign({**claims, "exp": seconds() + 60})
        answer = self._request(f"/v1/workspaces/{workspace}/notifications", token, body)
        return str(answer["id"])

    def listed(self, user: str) -> list[tuple[str, bool]]:
        """Ids in the product surface's list, and whether they are read; newest first."""
        answer = self._request("/api/notification/list", product_token(user))
        return [(item["id"], item["isRead"]) for item in answer["notifications"]]

    def unread(self, user: str) -> int:
        """How many entries of the user's inbox in `acme` are unread."""
        return int(self._request("/v1/workspaces/acme/inbox", workspace_token(user))["unread"])

    def _request(self, path: str, token: str, body: object = None) -> Any:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        scheme = "https" if self._authority else "http"
        request = urllib.request.Request(f"{scheme}://{self._listen}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=LIMIT, context=self.tls) as answer:
            return json.load(answer)

    def run(self, *command: str) -> str:
        """Standard output of another command of the binary, with this server's secret and data directory."""
        whole = [_binary(), *command, "--data", self._data]
        done = subprocess.run(
            whole, env=self._environment, check=True, capture_output=True, text=True, timeout=LIMIT
        )
        return done.stdout.strip()
