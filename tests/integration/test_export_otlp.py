#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""OTLP: read by code made from the official .proto files, as protobuf and as JSON."""
import base64
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


def both(daemon, message, *args):
    """What is exported as protobuf, when it says the same as JSON."""
    for name in ("a.otlp.pb", "a.otlp.json"):
        daemon.sonde("export", "-i", recording(daemon), "-o", h.TMP / name, *args)
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
