/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strip below the spans of a thread: a tick for each sample of the CPU, above, and a bar for
 * each wait. A pixel says how much of its time they stand for, which sorted times tell without
 * looking at each: two searches for a pixel, however many samples are in it.
 */
const SAMPLES_HEIGHT = 18, TICK_ROWS = 9;
const KINDS = { cpu: "CPU sample", waits: "wait" };
let chosen = null, hoveredSample = null; /* { samples, kind, i } */
let cpuInk = null, waitInk = null;
const nSamples = (kind) => samples.reduce((n, s) => n + s[kind].n, 0);
const has = { cpu: nSamples("cpu") > 0, waits: nSamples("waits") > 0 };

/* The first one at or behind a time, of those from low to high. */
function firstFrom(l, t, low = 0, high = l.n) {
	while (low < high) {
		const mid = (low + high) >> 1;
		if (l.start[mid] < t) low = mid + 1; else high = mid;
	}
	return low;
}
/* How long waits were until then, those that go on as far as they have come. */
function waitedUntil(l, t) {
	const i = lastBefore(l, t);
	return i < 0 ? 0 : l.before[i] + Math.min(t - l.start[i], Math.max(l.length[i], 1));
}

/* ---- stacks: a frame below another stack, 1 + its index ---- */
const frameName = (f) => data.frames[f][0];
const frameBinary = (f) => data.frames[f][1];
function framesOf(stack) {
	const out = [];
	for (; stack; stack = stacks.parent[stack - 1]) out.push(stacks.frame[stack - 1]);
	return out;
}
/* What a sample is called by: the function that ran, of a wait the one of the program that waits. */
function whereOf(kind, stack) {
	let at = stack;
	if (kind === "waits") while (at && frameBinary(stacks.frame[at - 1]) === "[kernel]") at = stacks.parent[at - 1];
	return at || stack ? stacks.frame[(at || stack) - 1] : -1;
}
const nameOf = (pick) => {
	const f = whereOf(pick.kind, pick.samples[pick.kind].stack[pick.i]);
	return f < 0 ? "[unknown]" : frameName(f);
};

/* ---- what is drawn ---- */
function fillTicks(l) {
	const n = cover.length, step = (to - from) / n, each = data.period || step;
	let i = firstFrom(l, from);
	const end = firstFrom(l, to, i);
	cover.fill(0);
	drawn += Math.min(end - i, n);
	if (end - i <= n) for (; i < end; i++) cover[Math.min(Math.floor((l.start[i] - from) / step), n - 1)]++;
	else for (let p = 0; p < n && i < end; p++) {
		const next = p + 1 < n ? firstFrom(l, from + (p + 1) * step, i, end) : end;
		cover[p] = next - i;
		i = next;
	}
	for (let p = 0; p < n; p++) if (cover[p]) cover[p] = Math.min(cover[p] * each / step, 1);
}
function fillWaits(l) {
	const n = cover.length, step = (to - from) / n;
	for (let p = 0, before = waitedUntil(l, from); p < n; p++) {
		const until = waitedUntil(l, from + (p + 1) * step);
		cover[p] = Math.min((until - before) / step, 1);
		before = until;
	}
}
/* Rows of pixels, of the strip whose upper edge is at y, from one to another. */
function paint(y, a, b, ink) {
	const ratio = devicePixelRatio || 1, left = Math.round(GUTTER * ratio);
	const top = Math.round((y + a) * ratio), bottom = Math.min(Math.round((y + b) * ratio), canvas.height);
	line.fill(backInk);
	for (let p = 0; p < cover.length; p++) if (cover[p] > 0) line[left + p] = ink[Math.min(STEPS, Math.ceil(cover[p] * STEPS))];
	for (let k = Math.max(top, 0); k < bottom; k++) pixels.set(line, k * canvas.width);
}
function drawSamples(lane, y) {
	const { cpu, waits } = lane.samples;
	if (cpu.n) { fillTicks(cpu); paint(y, 1, TICK_ROWS, cpuInk); }
	if (waits.n) { fillWaits(waits); paint(y, TICK_ROWS, SAMPLES_HEIGHT - 2, waitInk); }
}
/* Words, where there is room for them until something else begins. */
function nameTicks(l, waits, y) {
	const scale = plotWidth() / (to - from), first = firstFrom(l, from), end = firstFrom(l, to, first);
	if (end - first > plotWidth() / 40) return;
	ctx.fillStyle = css.dim;
	for (let i = first; i < end; i++) {
		const next = Math.min(i + 1 < l.n ? l.start[i + 1] : Infinity, waits.start[firstFrom(waits, l.start[i])] || Infinity);
		const x = GUTTER + (l.start[i] - from) * scale, room = Math.min(GUTTER + (next - from) * scale, width) - x - 8;
		if (room > 30) ctx.fillText(fit(ctx, nameOf({ samples: { cpu: l }, kind: "cpu", i }), room), x + 5, y + 13);
	}
}
function nameWaits(l, y) {
	const scale = plotWidth() / (to - from), first = Math.max(lastBefore(l, from), 0), end = firstFrom(l, to, first);
	if (end - first > 20000) return;
	for (let i = first; i < end; i++) {
		const x0 = Math.max(GUTTER + (l.start[i] - from) * scale, GUTTER), x1 = Math.min(GUTTER + (l.start[i] + l.length[i] - from) * scale, width);
		if (x1 - x0 < 24) continue;
		ctx.fillStyle = css.wait;
		ctx.fillRect(x0, y + 1, x1 - x0 - 1, SAMPLES_HEIGHT - 3);
		ctx.fillStyle = css.bg;
		ctx.fillText(fit(ctx, nameOf({ samples: { waits: l }, kind: "waits", i }), x1 - x0 - 8), x0 + 4, y + 13);
	}
}
function outlineSample(pick, color) {
	const lane = pick && lanes.find((l) => l.samples === pick.samples);
	if (!lane) return;
	const l = pick.samples[pick.kind], scale = plotWidth() / (to - from), x = GUTTER + (l.start[pick.i] - from) * scale;
	const w = pick.kind === "waits" ? Math.max(l.length[pick.i] * scale, 3) : 3, left = Math.max(x - 1, GUTTER), right = Math.min(x + w, width);
	if (right <= left) return;
	ctx.strokeStyle = color;
	ctx.lineWidth = 2;
	ctx.strokeRect(left - 0.5, lane.y - scroll.scrollTop, right - left + 1, SAMPLES_HEIGHT - 2);
}

