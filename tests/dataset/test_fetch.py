"""Downloads, from a server in this process that can do all that servers do wrong."""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import os
import re
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from iamm.dataset import fetch as module
from iamm.dataset.fetch import Source, fetch, state
from iamm.errors import BadDataError, BusyError, FullDiskError, OutputError, UnreachableError

CONTENT = hashlib.shake_256(b"content").digest(200_003)
PACKED = gzip.compress(CONTENT, mtime=0)
OTHER = gzip.compress(CONTENT[::-1], mtime=0)


class Server(BaseHTTPRequestHandler):
    """What to do is in the address: /cut.gz and so on; `asked` keeps the ranges that were asked for."""

    asked: list
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        getattr(self, self.path.strip("/").split(".")[0])(int(wanted[6:-1]) if wanted else 0)
        self.close_connection = True

    def give(self, body, *, code=200, length=None, **headers):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def part(self, body, start, **more):
        if start >= len(body):
            return self.give(b"", code=416, Content_Range=f"bytes */{len(body)}")
        if start == 0:
            return self.give(body, **more)
        more.setdefault("Content_Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.give(body[start:], code=206, **more)

    def good(self, start):
        self.part(PACKED, start)

    def plain(self, start):
        self.part(CONTENT, start)

    def simple(self, start):
        self.give(PACKED)

    def cut(self, start):
        """70,000 bytes at a time, then the line is cut."""
        end = min(start + 70_000, len(PACKED))
        headers = {"Content_Range": f"bytes {start}-{len(PACKED) - 1}/{len(PACKED)}"} if start else {}
        self.give(PACKED[start:end], code=206 if start else 200, length=len(PACKED) - start, **headers)

    def cutsimple(self, start):
        """Knows no ranges; the first two answers are cut."""
        whole = len(self.asked) > 2
        self.give(PACKED if whole else PACKED[:50_000], length=len(PACKED))

    def shifted(self, start):
        """Answers with another range than was asked for."""
        if not start:
            return self.give(PACKED[:50_000], length=len(PACKED)) if len(self.asked) < 2 else self.give(PACKED)
        self.give(PACKED[start + 1 :], code=206, Content_Range=f"bytes {start + 1}-{len(PACKED) - 1}/{len(PACKED)}")

    def stuck(self, start):
        self.give(PACKED[:10], length=len(PACKED))

    def short(self, start):
        """Says that it is shorter than it is."""
        self.give(PACKED, length=1000)

    def endless(self, start):
        self.send_response(200)
        self.end_headers()
        with_ = b"\0" * 65_536
        try:
            while True:
                self.wfile.write(with_)
        except OSError:
            self.server.stopped.set()

    def drip(self, start):
        """A byte now and then, for ever."""
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            while not self.server.stopped.wait(0.01):
                self.wfile.write(b"\0")

    def bomb(self, start):
        self.give(gzip.compress(bytes(50_000_000), mtime=0))

    def wrong(self, start):
        self.part(OTHER, start)

    def page(self, start):
        self.give(b"<html>Please log in</html>", Content_Type="text/html")

    def empty(self, start):
        self.give(b"")

    def gone(self, start):
        self.give(b"nothing here", code=404)

    def busy(self, start):
        self.give(b"", code=503) if len(self.asked) < 3 else self.give(PACKED)

    def moved(self, start):
        self.give(b"", code=302, Location="/good.gz")

    def circle(self, start):
        self.give(b"", code=302, Location="/circle.gz")

    def tofile(self, start):
        self.give(b"", code=302, Location="file:///etc/passwd")

    def toftp(self, start):
        self.give(b"", code=302, Location="ftp://localhost/a.gz")

    def garbage(self, start):
        self.wfile.write(b"I am no web server\r\n\r\n")

    def log_message(self, *words):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    pauses = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    handler = type("Handler", (Server,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.stopped, server.pauses = threading.Event(), pauses
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def source_of(server, what: str, **changes) -> Source:
    url = f"http://127.0.0.1:{server.server_port}/{what}"
    return Source("set/a.gz", url, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())._replace(**changes)


def asked(server) -> list:
    return [wanted for _, wanted in server.RequestHandlerClass.asked]


def files(tmp_path) -> list[str]:
    return sorted(path.name for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("what", ["good.gz", "simple.gz", "moved.gz", "busy.gz"])
def test_a_file_is_fetched_whole(server, tmp_path, what):
    source = source_of(server, what)
    assert state(str(tmp_path), source) == "missing"
    fetch(str(tmp_path), source)
    assert (tmp_path / "set" / "a.gz").read_bytes() == PACKED
    assert files(tmp_path) == ["a.gz"]
    assert state(str(tmp_path), source) == "there"
    assert server.pauses == ([1, 2] if what == "busy.gz" else [])


def test_what_is_published_without_gzip_is_packed(server, tmp_path):
    source = source_of(server, "plain.csv")
    fetch(str(tmp_path), source)
    assert gzip.decompress((tmp_path / "set" / "a.gz").read_bytes()) == CONTENT
    assert files(tmp_path) == ["a.gz"]
    assert state(str(tmp_path), source) == "there"


def test_a_cut_download_goes_on_where_it_was_cut(server, tmp_path):
    fetch(str(tmp_path), source_of(server, "cut.gz"))
    assert asked(server) == [None, "bytes=70000-", "bytes=140000-"]
    assert (tmp_path / "set" / "a.gz").read_bytes() == PACKED


@pytest.mark.parametrize("what", ["cutsimple.gz", "shifted.gz"])
def test_where_it_cannot_go_on_it_starts_anew(server, tmp_path, what):
    fetch(str(tmp_path), source_of(server, what))
    assert asked(server) == [None, "bytes=50000-", "bytes=50000-" if what == "cutsimple.gz" else None]
    assert (tmp_path / "set" / "a.gz").read_bytes() == PACKED


@pytest.mark.parametrize(
    ("before", "ranges"),
    [
        (PACKED[:100], ["bytes=100-"]),
        (PACKED, [f"bytes={len(PACKED)}-"]),
        (b"something else", ["bytes=14-", None]),
        (OTHER, [f"bytes={len(OTHER)}-", None]),
        (PACKED + b"more", [f"bytes={len(PACKED) + 4}-", None]),
    ],
)
def test_what_a_killed_download_left_is_used_or_replaced(server, tmp_path, before, ranges):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.gz.part").write_bytes(before)
    fetch(str(tmp_path), source_of(server, "good.gz"))
    assert asked(server) == ranges
    assert (tmp_path / "set" / "a.gz").read_bytes() == PACKED
    assert files(tmp_path) == ["a.gz"]


def test_what_was_killed_while_it_was_packed_is_fetched_anew(server, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.gz.part").write_bytes(PACKED[:1000])
    fetch(str(tmp_path), source_of(server, "plain.csv"))
    assert gzip.decompress((tmp_path / "set" / "a.gz").read_bytes()) == CONTENT


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("wrong.gz", r"Found SHA-256 \w{64} instead of \w{64}: nothing was kept\.$"),
        ("page.gz", r"Found Error -3 while decompressing data: incorrect header check: nothing"),
        ("page.csv", r"Found 26 bytes instead of 200,003: nothing"),
        ("empty.gz", r"Found an early end: nothing"),
        ("short.gz", r"Found an early end: nothing"),
        ("bomb.gz", r"Found more than 200,003 bytes, unpacked: nothing"),
        ("endless.gz", r"have at most 201,227 bytes\. Found more: nothing was kept\.$"),
    ],
)
def test_what_is_not_as_published_is_not_kept(server, tmp_path, what, found):
    with pytest.raises(BadDataError, match=rf"^http://127\.0\.0\.1:\d+/{what} must .*{found}"):
        fetch(str(tmp_path), source_of(server, what))
    assert files(tmp_path) == []
    assert what != "endless.gz" or server.stopped.wait(30)


@pytest.mark.parametrize(
    ("what", "found", "times"),
    [
        ("gone.gz", "HTTP Error 404: Not Found", 1),
        ("stuck.gz", r"the connection ended after 10 of [\d,]+ bytes", 4),
        ("circle.gz", "HTTP Error 302: .* infinite loop", 1),
        ("tofile.gz", "HTTP Error 302: .*file:///etc/passwd' is not allowed", 1),
        ("toftp.gz", "HTTP Error 302: sent on to ftp://.*, by a protocol that is not safe", 1),
        ("garbage.gz", "I am no web server", 4),
    ],
)
def test_servers_that_do_not_give_it_are_named(server, tmp_path, what, found, times):
    with pytest.raises(
        UnreachableError, match=rf"^A server must answer\. Found at http://.*/{what}: .*{found}"
    ) as error:
        fetch(str(tmp_path), source_of(server, what))
    assert error.value.exit_code == 68
    assert "\n" not in str(error.value)
    assert len(server.pauses) == times - 1
    assert not (tmp_path / "set" / "a.gz").exists()


def test_nobody_listens(tmp_path, server):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.gz"
        with pytest.raises(UnreachableError, match="Connection refused"):
            fetch(str(tmp_path), source_of(server, "", url=url))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:,x", "ftp://127.0.0.1/a.gz"])
def test_only_http_and_https_are_requested(tmp_path, server, url):
    with pytest.raises(UnreachableError, match="unknown url type"):
        fetch(str(tmp_path), source_of(server, "", url=url))


def test_a_silent_server_is_left(tmp_path, server, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.gz"
        with pytest.raises(UnreachableError, match="timed out"):
            fetch(str(tmp_path), source_of(server, "", url=url))


def test_a_server_that_drips_is_left(tmp_path, server, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    with pytest.raises(UnreachableError, match=r"no more than [\d,]+ bytes in 0 s"):
        fetch(str(tmp_path), source_of(server, "drip.gz"))
    assert len(asked(server)) == 4


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_what_has_come(server, tmp_path, monkeypatch, number):
    below = module.growing

    class Full:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, chunk):
            if self.file.tell() + len(chunk) > 100_000:
                raise OSError(number, os.strerror(number))
            return self.file.write(chunk)

    @module.contextmanager
    def growing(part):
        with below(part) as file:
            yield Full(file)

    monkeypatch.setattr(module, "growing", growing)
    with pytest.raises(
        FullDiskError, match=r"^A data folder must have room\. Found .*a\.gz\.part: .*, for a file of up"
    ):
        fetch(str(tmp_path), source_of(server, "good.gz"))
    monkeypatch.undo()
    monkeypatch.setenv("no_proxy", "*")
    kept = (tmp_path / "set" / "a.gz.part").stat().st_size
    assert 0 < kept <= 100_000
    fetch(str(tmp_path), source_of(server, "good.gz"))
    assert asked(server) == [None, f"bytes={kept}-"]
    assert (tmp_path / "set" / "a.gz").read_bytes() == PACKED


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "set").write_bytes(b"")
    with pytest.raises(OutputError, match=r"^A data folder must be writable\. Found .*a\.gz\.part: File exists\. Set "):
        fetch(str(tmp_path), source_of(server, "good.gz"))


def test_a_planted_link_is_not_followed(server, tmp_path):
    """Nothing is written outside."""
    (tmp_path / "set").mkdir()
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "set" / "a.gz.part").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match=r"Found .*a\.gz\.part: a link\. "):
        fetch(str(tmp_path), source_of(server, "good.gz"))
    assert (tmp_path / "precious").read_bytes() == b"mine"
    assert server.RequestHandlerClass.asked == []


def test_two_downloads_of_one_file(server, tmp_path):
    (tmp_path / "set").mkdir()
    with (tmp_path / "set" / "a.gz.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(
            BusyError, match=r"^A file is downloaded once\. Found another process at .*a\.gz\.part: wait"
        ):
            fetch(str(tmp_path), source_of(server, "good.gz"))
    fetch(str(tmp_path), source_of(server, "good.gz"))
    assert files(tmp_path) == ["a.gz"]


@pytest.mark.parametrize("content", [OTHER, b"", PACKED[:-1], PACKED + b"x", gzip.compress(CONTENT + b"x")])
def test_a_changed_file_is_not_as_published(server, tmp_path, content):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.gz").write_bytes(content)
    assert state(str(tmp_path), source_of(server, "good.gz")) == "not as published"


def test_packing_anew_changes_nothing(server, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.gz").write_bytes(gzip.compress(CONTENT, 1, mtime=7))
    assert state(str(tmp_path), source_of(server, "good.gz")) == "there"


def test_requests_say_who_asks_and_for_no_encoding(server, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(Server, "good", lambda self, start: (seen.append(dict(self.headers)), self.part(PACKED, start)))
    fetch(str(tmp_path), source_of(server, "good.gz"))
    assert re.match("iamm-data$", seen[0]["User-Agent"])
    assert seen[0]["Accept-Encoding"] == "identity"
