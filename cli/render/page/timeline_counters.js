/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters: below the name of their process a line for each. A value holds until the next one. Of
 * what is narrower than a pixel the lowest and the highest value are drawn; blocks of values, of
 * which these are known, are passed over in one step.
 */
const COUNTER_HEIGHT = 36, BLOCK = 64;
const countersOf = new Map();

function prepareCounter(c) {
	const blocks = Math.ceil(c.n / BLOCK);
	c.low = new Float64Array(blocks).fill(Infinity);
	c.high = new Float64Array(blocks).fill(-Infinity);
	c.min = Infinity;
	c.max = -Infinity;
	for (let i = 0; i < c.n; i++) {
		const v = c.value[i], b = i >> 6;
		if (v < c.low[b]) c.low[b] = v;
		if (v > c.high[b]) c.high[b] = v;
		if (!Number.isFinite(v)) continue;
		if (v < c.min) c.min = v;
		if (v > c.max) c.max = v;
	}
	if (!countersOf.has(c.process)) countersOf.set(c.process, []);
	countersOf.get(c.process).push(c);
}
counters.forEach(prepareCounter);

/* Behind the head of a process, at a height: the one behind them. */
function counterLanes(process, y) {
	for (const counter of countersOf.get(process) || []) {
		lanes.push({ kind: "counter", process, counter, y, height: COUNTER_HEIGHT });
		y += COUNTER_HEIGHT + 4;
	}
	return y;
}
/* Of processes that have no spans. */
function otherCounterLanes(y) {
	const shown = new Set(lanes.map((l) => l.process));
	for (const process of countersOf.keys()) {
		if (shown.has(process)) continue;
		if (lanes.length) y += GAP;
		lanes.push({ kind: "process", process, y, height: PROCESS_HEIGHT });
		y += PROCESS_HEIGHT;
		if (!folded.has(process)) y = counterLanes(process, y);
	}
	return y;
}

/* How many values there are at or before a time. */
function countBefore(c, t) {
	let low = 0, high = c.n;
	while (low < high) {
		const mid = (low + high) >> 1;
		if (c.time[mid] <= t) low = mid + 1; else high = mid;
	}
	return low;
}
function drawCounter(lane, y) {
	const c = lane.counter, scale = plotWidth() / (to - from), top = y + 2, bottom = y + lane.height - 3;
	/* Halves, as the difference of two numbers may be none any more. */
	const range = c.max / 2 - c.min / 2, first = Math.max(countBefore(c, from) - 1, 0), end = countBefore(c, to);
	const at = (v) => (v === Infinity ? top : v === -Infinity ? bottom : range > 0 ? bottom - (bottom - top) * ((v / 2 - c.min / 2) / range) : (top + bottom) / 2);
	let last = NaN;
	ctx.strokeStyle = css.accent;
	ctx.lineWidth = 1;
	ctx.beginPath();
	for (let i = first; i < end;) {
		const x = Math.max((c.time[i] - from) * scale, 0), pixel = Math.floor(x);
		let low = Infinity, high = -Infinity, next = last;
		for (; i < end && Math.floor(Math.max((c.time[i] - from) * scale, 0)) === pixel; i++) {
			const whole = !(i & (BLOCK - 1)) && i + BLOCK <= end && Math.floor((c.time[i + BLOCK - 1] - from) * scale) <= pixel;
			const v = c.value[i];
			drawn++;
			low = Math.min(low, whole ? c.low[i >> 6] : Number.isNaN(v) ? low : v);
			high = Math.max(high, whole ? c.high[i >> 6] : Number.isNaN(v) ? high : v);
			if (whole) i += BLOCK - 1;
			next = c.value[i];
		}
		if (!Number.isNaN(last)) ctx.lineTo(GUTTER + x, at(last));
		if (low <= high) {
			if (Number.isNaN(last)) ctx.moveTo(GUTTER + x, at(low));
			ctx.lineTo(GUTTER + x, at(low));
			ctx.lineTo(GUTTER + x, at(high));
		}
		/* What is no number is a gap. */
		if (!Number.isNaN(next)) ctx.lineTo(GUTTER + x, at(next));
		last = next;
	}
	if (!Number.isNaN(last)) ctx.lineTo(Math.min(GUTTER + (LENGTH - from) * scale, width), at(last));
	ctx.stroke();
	ctx.fillStyle = css.text;
	ctx.fillText(fit(ctx, c.name, GUTTER - 28), 20, y + 13);
	ctx.fillStyle = css.dim;
	ctx.fillText(c.min > c.max ? "" : fit(ctx, `${brief(c.min)} … ${brief(c.max)}`, GUTTER - 28), 20, y + 28);
}
const brief = (v) => String(Number(v.toPrecision(6)));

/* The value that holds at that place. */
function counterTip(lane, e) {
	const c = lane.counter, i = countBefore(c, timeAt(e.offsetX)) - 1, table = element("table");
	if (i < 0) { tip(null); return; }
	const v = c.value[i];
	tipRow(table, "value", Object.is(v, -0) ? "-0" : String(v));
	tipRow(table, "since", "+" + seconds(c.time[i], 1), clock(c.time[i]));
	if (c.min <= c.max) tipRow(table, "lowest, highest", String(c.min), String(c.max));
	const process = data.processes[c.process];
	$("tip").replaceChildren(element("div", "name", c.name), element("div", "from", `${process.comm} (${process.pid}), ${words(c.n, "value")}`), table);
	placeTip(e.clientX, e.clientY);
}
