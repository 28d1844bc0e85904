"""Files are found in a stated order, fetched whole or not at all, and read without letting anything wrong pass."""

import gzip
import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbook.data import files
from recbook.data.files import (Download, Files, Source, parse_json_lines, parse_number_lists, parse_table,
                                read_table)
from recbook.errors import DataError

CONTENT = b"".join(b"%d\t%d\t5\n" % (n, n) for n in range(20_000))


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"folder/{name}", content)
    return buffer.getvalue()


class Provider(BaseHTTPRequestHandler):
    """A web server with every fault that matters; the path says which."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path in ("/404", "/500"):
            self.send_error(int(self.path[1:]))
            return
        compressed = {"/zip": zipped(ratings=CONTENT), "/ratings.gz": gzip.compress(CONTENT, mtime=0)}
        body = compressed.get(self.path, CONTENT)
        if self.path == "/corrupt":
            body = b"X" + body[1:]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path in ("/truncated", "/stalled"):
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            self.server.half_sent.set()
            if self.path == "/stalled":
                self.server.give_up.wait(20)
        else:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def provider():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    server.asked, server.half_sent, server.give_up = [], threading.Event(), threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.give_up.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A folder of data and a cache, both empty."""
    monkeypatch.setenv("RECBOOK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RECBOOK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data" / "tiny", tmp_path / "cache" / "tiny"


def source(provider, path, content=CONTENT):
    download = Download(f"{provider.address}{path}", sha256(content))
    return Source("tiny", None, "https://example.org/tiny", "free", "nobody", downloads={"ratings": download})


def put(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def whole_files(folder):
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def test_a_download_is_kept_and_not_asked_for_again(provider, folders, capfd):
    for _ in range(2):
        fetched = Files(source(provider, "/good"))
        assert fetched.read("ratings") == CONTENT
        assert fetched.sha256 == {"ratings": sha256(CONTENT)}
    assert provider.asked == ["/good"]
    assert whole_files(folders[1]) == ["ratings"]
    output = capfd.readouterr()
    assert "100%" in output.err and not output.out      # the progress bar is on stderr


def test_the_folder_of_data_comes_before_the_cache_and_the_provider(provider, folders):
    data, cache = folders
    tiny = source(provider, "/good")
    put(cache, "ratings", CONTENT)
    assert Files(tiny).read("ratings") == CONTENT
    put(data, "ratings.gz", gzip.compress(b"mine, gzipped"))
    assert Files(tiny).read("ratings") == b"mine, gzipped"
    put(data, "ratings", b"mine")
    assert Files(tiny).read("ratings") == b"mine"
    assert provider.asked == []


def test_the_sha256_is_that_of_the_uncompressed_content(folders):
    put(folders[0], "ratings.gz", gzip.compress(CONTENT))
    tiny = Files(Source("tiny", None, "page", "free", "nobody"))
    tiny.read("ratings")
    assert tiny.sha256["ratings"] == sha256(CONTENT)


def test_a_cached_file_that_was_changed_is_fetched_again(provider, folders):
    put(folders[1], "ratings", b"half a fi")
    assert Files(source(provider, "/good")).read("ratings") == CONTENT
    assert provider.asked == ["/good"]


def test_a_cached_file_that_was_changed_is_refused_when_the_provider_cannot_help(provider, folders):
    put(folders[1], "ratings", b"half a fi")
    with pytest.raises(DataError, match="answers 404"):
        Files(source(provider, "/404")).read("ratings")


def test_a_gzipped_download_is_kept_gzipped_and_read_plain(provider, folders):
    tiny = source(provider, "/ratings.gz", gzip.compress(CONTENT, mtime=0))
    assert Files(tiny).read("ratings") == CONTENT
    assert whole_files(folders[1]) == ["ratings.gz"]
    assert Files(tiny).read("ratings") == CONTENT
    assert provider.asked == ["/ratings.gz"]


def test_an_archive_is_fetched_once_and_read_without_extracting(provider, folders):
    archive = Download(f"{provider.address}/zip", sha256(zipped(ratings=CONTENT)))
    tiny = Source("tiny", None, "page", "free", "nobody", archive=archive)
    assert Files(tiny).read("ratings") == CONTENT
    assert Files(tiny).read("ratings") == CONTENT
    assert provider.asked == ["/zip"] and whole_files(folders[1]) == ["tiny.zip"]
    with pytest.raises(DataError, match="holds no users"):
        Files(tiny).read("users")


def test_an_archive_fetched_by_hand_is_read_too(folders):
    put(folders[0], "tiny.zip", zipped(ratings=CONTENT))
    assert Files(Source("tiny", None, "page", "free", "nobody")).read("ratings") == CONTENT


@pytest.mark.parametrize("fault, message", [
    ("/404", "answers 404"), ("/500", "answers 500"), ("/truncated", "failed"), ("/stalled", "timed out"),
    ("/corrupt", "not the expected sha256")])
def test_a_faulty_download_is_an_error_and_leaves_nothing(provider, folders, monkeypatch, fault, message):
    monkeypatch.setattr(files, "TIMEOUT", 0.5)
    with pytest.raises(DataError, match=message):
        Files(source(provider, fault)).read("ratings")
    assert whole_files(folders[1]) == []
    assert Files(source(provider, "/good")).read("ratings") == CONTENT


def test_a_killed_download_leaves_nothing_that_looks_whole(provider, folders):
    code = ("from recbook.data.files import *; "
            f"Files(Source('tiny', None, '', '', '', downloads={{'ratings': Download('{provider.address}/stalled', "
            f"'{sha256(CONTENT)}')}})).read('ratings')")
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    assert provider.half_sent.wait(30)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not {"ratings", "ratings.gz", "tiny.zip"} & set(whole_files(folders[1]))
    assert Files(source(provider, "/good")).read("ratings") == CONTENT


FULL_DISK = """
import os, resource, sys
from recbook.data.files import *
url, sha256, limited = sys.argv[1:]
if limited == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    Files(Source("tiny", None, "", "", "", downloads={"ratings": Download(url, sha256)})).read("ratings")
except DataError as error:
    print(error)
print(os.listdir(os.path.join(os.environ["RECBOOK_CACHE"], "tiny")))
"""


@pytest.mark.parametrize("kind, says", [("limit", "File too large"), ("disk", "No space left on device")])
def test_a_full_disk_is_an_error_and_leaves_nothing(provider, folders, tmp_path, kind, says):
    """A real disk of 64 kB where this machine lets us mount one; a limit on the size of files everywhere."""
    run = [sys.executable, "-c", FULL_DISK, f"{provider.address}/good", sha256(CONTENT), kind]
    if kind == "disk":
        disk = tmp_path / "cache"
        disk.mkdir()
        inside = ["unshare", "--map-root-user", "--mount", "sh", "-c",
                  'mount -t tmpfs -o size=64k none "$0" && exec "$@"', str(disk)]
        try:
            subprocess.run([*inside, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("this machine does not let a test mount a small disk")
        run = inside + run
    output = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    assert "could not be written" in output and says in output
    assert output.splitlines()[-1] == "[]"


def test_offline_and_absent_says_what_to_do_in_two_lines(folders):
    unreachable = Download("http://127.0.0.1:9/ratings", sha256(CONTENT))
    tiny = Source("tiny", None, "https://example.org/tiny", "free", "nobody", downloads={"ratings": unreachable})
    with pytest.raises(DataError) as caught:
        Files(tiny).read("ratings")
    message = str(caught.value)
    data, cache = map(str, folders)
    assert message.count("\n") == 1 and "refused" in message
    assert caught.value.__cause__ is None and caught.value.__suppress_context__         # nothing of urllib3's stands above it
    assert all(part in message for part in ("tiny", "ratings", data, cache, "https://example.org/tiny"))


def test_what_the_error_asks_for_is_what_helps(folders, monkeypatch):
    """With and without a folder of one's own, an archive or a file: do what the message says, and it loads."""
    archive = zipped(ratings=CONTENT)
    dead = "http://127.0.0.1:9/ratings"
    served = {"archive": {"archive": Download(dead, sha256(archive))},
              "file": {"downloads": {"ratings": Download(dead, sha256(CONTENT))}}, "nobody": {}}
    for own_folder in (True, False):
        if not own_folder:
            monkeypatch.delenv("RECBOOK_DATA")
        for kind, how in served.items():
            tiny = Source(f"tiny-{kind}-{own_folder}", None, "page", "free", "nobody", **how)
            with pytest.raises(DataError) as caught:
                Files(tiny).read("ratings")
            wanted, folder = re.search(r"put (\S+) .*?into (.*)\.$", str(caught.value)).groups()
            put(Path(folder), wanted, archive if wanted.endswith(".zip") else CONTENT)
            assert Files(tiny).read("ratings") == CONTENT


def test_a_set_that_nobody_serves_says_where_to_get_it(folders):
    with pytest.raises(DataError, match="(?s)no download of it can be verified.*example.org.*put ratings into"):
        Files(Source("tiny", None, "https://example.org", "free", "nobody")).read("ratings")


def table(tmp_path, content, **options):
    path = tmp_path / "table"
    path.write_bytes(content)
    return read_table(path, **options)


RATINGS = {"names": ["user", "item", "rating"], "types": {"user": int, "item": int, "rating": float},
           "separator": "::"}


def test_a_table_is_read_with_a_separator_of_two_signs(tmp_path):
    read = table(tmp_path, b"1::10::3.5\r\n2::20::4\r\n\r\n", **RATINGS)
    assert read.to_dict("list") == {"user": [1, 2], "item": [10, 20], "rating": [3.5, 4.0]}


@pytest.mark.parametrize("content, line, says", [
    (b"1::10::3\n2::20\n", 2, "2 fields where 3 belong"),
    (b"1::10::3::4\n2::20::4\n", 1, "4 fields where 3 belong"),
    (b"1::10::3\n\n2::20::4\n", 2, "1 field where 3 belong"),
    (b"1::10::3\n2::x::4\n", 2, "item is 'x', which is no whole number"),
    (b"1::10::3\n2::20::4\n3.5::20::4\n", 3, "user is '3.5', which is no whole number"),
    (b"1::10::nan\n", 1, "rating is 'nan', which is no number"),
    (b"1::10::inf\n", 1, "rating is 'inf', which is no number"),
    (b"1::10::\n", 1, "rating is '', which is no number"),
    (b"1::10::3\n1::99999999999999999999::3\n", 2, "no whole number"),
    (b"1::10::3\n2::\xff::4\n", 2, "byte 0xff is no utf-8 text"),
    (b"x::10::y\n", 1, "'y'"),
])
def test_a_malformed_line_is_named(tmp_path, content, line, says):
    with pytest.raises(DataError, match=rf"table, line {line}: ") as caught:
        table(tmp_path, content, **RATINGS)
    assert says in str(caught.value)


@pytest.mark.parametrize("header", ["user,item,note", "user\titem\tnote", "user;item;note"])
def test_the_separator_is_found_in_the_header(tmp_path, header):
    separator = header[4]
    read = table(tmp_path, "\n".join([header, separator.join(["1", "2", "good"])]).encode())
    assert read.to_dict("list") == {"user": [1], "item": [2], "note": ["good"]}


def test_quotes_hold_separators_and_ends_of_lines(tmp_path):
    read = table(tmp_path, b'user,note\n1,"a, b\nc"\n2,"say ""hi"""\n', types={"user": int})
    assert read["note"].tolist() == ["a, b\nc", 'say "hi"']


def test_lines_are_counted_through_quotes(tmp_path):
    with pytest.raises(DataError, match="line 4: user is 'x'"):
        table(tmp_path, b'user,note\n1,"a\nb"\nx,c\n', types={"user": int})
    with pytest.raises(DataError, match="line 4: 3 fields where 2 belong"):
        table(tmp_path, b'user,note\n1,"a\nb"\n2,c,d\n', types={"user": int})


@given(st.text(alphabet='0179-+. _enai,;"\n\r\té', max_size=40))
def test_any_text_is_a_table_or_an_error_for_people(text):
    """Nothing else escapes, and no line is dropped."""
    for names, types in ((["user", "rating"], {"user": int, "rating": float}), (None, None)):
        try:
            table = parse_table(text.encode(), "text", names=names, types=types, separator=",")
        except DataError:
            continue
        if '"' not in text:
            lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
            assert len(table) == len(lines) - (names is None)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    assert table(tmp_path, b"\xef\xbb\xbfuser,item\n1,2\n").columns.tolist() == ["user", "item"]


@pytest.mark.parametrize("content, says", [
    (b"", "the file is empty"), (b"\n\n", "the file is empty"), (b"user,item\n", "nothing below the header"),
    (b"user,user\n1,2\n", "line 1: the header has the column 'user' twice"),
    (b"user,thing\n1,2\n", "line 1: the header has no column 'item'")])
def test_a_file_without_rows_or_columns_is_refused(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        table(tmp_path, content, types={"user": int, "item": int} if b"thing" in content else {"user": int})


def test_a_truncated_gzip_file_says_where_it_breaks_off(tmp_path):
    path = tmp_path / "ratings.gz"
    path.write_bytes(gzip.compress(CONTENT)[:-3000])
    with pytest.raises(DataError, match=r"ratings.gz, line \d+: the gzip file is truncated") as caught:
        read_table(path, names=["user", "item", "rating"], separator="\t")
    line = int(str(caught.value).split("line ")[1].split(":")[0])
    assert 1_000 < line <= 20_000


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere.csv: cannot be read .No such file"):
        read_table(tmp_path / "nowhere.csv")


def test_json_lines_name_the_line_that_is_none():
    assert parse_json_lines(b'{"a": 1}\n{"a": 2}\n', "reviews") == [{"a": 1}, {"a": 2}]
    with pytest.raises(DataError, match="reviews, line 2: no JSON"):
        parse_json_lines(b'{"a": 1}\n{"a": \n', "reviews")
    with pytest.raises(DataError, match="reviews, line 2: a JSON object belongs here"):
        parse_json_lines(b'{"a": 1}\n[2]\n', "reviews")


def test_number_lists_name_the_line_that_is_none():
    values, lengths = parse_number_lists(b"1 2 3\n4\n", "sessions")
    assert values.tolist() == [1, 2, 3, 4] and lengths.tolist() == [3, 1]
    for content, line in ((b"1 2\n3 x\n", 2), (b"1 2\n\n3\n", 2), (b"1.5\n2\n", 1)):
        with pytest.raises(DataError, match=f"sessions, line {line}: "):
            parse_number_lists(content, "sessions")


def test_no_environment_is_needed_to_know_the_cache(monkeypatch):
    monkeypatch.delenv("RECBOOK_CACHE", raising=False)
    assert os.path.basename(files.cache()) == "recbook"
