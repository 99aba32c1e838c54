#!/usr/bin/env python3
"""Plan files as lists of records, for tools and for attacks on the gates.

The layout is not written down here: it is read from the tables of docs/plan.md,
so that this and the page cannot differ.  Needs the package xxhash.

    slb.py dump PLAN            every record of every section, one a line
    slb.py same PLAN...         reads, writes and compares: exit 1 when a byte
                                of a file is not what the page says

    p = slb.Plan(open(path, "rb").read())
    p.code[3]["a"] = 7          records are dicts by field; arrays are lists
    open(path, "wb").write(p.bytes())       checksums and layout are made anew
"""
import re
import struct
import sys
from pathlib import Path

import xxhash

DOCS = Path(__file__).resolve().parents[2] / "docs" / "plan.md"
CODES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i32": "i", "i64": "q",
         "f32": "f", "f64": "d"}
NONE = 0xFFFFFFFF
ALIGN = 64


class Record:
    """A kind of record: its fields in order, each with so many numbers."""

    def __init__(self, name, size, rows):
        self.name, self.fields, code = name, [], "<"
        for at, kind, field in rows:
            base, _, count = kind.partition("[")
            count = int(count[:-1]) if count else None
            if struct.calcsize(code) != int(at):
                raise ValueError(f"{name}.{field}: a gap in front")
            code += CODES[base] * (count or 1)
            self.fields.append((field, count))
        self.form = struct.Struct(code)
        if self.form.size != size:
            raise ValueError(f"{name}: {self.form.size} of {size} bytes")

    def unpack(self, data):
        numbers, out = iter(self.form.unpack(data)), {}
        for field, count in self.fields:
            out[field] = next(numbers) if count is None else [
                next(numbers) for _ in range(count)]
        return out

    def pack(self, record):
        numbers = []
        for field, count in self.fields:
            numbers += [record[field]] if count is None else record[field]
        return self.form.pack(*numbers)

    def zero(self):
        return {field: 0 if count is None else [0] * count
                for field, count in self.fields}


def read_format(text):
    """The records by name, and the sections in order: (name, record), record
    None for plain bytes and "u32" for bare numbers."""
    records = {}
    for head in re.finditer(r"^### (\w+): (\d+) bytes$", text, re.M):
        part = text[head.end():].split("\n#", 1)[0]
        rows = re.findall(r"^\| (\d+) \| ([\w\[\]]+) \| (\w+) \|", part, re.M)
        records[head[1]] = Record(head[1], int(head[2]), rows)
    sections = []
    table = text[text.index("| section |"):].split("\n\n", 1)[0]
    for line in table.splitlines()[2:]:
        names, kind = line.split("|")[1:3]
        found = re.search(r"\[(\w+)\]", kind)
        kind = found[1] if found else "u32" if "u32" in kind else None
        sections += [(n, kind) for n in re.findall(r"`(\w+)`", names)]
    records["u32"] = Record("u32", 4, [("0", "u32", "value")])
    return records, sections


RECORDS, SECTIONS = read_format(DOCS.read_text())
HEAD = RECORDS["PlanHeader"]
TABLE = struct.Struct("<QQQ")           # offset, bytes, hash of a section
FIRST = HEAD.form.size + 16 + TABLE.size * len(SECTIONS)


