#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenMetrics: what promtool and a Prometheus make of it."""
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import urllib.parse
import urllib.request

import harness as h

CALLS = ["beta", "gamma_fail", "outer", "middle", "inner"]


def metrics(daemon, *args):
    path, out = h.TMP / "calls.sonde", h.TMP / "calls.prom"
    if not path.exists():
        daemon.sonde("record", "-F", "499", "-o", path, *CALLS, "--", f"{h.WORKLOADS}/wl_calls")
    daemon.sonde("export", "-i", path, "-o", out, *args)
    return out.read_text()


def samples(text, name):
    """{function or comm: value} of a metric without le."""
    return {m[1]: float(m[2]) for m in re.finditer(
        rf'^{name}{{(?:function|comm)="([^"]*)"[^}}]*}} (\S+)$', text, re.M)}


@h.test(smoke=True)
def metrics_are_what_report_says(daemon):
    text = metrics(daemon)
    rows = daemon.json("report", "-i", h.TMP / "calls.sonde")["rows"]
    for metric, member, unit in (("sonde_span_duration_seconds_count", "calls", 1),
                                 ("sonde_span_errors_total", "errors", 1),
                                 ("sonde_span_duration_seconds_sum", "total_ns", 1e9),
                                 ("sonde_span_self_seconds_total", "self_ns", 1e9)):
        got = samples(text, metric)
        wanted = {r["func"]: r[member] / unit for r in rows}
        h.equal(sorted(got), sorted(wanted), metric)
        h.check(all(abs(got[f] - v) < 1e-9 for f, v in wanted.items()), f"{metric}: {got}, not {wanted}")
    cpu = daemon.json("report", "-i", h.TMP / "calls.sonde", "--kind", "cpu")["total_ns"] / 1e9
    if cpu:
        h.check(abs(sum(samples(text, "sonde_cpu_seconds_total").values()) - cpu) < 1e-9, f"CPU time {cpu}")
    spans = daemon.sonde("spans", "--json", "-i", h.TMP / "calls.sonde").lines
    buckets = re.findall(r'_bucket{function="beta",.*,le="([^"]+)"} (\d+)', text)
    for le, n in buckets:
        wanted = sum(s["name"] == "beta" and s["duration_ns"] < float(le) * 1e9 for s in spans)
        h.equal(int(n), wanted, f"beta below {le}")
    durations = {s["duration_ns"] for s in spans}
    exemplars = re.findall(r' # {pid="\d+",tid="\d+",start_ns="(\d+)"} (\d+\.\d{9}) ', text)
    h.check(len(exemplars) >= len(CALLS), f"exemplars: {exemplars}")
    for _, seconds in exemplars:
        h.check(round(float(seconds) * 1e9) in durations, f"no span took {seconds} s")
    h.check(text.endswith("# EOF\n"), "the end")
    chosen = metrics(daemon, "--where", "name == \"beta\" && arg0 >= 0")
    h.check("gamma" not in chosen, "a condition")


@h.test
def sessions_without_raw_spans_are_whole(daemon):
    w, other = h.Workload("calls"), h.Workload("calls")  # a recording ends with its last process
    daemon.sonde("attach", "-p", w.pid, "--stats-only", "--name", "stats", "beta")
    recorder = daemon.start("record", "-p", f"{w.pid},{other.pid}", "-o", h.TMP / "r.sonde", "--name", "file", "beta")
    h.wait_until(lambda: daemon.active("file"), "the recording")
    w.go()
    w.finish()
    for name in ("stats", "file"):
        done = daemon.sonde("export", "--format", "prometheus", "--session", name)
        h.equal((samples(done.out, "sonde_span_duration_seconds_count"), done.err), ({"beta": 5000}, ""), name)
    other.go()
    other.finish()
    h.finish(recorder)
    daemon.sonde("detach", "stats")


@h.test
def promtool_has_nothing_to_say(daemon):
    text = metrics(daemon)
    # What it reads is the older format, which has no exemplars, and where counters are called by their whole name.
    text = re.sub(r" # {.*", "", text)
    counters = re.findall(r"^# TYPE (\S+) counter$", text, re.M)
    for name in counters:
        text = re.sub(rf"^(# \w+ {name}) ", r"\1_total ", text, flags=re.M)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=30,
                          check=False)
    h.equal((done.returncode, done.stdout + done.stderr), (0, ""), "promtool")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Target(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


def ask(port, path, **query):
    url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=5) as reply:
        return json.load(reply)["data"]


def answers(port):
    try:
        found = ask(port, "query", query="sonde_span_duration_seconds_count")["result"]
    except OSError:
        return False
    return len(found) >= len(CALLS)


@h.test
def a_prometheus_scrapes_it(daemon):
    if not shutil.which("prometheus"):
        raise h.Skip("prometheus is not installed")
    Target.body = metrics(daemon).encode()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config, port = h.TMP / "prometheus.yml", free_port()
    config.write_text("scrape_configs:\n- job_name: sonde\n  scrape_interval: 1s\n  static_configs:\n"
                      f"  - targets: ['127.0.0.1:{server.server_address[1]}']\n")
    p = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={h.TMP}/tsdb",
                          f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage",
                          "--log.level=warn"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        h.wait_until(lambda: answers(port), "a scrape", 40)
        calls = {r["metric"]["function"]: int(r["value"][1])
                 for r in ask(port, "query", query="sonde_span_duration_seconds_count")["result"]}
        h.equal(calls, daemon.calls("-i", h.TMP / "calls.sonde"), "calls")
        exemplars = ask(port, "query_exemplars", query="sonde_span_duration_seconds_bucket", start=0, end=4e9)
        h.check(exemplars and all(int(e["exemplars"][0]["labels"]["pid"]) for e in exemplars), f"{exemplars}")
    finally:
        h.stop(p)
        server.shutdown()


h.main()
