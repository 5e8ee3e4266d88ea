"""Firefox for the tests of pages, without geckodriver, which no package registry has.

Selenium speaks HTTP to a driver, which speaks Marionette to Firefox. What the driver does is
little: the commands have other names, and the same arguments and answers.
"""

import contextlib
import itertools
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium.webdriver import Remote
from selenium.webdriver.firefox.options import Options
from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.file_detector import UselessFileDetector
from selenium.webdriver.remote.remote_connection import RemoteConnection

PROGRAMS = ("firefox-esr", "firefox")
FLAGS = (
    *("--headless", "--no-remote", "--marionette", "--remote-debugging-port", "0"),
    "--remote-allow-system-access",  # for `Firefox.itself`
)
PREFERENCES = {
    "marionette.port": 0,  # any that is free
    "remote.prefs.recommended": False,  # pages from a disk would be allowed more than they are
    "remote.active-protocols": 1,  # WebDriver BiDi
    "dom.file.createInChild": True,  # files can be uploaded
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "layout.frame_rate": 20,  # it draws without a graphics card
}
COMMANDS = {
    Command.NEW_SESSION: "WebDriver:NewSession",
    Command.QUIT: "Marionette:Quit",
    Command.GET: "WebDriver:Navigate",
    Command.GET_TITLE: "WebDriver:GetTitle",
    Command.GET_CURRENT_URL: "WebDriver:GetCurrentURL",
    Command.SET_TIMEOUTS: "WebDriver:SetTimeouts",
    Command.FIND_ELEMENT: "WebDriver:FindElement",
    Command.CLICK_ELEMENT: "WebDriver:ElementClick",
    Command.SEND_KEYS_TO_ELEMENT: "WebDriver:ElementSendKeys",
    Command.IS_ELEMENT_ENABLED: "WebDriver:IsElementEnabled",
    Command.GET_ELEMENT_TAG_NAME: "WebDriver:GetElementTagName",
    Command.W3C_GET_ACTIVE_ELEMENT: "WebDriver:GetActiveElement",
    Command.W3C_EXECUTE_SCRIPT: "WebDriver:ExecuteScript",
    Command.W3C_EXECUTE_SCRIPT_ASYNC: "WebDriver:ExecuteAsyncScript",
    Command.W3C_ACTIONS: "WebDriver:PerformActions",
    Command.SWITCH_TO_FRAME: "WebDriver:SwitchToFrame",
    Command.SCREENSHOT: "WebDriver:TakeScreenshot",
    "setContext": "Marionette:SetContext",
}


class Firefox(Remote):
    """Firefox with a profile of its own."""

    @contextlib.contextmanager
    def itself(self) -> Iterator[None]:
        """Run scripts in the browser's own window instead of the page's."""
        self.execute("setContext", {"value": "chrome"})
        try:
            yield
        finally:
            self.execute("setContext", {"value": "content"})


class _Marionette(RemoteConnection):
    """Selenium's commands to a running Firefox."""

    def __init__(self, port: int) -> None:
        super().__init__(client_config=ClientConfig(f"http://127.0.0.1:{port}"))
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._answers = self._socket.makefile("rb")
        self._numbers = itertools.count(1)
        self._receive()  # which protocol it speaks

    def execute(self, command: str, params: dict[str, Any]) -> dict[str, Any]:
        params = {name: value for name, value in params.items() if name != "sessionId"}
        if command == Command.NEW_SESSION:
            params = params["capabilities"]["alwaysMatch"]
        elif command == Command.QUIT:
            params = {"flags": ["eForceQuit"]}
        message = json.dumps([0, next(self._numbers), COMMANDS[command], params]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, value = self._receive()
        if error:
            return {"status": 500, "value": json.dumps(error)}
        return {"value": value["value"] if isinstance(value, dict) and "value" in value else value}

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def _receive(self) -> Any:
        length = b"".join(iter(lambda: self._answers.read(1), b":"))
        return json.loads(self._answers.read(int(length)))


@contextlib.contextmanager
def open_firefox(profile: Path) -> Iterator[Firefox]:
    """Open Firefox with a profile of its own; a FileNotFoundError where it is not installed."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if not program:
        raise FileNotFoundError("Firefox is not installed")
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines), "utf-8")
    command = [program, *FLAGS, "--profile", str(profile)]
    with (
        (profile / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as run,
    ):
        try:
            connection = _Marionette(_port(profile, run))
            options = Options()
            options.set_capability("webSocketUrl", True)
            firefox = Firefox(connection, options=options, file_detector=UselessFileDetector())
            yield firefox
            firefox.quit()
        finally:
            run.terminate()


def _port(profile: Path, run: "subprocess.Popen[bytes]") -> int:
    """Wait until Firefox listens, and return the port."""
    told = profile / "MarionetteActivePort"
    end = time.monotonic() + 120
    while not (told.is_file() and (text := told.read_text())):
        assert run.poll() is None, (profile / "log").read_text("utf-8", "replace")
        assert time.monotonic() < end, "Firefox does not start"
        time.sleep(0.05)
    return int(text)
