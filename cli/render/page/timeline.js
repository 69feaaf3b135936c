/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Search, pointer, keys and the state of the page.
 * window.sonde is for tests: what is seen, where a span is, how long drawing takes.
 */
let restoring = true, waiting = 0, lateState = true;
const FIRST_MODE = rows.length || !samples.length ? "functions" : "samples";

/* The table and the fragment follow when nothing has changed for a moment. */
function later() {
	clearTimeout(waiting);
	lateState = true;
	waiting = setTimeout(() => { lateState = false; showTable(); remember(); }, 120);
}
function search(text) {
	const label = $("matched");
	let spans = 0;
	heatMade = null;
	if (!text) {
		matches = null;
		label.textContent = "";
		label.className = "";
	} else {
		const match = pattern(text);
		matches = Uint8Array.from(data.names, (name) => match.test(name));
		for (const row of rows) for (const f of row.levels[0].fn) spans += matches[f];
		label.textContent = spans ? words(spans, "span") : "no match";
		label.className = "on";
	}
	later();
	schedule();
}
/* The next span in time that matches, over all rows. */
function nextMatch(step) {
	const at = selected ? selected.row.levels[0].start[selected.i] : step > 0 ? from : to, order = (p) => rows.indexOf(p.row);
	let best = null, bestStart = 0;
	if (!matches) return;
	for (const row of rows) {
		const l = row.levels[0], mine = selected && selected.row === row ? selected.i : -1;
		let i = step > 0 ? lastBefore(l, at - 1) + 1 : lastBefore(l, at);
		for (; i >= 0 && i < l.n; i += step) {
			if (i === mine || !matches[l.fn[i]]) continue;
			/* Of what begins at once the outer rows come first. */
			if (l.start[i] === at && selected && (order({ row }) - order(selected)) * step <= 0) continue;
			if (!best || (l.start[i] - bestStart) * step < 0) { best = { row, i }; bestStart = l.start[i]; }
			break;
		}
	}
	if (best) { select(best); reveal(best); }
}

/* ---- the state, in the fragment ---- */
function remember() {
	if (restoring) return;
	const all = from <= 0 && to >= LENGTH, list = (v) => v.map((n) => (n === Infinity ? "" : Math.round(n))).join("_");
	writeFragment({ view: all ? "" : list([from, to]), search: $("search").value, brush: brush ? list([brush.t0, brush.t1, brush.d0, brush.d1]) : "",
		table: $("panel").hidden ? "off" : mode === FIRST_MODE ? "" : mode, sort: sort === FIRST_SORT[tableKind()] && rising === (tableKind() === "stack") ? "" : sort + (rising ? "+" : "-"),
		sample: chosen ? `${samples.indexOf(chosen.samples)}_${chosen.kind}_${chosen.i}` : "",
		span: selected ? `${rows.indexOf(selected.row)}_${selected.i}` : "", fold: [...folded].join("_"), top: Math.round(scroll.scrollTop) || "" });
}
function restore() {
	const q = readFragment(), numbers = (key) => (q.get(key) || "").split("_").map((v) => (v === "" ? Infinity : Number(v)));
	restoring = true;
	folded.clear();
	for (const p of numbers("fold")) if (p < data.processes.length) folded.add(p);
	$("panel").hidden = q.get("table") === "off";
	arrange();
	resize();
	const [s, sampleKind, at] = (q.get("sample") || "").split("_"), l = samples[s]?.[sampleKind];
	chosen = l && KINDS[sampleKind] && Number(at) >= 0 && Number(at) < l.n ? { samples: samples[s], kind: sampleKind, i: Number(at) } : null;
	setMode(["functions", "spans", "samples"].find((m) => m === q.get("table")) || FIRST_MODE);
	const [, key, way] = /^(\w+)([+-])$/.exec(q.get("sort") || "") || [];
	sort = COLUMNS[tableKind()].some((c) => c[0] === key) ? key : FIRST_SORT[tableKind()];
	rising = sort === key ? way === "+" : tableKind() === "stack";
	$("search").value = q.get("search") || "";
	search($("search").value);
	const b = numbers("brush"), good = b.length === 4 && [b[0], b[1], b[2]].every(Number.isFinite);
	setBrush(good ? { t0: b[0], t1: b[1], d0: b[2], d1: Number.isNaN(b[3]) ? Infinity : b[3] } : null);
	const [k, i] = numbers("span");
	selected = rows[k] && Number.isInteger(i) && i >= 0 && i < rows[k].levels[0].n ? { row: rows[k], i } : null;
	const [a, z] = numbers("view");
	look(...(Number.isFinite(a) && Number.isFinite(z) && z > a ? [a, z] : [0, LENGTH]), false);
	scroll.scrollTop = Number(q.get("top")) || 0;
	status();
	restoring = false;
}

