"""A person at a browser: a client that sends what browsers send, keeps cookies, and signs in."""

import re
from typing import Any

import httpx

from web.serving import Served

PAGE = {"sec-fetch-mode": "navigate", "accept": "text/html,*/*;q=0.8"}
MARK = re.compile(r'name="csrf" value="([^"]+)"')


class Person:
    """Somebody at a browser. `old` is one that does not tell from where a request was sent, but its `Origin`.
    Under a prefix, paths are behind it, or with `root` behind the host."""

    def __init__(self, server: Served, name: str = "mia", *, old: bool = False, root: bool = False) -> None:
        self.server, self.name, self.old = server, name, old
        self.base = f"http://127.0.0.1:{server.port}" if root else server.url
        self.http = httpx.Client(base_url=self.base, timeout=30)

    def __enter__(self) -> "Person":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @property
    def secret(self) -> str:
        """What the cookie says, or ""."""
        return next((each.value or "" for each in self.http.cookies.jar if "gatewatch" in each.name), "")

    def go(self, path: str, site: str = "none", **headers: str) -> httpx.Response:
        """Go to a page, by its address or by a link of a site."""
        told = {} if self.old else {"sec-fetch-site": site}
        return self.http.get(path, headers=PAGE | told | headers)

    def look(self, path: str, site: str = "same-origin", **headers: str) -> httpx.Response:
        """Ask for something as a page's script does."""
        told = {} if self.old else {"sec-fetch-site": site, "sec-fetch-mode": "cors"}
        return self.http.get(path, headers=told | headers)

    def send(self, path: str, site: str = "same-origin", origin: str = "", **fields: str) -> httpx.Response:
        """Send a form of a page."""
        told = {"origin": origin or self.base} | ({} if self.old else {"sec-fetch-site": site})
        return self.http.post(path, data=fields, headers=PAGE | told)

    def say(self, path: str, value: Any, mark: str = "", **headers: str) -> httpx.Response:
        """Send JSON as a page's script does."""
        told = {"origin": self.base, "x-gatewatch-csrf": mark, "sec-fetch-site": "same-origin"}
        return self.http.post(path, json=value, headers=told | headers)

    def sign_in(self, token: str, next_: str = "") -> httpx.Response:
        """Sign in with a token."""
        return self.send("/signin", token=token, name=self.name, next=next_)

    def mark(self, path: str = "/signin") -> str:
        """The mark of the forms of a page."""
        found = MARK.search(self.go(path).text)
        assert found is not None, "there is no form that bears a mark"
        return found[1]
