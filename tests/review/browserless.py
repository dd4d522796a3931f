"""A real server on a free port of this machine, and a client that sends just what it is told."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import uvicorn

ROOT = Path(__file__).parents[2]


class Answer:
    """What the server answered."""

    def __init__(self, response):
        self.status_code = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.content = response.read()

    @property
    def text(self):
        return self.content.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.content)


class Client:
    """Keeps the cookie; nothing of a path or a header is mended."""

    def __init__(self, port, host):
        self.port, self.host = port, host
        self.headers = {"host": host, "origin": f"http://{host}"}

    def request(self, method, path, headers=None, content=b""):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent = {**self.headers, **(headers or {})}
        if content or method == "POST":
            sent["content-length"] = str(len(content))
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders()
        with suppress(BrokenPipeError, ConnectionResetError):  # it has heard enough, and answered
            connection.send(content)
        answer = Answer(connection.getresponse())
        connection.close()
        if "set-cookie" in answer.headers:
            self.headers["cookie"] = answer.headers["set-cookie"].split(";")[0]
        return answer

    def get(self, path, params=None, headers=None):
        return self.request("GET", path + (f"?{urlencode(params)}" if params else ""), headers)

    def post(self, path, content, headers=None):
        return self.request("POST", path, {"content-type": "application/json", **(headers or {})},
                            content)


@contextmanager
def command_serving(run):
    """Starts `audit review` on a run in a process of its own, as often as wanted.

    Gives a function of further arguments, which gives the process and its address.
    """
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "review", str(run), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)})
        started.append(process)
        for line in process.stdout:
            if line.startswith("Open "):
                return process, line.split()[1]
        raise AssertionError(process.stderr.read())

    yield start
    for one in started:
        one.kill()
        one.communicate()


class Server:
    """Serves an application, which `make` makes from the address it has, until it is stopped."""

    def __init__(self, make):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self._server = uvicorn.Server(uvicorn.Config(make(self.host), log_level="error",
                                                     lifespan="off"))
        self._thread = threading.Thread(target=self._server.run,
                                        kwargs={"sockets": [self._listener]}, daemon=True)
        self._thread.start()
        until = time.monotonic() + 30
        while not self._server.started and time.monotonic() < until:
            time.sleep(0.01)

    def stop(self):
        self._server.should_exit = True
        self._thread.join(30)
        self._listener.close()