/* ---- the pointer ---- */
function pickAt(x, y) {
	const lane = laneAt(y + scroll.scrollTop);
	if (!lane || lane.kind !== "row" || x < GUTTER) return null;
	const l = lane.row.levels[0], t = timeAt(x), reach = 2 * (to - from) / plotWidth();
	const i = lastBefore(l, t);
	if (i >= 0 && t <= l.start[i] + l.length[i]) return { row: lane.row, i };
	/* What is narrower than a pixel is met from its sides. */
	if (i >= 0 && t <= l.start[i] + l.length[i] + reach) return { row: lane.row, i };
	return i + 1 < l.n && l.start[i + 1] - t <= reach ? { row: lane.row, i: i + 1 } : null;
}
function tip(pick, x, y) {
	if (!pick) { $("tip").style.visibility = "hidden"; return; }
	const l = pick.row.levels[0], i = pick.i, table = element("table"), f = l.fn[i], flags = l.flags[i];
	tipRow(table, "duration", duration(l.length[i]), `${count(l.length[i])} ns`);
	tipRow(table, "self", duration(l.self[i]), percent(l.self[i], l.length[i]));
	if (samplesOf.has(pick.row.thread)) {
		const { cpu, waits, waited } = samplesIn(pick);
		if (has.cpu) tipRow(table, "CPU samples", count(cpu), data.period ? "about " + duration(cpu * data.period) : "");
		if (has.waits) tipRow(table, "waits", count(waits), duration(waited));
	}
	if (l.offcpu && l.offcpu[i]) tipRow(table, "off the CPU", duration(l.offcpu[i]), percent(l.offcpu[i], l.length[i]));
	tipRow(table, "start", "+" + seconds(l.start[i], 1), clock(l.start[i]));
	const words = [flags & FLAG.error && "returned an error", flags & FLAG.unwound && "ended by an exception, a longjmp or the thread's end", flags & FLAG.kernel && "of the kernel", flags & FLAG.instant && "no duration: it was passed"].filter(Boolean).join("; ");
	const where = `${data.binaries[f] ? data.binaries[f] + " · " : ""}${processOf(pick.row.thread).comm} (${processOf(pick.row.thread).pid}), thread ${threadName(pick.row.thread)}`;
	$("tip").replaceChildren(element("div", "name", data.names[f]), element("div", "from", where), table);
	if (words) $("tip").append(element("div", flags & (FLAG.error | FLAG.unwound) ? "bad" : "", words));
	placeTip(x, y);
}
function useTip(lane, e) {
	const t = timeAt(e.offsetX), u = uses.get(lane.process).find((v) => t >= v.start && t < v.start + v.length);
	if (!u) { tip(null); return; }
	const table = element("table");
	tipRow(table, "on a CPU", duration(u.cpu), percent(u.cpu, u.length));
	tipRow(table, "waiting", duration(u.wait), percent(u.wait, u.length));
	$("tip").replaceChildren(element("div", "name", data.processes[lane.process].comm), element("div", "from", `${duration(u.length)} from +${seconds(u.start, 1e3)} on, by samples; all threads`), table);
	placeTip(e.clientX, e.clientY);
}
let pan = null;
canvas.addEventListener("pointerdown", (e) => {
	canvas.focus({ preventScroll: true });
	pan = { x: e.offsetX, y: e.offsetY, from, to, top: scroll.scrollTop, moved: false };
	canvas.setPointerCapture(e.pointerId);
});
canvas.addEventListener("pointermove", (e) => {
	if (pan && (pan.moved || Math.abs(e.offsetX - pan.x) + Math.abs(e.offsetY - pan.y) > 4)) {
		const shift = (e.offsetX - pan.x) / plotWidth() * (pan.to - pan.from);
		pan.moved = true;
		tip(null);
		look(pan.from - shift, pan.to - shift, false);
		scroll.scrollTop = pan.top - (e.offsetY - pan.y);
		return;
	}
	const pick = pickAt(e.offsetX, e.offsetY), sample = pickSample(e.offsetX, e.offsetY), lane = laneAt(e.offsetY + scroll.scrollTop);
	if (!sameSample(sample, hoveredSample)) {
		hoveredSample = sample;
		canvas.style.cursor = sample ? "pointer" : "default";
		status();
		schedule();
	}
	if (!pick !== !hovered || (pick && (pick.row !== hovered.row || pick.i !== hovered.i))) {
		hovered = pick;
		canvas.style.cursor = pick || (lane && lane.kind === "process") ? "pointer" : "default";
		status();
		schedule();
	}
	if (sample) sampleTip(sample, e.clientX, e.clientY);
	else if (!pick && lane && lane.kind === "use" && e.offsetX >= GUTTER) useTip(lane, e);
	else if (!pick && lane && lane.kind === "counter" && e.offsetX >= GUTTER) counterTip(lane, e);
	else tip(pick, e.clientX, e.clientY);
});
canvas.addEventListener("pointerup", (e) => {
	const was = pan, lane = laneAt(e.offsetY + scroll.scrollTop);
	pan = null;
	if (!was || was.moved) return;
	if (lane && lane.kind === "process") {
		if (!folded.delete(lane.process)) folded.add(lane.process);
		arrange();
		resize();
		later();
	} else if (lane && lane.kind === "samples") choose(pickSample(e.offsetX, e.offsetY));
	else select(pickAt(e.offsetX, e.offsetY));
});
canvas.addEventListener("pointerleave", () => { hovered = hoveredSample = null; tip(null); status(); schedule(); });
canvas.addEventListener("dblclick", (e) => { const pick = pickAt(e.offsetX, e.offsetY); if (pick) zoomTo(pick); });
canvas.addEventListener("wheel", (e) => {
	const sideways = e.deltaX || (e.shiftKey ? e.deltaY : 0);
	if (e.ctrlKey || e.metaKey) zoomBy(Math.exp(e.deltaY * 0.002), timeAt(e.offsetX));
	else if (sideways) look(from + sideways / plotWidth() * (to - from), to + sideways / plotWidth() * (to - from), false);
	else return;
	e.preventDefault();
}, { passive: false });
let ranging = null;
$("axis").addEventListener("pointerdown", (e) => { ranging = e.offsetX; $("axis").setPointerCapture(e.pointerId); });
$("axis").addEventListener("pointerup", (e) => {
	const a = timeAt(Math.min(ranging, e.offsetX)), b = timeAt(Math.max(ranging, e.offsetX));
	if (ranging !== null && Math.abs(e.offsetX - ranging) > 3) look(a, b, true);
	ranging = null;
});
$("axis").addEventListener("wheel", (e) => { e.preventDefault(); zoomBy(Math.exp(e.deltaY * 0.002), timeAt(e.offsetX)); }, { passive: false });

