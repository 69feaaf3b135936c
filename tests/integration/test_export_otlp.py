#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""OTLP: read by code made from the official .proto files, as protobuf and as JSON."""
import base64
import collections
import csv
import importlib
import json
import subprocess
import sys

import harness as h

try:
    from google.protobuf import json_format
except ImportError:
    json_format = None

PROTO = h.ROOT / "cli/export/proto"
CALLS = ["gamma_fail", "outer", "middle", "inner"]


def messages(name):
    """The module of a .proto file, made by protoc."""
    if json_format is None:
        raise h.Skip("python3-protobuf is not installed")
    folder = h.TMP / "pb"
    if not folder.exists():
        folder.mkdir()
        subprocess.run(["protoc", f"-I{PROTO}", f"--python_out={folder}",
                        *[str(p) for p in PROTO.glob("opentelemetry/**/*.proto")]], check=True, timeout=60)
        sys.path.insert(0, str(folder))
    return importlib.import_module(f"opentelemetry.proto.{name}_pb2")


def with_base64_ids(value):
    """As protobuf's own JSON has ids, which OTLP has in hexadecimal."""
    if isinstance(value, list):
        return [with_base64_ids(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ("traceId", "spanId", "parentSpanId")
            else with_base64_ids(v) for k, v in value.items()}


def recording(daemon):
    path = h.TMP / "calls.sonde"
    if not path.exists():
        daemon.sonde("record", "--args", "-F", "999", "-o", path, *CALLS, "--", f"{h.WORKLOADS}/wl_calls")
    return path


def both(daemon, message, *args, path=None):
    """What is exported as protobuf, when it says the same as JSON."""
    for name in ("a.otlp.pb", "a.otlp.json"):
        daemon.sonde("export", "-i", path or recording(daemon), "-o", h.TMP / name, *args)
    packed = message()
    packed.ParseFromString((h.TMP / "a.otlp.pb").read_bytes())
    plain = json.loads((h.TMP / "a.otlp.json").read_text())
    h.check(json_format.Parse(json.dumps(with_base64_ids(plain)), message()) == packed, "JSON and protobuf differ")
    return packed


def attributes(of):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in of.attributes}


@h.test(smoke=True)
def traces_have_every_span(daemon):
    data = both(daemon, messages("trace.v1.trace").TracesData)
    got, spans = [], {}
    for rs in data.resource_spans:
        resource = attributes(rs.resource)
        h.equal(resource["process.executable.name"], "wl_calls", "the process")
        for s in rs.scope_spans[0].spans:
            a = attributes(s)
            h.equal((len(s.trace_id), len(s.span_id), s.kind), (16, 8, 1), "ids")
            spans[s.span_id] = s
            got.append((s.start_time_unix_nano, s.end_time_unix_nano - s.start_time_unix_nano, resource["process.pid"],
                        a["thread.id"], s.name, a["sonde.binary"], a.get("sonde.ret"), s.status.code))
    h.equal(len(spans), len(got), "ids are unique")
    daemon.sonde("export", "-i", recording(daemon), "--answer", "spans", "-o", h.TMP / "a.csv")
    rows = list(csv.DictReader((h.TMP / "a.csv").read_text().splitlines()))
    wanted = [(int(r["start_ns"]), int(r["duration_ns"]), int(r["pid"]), int(r["tid"]), r["name"], r["binary"],
               r["ret"], 2 if "error" in r["flags"] else 0) for r in rows]
    h.equal(len(got), len(wanted), "spans")
    for a, b in zip(sorted(got), sorted(wanted)):
        h.equal(a, b, "a span")
    parents = {"middle": "outer", "inner": "middle"}
    for s in spans.values():
        parent = spans.get(s.parent_span_id)
        h.equal(parent.name if parent else None, parents.get(s.name), f"the parent of {s.name}")
        if parent:
            h.equal(parent.trace_id, s.trace_id, "trace")
            h.check(parent.start_time_unix_nano <= s.start_time_unix_nano, "a parent begins first")
            h.check(parent.end_time_unix_nano >= s.end_time_unix_nano, "a parent ends last")
    errors = [s for s in spans.values() if s.status.code == 2]
    h.equal({s.name for s in errors}, {"gamma_fail"}, "errors")
    h.equal({s.status.message for s in errors}, {"-1"}, "what they say")
    h.equal(sorted(int(attributes(s)["sonde.args.i"]) for s in errors), list(range(9, 1000, 10)), "arguments")
    before = (h.TMP / "a.otlp.pb").read_bytes()
    both(daemon, messages("trace.v1.trace").TracesData)
    h.check((h.TMP / "a.otlp.pb").read_bytes() == before, "another export says another thing")