/* ---- what is pointed at ---- */
function pickSample(x, y) {
	const lane = laneAt(y + scroll.scrollTop);
	if (!lane || lane.kind !== "samples" || x < GUTTER) return null;
	const { cpu, waits } = lane.samples, t = timeAt(x), reach = 4 * (to - from) / plotWidth();
	const near = (l) => {
		const i = firstFrom(l, t), j = i && (i === l.n || t - l.start[i - 1] < l.start[i] - t) ? i - 1 : i;
		return j < l.n && Math.abs(l.start[j] - t) <= reach ? j : -1;
	};
	const w = lastBefore(waits, t), tick = near(cpu), wait = w >= 0 && t <= waits.start[w] + waits.length[w] ? w : near(waits);
	const upper = y + scroll.scrollTop - lane.y < TICK_ROWS;
	if (tick >= 0 && (upper || wait < 0)) return { samples: lane.samples, kind: "cpu", i: tick };
	return wait >= 0 ? { samples: lane.samples, kind: "waits", i: wait } : null;
}
const sameSample = (a, b) => a === b || (a && b && a.samples === b.samples && a.kind === b.kind && a.i === b.i);
const lengthOf = (pick) => pick.kind === "waits" ? pick.samples.waits.length[pick.i] : 0;
function describeSample(pick) {
	const t = data.threads[pick.samples.thread], start = pick.samples[pick.kind].start[pick.i];
	const what = pick.kind === "cpu" ? "CPU sample in " : `off the CPU ${lengthOf(pick) ? "for " + duration(lengthOf(pick)) + " " : ""}in `;
	return `${what}${nameOf(pick)}, at +${seconds(start, 1)} in ${processOf(pick.samples.thread).comm}, thread ${t.tid}`;
}
function sampleTip(pick, x, y) {
	const MOST = 18, t = pick.samples.thread, start = pick.samples[pick.kind].start[pick.i], table = element("table");
	const frames = framesOf(pick.samples[pick.kind].stack[pick.i]), list = element("div", "frames");
	if (lengthOf(pick)) tipRow(table, "off the CPU", duration(lengthOf(pick)), `${count(lengthOf(pick))} ns`);
	tipRow(table, pick.kind === "cpu" ? "taken" : "began", "+" + seconds(start, 1), clock(start));
	for (const f of frames.slice(0, MOST)) list.append(element("div", frameBinary(f) === "[kernel]" ? "kernel" : "", frameName(f)));
	if (frames.length > MOST) list.append(element("div", "kernel", `and ${words(frames.length - MOST, "caller")}: click for all`));
	$("tip").replaceChildren(element("div", "name", pick.kind === "cpu" ? nameOf(pick) : `off the CPU in ${nameOf(pick)}`),
		element("div", "from", `${processOf(t).comm} (${processOf(t).pid}), thread ${threadName(t)}`), table, list);
	placeTip(x, y);
}
function choose(pick) {
	chosen = pick;
	if (pick) setMode("samples");
	status();
	later();
	schedule();
}
/* The next one of that kind of the thread, or the one before. */
function stepSample(step) {
	const lane = lanes.find((l) => l.kind === "samples");
	if (!chosen && !lane) return;
	const s = chosen ? chosen.samples : lane.samples, kind = chosen ? chosen.kind : s.cpu.n ? "cpu" : "waits", l = s[kind];
	const i = chosen ? chosen.i + step : firstFrom(l, from);
	if (i < 0 || i >= l.n) return;
	choose({ samples: s, kind, i });
	if (l.start[i] < from || l.start[i] > to) look(l.start[i] - (to - from) / 2, l.start[i] + (to - from) / 2, true);
}