/* ---- keys ---- */
function escape() {
	if (chosen) choose(null);
	else if (brush) setBrush(null);
	else if (selected) select(null);
	else if ($("search").value) { $("search").value = ""; search(""); }
	else showAll();
}
/* From where the motion goes that is under way: keys that are held add up. */
const move = (share) => look(goal[0] + share * (goal[1] - goal[0]), goal[1] + share * (goal[1] - goal[0]), true);
/* At the selected span where that is in sight, else at the middle. */
function scale(factor) {
	const l = selected && selected.row.levels[0], [a, b] = goal, half = (b - a) * factor / 2;
	const at = selected ? l.start[selected.i] + l.length[selected.i] / 2 : NaN, middle = at > a && at < b ? at : (a + b) / 2;
	look(middle - half, middle + half, true);
}
const KEYS = {
	"/": () => $("search").select(), "?": toggleHelp, c: copyLink, n: () => nextMatch(1), N: () => nextMatch(-1),
	w: () => scale(0.5), "+": () => scale(0.5), s: () => scale(2), "-": () => scale(2), a: () => move(-0.4), d: () => move(0.4),
	0: showAll, Home: showAll, z: zoomBrush, f: () => selected && zoomTo(selected), Enter: () => selected && zoomTo(selected),
	".": () => stepSample(1), ",": () => stepSample(-1),
	t: () => { $("panel").hidden = !$("panel").hidden; resize(); later(); },
};
onKeys({ canvas, keys: KEYS, search, nextMatch, escape, walk });
$("search").addEventListener("input", (e) => search(e.target.value));
$("reset").addEventListener("click", showAll);
$("link").addEventListener("click", copyLink);
scroll.addEventListener("scroll", () => { tip(null); schedule(); later(); });
addEventListener("resize", resize);
addEventListener("hashchange", restore);
darkQuery.addEventListener("change", () => { theme(); heatMade = null; schedule(); });

/* ---- the header ---- */
const facts = [data.target, `${new Date(data.zero_us / 1000).toLocaleDateString("sv")} ${clock(0).slice(0, 12)} and ${duration(data.length)} from there`, (data.spans || !samples.length) && words(data.spans, "span"),
	has.cpu && words(nSamples("cpu"), "CPU sample"), has.waits && words(nSamples("waits"), "wait"),
	counters.length && words(counters.reduce((n, c) => n + c.n, 0), "value") + " of " + words(counters.length, "counter")];
