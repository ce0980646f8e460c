"""The real server, in a process of its own."""

import asyncio
import json
import os
import tempfile
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from tokens import SECRET

LIMIT = 30
"""Seconds to wait for what must come. Generous: it only ends tests that fail."""
BINARY = os.environ.get("CAMPANILE_BIN")


class RealServer:
    """`campanile serve` on a free port, with a directory of its own."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="campanile-sdk-")
        self._process: Process | None = None
        self._log: list[str] = []
        self._reading: asyncio.Task[None] | None = None
        self.address = ""

    async def __aenter__(self) -> "RealServer":
        assert BINARY
        own = {name: value for name, value in os.environ.items() if not name.startswith("CAMPANILE_")}
        data = str(Path(self._directory.name) / "data")
        self._process = await asyncio.create_subprocess_exec(
            str(Path(BINARY).resolve()),  # noqa: ASYNC240
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data",
            data,
            env={**own, "CAMPANILE_SECRET": SECRET},
            stderr=PIPE,
        )
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.ensure_future(self._read(self._process, listening))
        self.address = await asyncio.wait_for(listening, LIMIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process
        assert self._reading
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), LIMIT)
            await self._reading
        finally:
            if self._process.returncode is None:
                self._process.kill()
            self._directory.cleanup()
        log = "".join(self._log)
        assert self._process.returncode == 0, log
        assert "eyJ" not in log, "a token is in the log"
        assert '"level":"ERROR"' not in log, log

    @property
    def url(self) -> str:
        """Its address for clients."""
        return f"http://{self.address}"

    async def _read(self, process: Process, listening: "asyncio.Future[str]") -> None:
        assert process.stderr
        async for raw in process.stderr:
            line = raw.decode()
            self._log.append(line)
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("message") == "listening" and not listening.done():
                listening.set_result(entry["address"])
        if not listening.done():
            listening.set_exception(RuntimeError("ended before it listened:\n" + "".join(self._log)))
