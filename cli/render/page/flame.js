/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zoom, search, keys and the state of the page.
 * window.sonde is for tests: { frames, total, drawn, depth, span, names, box(name), at(x, y) }.
 */
/* ---- zoom ---- */
function reveal(i) {
	const y = rowY(depth[i]);
	if (y < scroll.scrollTop || y + ROW > scroll.scrollTop + height)
		scroll.scrollTop = flame ? y - height + 4 * ROW : y - 3 * ROW;
}
function trail() {
	const line = $("trail");
	$("reset").disabled = zoomed === 0;
	line.replaceChildren();
	if (zoomed === 0) return;
	line.append("Zoomed to ", element("b", "", nameOf(zoomed)), `, ${percent(total[zoomed], all)} of all`);
}
function zoom(i, animate) {
	const f0 = from, t0 = to, f1 = start[i] || 0, t1 = f1 + (total[i] || 0);
	zoomed = i;
	trail();
	remember();
	if (N) reveal(i);
	glide(animate, (share) => {
		from = share < 1 ? f0 + (f1 - f0) * share : f1;
		to = share < 1 ? t0 + (t1 - t0) * share : t1;
		schedule();
	});
}
function setFlame(on) {
	flame = on;
	$("layout").textContent = flame ? "Flame" : "Icicle";
	$("layout").setAttribute("aria-pressed", flame);
	scroll.scrollTop = flame ? contentHeight() : 0;
	remember();
	schedule();
}
/* Another choice of processes, or order: where we were stays, if it is still there. */
function rearrange() {
	const at = N ? origin[zoomed] : 0, marked = selected >= 0 ? origin[selected] : -1;
	build($("process").value, $("order").value);
	selected = marked >= 0 ? placeOf[marked] : -1;
	hovered = -1;
	theme();
	resize();
	search($("search").value);
	zoom(Math.max(placeOf[at], 0), false);
}

/* ---- search: nested matches count once ---- */
function search(text) {
	let covered = 0, nodes = 0;
	const label = $("matched");
	if (!text) {
		matches = null;
		label.textContent = "";
		label.className = "";
	} else {
		const match = pattern(text);
		matches = data.names.map((name) => match.test(name));
		for (let i = 1, until = 0; i < N; i++) {
			if (!matches[frame[i]]) continue;
			nodes++;
			if (i < until) continue;
			covered += total[i];
			until = end[i];
		}
		label.textContent = nodes ? percent(covered, all) + " matched" : "no match";
		label.title = `${count(nodes)} frames, ${value(covered)}`;
		label.className = "on";
	}
	remember();
	schedule();
}

/* ---- what is under the pointer ---- */
function status(i) {
	$("status").textContent = i < 0
		? `${count(Math.max(N - 1, 0))} frames, ${deepest} deep, ${value(all)}` + (narrow ? `; ${count(narrow)} too narrow to draw at this zoom` : "")
		: `${nameOf(i)}: total ${value(total[i])} (${percent(total[i], all)}), self ${value(self[i])} (${percent(self[i], all)})`;
}
function tip(i, x, y) {
	if (i < 0) { $("tip").style.visibility = "hidden"; return; }
	/* Of processes that are merged the number of the first one would mislead. */
	const merged = kindOf(i) === PROCESS && $("process").value === "";
	const table = element("table"), from_ = merged ? "" : binaryOf(i), kind = data.kinds[kindOf(i)] + (inlined.has(frame[i]) ? ", inlined" : "");
	for (const [label, n] of [["total", total[i]], ["self", self[i]]]) {
		const zoomPart = zoomed ? [percent(n, total[zoomed]) + " of zoom"] : [];
		tipRow(table, label, value(n), percent(n, all), ...zoomPart);
	}
	if (changes) tipRow(table, "before", percent(before[i], before[0]), `${changes[i] >= 0 ? "+" : ""}${(100 * changes[i]).toFixed(2)} points`);
	$("tip").replaceChildren(element("div", "name", nameOf(i)), element("div", "from", (from_ ? from_ + " · " : "") + kind), table);
	placeTip(x, y);
}
function hover(i, x, y) {
	if (i !== hovered) {
		hovered = i;
		status(i < 0 ? selected : i);
		canvas.style.cursor = i < 0 ? "default" : "pointer";
		schedule();
	}
	tip(i, x, y);
}

/* ---- the state, in the fragment ---- */
let restoring = true;
function remember() {
	if (restoring) return;
	writeFragment({ layout: flame ? "flame" : "", order: $("order").value === data.order ? "" : $("order").value, process: $("process").value,
		search: $("search").value, zoom: zoomed ? origin[zoomed] : "", at: selected >= 0 ? origin[selected] + 1 : "" });
}
function choose(list, text) {
	list.value = text || "";
	if (list.selectedIndex < 0) list.selectedIndex = 0;
}
function restore() {
	const q = readFragment(), place = (text) => (/^\d+$/.test(text || "") && Number(text) < data.frame.length ? placeOf[Number(text)] : -1);
	restoring = true;
	choose($("order"), q.has("order") ? q.get("order") : data.order);
	choose($("process"), q.get("process"));
	$("search").value = q.get("search") || "";
	selected = -1;
	rearrange();
	setFlame(q.get("layout") === "flame");
	selected = place(String(Number(q.get("at") || 0) - 1));
	zoom(Math.max(place(q.get("zoom")), 0), false);
	if (selected >= 0) { reveal(selected); status(selected); }
	restoring = false;
}