def handed_on(daemon):
    path = h.TMP / "handoff.sonde"
    if not path.exists():
        daemon.sonde("record", "-o", path, "span:*", "--", f"{h.WORKLOADS}/wl_handoff")
    return path


class Trace:
    """The spans of an export by name and by id; where each is (process, thread)."""

    def __init__(self, data):
        self.by_name, self.by_id, self.where = collections.defaultdict(list), {}, {}
        for rs in data.resource_spans:
            pid = attributes(rs.resource)["process.pid"]
            for s in rs.scope_spans[0].spans:
                h.check(s.span_id not in self.by_id, "ids are unique")
                self.by_name[s.name].append(s)
                self.by_id[s.span_id] = s
                self.where[s.span_id] = (pid, attributes(s)["thread.id"])

    def one(self, name):
        h.equal(len(self.by_name[name]), 1, name)
        return self.by_name[name][0]

    def numbered(self, name, n):
        spans = {int(attributes(s)["sonde.args.n"]): s for s in self.by_name[name]}
        h.equal(sorted(spans), list(range(n)), name)
        return [spans[i] for i in range(n)]

    def links(self, span):
        """(kind, span) of each link; what it says of the trace is what that span says."""
        found = []
        for link in span.links:
            to = self.by_id.get(link.span_id)
            h.check(to is not None, f"{span.name} has a link to what is not there")
            h.equal(link.trace_id, to.trace_id, f"the trace of {span.name}'s link")
            found.append((attributes(link)["sonde.link"], to.name, link.span_id))
        return found

    def child_of(self, span, parent, flags=0):
        h.equal((span.parent_span_id, span.trace_id, span.flags), (parent.span_id, parent.trace_id, flags),
                f"the parent of {span.name}")


def links_of_jobs(t):
    """What one span begins and another one ends, in another thread, is a child of the first and
    linked from the second."""
    main = t.one("main")
    local = t.one("local")
    t.child_of(local, main)
    runs = {int(attributes(s)["sonde.args.key"]): s for s in t.by_name["run"]}
    h.equal(sorted(runs), list(range(1000, 1040)), "keys")
    for i, (submit, work) in enumerate(zip(t.numbered("submit", 40), t.numbered("work", 40))):
        run = runs[1000 + i]
        t.child_of(submit, main)
        t.child_of(run, submit)
        h.equal(t.links(work), [("async", "run", run.span_id)], "the links of work")
        h.equal(work.parent_span_id, b"", "the parent of work")
        h.check(work.trace_id != main.trace_id, "work is of another trace")
        h.equal(attributes(run)["sonde.async"], True, "no scope")
        h.equal((t.where[run.span_id], attributes(run)["sonde.args.end_tid"]),
                (t.where[main.span_id], str(t.where[work.span_id][1])), "threads")
        h.check(work.start_time_unix_nano <= run.end_time_unix_nano <= work.end_time_unix_nano, "times")
        h.check(run.end_time_unix_nano > submit.end_time_unix_nano, "it goes on")
    h.check(not any(s.links for s in [main, local, *runs.values(), *t.by_name["submit"]]), "links of others")