class Plan:
    """`head` and, as attributes, the sections: lists of dicts, or bytes."""

    def __init__(self, data=None):
        self.head = HEAD.zero()
        for name, kind in SECTIONS:
            setattr(self, name, [] if kind else b"")
        if data is not None:
            self._read(data)

    def _read(self, data):
        self.head = HEAD.unpack(data[:HEAD.form.size])
        if bytes(self.head["magic"]) != b"SLUICE\0\0":
            raise ValueError("no plan file")
        known = re.search(r"\| version \| (\d+) \|", DOCS.read_text())[1]
        if self.head["version"] != int(known):
            raise ValueError(f"version {self.head['version']}, "
                             f"docs/plan.md describes {known}")
        for i, (name, kind) in enumerate(SECTIONS):
            offset, size, _ = TABLE.unpack_from(
                data, HEAD.form.size + 16 + TABLE.size * i)
            part = data[offset:offset + size]
            step = RECORDS[kind].form.size if kind else 1
            setattr(self, name, part if not kind else [
                RECORDS[kind].unpack(part[k:k + step])
                for k in range(0, len(part), step)])

    def bytes(self):
        """The file: sections one behind the other, every checksum right."""
        table, body, at = b"", b"", FIRST
        for name, kind in SECTIONS:
            part = getattr(self, name)
            if kind:
                part = b"".join(map(RECORDS[kind].pack, part))
            gap = -at % ALIGN
            table += TABLE.pack(at + gap, len(part),
                                xxhash.xxh3_64_intdigest(part))
            body += bytes(gap) + part
            at += gap + len(part)
        body += bytes(-at % ALIGN)
        at += -at % ALIGN
        out = HEAD.pack(self.head) + struct.pack(
            "<QII", at + 8, len(SECTIONS), 0) + table + body
        return out + struct.pack("<Q", xxhash.xxh3_64_intdigest(out))

    # ---- making and changing plans ----
    def text(self, at):
        """The string at an offset."""
        return self.strings[at:self.strings.index(b"\0", at)].decode(
            "utf-8", "replace")

    def name(self, text):
        """The offset of a new string."""
        at = len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def add(self, section, **fields):
        """Appends a record, zero but for `fields`; its index."""
        record = RECORDS[dict(SECTIONS)[section]].zero()
        unknown = set(fields) - set(record)
        if unknown:
            raise KeyError(f"{section} has no {', '.join(sorted(unknown))}")
        record.update(fields)
        getattr(self, section).append(record)
        return len(getattr(self, section)) - 1

    def settle(self):
        """Makes true again what the header and marks say of the records, so
        that a changed plan is judged by what was changed."""
        head = self.head
        head["arena_bytes"] = max((b["offset"] + b["bytes"]
                                   for b in self.buffers), default=0)
        head["load_bound"] = min(head["load_bound"], head["arena_bytes"])
        head["floor_bound"] = min(head["floor_bound"], head["load_bound"])
        for phase in self.phases:
            phase["peak_bytes"] = min(phase["peak_bytes"],
                                      head["arena_bytes"])
        for view in self.views:
            dims = self.dims[view["first_dim"]:
                             view["first_dim"] + view["ndim"]]
            view["by_step"] = int(head["steps"] > 0 and any(
                d[f][1] for d in dims for f in ("lo", "hi", "origin")))
        begin, end = head["denoise"], self.loop_end(head["denoise"])
        for b in self.buffers:
            b["crosses"] = int(begin != NONE and b["role"] in (0, 3, 4)
                               and b["first"] <= begin and b["last"] >= end)
        return self

    def loop_end(self, begin):
        """The `next` of the `loop` at `begin`, 0 when there is none."""
        depth = 0
        for i in range(begin, len(self.code)):
            depth += {256: 1, 257: -1}.get(self.code[i]["op"], 0)
            if not depth:
                return i
        return 0


def dump(plan):
    print("head", plan.head)
    for name, kind in SECTIONS:
        part = getattr(plan, name)
        for i, record in enumerate(part if kind else []):
            print(name, i, record)
        if not kind:
            print(name, len(part), "bytes")


def same(path):
    data = Path(path).read_bytes()
    plan = Plan(data)
    if plan.bytes() != data:
        print(f"{path}: written again it has other bytes")
    elif plan.settle().bytes() != data:
        print(f"{path}: its marks are not what its records say")
    else:
        return True
    return False


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("dump", "same"):
        sys.exit(__doc__)
    if sys.argv[1] == "dump":
        dump(Plan(Path(sys.argv[2]).read_bytes()))
    else:
        sys.exit(not all([same(path) for path in sys.argv[2:]]))
