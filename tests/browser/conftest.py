# SPDX-License-Identifier: MIT
"""A real Chromium, and the page as the HTTP side serves it."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from app.http import create_pages, serving
from app.main import documents
from app.settings import HttpSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_MISSING = "{} is needed to look at the page; on Debian and Ubuntu: apt-get install chromium chromium-driver"
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # containers offer no user namespaces; the browser sees nothing but our own page
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@dataclass
class Browser:
    """A Chromium at a size, and what it saw."""

    driver: Chrome
    origin: str

    def open(self, path: str = "/docs", *, width: int, height: int = 900, dark: bool = False) -> None:
        """Load the page as on a screen of that width, with the colours that the system asks for."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, calm]})
        self.driver.get(self.origin + path)

    def run(self, script: str, *arguments: object) -> Any:
        """Return what a script in the page returns."""
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """Return what stands on the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self) -> set[str]:
        """Return the addresses that our pages asked for, in our own host as paths. (The browser has pages too.)"""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        ours = f"{self.origin}/"
        urls = [request["request"]["url"] for request in sent if request["documentURL"].startswith(ours)]
        return {urlsplit(url).path if url.startswith(ours) else url for url in urls if not url.startswith("data:")}


def find(*names: str) -> str:
    """Return the path of the first command that is there; fail with what to install when none is."""
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.fail(_MISSING.format(names[0]), pytrace=False)
    return found


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """The address of the HTTP side, which runs in a thread of its own."""
    ready, ports = threading.Event(), []
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        pages = create_pages(dict, bytes, documents().routes())
        async with serving(pages, HttpSettings(port=0, bind="127.0.0.1")) as port:
            ports.append(port)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield f"http://127.0.0.1:{ports[0]}"
    loop.call_soon_threadsafe(done.set)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="session")
def new_browser(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Browser]:
    """What starts a Chromium for an origin, with a profile of its own."""

    def start(origin: str) -> Browser:
        options = ChromeOptions()
        options.binary_location = find(*_BROWSERS)
        for argument in (*_ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        return Browser(Chrome(options=options, service=Service(find("chromedriver"))), origin)

    return start


@pytest.fixture
def browser(origin: str, new_browser: Callable[[str], Browser]) -> Iterator[Browser]:
    """A Chromium with a profile of its own, so that nothing is remembered from one test to the next."""
    made = new_browser(origin)
    yield made
    made.driver.quit()
