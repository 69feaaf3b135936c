/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of what is selected: of what the brush encloses, or else of what the lanes show now;
 * and of what is searched for, if anything is. By function, or span by span.
 */
const MOST_ROWS = 200;
const COLUMNS = {
	functions: [["name", "Function", "text name"], ["binary", "Binary", "text"], ["calls", "Calls"], ["total", "Total"], ["self", "Self"],
		["avg", "Average"], ["p50", "p50"], ["p99", "p99"], ["max", "Max"], ["errors", "Errors"]],
	spans: [["name", "Function", "text name"], ["process", "Process", "text"], ["tid", "Thread"], ["start", "Start"], ["length", "Duration"],
		["self", "Self"], ["offcpu", "Off the CPU"], ["ended", "Ended", "text"]],
	samples: [["name", "Function", "text name"], ["binary", "Binary", "text"], ["samples", "CPU samples"], ["below", "With callees"], ["share", "Share"],
		["waits", "Waits"], ["waited", "Waited"]],
	stack: [["level", "Frame"], ["name", "Function", "text name"], ["binary", "Binary", "text"], ["place", "Source", "text"]],
};
const DURATIONS = new Set(["total", "self", "avg", "p50", "p99", "max", "length", "offcpu", "waited"]);
const FIRST_SORT = { functions: "total", spans: "length", samples: has.cpu ? "samples" : "waited", stack: "level" };
/* Columns of what there is none of are not there. */
const HIDDEN = { offcpu: !data.offcpu, samples: !has.cpu, below: !has.cpu, share: !has.cpu, waits: !has.waits, waited: !has.waits };
const tableKind = () => (mode === "samples" && chosen ? "stack" : mode);
let mode = "functions", sort = "total", rising = false, shownRows = [];

