"""Finding the files of a data set, fetching them once, and reading them so that nothing wrong passes in silence."""

import codecs
import csv
import gzip
import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import numpy as np
import pandas as pd

from recbook.errors import DataError

TIMEOUT = 30  # seconds without a byte before a download counts as stalled
SEPARATORS = (",", "\t", ";")


@dataclass(frozen=True)
class Download:
    """Something that a provider serves, and the sha256 of its bytes."""

    url: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """What is known of a data set before any of its files is here.

    Attributes
    ----------
    name : str
        Also the name of its folder, and of its archive: `<name>.zip`.
    read : callable
        `read(files)` gives the `Dataset`, where `files` is a `Files`.
    page, terms, citation : str
        Where the provider describes the data; what they allow, in a line; whom to cite.
    archive : Download or None
        A zip that holds all the files.
    downloads : dict
        File name to `Download`, where the files are served one by one.
    """

    name: str
    read: Callable
    page: str
    terms: str
    citation: str
    archive: Download | None = None
    downloads: dict = field(default_factory=dict)


class Files:
    """The files of one data set, wherever they lie.

    A file, the same file gzipped (`<file>.gz`), or the archive that holds it is looked for in
    `$RECBOOK_DATA/<name>/`, whose content is taken as it is; then in the cache (`$RECBOOK_CACHE`, or the usual place
    for caches), where what was downloaded must still have its sha256; then at the provider. Archives are read where
    they lie: nothing is extracted, so nothing can be half extracted.

    Attributes
    ----------
    sha256 : dict
        File name to the sha256 of the uncompressed content, of each file read so far.
    """

    def __init__(self, source):
        self.source = source
        self.sha256 = {}

    def read(self, file):
        """The content of a file, as bytes."""
        path = self.find(file) or self.fetch(file)
        content = read_bytes(path, member=file)
        self.sha256[file] = hashlib.sha256(content).hexdigest()
        return content

    def table(self, file, **options):
        """The content of a file as a frame: `read_table` with its options."""
        return parse_table(self.read(file), self.where(file), **options)

    def where(self, file):
        """What to call a file in a message."""
        return f"{self.source.name}/{file}"

    def has(self, file):
        """Whether the file can be had without a download."""
        return any(present(folder, file, self.source.name) for folder in self.folders())

    def beside(self, name):
        """The files of another data set that happen to be on this machine; they are never downloaded."""
        return Files(Source(name, read=None, page="", terms="", citation=""))

    def folders(self):
        """Where this data set's files may lie, in the order of looking."""
        given = os.environ.get("RECBOOK_DATA")
        return [Path(folder) / self.source.name for folder in (given, cache()) if folder]

    def find(self, file):
        """The path of a file that needs no checksum: one the user provides, or one that nobody serves."""
        *given, cached = self.folders()
        served = self.source.archive or file in self.source.downloads
        for folder in given if served else [*given, cached]:
            if path := present(folder, file, self.source.name):
                return path
        return None

    def fetch(self, file):
        """The path of a file in the cache, downloaded unless it is there with the right sha256.

        pooch downloads to a name of its own, checks the sha256, and only then renames: what has the right name is
        whole.
        """
        import pooch
        import requests

        download = self.source.downloads.get(file) or self.source.archive
        if download is None:
            raise self.absent(file, "no download of it can be verified")
        target = self.target(file, download)
        try:
            return Path(pooch.retrieve(
                download.url, known_hash=f"sha256:{download.sha256}", fname=target.name, path=target.parent,
                downloader=pooch.HTTPDownloader(progressbar=True, chunk_size=2**16, timeout=TIMEOUT)))
        except requests.HTTPError as error:
            raise self.absent(file, f"{download.url} answers {error.response.status_code}") from None
        except requests.RequestException as error:
            raise self.absent(file, f"the download of {download.url} failed ({reason(error)})") from None
        except ValueError as error:
            raise self.absent(file, f"what {download.url} serves has not the expected sha256: it was damaged on the "
                                    "way, or the provider changed it") from None
        except OSError as error:
            raise DataError(f"{self.source.name}: {target.name} could not be written into {target.parent}: "
                            f"{error.strerror or error}. Nothing of it was kept. Make room there, or set "
                            "RECBOOK_CACHE to another folder.") from None

    def target(self, file, download):
        """Where the cache keeps what `download` gives."""
        folder = Path(cache()) / self.source.name
        if file not in self.source.downloads:
            return folder / f"{self.source.name}.zip"
        return folder / (file + ".gz" if download.url.endswith(".gz") else file)

    def absent(self, file, why):
        """The one error for a file that is not to be had: what, where it was looked for, and what to do."""
        folders = self.folders()
        archive = f"{self.source.name}.zip" if self.source.archive else None
        if len(folders) > 1:    # the reader's own folder takes either
            wanted = f"{file} (or {archive})" if archive else file
        else:                   # the cache wants what was served, so that it can be verified
            wanted = archive or file
        return DataError(f"{self.source.name}: {file} is not in {' and not in '.join(map(str, folders))}; {why}.\n"
                         f"Get it from {self.source.page} and put {wanted} into {folders[0]}.")