def parents_of_calls(t):
    """A context that was handed on makes the parent, whatever thread or process that is in."""
    main = t.one("main")
    around = [("around", "main", main.span_id)]
    same, remote = 0x100, 0x300
    furthers = {s.parent_span_id: s for s in t.by_name["further"]}
    for call, serve, inner in zip(*[t.numbered(name, 30) for name in ("call", "serve", "inner")]):
        h.equal((call.parent_span_id, t.links(call)), (b"", around), "call")
        t.child_of(serve, call, same)
        t.child_of(inner, serve)
        t.child_of(furthers[inner.span_id], inner)
        h.check(t.where[serve.span_id] != t.where[call.span_id], "threads")
        h.equal([t.links(s) for s in (serve, inner)], [[], []], "links")
    t.child_of(t.one("child"), t.one("parent"), remote)
    foreign = t.one("foreign")
    h.equal((foreign.trace_id.hex(), foreign.parent_span_id.hex(), foreign.flags, t.links(foreign)),
            ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", remote, around), "foreign")
    h.check(not any(k.startswith("sonde.args.") and k.endswith("_id") for s in t.by_id.values()
                    for k in attributes(s)), "ids are said once")


@h.test(smoke=True)
def threads_hand_on_their_work(daemon):
    path = handed_on(daemon)
    t = Trace(both(daemon, messages("trace.v1.trace").TracesData, path=path))
    h.equal(len(t.by_id), 204 + 41, "spans")
    links_of_jobs(t)
    parents_of_calls(t)
    flags = {(s["name"], *s["flags"]) for s in daemon.sonde("spans", "-i", path, "--json", "-n", "1000").lines}
    h.equal({f for f in flags if len(f) > 1}, {("run", "async"), ("local", "async")}, "flags")


@h.test
def links_are_to_what_is_in_the_export(daemon):
    data = messages("trace.v1.trace").TracesData
    for name, wanted in (("work", []), ("[rw]*", ["async"])):
        t = Trace(both(daemon, data, "--name", name, path=handed_on(daemon)))
        for work in t.numbered("work", 40):
            h.equal([link[0] for link in t.links(work)], wanted, f"links with --name {name}")
        h.check(not any(s.parent_span_id for s in t.by_name["run"]), "what has begun it is not there")


@h.test
def profiles_say_what_report_says(daemon):
    profiles = messages("profiles.v1development.profiles")
    data = both(daemon, profiles.ProfilesData, "--kind", "cpu")
    rows = daemon.json("report", "-i", recording(daemon), "--kind", "cpu")["rows"]
    h.check(rows, "no samples")
    d = data.dictionary
    h.equal(d.string_table[0], "", "string 0")
    for table, message in (("mapping_table", profiles.Mapping), ("location_table", profiles.Location),
                           ("function_table", profiles.Function), ("stack_table", profiles.Stack),
                           ("attribute_table", profiles.KeyValueAndUnit)):
        h.check(getattr(d, table)[0] == message(), f"entry 0 of {table}")
    h.equal((d.link_table[0].trace_id, d.link_table[0].span_id), (bytes(16), bytes(8)), "link 0")
    got = {}
    for rp in data.resource_profiles:
        profile = rp.scope_profiles[0].profiles[0]
        h.equal(d.string_table[profile.sample_type.type_strindex], "samples", "the type")
        h.equal(len(profile.profile_id), 16, "the id")
        for sample in profile.samples:
            leaf = d.location_table[d.stack_table[sample.stack_index].location_indices[0]]
            name = d.string_table[d.function_table[leaf.lines[0].function_index].name_strindex]
            got[name] = got.get(name, 0) + sample.values[0]
    wanted = {}
    for r in rows:
        if r["self_samples"]:
            wanted[r["func"]] = wanted.get(r["func"], 0) + r["self_samples"]
    h.equal(got, wanted, "samples")
    for m in d.mapping_table:
        for i in m.attribute_indices:
            a = d.attribute_table[i]
            h.equal(d.string_table[a.key_strindex], "process.executable.build_id.gnu", "an attribute")
            h.equal(len(bytes.fromhex(a.value.string_value)), 20, "a build-id")


h.main()