/* Calls each(level, index, row) with every span that is selected. */
function eachSelected(each) {
	const t0 = brush ? brush.t0 : from, t1 = brush ? brush.t1 : to;
	for (const row of rows) {
		const l = row.levels[0];
		let i = Math.max(lastBefore(l, t0), 0);
		/* Of the brush only what begins in it; in sight is also what began before. */
		while (i < l.n && (brush ? l.start[i] < t0 : l.start[i] + l.length[i] < t0)) i++;
		for (; i < l.n && l.start[i] <= t1; i++) {
			if (brush && (l.length[i] < brush.d0 || l.length[i] >= brush.d1)) continue;
			if (!matches || matches[l.fn[i]]) each(l, i, row);
		}
	}
}
function functionRows() {
	const n = data.names.length, calls = new Uint32Array(n), total = new Float64Array(n), self = new Float64Array(n), errors = new Uint32Array(n);
	eachSelected((l, i) => {
		const f = l.fn[i];
		calls[f]++;
		total[f] += l.length[i];
		self[f] += l.self[i];
		if (l.flags[i] & FLAG.error) errors[f]++;
	});
	const first = new Uint32Array(n + 1);
	for (let f = 0; f < n; f++) first[f + 1] = first[f] + calls[f];
	const lengths = new Float64Array(first[n]), at = first.slice();
	eachSelected((l, i) => { lengths[at[l.fn[i]]++] = l.length[i]; });
	const out = [];
	for (let f = 0; f < n; f++) {
		if (!calls[f]) continue;
		const mine = lengths.subarray(first[f], first[f + 1]).sort(), q = (p) => mine[Math.min(Math.ceil(p * mine.length), mine.length) - 1];
		out.push({ name: data.names[f], binary: data.binaries[f], calls: calls[f], total: total[f], self: self[f], avg: total[f] / calls[f],
			p50: q(0.5), p99: q(0.99), max: mine[mine.length - 1], errors: errors[f] });
	}
	return { rows: out, spans: first[n] };
}
const spanKey = {
	name: (l, i) => data.names[l.fn[i]], process: (l, i, row) => processOf(row.thread).comm, tid: (l, i, row) => data.threads[row.thread].tid,
	start: (l, i) => l.start[i], length: (l, i) => l.length[i], self: (l, i) => l.self[i], offcpu: (l, i) => (l.offcpu ? l.offcpu[i] : 0),
	ended: (l, i) => (l.flags[i] & FLAG.unwound ? "unwound" : l.flags[i] & FLAG.error ? "error" : l.flags[i] & FLAG.instant ? "instant" : ""),
};
function compareRows(a, b) {
	const x = a[sort], y = b[sort];
	return (x < y ? -1 : x > y ? 1 : 0) * (rising ? 1 : -1);
}
/* Only as many as are shown are kept, so that a million of them are not sorted. */
function spanRows() {
	const keys = COLUMNS.spans.map((c) => c[0]), by = spanKey[sort], out = [];
	let spans = 0, worst = null;
	eachSelected((l, i, row) => {
		const key = by(l, i, row);
		spans++;
		if (worst !== null && (rising ? key >= worst : key <= worst)) return;
		out.push({ [sort]: key, pick: { row, i } });
		if (out.length < 4 * MOST_ROWS) return;
		out.sort(compareRows);
		out.length = MOST_ROWS;
		worst = out[MOST_ROWS - 1][sort];
	});
	for (const r of out) for (const k of keys) r[k] = spanKey[k](r.pick.row.levels[0], r.pick.i, r.pick.row);
	return { rows: out, spans };
}
function cellText(key, value) {
	if (key === "start") return "+" + seconds(value, 1);
	if (key === "tid" || key === "level") return String(value);
	if (key === "share") return value.toFixed(2) + " %";
	if (DURATIONS.has(key)) return duration(value);
	return typeof value === "number" ? count(value) : value;
}
function headCells() {
	const row = element("tr");
	for (const [key, title, kind] of COLUMNS[tableKind()]) {
		if (HIDDEN[key]) continue;
		const cell = element("th", kind || "", title + (key === sort ? (rising ? " ▴" : " ▾") : ""));
		if (key === sort) cell.setAttribute("aria-sort", rising ? "ascending" : "descending");
		cell.dataset.key = key;
		row.append(cell);
	}
	return row;
}
function rowCells(r, k) {
	const row = element("tr");
	row.dataset.row = k;
	for (const [key, , kind] of COLUMNS[tableKind()]) {
		if (HIDDEN[key]) continue;
		const bad = (key === "errors" && r.errors) || (key === "ended" && (r.ended === "error" || r.ended === "unwound"));
		const cell = element("td", (kind || "") + (bad ? " bad" : ""), cellText(key, r[key]));
		if (kind) cell.title = r[key];
		row.append(cell);
	}
	return row;
}
function tableScope(spans, n) {
	const b = element("b", "", words(spans, "span")), more = [];
	if (brush) more.push(` that begin from +${seconds(brush.t0, 1e3)} to +${seconds(brush.t1, 1e3)} and take ${brush.d0 ? duration(brush.d0) : "0"} to ${brush.d1 === Infinity ? "any time" : duration(brush.d1)}`);
	else more.push(from <= 0 && to >= LENGTH ? " in all" : " in sight");
	if (matches) more.push(", of what is searched for");
	if (n > MOST_ROWS) more.push(`; the first ${MOST_ROWS} of ${count(n)} are listed`);
	$("scope").replaceChildren(b, more.join(""));
}
function showTable() {
	if ($("panel").hidden) return;
	const kind = tableKind();
	if (!COLUMNS[kind].some((c) => c[0] === sort)) { sort = FIRST_SORT[kind]; rising = kind === "stack"; }
	const { rows: all, spans, total } = kind === "functions" ? functionRows() : kind === "spans" ? spanRows() : kind === "stack" ? { rows: stackRows() } : sampleRows();
	all.sort(compareRows);
	shownRows = all.slice(0, MOST_ROWS);
	$("rows").querySelector("thead").replaceChildren(headCells());
	$("rows").querySelector("tbody").replaceChildren(...shownRows.map(rowCells));
	if (mode === "samples") sampleScopeText(total, all.length);
	else tableScope(spans, mode === "functions" ? all.length : spans);
	$("scope").title = $("scope").textContent;
}
function setMode(wanted) {
	mode = wanted;
	if (!COLUMNS[tableKind()].some((c) => c[0] === sort)) { sort = FIRST_SORT[tableKind()]; rising = tableKind() === "stack"; }
	$("by-sample").setAttribute("aria-pressed", mode === "samples");
	$("by-function").setAttribute("aria-pressed", mode === "functions");
	$("by-span").setAttribute("aria-pressed", mode === "spans");
	later();
}
$("by-function").addEventListener("click", () => setMode("functions"));
$("by-span").addEventListener("click", () => setMode("spans"));
$("by-sample").addEventListener("click", () => { chosen = null; setMode("samples"); schedule(); });
$("rows").addEventListener("click", (e) => {
	const head = e.target.closest("th"), line = e.target.closest("tbody tr");
	if (head) {
		const key = head.dataset.key, words = head.classList.contains("text");
		rising = key === sort ? !rising : words;
		sort = key;
		showTable();
		remember();
	} else if (line) {
		const r = shownRows[Number(line.dataset.row)];
		if (mode === "samples") return;
		if (r.pick) { select(r.pick); reveal(r.pick); return; }
		$("search").value = `^${literal(r.name)}$`;
		search($("search").value);
	}
});
