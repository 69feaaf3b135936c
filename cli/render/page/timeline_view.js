/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is looked at (from … to, in nanoseconds from the first span on), what is selected, and where
 * processes, threads and their rows lie. Each canvas has the same margin at its left for words.
 */
const GUTTER = 168, ROW = 18, PROCESS_HEIGHT = 22, USE_HEIGHT = 22, GAP = 8, NARROWEST = 10;
const canvas = $("graph"), ctx = canvas.getContext("2d"), scroll = $("scroll");
let from = 0, to = LENGTH, width = 1, height = 1;
let brush = null; /* { t0, t1, d0, d1 }: of what begins then and takes that long */
let matches = null; /* by function; null: nothing is searched for */
let selected = null, hovered = null; /* { row, i }: of level 0 */
let lanes = [], contentHeight = 0, scheduled = false, goal = [from, to];
const folded = new Set(); /* processes */
const plotWidth = () => Math.max(width - GUTTER, 1);

/* Threads in the order in which they, and their processes, are first heard of. */
const rowsOf = Map.groupBy ? Map.groupBy(rows, (r) => r.thread) : rows.reduce((m, r) => m.set(r.thread, [...(m.get(r.thread) || []), r]), new Map());
const samplesOf = new Map(samples.map((s) => [s.thread, s]));
const threads = (function order() {
	const first = new Map(), process = (t) => data.threads[t].process, ofProcess = new Map();
	for (const t of new Set([...rowsOf.keys(), ...samplesOf.keys()])) {
		const starts = [rowsOf.get(t)?.[0].levels[0], samplesOf.get(t)?.cpu, samplesOf.get(t)?.waits].map((l) => (l && l.n ? l.start[0] : Infinity));
		first.set(t, Math.min(...starts));
		ofProcess.set(process(t), Math.min(first.get(t), ofProcess.get(process(t)) ?? Infinity));
	}
	return [...first.keys()].sort((a, b) => ofProcess.get(process(a)) - ofProcess.get(process(b)) || process(a) - process(b) || first.get(a) - first.get(b) || a - b);
})();

/* Processes that have a strip of what samples say. */
const uses = new Map();
for (const u of data.uses) {
	if (!uses.has(u.process)) uses.set(u.process, []);
	uses.get(u.process).push(u);
}

function arrange() {
	let y = 0, process = -1;
	lanes = [];
	for (const thread of threads) {
		const mine = data.threads[thread].process, s = samplesOf.get(thread);
		if (mine !== process) {
			process = mine;
			if (lanes.length) y += GAP;
			lanes.push({ kind: "process", process, y, height: PROCESS_HEIGHT });
			y += PROCESS_HEIGHT;
			if (uses.has(process) && !folded.has(process)) {
				lanes.push({ kind: "use", process, y, height: USE_HEIGHT });
				y += USE_HEIGHT + 4;
			}
			if (!folded.has(process)) y = counterLanes(process, y);
		}
		if (folded.has(process)) continue;
		if (["row", "samples"].includes(lanes[lanes.length - 1].kind)) y += GAP / 2;
		for (const row of rowsOf.get(thread) || []) {
			lanes.push({ kind: "row", process, thread, first: !row.up, row, y, height: ROW });
			y += ROW;
		}
		if (!s) continue;
		lanes.push({ kind: "samples", process, thread, first: !rowsOf.has(thread), samples: s, y, height: SAMPLES_HEIGHT });
		y += SAMPLES_HEIGHT;
	}
	contentHeight = otherCounterLanes(y) + GAP;
}
function laneOf(row) {
	return lanes.find((l) => l.row === row);
}
function laneAt(y) {
	return lanes.find((l) => y >= l.y && y < l.y + l.height) || null;
}