const missing = [data.lost && `${count(data.lost)} lost`, data.more && `${count(data.more)} more that are not shown`, data.more_samples && `${count(data.more_samples)} more samples that are not shown`, data.too_deep && `${count(data.too_deep)} nested too deep to show`].filter(Boolean);
showTitle(facts, missing.join(", ") || "0 lost");
helpSetUp([["click", "select a span, or a sample with its stack; on a process: fold it; in the durations: go there"], ["drag", "in the lanes: move; in the durations: select; on the time: zoom to it"],
	["Ctrl wheel", "zoom; Shift and wheel move"], ["w s + -", "zoom in and out"], ["a d", "move"], ["← ↑ ↓ →", "walk: to the one before or behind, to the caller, to what is called"],
	["Enter f", "zoom to the selected span"], ["z", "zoom to what is selected in the durations"], ["0", "all the time"], ["/", "search: text or a regular expression"],
	["n N", "next match, the one before"], [". ,", "the next sample of the thread, the one before"], ["t", "show or hide the table"], ["c", "copy a link to what is shown now"], ["Esc", "select nothing; forget the search; all the time"], ["?", "these keys"]]);
if (!threads.length) for (const id of counters.length ? ["panel"] : ["scroll", "panel", "axis-box"]) $(id).hidden = true;
for (const id of ["heat-box", "by-function", "by-span", "zoom-brush", "clear-brush"]) $(id).hidden = !rows.length;
$("by-sample").hidden = !samples.length;
$("empty").hidden = threads.length + counters.length > 0;
$("empty").textContent = "There is no span to show.";
theme();
restore();

window.sonde = {
	get spans() { return data.spans; }, get rows() { return rows.length; }, get view() { return [from, to]; }, get length() { return data.length; },
	get selected() { return selected && { name: data.names[selected.row.levels[0].fn[selected.i]], start: selected.row.levels[0].start[selected.i], length: selected.row.levels[0].length[selected.i], depth: selected.row.depth }; },
	get brush() { return brush; }, get settled() { return !lateState && !scheduled; }, get times() { return times; }, get boxes() { return drawn; },
	get samples() { return { cpu: nSamples("cpu"), waits: nSamples("waits"), stacks: stacks.frame.length }; },
	get chosen() { return chosen && { kind: chosen.kind, thread: data.threads[chosen.samples.thread].tid, start: chosen.samples[chosen.kind].start[chosen.i], length: lengthOf(chosen), name: nameOf(chosen), stack: framesOf(chosen.samples[chosen.kind].stack[chosen.i]).map(frameName) }; },
	/* What there is in the selected span. */
	get inside() { return selected && samplesIn(selected); },
	/* Where a sample of a thread is on the page: the first in sight whose stack has that function. */
	sample(kind, name) {
		const place = canvas.getBoundingClientRect();
		for (const lane of lanes) {
			const l = lane.kind === "samples" && lane.samples[kind];
			for (let i = l ? firstFrom(l, from) : 0; l && i < l.n && l.start[i] < to; i++) if (framesOf(l.stack[i]).some((f) => frameName(f) === name))
				return { x: place.left + GUTTER + (l.start[i] - from) / (to - from) * plotWidth(), y: place.top + lane.y - scroll.scrollTop + (kind === "waits" ? TICK_ROWS : 0),
					width: kind === "waits" ? l.length[i] / (to - from) * plotWidth() : 1, height: TICK_ROWS, start: l.start[i], length: kind === "waits" ? l.length[i] : 0 };
		}
		return null;
	},
	get levels() { return rows.map((r) => r.levels.map((l) => l.n)); },
	get counters() { return counters.map((c) => ({ name: c.name, pid: data.processes[c.process].pid, values: Array.from(c.value, String), times: Array.from(c.time) })); },
	/* Where a value of the counter number k is on the page. */
	valueBox(k, i) {
		const place = canvas.getBoundingClientRect(), lane = lanes.find((l) => l.counter === counters[k]);
		return lane && { x: place.left + GUTTER + (counters[k].time[i] - from) / (to - from) * plotWidth(), y: place.top + lane.y - scroll.scrollTop, width: 1, height: lane.height };
	},
	/* Where the first span of that name in sight is on the page. */
	box(name) {
		const place = canvas.getBoundingClientRect();
		for (const lane of lanes) {
			if (lane.kind !== "row") continue;
			const l = lane.row.levels[0];
			for (let i = Math.max(lastBefore(l, from), 0); i < l.n && l.start[i] < to; i++) if (data.names[l.fn[i]] === name && l.start[i] + l.length[i] > from)
				return { x: place.left + GUTTER + (l.start[i] - from) / (to - from) * plotWidth(), y: place.top + lane.y - scroll.scrollTop, width: l.length[i] / (to - from) * plotWidth(), height: ROW };
		}
		return null;
	},
	look(a, b) { look(a, b, false); drawAll(); },
};
