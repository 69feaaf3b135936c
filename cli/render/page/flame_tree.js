/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data holds the tree in pre-order as parallel arrays (frame, depth, self, before). What is
 * shown is another tree that is made of it: processes of one name merged or each on its own or
 * one alone, siblings in one of several orders. Its nodes are in pre-order, too: parent, end (the
 * first node behind a subtree), total and start are derived. `origin` is the number of the first
 * node of the data that a node shows, which stays the same whatever is shown: links name it.
 */
const data = JSON.parse($("data").textContent);
const PROCESS = data.kinds.indexOf("process");
let N = 0, deepest = 0, all = 0;
let frame, depth, self, before, parent, end, total, start, origin, placeOf;

const nameOf = (i) => data.names[frame[i]];
const kindOf = (i) => data.kind[frame[i]];
const binaryOf = (i) => data.binaries[data.binary[frame[i]]];
const inlined = new Set(data.inlined);

/* Of processes with one name the first frame stands for all. */
const canonical = (() => {
	const first = new Map(), of = new Uint32Array(data.names.length);
	data.names.forEach((name, f) => {
		of[f] = f;
		if (data.kind[f] !== PROCESS) return;
		if (first.has(name)) of[f] = first.get(name); else first.set(name, f);
	});
	return of;
})();

/* Which process frames stand below the root, with what they have in all. */
function processes() {
	const sums = new Map();
	let at = -1;
	data.depth.forEach((d, i) => {
		if (d === 1) at = data.kind[data.frame[i]] === PROCESS ? data.frame[i] : -1;
		if (at >= 0) sums.set(at, (sums.get(at) || 0) + data.self[i]);
	});
	return [...sums].map(([f, sum]) => ({ frame: f, sum })).sort((a, b) => b.sum - a.sum);
}

/* The nodes to show, children behind their parents but in no order yet; of[] maps the data's. */
function gather(shown) {
	const merge = shown === "", only = /^\d+$/.test(shown) ? Number(shown) : -1;
	const known = new Map(), path = [], of = new Int32Array(data.frame.length).fill(-1);
	const g = { frame: [], up: [], self: [], before: [], total: [], origin: [], first: [], of };
	for (let i = 0; i < data.frame.length; i++) {
		const d = data.depth[i], f = merge ? canonical[data.frame[i]] : data.frame[i];
		const up = d ? path[d - 1] : -1;
		if (up < 0 && d) { path[d] = -1; continue; }
		if (d === 1 && only >= 0 && f !== only) { path[d] = -1; continue; }
		const key = (up + 1) * data.names.length + f;
		let node = known.get(key);
		if (node === undefined) {
			node = g.frame.push(f) - 1;
			known.set(key, node);
			g.up.push(up);
			g.self.push(0);
			g.before.push(0);
			g.total.push(0);
			g.origin.push(i);
			g.first.push(Infinity);
		}
		path[d] = of[i] = node;
		g.self[node] += data.self[i];
		g.total[node] += data.self[i];
		if (data.before) g.before[node] += data.before[i];
		if (data.first && data.first[i] !== null) g.first[node] = Math.min(g.first[node], data.first[i]);
	}
	/* What merges several began with the first of them; so did who called it. */
	for (let i = g.frame.length - 1; i > 0; i--) {
		g.first[g.up[i]] = Math.min(g.first[g.up[i]], g.first[i]);
		g.total[g.up[i]] += g.total[i];
	}
	return g;
}

function build(shown, order) {
	const g = gather(shown), n = g.frame.length, children = Array.from({ length: n }, () => null);
	const todo = n ? [0] : [], place = new Int32Array(n), next = new Float64Array(n);
	const name = (i) => data.names[g.frame[i]];
	const byName = (a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : g.origin[a] - g.origin[b]);
	const bySize = (a, b) => g.total[b] - g.total[a] || byName(a, b);
	const byTime = (a, b) => (g.first[a] === g.first[b] ? bySize(a, b) : g.first[a] - g.first[b]);
	const compareChildren = order === "name" ? byName : order === "time" ? byTime : bySize;
	for (let i = 1; i < n; i++) (children[g.up[i]] ||= []).push(i);
	N = n;
	deepest = 0;
	frame = new Uint32Array(n); depth = new Uint32Array(n); origin = new Uint32Array(n);
	self = new Float64Array(n); total = new Float64Array(n); start = new Float64Array(n);
	parent = new Int32Array(n); end = new Uint32Array(n);
	before = data.before ? new Float64Array(n) : null;
	for (let at = 0; todo.length; at++) {
		const i = todo.pop(), up = at ? place[g.up[i]] : -1, below = children[i];
		place[i] = at;
		frame[at] = g.frame[i]; self[at] = g.self[i]; total[at] = g.total[i]; origin[at] = g.origin[i];
		parent[at] = up;
		depth[at] = at ? depth[up] + 1 : 0;
		if (depth[at] > deepest) deepest = depth[at];
		start[at] = next[at] = at ? next[up] : 0;
		if (at) next[up] += total[at];
		if (before) before[at] = g.before[i];
		if (!below) continue;
		below.sort(compareChildren);
		for (let k = below.length - 1; k >= 0; k--) todo.push(below[k]);
	}
	for (let i = n - 1; i >= 0; i--) {
		end[i] = Math.max(end[i], i + 1);
		if (i) end[parent[i]] = Math.max(end[parent[i]], end[i]);
	}
	placeOf = g.of.map((node) => (node < 0 ? -1 : place[node]));
	all = n ? total[0] : 0;
}