def cache():
    """The folder of downloads."""
    import pooch

    return os.environ.get("RECBOOK_CACHE") or pooch.os_cache("recbook")


def present(folder, file, name):
    """The path in `folder` that holds `file`: plain, gzipped, or in the archive; None when none does."""
    for path in (folder / file, folder / f"{file}.gz", folder / f"{name}.zip"):
        if path.is_file():
            return path
    return None


def reason(error):
    """The innermost cause of a failed download, in a few words."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}"


def read_bytes(path, member=None):
    """The content of a file; of its `.gz` or of one member of a `.zip`, uncompressed.

    Raises
    ------
    DataError
        The file is missing, or its compressed form is damaged; names the line at which it breaks off.
    """
    path = Path(path)
    try:
        if path.suffix == ".zip":
            return read_member(path, member)
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from error
    if path.suffix != ".gz":
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}, line {readable_lines(raw) + 1}: the gzip file is truncated or damaged here "
                        f"({error}).") from error


def read_member(path, member):
    """One file of a zip, in whichever folder of the zip it lies, None for its only one; zipfile checks its CRC."""
    try:
        with zipfile.ZipFile(path) as archive:
            if member is None:
                files = [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
                if len(files) != 1:
                    raise DataError(f"{path}: holds {len(files)} files, and one is read: unpack the one that is meant.")
                member = files[0]
            for name in archive.namelist():
                if name == member or name.endswith(f"/{member}"):
                    return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: the zip file is damaged ({error}).") from error
    raise DataError(f"{path}: holds no {member}.")


def readable_lines(raw):
    """How many lines of a damaged gzip file can be read before it breaks off."""
    stream, lines = zlib.decompressobj(wbits=31), 0
    try:
        for start in range(0, len(raw), 1024):
            lines += stream.decompress(raw[start:start + 1024]).count(b"\n")
    except zlib.error:
        pass
    return lines


def read_table(path, names=None, types=None, separator=None, encoding="utf-8", quotes=True, header=True):
    """A file of separated text as a frame, `.gz` or not.

    Parameters
    ----------
    path : str or Path
    names : list of str or None
        The columns, for a file without a header.
    types : dict or None
        Column to int, float or str; a column that is not named is text. Without `types` pandas infers them all.
    separator : str or None
        Found in the header among comma, tab and semicolon when it is not given.
    encoding : str
    quotes : bool
        Whether a field may stand between double quotes.
    header : bool
        False: the first line is data, and the columns are called 0, 1, 2, ...

    Raises
    ------
    DataError
        Names the file and the first line (from 1) that has too many or too few fields, no number where one is
        declared, or bytes that are no text in this encoding; or says that the file is empty or missing.
    """
    content = read_bytes(path)
    if encoding.lower().replace("_", "-") != "utf-8":                   # lines and separators are counted in UTF-8
        check_text(content, path, encoding)
        content, encoding = content.decode(encoding).removeprefix("\ufeff").encode(), "utf-8"
    if not header and names is None:
        first = content.split(b"\n", 1)[0].decode(encoding, errors="replace")
        separator = separator or sniff(first)
        names = list(range(len(first.split(separator))))
    return parse_table(content, path, names, types, separator, encoding, quotes)


def parse_table(content, path, names=None, types=None, separator=None, encoding="utf-8", quotes=True):
    """`read_table` of bytes that were read from `path`."""
    check_text(content, path, encoding)
    content = content.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")
    separator = separator or sniff(content.split(b"\n", 1)[0].decode(encoding))
    if len(separator) > 1:  # pandas' fast parser and the counts below want a single byte
        content, separator = content.replace(separator.encode(), b"\x1f"), "\x1f"
    quotes = quotes and b'"' in content
    text = content.decode(encoding)
    header = int(names is None)
    if header:
        names = read_header(text, path, separator, types or {}, quotes)
    starts = (quoted_lines if quotes else plain_lines)(content, text, path, separator, len(names))
    form = {"sep": separator, "names": names, "skiprows": header, "skip_blank_lines": False, "index_col": False,
            "lineterminator": "\n", "quoting": csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE}
    if types is None:
        return pd.read_csv(io.StringIO(text), low_memory=False, **form)
    try:
        table = pd.read_csv(io.StringIO(text), dtype={name: types.get(name, str) for name in names},
                            keep_default_na=False, na_values={name: [""] for name in numbers(types)}, **form)
        whole = all(np.isfinite(table[name]).all() for name in numbers(types))
    except (ValueError, OverflowError):
        whole = False
    if not whole:
        refuse_first_non_number(pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, **form), path, types,
                                starts[header:])
    return table


def read_header(text, path, separator, types, quotes):
    """The names in the first line; refuse a header without the declared columns, or with nothing below it."""
    first, *below = text.split("\n", 1)
    if not below:
        raise DataError(f"{path}: there is nothing below the header.")
    if quotes and first.count('"') % 2:
        raise DataError(f"{path}, line 1: a quote is not closed in the header.")
    fields = next(csv.reader([first], delimiter=separator)) if quotes else first.split(separator)
    names = [name.strip() for name in fields]
    for name in types:
        if name not in names:
            raise DataError(f"{path}, line 1: the header has no column {name!r}, only {', '.join(map(repr, names))}.")
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}, line 1: the header has the column {name!r} twice.")
    return names


def numbers(types):
    """The columns that are declared to hold numbers."""
    return [name for name, kind in types.items() if kind is not str]


def check_text(content, path, encoding):
    """Refuse an empty file, and bytes that are no text."""
    if not content.strip():
        raise DataError(f"{path}: the file is empty.")
    try:
        content.decode(encoding)
    except LookupError:
        raise DataError(f"{path}: encoding={encoding!r} is not known; try 'utf-8', 'utf-16' or 'latin-1'.") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: byte 0x{content[error.start]:02x} is no {encoding} text.") from error


def sniff(header):
    """The separator that the header line uses most outside of quotes; a comma where it uses none."""
    return max(SEPARATORS, key=re.sub('"[^"]*"', "", header).count)


def plain_lines(content, text, path, separator, width):
    """The line (from 0) on which each row starts, where nothing is quoted; refuse a line that has not `width` fields.

    Counted over the bytes at once, since pandas fills a short line up in silence.
    """
    symbols = np.frombuffer(content, dtype=np.uint8)
    ends = np.append(np.flatnonzero(symbols == ord("\n")), len(symbols))
    separators = np.flatnonzero(symbols == ord(separator))
    fields = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
    wrong = fields != width
    if wrong.any():
        line = wrong.argmax()
        raise wrong_width(path, line, fields[line], width)
    return range(len(ends))


def quoted_lines(content, text, path, separator, width):
    """The line (from 0) on which each row starts; refuse a row that has not `width` fields.

    Between quotes a separator or the end of a line is text.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    starts, line = [], 0
    try:
        for row in reader:
            if len(row) != width:
                raise wrong_width(path, line, len(row), width)
            starts.append(line)
            line = reader.line_num
    except csv.Error as error:
        raise DataError(f"{path}, line {line + 1}: {error}.") from error
    return starts