/* ---- the table of samples ---- */
/* Functions of frames, which may differ in nothing but their place. */
const frameFunction = new Uint32Array(data.frames.length), functionFrame = [];
(function number() {
	const known = new Map();
	data.frames.forEach(([name, binary], f) => {
		const key = name + "\n" + binary;
		if (!known.has(key)) { known.set(key, functionFrame.length); functionFrame.push(f); }
		frameFunction[f] = known.get(key);
	});
})();
/* Is none of a stack's callers the same function? Then its samples count for it. */
const isFirst = new Uint8Array(stacks.frame.length);
stacks.frame.forEach((f, s) => {
	let up = stacks.parent[s];
	while (up && frameFunction[stacks.frame[up - 1]] !== frameFunction[f]) up = stacks.parent[up - 1];
	isFirst[s] = up ? 0 : 1;
});

/* The threads and the time that are asked about: a selected span's, or what is selected or seen. */
function sampleScope() {
	if (!selected) return { thread: -1, t0: brush ? brush.t0 : from, t1: brush ? brush.t1 : to };
	const l = selected.row.levels[0], t0 = l.start[selected.i];
	return { thread: selected.row.thread, t0, t1: t0 + l.length[selected.i] };
}
/* Calls each(samples, kind, first, end) for what each thread has then. */
function eachSampled({ thread, t0, t1 }, each) {
	for (const s of samples) {
		if (thread >= 0 && s.thread !== thread) continue;
		for (const kind of ["cpu", "waits"]) {
			const first = firstFrom(s[kind], t0), end = Math.max(firstFrom(s[kind], t1 + 1), first);
			if (end > first) each(s, kind, first, end);
		}
	}
}
function sampleRows() {
	const n = functionFrame.length, of = new Float64Array(stacks.frame.length + 1), out = [], total = { cpu: 0, waits: 0 };
	const at = { samples: new Uint32Array(n), below: new Float64Array(n), waits: new Uint32Array(n), waited: new Float64Array(n) };
	eachSampled(sampleScope(), (s, kind, first, end) => {
		const l = s[kind];
		total[kind] += end - first;
		for (let i = first; i < end; i++) {
			const f = whereOf(kind, l.stack[i]), k = f < 0 ? -1 : frameFunction[f];
			if (kind === "cpu") of[l.stack[i]]++;
			if (k < 0) continue;
			if (kind === "cpu") at.samples[k]++;
			else { at.waits[k]++; at.waited[k] += l.length[i]; }
		}
	});
	for (let s = stacks.frame.length; s > 0; s--) {
		if (!of[s]) continue;
		of[stacks.parent[s - 1]] += of[s];
		if (isFirst[s - 1]) at.below[frameFunction[stacks.frame[s - 1]]] += of[s];
	}
	const text = $("search").value, match = text && pattern(text);
	for (let k = 0; k < n; k++) {
		if ((!at.below[k] && !at.waits[k]) || (match && !match.test(frameName(functionFrame[k])))) continue;
		out.push({ name: frameName(functionFrame[k]), binary: frameBinary(functionFrame[k]), samples: at.samples[k], below: at.below[k],
			share: total.cpu ? 100 * at.below[k] / total.cpu : 0, waits: at.waits[k], waited: at.waited[k] });
	}
	return { rows: out, total };
}
function stackRows() {
	return framesOf(chosen.samples[chosen.kind].stack[chosen.i]).map((f, k) => ({ level: k, name: frameName(f), binary: frameBinary(f), place: data.frames[f][2] || "" }));
}
function sampleWords({ cpu, waits }) {
	return [has.cpu && words(cpu, "CPU sample"), has.waits && words(waits, "wait")].filter(Boolean).join(", ");
}
function sampleScopeText(total, n) {
	const l = selected && selected.row.levels[0], more = [];
	if (chosen) { $("scope").replaceChildren(element("b", "", describeSample(chosen)), ": its stack, innermost first"); return; }
	if (selected) more.push(` in ${data.names[l.fn[selected.i]]} at +${seconds(l.start[selected.i], 1)}`);
	else if (brush) more.push(` from +${seconds(brush.t0, 1e3)} to +${seconds(brush.t1, 1e3)}`);
	else more.push(from <= 0 && to >= LENGTH ? " in all" : " in sight");
	if (n > MOST_ROWS) more.push(`; the first ${MOST_ROWS} of ${count(n)} functions are listed`);
	$("scope").replaceChildren(element("b", "", sampleWords(total)), more.join(""));
}
/* How many there are in a span: { cpu, waits, waited }. */
function samplesIn(pick) {
	const l = pick.row.levels[0], t0 = l.start[pick.i], out = { cpu: 0, waits: 0, waited: 0 };
	eachSampled({ thread: pick.row.thread, t0, t1: t0 + l.length[pick.i] }, (s, kind, first, end) => {
		out[kind] += end - first;
		if (kind === "waits") for (let i = first; i < end; i++) out.waited += s.waits.length[i];
	});
	return out;
}