/* ---- motion ---- */
function schedule() {
	if (scheduled) return;
	scheduled = true;
	requestAnimationFrame(() => { scheduled = false; drawAll(); });
}
/* Never wider than all and a bit, never narrower than some nanoseconds, never out of sight. */
function clamp(a, b) {
	const margin = LENGTH * 0.02, span = Math.min(Math.max(b - a, NARROWEST), LENGTH + 2 * margin);
	const middle = (a + b) / 2;
	a = Math.min(Math.max(middle - span / 2, -margin), LENGTH + margin - span);
	return [a, a + span];
}
function look(a, b, animate) {
	const f0 = from, t0 = to, [f1, t1] = goal = clamp(a, b);
	glide(animate, (e) => {
		/* By the logarithm of what is seen, so that the speed looks even over many orders. */
		const span = Math.exp(Math.log(t0 - f0) * (1 - e) + Math.log(t1 - f1) * e);
		const share = t0 - f0 === t1 - f1 ? e : ((t0 - f0) - span) / ((t0 - f0) - (t1 - f1));
		from = e < 1 ? f0 + (f1 - f0) * share : f1;
		to = e < 1 ? from + span : t1;
		looked();
	});
}
function looked() {
	$("reset").disabled = from <= 0 && to >= LENGTH;
	schedule();
	later();
}
function zoomBy(factor, at) {
	look(at - (at - from) * factor, at + (to - at) * factor, false);
}
const timeAt = (x) => from + (x - GUTTER) / plotWidth() * (to - from);
const showAll = () => look(0, LENGTH, true);

/* ---- selection ---- */
function describe(pick) {
	if (!pick) return "";
	const l = pick.row.levels[0];
	return `${data.names[l.fn[pick.i]]}: ${duration(l.length[pick.i])}, self ${duration(l.self[pick.i])}, at +${seconds(l.start[pick.i], 1)} in ${processOf(pick.row.thread).comm}, thread ${threadName(pick.row.thread)}`;
}
function select(pick) {
	selected = pick;
	chosen = null;
	status();
	later();
	schedule();
}
function status() {
	const pick = hovered || (hoveredSample || chosen ? null : selected), sample = hovered ? null : hoveredSample || chosen;
	$("status").textContent = sample ? describeSample(sample) : pick ? describe(pick)
		: `${clock(Math.max(from, 0))} and ${duration(to - from)} from there; ${words(data.spans, "span")} of ${words(threads.length, "thread")}`;
}
/* Brings a span into sight: its lane, and the time around it where it is too small or beside. */
function reveal(pick) {
	const l = pick.row.levels[0], start = l.start[pick.i], length = Math.max(l.length[pick.i], 1);
	const process = data.threads[pick.row.thread].process;
	if (folded.delete(process)) arrange(), resize();
	const lane = laneOf(pick.row);
	if (lane.y < scroll.scrollTop || lane.y + ROW > scroll.scrollTop + height) scroll.scrollTop = lane.y - height / 3;
	const seen = (Math.min(start + length, to) - Math.max(start, from)) / (to - from);
	if (seen <= 0 || length / (to - from) < 4 / plotWidth()) look(start - 2 * length, start + 3 * length, true);
}
function zoomTo(pick) {
	const l = pick.row.levels[0], start = l.start[pick.i], length = Math.max(l.length[pick.i], 1);
	look(start - 0.1 * length, start + 1.1 * length, true);
}
/* From span to span: to the next or the one before in the row, to the caller, to the first one called. */
function walk(key) {
	const row = selected && selected.row, l = row && row.levels[0], i = selected ? selected.i : 0;
	let next = null;
	if (!selected) {
		const lane = lanes.find((v) => v.kind === "row" && v.y + ROW > scroll.scrollTop);
		if (lane) next = { row: lane.row, i: Math.max(lastBefore(lane.row.levels[0], (from + to) / 2), 0) };
	} else if (key === "ArrowRight") next = i + 1 < l.n ? { row, i: i + 1 } : null;
	else if (key === "ArrowLeft") next = i ? { row, i: i - 1 } : null;
	else if (key === "ArrowUp") next = row.up && { row: row.up, i: lastBefore(row.up.levels[0], l.start[i]) };
	else if (row.down) {
		const d = row.down.levels[0];
		let k = lastBefore(d, l.start[i]);
		if (k < 0 || d.start[k] < l.start[i]) k++;
		if (k < d.n && d.start[k] + d.length[k] <= l.start[i] + l.length[i]) next = { row: row.down, i: k };
	}
	if (!next) return;
	select(next);
	reveal(next);
}