def wrong_width(path, line, fields, width):
    """The error for a line with too many or too few fields."""
    return DataError(f"{path}, line {line + 1}: {fields} field{'' if fields == 1 else 's'} where {width} belong.")


def refuse_first_non_number(table, path, types, lines):
    """Raise for the first field that is not the number it is declared to be: a second, slower reading, as text.

    `lines` holds the line (from 0) on which each row starts.
    """
    wrong = {name: [not number_as_declared(value, types[name]) for value in table[name]] for name in numbers(types)}
    row, name = min((marks.index(True), name) for name, marks in wrong.items() if any(marks))
    what = "whole number" if types[name] is int else "number"
    raise DataError(f"{path}, line {lines[row] + 1}: {name} is {table[name].iloc[row]!r}, which is no {what}.")


def number_as_declared(value, kind):
    """Whether the text is a finite number of its kind, as pandas reads them."""
    try:
        return abs(kind(value)) < (2**63 if kind is int else np.inf) and value.isascii() and "_" not in value
    except ValueError:
        return False


def parse_json_lines(content, path):
    """One JSON object a line: a list of dicts."""
    check_text(content, path, "utf-8")
    lines = content.rstrip(b"\r\n").split(b"\n")
    return [parse_json(line, path, number) for number, line in enumerate(lines, start=1)]


def parse_json(content, path, line=1):
    """One JSON object; `line` is where in the file it starts."""
    check_text(content, path, "utf-8")
    try:
        value = json.loads(content)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {line + error.lineno - 1}: no JSON ({error.msg}).") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}, line {line}: a JSON object belongs here.")
    return value


def parse_number_lists(content, path):
    """Lines of whole numbers between spaces or tabs, a list each: all the numbers, and the length of each list."""
    check_text(content, path, "utf-8")
    lines = content.rstrip(b"\r\n").split(b"\n")
    lists = [line.split() for line in lines]
    lengths = np.array([len(numbers) for numbers in lists])
    if not lengths.all():
        raise DataError(f"{path}, line {lengths.argmin() + 1}: the line is empty.")
    try:
        return np.array(b" ".join(lines).split()).astype(np.int64), lengths
    except (ValueError, OverflowError) as error:
        for number, line in enumerate(lists, start=1):
            for field in line:
                if not number_as_declared(field.decode(), int):
                    raise DataError(f"{path}, line {number}: {field.decode()!r} is no whole number.") from error
        raise
