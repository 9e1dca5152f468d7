"""The browser of an owner, without a window: what `owner_browser.mjs` does, written apart from it.

It follows redirects, keeps cookies and works at forms whatever they look like: it signs in where a page asks for a
password, and presses the button of the owner's decision anywhere else.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

PAGES_MAX = 20
NAMES = {"user", "username", "login", "email", "name"}


@dataclass
class Form:
    action: str
    method: str
    fields: list[dict[str, str]] = field(default_factory=list)
    buttons: list[dict[str, str]] = field(default_factory=list)

    @property
    def asks_for_a_password(self) -> bool:
        return any(found.get("type") == "password" for found in self.fields)

    @property
    def asks_for_a_decision(self) -> bool:
        return any(found.get("name") == "decision" for found in self.buttons)


class Page(HTMLParser):
    """The forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(found.get("action", ""), found.get("method", "get").upper()))
            self._open = True
        elif not self._open:
            return
        elif tag == "button" and found.get("type", "submit") == "submit":
            self.forms[-1].buttons.append(found)
        elif tag == "input" and found.get("type") == "submit":
            self.forms[-1].buttons.append(found)
        elif tag in ("input", "textarea", "select"):
            self.forms[-1].fields.append(found)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


class OwnerBrowser:
    def __init__(self, user: str, password: str) -> None:
        self.user = user
        self.password = password
        self._cookies: dict[str, dict[str, str]] = {}

    def authorize(self, url: str, redirect_uri: str) -> str:
        """Begins at the authorization URL; gives the URL that the client is called back with."""
        method, body, site = "GET", None, "none"
        for _ in range(PAGES_MAX):
            status, headers, text = self._send(method, url, body, site)
            location = headers.get("location")
            if 300 <= status < 400 and location:
                following = urljoin(url, location)
                if following.split("?")[0] == redirect_uri.split("?")[0]:
                    return following
                method, body, url = "GET", None, following
                continue
            assert status == 200, f"{method} {url} is answered {status}: {text}"
            method, url, body = self._answer(text, url)
            site = "same-origin"
        raise AssertionError(f"no end after {PAGES_MAX} pages")

    def _answer(self, text: str, at: str) -> tuple[str, str, str | None]:
        forms = Page(text).forms
        known = [form for form in forms if form.asks_for_a_password] + [
            form for form in forms if form.asks_for_a_decision
        ]
        assert known, f"nothing to press on {at}: {text}"
        form = known[0]
        sent = [(found["name"], self._value(found)) for found in form.fields if found.get("name") and goes(found)]
        allow = [found for found in form.buttons if (found.get("name"), found.get("value")) == ("decision", "allow")]
        button = (allow or form.buttons)[0]
        if button.get("name"):
            sent.append((button["name"], button.get("value", "")))
        url = urljoin(at, button.get("formaction") or form.action or at)
        assert origin(url) == origin(at), f"a form of {origin(at)} leads to {origin(url)}"
        if form.method == "GET":
            return "GET", f"{url.split('?')[0]}?{urlencode(sent)}", None
        return "POST", url, urlencode(sent)

    def _value(self, found: dict[str, str]) -> str:
        if found.get("type") == "password":
            return self.password
        if found["name"] in NAMES and found.get("type") != "hidden":
            return self.user
        return found.get("value", "")

    def _send(self, method: str, url: str, body: str | None, site: str) -> tuple[int, dict[str, str], str]:
        parts = urlsplit(url)
        headers = {
            "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
            "Sec-Fetch-Site": site,
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }
        jar = self._cookies.setdefault(origin(url), {})
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin(url)}
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request(method, target, body, headers)
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        for line in reply.headers.get_all("set-cookie") or []:
            keep(jar, line)
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, text


def goes(found: dict[str, str]) -> bool:
    return found.get("type") not in ("checkbox", "radio") or "checked" in found


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def keep(jar: dict[str, str], line: str) -> None:
    pair, *attributes = (part.strip() for part in line.split(";"))
    name, _, value = pair.partition("=")
    attributes = [attribute.lower() for attribute in attributes]
    # Over plain http a browser takes neither.
    if "secure" in attributes or name.startswith(("__Host-", "__Secure-")):
        return
    if "max-age=0" in attributes or any("expires=thu, 01 jan 1970" in attribute for attribute in attributes):
        jar.pop(name, None)
    else:
        jar[name] = value


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
