/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The picture. The canvas is as large as the window and stays in place while its container
 * scrolls, so that neither 50,000 nodes nor a stack 1,000 deep make it slow: a subtree narrower
 * than MIN_WIDTH is skipped in one step.
 */
const ROW = 20, MIN_WIDTH = 0.4, TEXT_MIN = 28;
function value(n) {
	if (data.unit === "ns") return duration(n);
	return words(n, "sample");
}

/* ---- colours: a hue a kind, its lightness varied by name so that neighbours differ ---- */
const LIGHT = { process: [215, 12, 85], user: [213, 58, 80], kernel: [26, 76, 76], python: [138, 38, 76], span: [262, 56, 84] };
const DARK = { process: [215, 10, 31], user: [214, 45, 36], kernel: [24, 54, 35], python: [138, 34, 30], span: [260, 34, 42] };
let colors = [], changes = null, changeColors = null;
/* Of a comparison: by how much each frame's share differs; the redder the more, the bluer the less. */
function compare() {
	if (!before) return;
	changes = Array.from(before, (b, i) => (all ? total[i] / all : 0) - b / (before[0] || 1));
	const most = changes.reduce((m, c) => Math.max(m, Math.abs(c)), 0), dark = darkQuery.matches;
	/* What has not changed has no colour. */
	changeColors = changes.map((c) => {
		const much = most ? Math.abs(c) / most : 0;
		return `hsl(${c >= 0 ? 2 : 220} ${(dark ? 55 : 85) * Math.min(1, 4 * much)}% ${dark ? 22 + 26 * much : 95 - 28 * much}%)`;
	});
	const text = most ? `red: more than before, blue: less, at most ${(100 * most).toFixed(2)} points` : "no frame has another share than before";
	$("legend").replaceChildren(element("span", "key", `width: share after; ${text}`));
}
function legend(table) {
	const shares = data.kinds.map(() => 0), seen = data.kinds.map(() => false);
	for (let i = 1; i < N; i++) { shares[kindOf(i)] += self[i]; seen[kindOf(i)] = true; }
	$("legend").replaceChildren();
	data.kinds.forEach((kind, k) => {
		if (!seen[k]) return;
		const key = element("span", "key"), box = element("i"), [h, s, l] = table[kind];
		box.style.background = `hsl(${h} ${s}% ${l}%)`;
		key.append(box, kind === "process" ? kind : `${kind} ${(all ? 100 * shares[k] / all : 0).toFixed(1)} %`);
		key.title = kind === "process" ? "commands and threads" : `self time in ${kind} frames`;
		$("legend").append(key);
	});
}
function theme() {
	const table = darkQuery.matches ? DARK : LIGHT;
	readColors();
	colors = data.names.map((name, f) => {
		const [h, s, l] = table[data.kinds[data.kind[f]]], k = hash(name);
		return `hsl(${h + k % 13 - 6} ${s}% ${l + (k >>> 4) % 9 - 4}%)`;
	});
	legend(table);
	compare();
}

const canvas = $("graph"), ctx = canvas.getContext("2d"), scroll = $("scroll");
let width = 0, height = 0, from = 0, to = 0, zoomed = 0, flame = false;
let hovered = -1, selected = -1, matches = null, drawn = 0, narrow = 0, scheduled = false;

function contentHeight() { return (deepest + 1) * ROW; }
function rowY(d) {
	return flame ? Math.max(contentHeight(), height) - (d + 1) * ROW : d * ROW;
}
function schedule() {
	if (scheduled) return;
	scheduled = true;
	requestAnimationFrame(draw);
}
function resize() {
	fitCanvas(contentHeight());
	schedule();
}
function drawNode(i, x0, x1, y) {
	const left = Math.max(x0, 0), right = Math.min(x1, width), w = right - left;
	const hit = matches !== null && matches[frame[i]];
	const faded = (matches !== null && !hit) || (i < zoomed && end[i] > zoomed);
	const gap = w > 4 ? 1 : 0;
	ctx.globalAlpha = faded ? (matches !== null ? 0.32 : 0.5) : 1;
	ctx.fillStyle = hit ? css.mark : changeColors ? changeColors[i] : colors[frame[i]];
	ctx.fillRect(left, y, w - gap, ROW - 1);
	if (i === hovered || i === selected) {
		ctx.globalAlpha = 1;
		ctx.strokeStyle = i === selected ? css.accent : css.text;
		ctx.lineWidth = 1.5;
		ctx.strokeRect(left + 0.75, y + 0.75, Math.max(w - gap - 1.5, 0.5), ROW - 2.5);
	}
	if (w < TEXT_MIN) return;
	const text = fit(ctx, nameOf(i), w - gap - 9);
	if (!text) return;
	ctx.globalAlpha = faded ? 0.6 : 1;
	ctx.fillStyle = hit ? css["mark-text"] : css.text;
	ctx.fillText(text, left + 5, y + 14);
}
function draw() {
	const ratio = devicePixelRatio || 1, top = scroll.scrollTop, scale = width / (to - from || 1);
	scheduled = false;
	drawn = narrow = 0;
	ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
	ctx.globalAlpha = 1;
	ctx.fillStyle = css.bg;
	ctx.fillRect(0, 0, width, height);
	ctx.font = MONO;
	ctx.direction = "ltr";
	for (let i = 0; i < N && all;) {
		const x0 = (start[i] - from) * scale, w = total[i] * scale, y = rowY(depth[i]) - top;
		if (x0 + w <= 0 || x0 >= width) { i = end[i]; continue; }
		if (w < MIN_WIDTH) { narrow += end[i] - i; i = end[i]; continue; }
		/* Deeper rows lie further out on the same side. */
		if (flame ? y < -ROW : y > height) { i = end[i]; continue; }
		if (flame ? y <= height : y >= -ROW) { drawNode(i, x0, x0 + w, y); drawn++; }
		i++;
	}
	if (hovered < 0 && selected < 0) status(-1);
}
function nodeAt(x, y) {
	const line = y + scroll.scrollTop;
	const d = flame ? Math.floor((Math.max(contentHeight(), height) - line) / ROW) : Math.floor(line / ROW);
	const v = from + x / width * (to - from), least = MIN_WIDTH * (to - from) / width;
	for (let i = 0; i < N && all;) {
		if (v < start[i] || v >= start[i] + total[i] || total[i] < least) { i = end[i]; continue; }
		if (depth[i] === d) return i;
		i++;
	}
	return -1;
}