/* ---- keys ---- */
function walk(key) {
	let i = selected < 0 ? zoomed : selected;
	const out = flame ? "ArrowUp" : "ArrowDown", back = flame ? "ArrowDown" : "ArrowUp";
	if (selected < 0) { /* the first key selects where we are */ }
	else if (key === out) { if (end[i] > i + 1) i++; }
	else if (key === back) { if (i) i = parent[i]; }
	else if (key === "ArrowRight") { if (i && end[i] < end[parent[i]]) i = end[i]; }
	else if (i && i > parent[i] + 1) {
		let s = parent[i] + 1;
		while (end[s] < i) s = end[s];
		i = s;
	}
	selected = i;
	reveal(i);
	status(i);
	remember();
	schedule();
}
function escape() {
	if (selected >= 0) { selected = -1; remember(); }
	else if (!zoomed) { $("search").value = ""; search(""); }
	if (zoomed) zoom(0, true);
	schedule();
}
/* The next frame that matches what is searched for, in pre-order; from the last one to the first. */
function nextMatch(step) {
	if (!matches) return;
	for (let k = 1; k <= N; k++) {
		const i = (Math.max(selected, 0) + step * k + N * k) % N;
		if (i && matches[frame[i]]) {
			selected = i;
			if (total[i] * width / (to - from) < TEXT_MIN || start[i] < from || start[i] >= to) zoom(parent[i], true);
			reveal(i);
			status(i);
			remember();
			schedule();
			return;
		}
	}
}
const KEYS = {
	"/": () => $("search").select(),
	"?": toggleHelp,
	i: () => setFlame(!flame),
	o: () => { $("order").selectedIndex = ($("order").selectedIndex + 1) % $("order").options.length; rearrange(); },
	c: copyLink,
	Enter: () => selected >= 0 && zoom(selected, true),
	n: () => nextMatch(1),
	N: () => nextMatch(-1),
};
onKeys({ canvas, keys: KEYS, search, nextMatch, escape, walk: (key) => all && walk(key) });
canvas.addEventListener("mousemove", (e) => {
	const box = canvas.getBoundingClientRect();
	hover(nodeAt(e.clientX - box.left, e.clientY - box.top), e.clientX, e.clientY);
});
canvas.addEventListener("mouseleave", () => hover(-1, 0, 0));
canvas.addEventListener("click", (e) => {
	const box = canvas.getBoundingClientRect(), i = nodeAt(e.clientX - box.left, e.clientY - box.top);
	if (i < 0) return;
	selected = -1;
	zoom(i === zoomed ? Math.max(parent[i], 0) : i, true);
});
scroll.addEventListener("scroll", () => { tip(-1); schedule(); });
$("search").addEventListener("input", (e) => search(e.target.value));
$("reset").addEventListener("click", () => zoom(0, true));
$("link").addEventListener("click", copyLink);
$("layout").addEventListener("click", () => setFlame(!flame));
$("order").addEventListener("change", rearrange);
$("process").addEventListener("change", rearrange);
addEventListener("resize", resize);
addEventListener("hashchange", restore);
darkQuery.addEventListener("change", () => { theme(); schedule(); });

/* ---- the header ---- */
showTitle([data.target, data.period, `${count(data.count)} ${data.counted}`], `${count(data.lost)} lost`);
/* Of samples nobody knows: they are kept without their times. */
if (!data.first) $("order").querySelector("[value=time]").remove();
const roots = processes();
for (const p of roots) {
	const option = element("option", "", [data.names[p.frame], data.binaries[data.binary[p.frame]]].filter(Boolean).join(" · "));
	option.value = p.frame;
	$("process").append(option);
}
$("process").hidden = roots.length < 2;
/* One process a name: they are each on their own as it is. */
if (new Set(roots.map((p) => canonical[p.frame])).size === roots.length) $("process").options[1].remove();
helpSetUp([["click", "zoom to a frame; click it again for its caller"], ["← ↑ ↓ →", "walk from frame to frame"],
	["Enter", "zoom to the frame walked to"], ["Esc", "show everything again; then forget the search"],
	["/", "search: text or a regular expression"], ["n N", "next match, the one before"],
	["i", "icicle (root at the top) or flame (root at the bottom)"], ["o", "order: largest first, by name, or by time where that is known"],
	["c", "copy a link to what is shown now"], ["?", "these keys"]]);
restore();
if (!all) { $("empty").hidden = false; scroll.hidden = true; }

window.sonde = {
	get frames() { return Math.max(N - 1, 0); },
	get total() { return all; },
	get drawn() { draw(); return drawn; },
	get depth() { return deepest; },
	get span() { return to - from; },
	get zoomed() { return nameOf(zoomed); },
	get selected() { return selected < 0 ? null : nameOf(selected); },
	get names() { return data.names; },
	/* Where the widest frame of that name is in the window, and its share of all; null: nowhere. */
	box(name) {
		let widest = -1;
		for (let i = 0; i < N; i++) if (nameOf(i) === name && (widest < 0 || total[i] > total[widest])) widest = i;
		if (widest < 0) return null;
		const scale = width / (to - from || 1), place = canvas.getBoundingClientRect();
		return { x: place.left + (start[widest] - from) * scale, y: place.top + rowY(depth[widest]) - scroll.scrollTop,
			width: total[widest] * scale, height: ROW, share: all ? 100 * total[widest] / all : 0, row: depth[widest] };
	},
	at(x, y) { const i = nodeAt(x, y); return i < 0 ? null : { name: nameOf(i), binary: binaryOf(i), kind: data.kinds[kindOf(i)], total: total[i], self: self[i] }; },
};
