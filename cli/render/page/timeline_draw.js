/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lanes. Boxes go pixel by pixel into a buffer, of each row in the coarsest level of detail
 * whose boxes are no wider than a pixel; what is drawn on top (words, marks) is for what is wide
 * enough to be read. So a frame costs what there is to see, however many spans there are.
 */
let image = null, pixels = null, inks = [], fadedInks = [], markInk = 0, backInk = 0;
let line = null, most = null, cover = null, who = null, wide = [], drawn = 0;
const SHADE = { light: [55, 78], dark: [40, 38] };

function rgb(h, s, l) {
	const a = s / 100 * Math.min(l / 100, 1 - l / 100);
	const f = (n) => {
		const k = (n + h / 30) % 12;
		return Math.round(255 * (l / 100 - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
	};
	return [f(0), f(8), f(4)];
}
function fromHex(text) {
	return [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
}
const pack = (c) => (255 << 24 | c[2] << 16 | c[1] << 8 | c[0]) >>> 0;
const mix = (a, b, share) => a.map((v, i) => Math.round(v * share + b[i] * (1 - share)));
/* Of each colour as many steps towards the background as shares are told apart. */
const STEPS = 8;
function theme() {
	readColors();
	const style = getComputedStyle(document.documentElement), dark = darkQuery.matches;
	for (const v of ["wait", "cpu", "bad", "shade", "heat"]) css[v] = style.getPropertyValue("--" + v).trim();
	const [s, l] = dark ? SHADE.dark : SHADE.light, back = fromHex(css.bg);
	const steps = (c) => Uint32Array.from({ length: STEPS + 1 }, (_, k) => pack(mix(c, back, Math.max(k, 2) / STEPS)));
	const known = new Map();
	inks = data.names.map((name) => {
		if (!known.has(name)) {
			const k = hash(name);
			known.set(name, rgb(k % 360, s + (k >>> 9) % 12, l + (k >>> 13) % 8 - 4));
		}
		return known.get(name);
	});
	fadedInks = inks.map((c) => steps(mix(c, back, 0.3)));
	inks = inks.map(steps);
	markInk = steps(fromHex(css.mark));
	cpuInk = steps(fromHex(css.cpu));
	waitInk = steps(fromHex(css.wait));
	backInk = pack(back);
}
function sizeOf(c, box) {
	const ratio = devicePixelRatio || 1;
	c.width = Math.round(box.clientWidth * ratio);
	c.height = Math.round(box.clientHeight * ratio);
}
function resize() {
	const ratio = devicePixelRatio || 1;
	fitCanvas(contentHeight);
	sizeOf($("heat"), $("heat-box"));
	sizeOf($("axis"), $("axis-box"));
	image = ctx.createImageData(Math.max(canvas.width, 1), Math.max(canvas.height, 1));
	pixels = new Uint32Array(image.data.buffer);
	line = new Uint32Array(canvas.width);
	const n = Math.max(Math.round(plotWidth() * ratio), 1);
	most = new Float32Array(n);
	cover = new Float32Array(n);
	who = new Uint32Array(n);
	heatMade = null;
	schedule();
}

/* ---- one row ---- */
function levelFor(row, nsPerPixel) {
	let best = row.levels[0];
	/* What is searched for may be hidden in boxes: then every span is looked at. */
	if (!matches) for (const l of row.levels) if (l.shift && 2 ** l.shift <= nsPerPixel) best = l;
	return best;
}
function collect(l, lane, y) {
	const n = cover.length, scale = n / (to - from), ratio = devicePixelRatio || 1;
	cover.fill(0);
	most.fill(0);
	for (let i = Math.max(lastBefore(l, from), 0); i < l.n; i++) {
		const x0 = (l.start[i] - from) * scale;
		if (x0 >= n) break;
		let x1 = x0 + l.length[i] * scale;
		if (x1 < 0) continue;
		const w = x1 - x0, fn = l.fn[i], share = l.share ? l.share[i] / 255 : 1;
		/* What is searched for wins the pixels that it is in. */
		const weight = matches && matches[fn] ? 1000 : 1;
		drawn++;
		if (w > 5 * ratio) {
			wide.push({ lane, l, i, x: GUTTER + x0 / ratio, y, w: w / ratio });
			x1 -= ratio;
		}
		if (x1 - x0 < 1) x1 = x0 + Math.max(x1 - x0, 0.25);
		const last = Math.min(Math.floor(x1), n - 1);
		for (let p = Math.max(Math.floor(x0), 0); p <= last; p++) {
			const part = (Math.min(x1, p + 1) - Math.max(x0, p)) * share;
			cover[p] += part;
			if (part * weight > most[p]) { most[p] = part * weight; who[p] = fn; }
		}
	}
}
function drawRow(lane, y) {
	const ratio = devicePixelRatio || 1, left = Math.round(GUTTER * ratio);
	const top = Math.round(y * ratio), bottom = Math.min(Math.round((y + ROW - 1) * ratio), canvas.height);
	collect(levelFor(lane.row, (to - from) / cover.length), lane, y);
	line.fill(backInk);
	for (let p = 0; p < cover.length; p++) {
		if (!most[p]) continue;
		const hit = matches && matches[who[p]];
		const ink = hit ? markInk : matches ? fadedInks[who[p]] : inks[who[p]];
		line[left + p] = ink[Math.min(STEPS, Math.ceil(cover[p] * STEPS))];
	}
	for (let k = Math.max(top, 0); k < bottom; k++) pixels.set(line, k * canvas.width);
}

/* ---- what is drawn on top ---- */
function drawWide(b) {
	const left = Math.max(b.x, GUTTER), right = Math.min(b.x + b.w - 1, width), room = right - left;
	const fn = b.l.fn[b.i], hit = matches && matches[fn];
	if (b.l.offcpu && b.l.offcpu[b.i]) {
		/* How much of it was waiting: a line below, as long as its share. */
		ctx.fillStyle = css.wait;
		const part = b.w * b.l.offcpu[b.i] / b.l.length[b.i];
		ctx.fillRect(left, b.y + ROW - 4, Math.max(Math.min(b.x + part, right) - left, 0), 3);
	}
	if (b.l.flags && b.l.flags[b.i] & (FLAG.error | FLAG.unwound)) {
		ctx.fillStyle = css.bad;
		ctx.fillRect(left, b.y, room, 2);
	}
	if (room < 24) return;
	const text = b.l.count && b.l.count[b.i] > 1 ? `${count(b.l.count[b.i])} spans` : data.names[fn];
	ctx.fillStyle = hit ? css["mark-text"] : matches ? css.dim : css.text;
	ctx.fillText(fit(ctx, text, room - 8), left + 4, b.y + 13);
}
function outline(pick, color) {
	const lane = pick && laneOf(pick.row), l = pick && pick.row.levels[0];
	if (!lane) return;
	const scale = plotWidth() / (to - from), x0 = GUTTER + (l.start[pick.i] - from) * scale;
	const left = Math.max(x0, GUTTER), right = Math.min(x0 + Math.max(l.length[pick.i] * scale, 2), width);
	if (right <= left) return;
	ctx.strokeStyle = color;
	ctx.lineWidth = 2;
	ctx.strokeRect(left - 0.5, lane.y - scroll.scrollTop - 0.5, right - left, ROW);
}
/* What samples say of a process: above the line its time on a CPU, below it waits, a box a window. */
function drawUses(lane, y) {
	const scale = plotWidth() / (to - from), half = lane.height / 2;
	for (const u of uses.get(lane.process)) {
		const x0 = GUTTER + (u.start - from) * scale, x1 = x0 + u.length * scale;
		const left = Math.max(x0, GUTTER), w = Math.min(x1, width) - left - 1;
		if (w <= 0) continue;
		const high = (ns) => Math.min(half - 1, ns ? Math.max(2, (half - 1) * ns / u.length) : 0);
		ctx.fillStyle = css.cpu;
		ctx.fillRect(left, y + half - high(u.cpu), w, high(u.cpu));
		ctx.fillStyle = css.wait;
		ctx.fillRect(left, y + half + 1, w, high(u.wait));
	}
	ctx.fillStyle = css.line;
	ctx.fillRect(GUTTER, y + half, width - GUTTER, 1);
}
function drawLane(lane, y) {
	const process = data.processes[lane.process];
	ctx.fillStyle = css.dim;
	if (lane.kind === "process") {
		ctx.fillStyle = css.panel;
		ctx.fillRect(0, y, width, lane.height - 2);
		ctx.fillStyle = css.text;
		ctx.font = `600 ${MONO}`;
		ctx.fillText(`${folded.has(lane.process) ? "▸" : "▾"} ${fit(ctx, process.comm, 320)}`, 4, y + 14);
		const at = ctx.measureText(`▾ ${fit(ctx, process.comm, 320)}`).width + 14;
		ctx.font = MONO;
		ctx.fillStyle = css.dim;
		ctx.fillText(`pid ${process.pid}`, at, y + 14);
	} else if (lane.kind === "counter") {
		drawCounter(lane, y);
	} else if (lane.kind === "use") {
		drawUses(lane, y);
		ctx.fillStyle = css.cpu;
		ctx.fillText("CPU", 20, y + 10);
		ctx.fillStyle = css.wait;
		ctx.fillText("waits", 52, y + 20);
	} else if (lane.first) {
		ctx.fillText(fit(ctx, `thread ${threadName(lane.thread)}`, GUTTER - 26), 20, y + 13);
	}
	if (lane.kind === "samples") {
		nameTicks(lane.samples.cpu, lane.samples.waits, y);
		nameWaits(lane.samples.waits, y);
	}
}
function drawLanes() {
	const ratio = devicePixelRatio || 1, top = scroll.scrollTop;
	const seen = lanes.filter((l) => l.y + l.height > top && l.y < top + height);
	wide = [];
	drawn = 0;
	pixels.fill(backInk);
	for (const lane of seen) {
		if (lane.kind === "row") drawRow(lane, lane.y - top);
		else if (lane.kind === "samples") drawSamples(lane, lane.y - top);
	}
	ctx.putImageData(image, 0, 0);
	ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
	ctx.direction = "ltr";
	ctx.font = MONO;
	if (brush) {
		const scale = plotWidth() / (to - from), a = GUTTER + (brush.t0 - from) * scale, b = GUTTER + (brush.t1 - from) * scale;
		ctx.fillStyle = css.shade;
		ctx.fillRect(GUTTER, 0, Math.max(Math.min(a, width) - GUTTER, 0), height);
		ctx.fillRect(Math.max(b, GUTTER), 0, width, height);
	}
	for (const b of wide) drawWide(b);
	for (const lane of seen) drawLane(lane, lane.y - top);
	outline(hovered, css.text);
	outline(selected, css.accent);
	outlineSample(hoveredSample, css.text);
	outlineSample(chosen, css.accent);
}

/* ---- the axis ---- */
function tick() {
	const wanted = (to - from) / (plotWidth() / 130), power = 10 ** Math.floor(Math.log10(wanted));
	return Math.max([1, 2, 5, 10].map((k) => k * power).find((s) => s >= wanted), 1);
}
function drawAxis() {
	const c = $("axis"), x = c.getContext("2d"), ratio = devicePixelRatio || 1, step = tick();
	x.setTransform(ratio, 0, 0, ratio, 0, 0);
	x.fillStyle = css.bg;
	x.fillRect(0, 0, width, 24);
	x.font = "11px system-ui, \"DejaVu Sans\", sans-serif";
	x.fillStyle = css.dim;
	x.fillText(duration(to - from) + " wide", 4, 16);
	for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
		const at = GUTTER + (t - from) / (to - from) * plotWidth();
		x.fillStyle = css.line;
		x.fillRect(Math.round(at), 2, 1, 22);
		x.fillStyle = css.dim;
		x.fillText("+" + seconds(t, step), at + 4, 16);
	}
}
function drawAll() {
	const begin = performance.now();
	drawLanes();
	drawAxis();
	drawHeat();
	if (!hovered && !selected && !hoveredSample && !chosen) status();
	times.frames++;
	times.last = performance.now() - begin;
	times.first ||= performance.now();
}
const times = { frames: 0, last: 0, first: 0 };
