/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data: JSON says who and where, a compressed block has the numbers (see timeline_html.h for
 * their order). Times are nanoseconds from the first span on: as those since the epoch would not
 * fit a number of JavaScript. A row has levels of detail; level 0 is its spans, of others each box
 * stands for several that are closer than 2^shift ns. Samples and waits are by thread and time.
 */
const data = JSON.parse($("data").textContent);
const LENGTH = Math.max(data.length, 1);
const FLAG = { error: 1, unwound: 2, kernel: 4, instant: 8 };

async function unpack(text) {
	let bytes;
	if (Uint8Array.fromBase64) bytes = Uint8Array.fromBase64(text);
	else {
		const raw = atob(text);
		bytes = new Uint8Array(raw.length);
		for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
	}
	const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
	return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* Half octaves of durations: 0 for none at all, else 1 + 2 log2. */
const LATENCIES = 130;
const latency = (ns) => (ns < 1 ? 0 : 1 + Math.floor(2 * Math.log2(ns)));
const latencyFrom = (bin) => (bin < 1 ? 0 : 2 ** ((bin - 1) / 2));

function decode(bytes) {
	let pos = 0;
	function varint() {
		let b = bytes[pos++], v = b & 127;
		for (let f = 128; b > 127; f *= 128) {
			b = bytes[pos++];
			v += (b & 127) * f;
		}
		return v;
	}
	function column(array) {
		for (let i = 0; i < array.length; i++) array[i] = varint();
		return array;
	}
	function level(shift, n) {
		const l = { n, shift, start: new Float64Array(n), length: null, fn: null };
		column(l.start);
		l.length = column(new Float64Array(n));
		l.fn = column(new Uint32Array(n));
		for (let i = 0, end = 0; i < n; i++) {
			l.start[i] += end;
			end = l.start[i] + l.length[i];
		}
		if (shift) {
			l.share = column(new Uint8Array(n));
			l.count = column(new Uint32Array(n));
			return l;
		}
		l.flags = bytes.slice(pos, pos += n);
		l.offcpu = data.offcpu ? column(new Float64Array(n)) : null;
		l.latency = new Uint8Array(n);
		for (let i = 0; i < n; i++) l.latency[i] = latency(l.length[i]);
		return l;
	}
	function counter({ process, name, n }) {
		const c = { process, name, n, time: column(new Float64Array(n)), value: new Float64Array(n) };
		const view = new DataView(bytes.buffer, bytes.byteOffset + pos, 8 * n);
		for (let i = 0; i < n; i++) {
			if (i) c.time[i] += c.time[i - 1];
			c.value[i] = view.getFloat64(8 * i, true);
		}
		pos += 8 * n;
		return c;
	}
	function starts(n) {
		const start = column(new Float64Array(n));
		for (let i = 1; i < n; i++) start[i] += start[i - 1];
		return start;
	}
	function sampled({ thread, cpu: n, waits: m }) {
		const cpu = { n, start: starts(n) }, waits = { n: m, start: starts(m), length: column(new Float64Array(m)) };
		cpu.stack = column(new Uint32Array(n));
		waits.stack = column(new Uint32Array(m));
		/* How long those before it were together; what is not known is seen all the same. */
		waits.before = new Float64Array(m);
		for (let i = 1; i < m; i++) waits.before[i] = waits.before[i - 1] + Math.max(Math.min(waits.length[i - 1], waits.start[i] - waits.start[i - 1]), 1);
		return { thread, cpu, waits };
	}
	const rows = data.rows.map((r) => ({ thread: r.thread, depth: 0, up: null, down: null, levels: r.levels.map(([shift, n]) => level(shift, n)) }));
	const samples = data.samples.map(sampled), stacks = { parent: column(new Uint32Array(data.stacks)), frame: column(new Uint32Array(data.stacks)) };
	return { rows, samples, stacks, counters: data.counters.map(counter) };
}

/* The last box that begins at or before a time; -1: none. */
function lastBefore(l, t) {
	let low = 0, high = l.n;
	while (low < high) {
		const mid = (low + high) >> 1;
		if (l.start[mid] <= t) low = mid + 1; else high = mid;
	}
	return low - 1;
}
/* Rows of a thread follow each other, outermost first. What a span has for itself: without those below. */
function connect(rows) {
	rows.forEach((row, k) => {
		const l = row.levels[0], up = k && rows[k - 1].thread === row.thread ? rows[k - 1] : null;
		l.self = l.length.slice();
		if (!up) return;
		row.up = up;
		up.down = row;
		row.depth = up.depth + 1;
		const p = up.levels[0];
		for (let i = 0, at = 0; i < l.n; i++) {
			while (at + 1 < p.n && p.start[at + 1] <= l.start[i]) at++;
			p.self[at] = Math.max(p.self[at] - l.length[i], 0);
		}
	});
}
const { rows, counters, samples, stacks } = decode(await unpack($("numbers").textContent));
connect(rows);
$("numbers").textContent = "";

/* ---- words ---- */
const threadName = (thread) => {
	const { name, tid } = data.threads[thread];
	return name && name !== processOf(thread).comm ? `${tid} ${name}` : String(tid);
};
const processOf = (thread) => data.processes[data.threads[thread].process];
/* An offset as seconds, exact to the nanosecond, with as many places as the step needs. */
function seconds(t, step) {
	const whole = Math.round(Math.abs(t)), s = Math.floor(whole / 1e9);
	const places = step >= 1e9 ? 0 : Math.min(9, Math.max(1, Math.ceil(9 - Math.log10(step) - 1e-9)));
	const fraction = String(whole - s * 1e9).padStart(9, "0").slice(0, places);
	return (t < 0 ? "−" : "") + count(s) + (places ? "." + fraction.replace(/(\d{3})(?=\d)/g, "$1\u2009") : "") + " s";
}
/* The time of day, local, exact to the nanosecond. */
function clock(t) {
	const ns = BigInt(data.zero_us) * 1000n + BigInt(data.zero_ns) + BigInt(Math.round(t));
	const day = new Date(Number(ns / 1000000n));
	return day.toTimeString().slice(0, 8) + "." + String(ns % 1000000000n).padStart(9, "0");
}
