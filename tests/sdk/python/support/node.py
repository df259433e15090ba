"""A real node in a process and a folder of its own: started, killed, stopped, started again on the same port and data."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

TESTS = Path(__file__).resolve().parents[3]
BINARY = os.environ.get("BINARY_UNDER_TEST", TESTS.parent / "target/debug/fanfare")
SECRET = "the secret of these tests, 32 bytes or more"
API_KEY = "the API key of these tests, 32 bytes or more"

# Below the range from which outgoing connections draw theirs, so that nobody takes a port while its node is down.
PORTS = range(20_000, 32_000)
STARTS_WITHIN = 20.0  # seconds
ENDS_WITHIN = 30.0
LOOK_AGAIN = 0.02


class Node:
    def __init__(self, **env: str) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="fanfare-python-"))
        self.port = free_port()
        self.operator_port = free_port()
        self.log_file = self.dir / "log"
        self._env = env
        self._process: subprocess.Popen | None = None

    @property
    def web_socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/connection/websocket"

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def start(self) -> None:
        """Starts the process and waits until it says that it is ready."""
        env = {
            "PATH": os.environ["PATH"],
            "RUST_LOG": os.environ.get("RUST_LOG", "info"),
            "FANFARE_CONFIG": str(TESTS / "node.toml"),
            "FANFARE_DATA_DIR": str(self.dir / "data"),
            "FANFARE_HTTP_SERVER__PORT": str(self.port),
            "FANFARE_OPERATOR__PORT": str(self.operator_port),
            "FANFARE_CLIENT__TOKEN__HMAC_SECRET_KEY": SECRET,
            "FANFARE_HTTP_API__KEY": API_KEY,
            **self._env,
        }
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [BINARY, "serve"], cwd=self.dir, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        end = time.monotonic() + STARTS_WITHIN
        while not self.ready():
            ended = self._process.poll()
            if ended is not None or time.monotonic() > end:
                raise RuntimeError(f"the node is not ready (ended: {ended}):\n{self.log_file.read_text()}")
            time.sleep(LOOK_AGAIN)

    def ready(self) -> bool:
        """What `/ready` answers; false while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.operator_port}/ready", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """SIGKILL: as if the power went."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """SIGTERM: asks it to drain. Returns its exit code."""
        return self._end(signal.SIGTERM)

    def tell_to_stop(self) -> None:
        """SIGTERM without waiting; `terminate` waits."""
        self._process.send_signal(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(how)
        return self._process.wait(ENDS_WITHIN)

    def remove(self) -> None:
        """Ends the process if it still runs, and removes its folder."""
        try:
            self.kill()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


def free_port() -> int:
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
