/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long spans took, over all the time: a cell for what begins in a part of it and takes about
 * that long, the stronger the more. Dragging in it selects; outside of what the lanes show it is
 * shaded.
 */
const CELL = 4;
let heatMade = null, heatLow = 0, heatHigh = 1, dragging = null;

/* Which durations there are at all. */
(function range() {
	let low = LATENCIES, high = 0;
	for (const row of rows) for (const b of row.levels[0].latency) {
		if (b < low) low = b;
		if (b > high) high = b;
	}
	heatLow = Math.min(low, high);
	heatHigh = Math.max(high + 1, heatLow + 6);
})();
const heatHeight = () => $("heat-box").clientHeight;
const heatY = (bin) => heatHeight() * (1 - (bin - heatLow) / (heatHigh - heatLow));
const heatX = (t) => GUTTER + t / LENGTH * plotWidth();
const heatTime = (x) => (x - GUTTER) / plotWidth() * LENGTH;

function countCells(columns, bins) {
	const cells = new Uint32Array(columns * bins), scale = columns / LENGTH;
	for (const row of rows) {
		const l = row.levels[0];
		for (let i = 0; i < l.n; i++) {
			if (matches && !matches[l.fn[i]]) continue;
			cells[(l.latency[i] - heatLow) * columns + Math.min(Math.floor(l.start[i] * scale), columns - 1)]++;
		}
	}
	return cells;
}
function makeHeat() {
	const columns = Math.max(Math.floor(plotWidth() / CELL), 1), bins = heatHigh - heatLow;
	const cells = countCells(columns, bins), picture = document.createElement("canvas"), x = picture.getContext("2d");
	let max = 1;
	for (const c of cells) if (c > max) max = c;
	picture.width = columns;
	picture.height = bins;
	const out = x.createImageData(columns, bins), ink = css.heat.split(",").map(Number);
	for (let b = 0; b < bins; b++) for (let c = 0; c < columns; c++) {
		const n = cells[b * columns + c], at = 4 * ((bins - 1 - b) * columns + c);
		if (!n) continue;
		out.data.set([...ink, Math.round(255 * (0.18 + 0.82 * Math.log1p(n) / Math.log1p(max)))], at);
	}
	x.putImageData(out, 0, 0);
	return picture;
}
function drawHeat() {
	const c = $("heat"), x = c.getContext("2d"), ratio = devicePixelRatio || 1, high = heatHeight();
	heatMade ||= makeHeat();
	x.setTransform(ratio, 0, 0, ratio, 0, 0);
	x.fillStyle = css.bg;
	x.fillRect(0, 0, width, high);
	x.imageSmoothingEnabled = false;
	x.drawImage(heatMade, GUTTER, 0, plotWidth(), high);
	x.font = "11px system-ui, \"DejaVu Sans\", sans-serif";
	/* A line where a duration is a power of ten, as far as there is room. */
	for (let p = 0, last = Infinity; p < 20; p++) {
		const y = heatY(1 + 2 * Math.log2(10 ** p));
		if (y < 8 || y > high - 4 || last - y < 16) continue;
		last = y;
		x.fillStyle = css.line;
		x.fillRect(GUTTER, Math.round(y), plotWidth(), 1);
		x.fillStyle = css.dim;
		x.textAlign = "right";
		x.fillText(["1 ns", "10 ns", "100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "10 ms", "100 ms"][p] || `${10 ** (p - 9)} s`, GUTTER - 8, y + 4);
		x.textAlign = "left";
	}
	x.fillStyle = css.dim;
	x.fillText("Durations over time", 4, 12);
	x.fillStyle = css.shade;
	const a = Math.min(Math.max(heatX(from), GUTTER), width), b = Math.min(Math.max(heatX(to), a + 1), width);
	x.fillRect(GUTTER, 0, a - GUTTER, high);
	x.fillRect(b, 0, width - b, high);
	if (a > GUTTER || b < width) {
		x.strokeStyle = css.accent;
		x.lineWidth = 1;
		x.strokeRect(a - 1, 0.5, b - a + 2, high - 1);
	}
	if (!brush) return;
	x.strokeStyle = css.accent;
	x.lineWidth = 1.5;
	const y0 = heatY(Math.min(latency(brush.d1), heatHigh)), y1 = heatY(latency(brush.d0));
	x.strokeRect(heatX(brush.t0), y0 + 1, Math.max(heatX(brush.t1) - heatX(brush.t0), 2), Math.max(y1 - y0 - 2, 2));
}
function setBrush(b) {
	brush = b;
	$("zoom-brush").disabled = $("clear-brush").disabled = !brush;
	later();
	schedule();
}
/* From two corners in the heat map; whole cells of durations. */
function brushOf(x0, y0, x1, y1) {
	const t = (x) => Math.min(Math.max(heatTime(x), 0), LENGTH);
	const bin = (y) => heatLow + (1 - Math.min(Math.max(y / heatHeight(), 0), 1)) * (heatHigh - heatLow);
	const low = Math.floor(bin(Math.max(y0, y1))), high = Math.ceil(bin(Math.min(y0, y1)));
	return { t0: Math.round(t(Math.min(x0, x1))), t1: Math.round(t(Math.max(x0, x1))),
		d0: low <= heatLow ? 0 : latencyFrom(low), d1: high >= heatHigh ? Infinity : latencyFrom(high) };
}
const zoomBrush = () => brush && look(brush.t0, brush.t1, true);
$("heat").addEventListener("pointerdown", (e) => {
	$("heat").setPointerCapture(e.pointerId);
	dragging = { x: e.offsetX, y: e.offsetY, moved: false };
});
$("heat").addEventListener("pointermove", (e) => {
	if (!dragging) return;
	dragging.moved ||= Math.abs(e.offsetX - dragging.x) > 3 || Math.abs(e.offsetY - dragging.y) > 3;
	if (dragging.moved) setBrush(brushOf(dragging.x, dragging.y, e.offsetX, e.offsetY));
});
$("heat").addEventListener("pointerup", (e) => {
	const half = (to - from) / 2, at = heatTime(e.offsetX);
	/* A click goes there. */
	if (dragging && !dragging.moved && e.offsetX >= GUTTER) look(at - half, at + half, true);
	dragging = null;
});
$("heat").addEventListener("dblclick", zoomBrush);
$("heat").addEventListener("wheel", (e) => {
	e.preventDefault();
	zoomBy(Math.exp(e.deltaY * 0.002), Math.min(Math.max(heatTime(e.offsetX), from), to));
}, { passive: false });
$("zoom-brush").addEventListener("click", zoomBrush);
$("clear-brush").addEventListener("click", () => setBrush(null));
