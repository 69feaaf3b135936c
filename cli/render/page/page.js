/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every page of sonde does: words, colours, text that fits, state in the fragment, help. */
const $ = (id) => document.getElementById(id);
const CHAR = 7.23;
const MONO = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const darkQuery = matchMedia("(prefers-color-scheme: dark)");
const css = {};

function readColors() {
	const style = getComputedStyle(document.documentElement);
	for (const v of ["bg", "panel", "line", "text", "dim", "mark", "mark-text", "accent", "warn"])
		css[v] = style.getPropertyValue("--" + v).trim();
}
function hash(text) {
	let h = 2166136261;
	for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
	return (h ^ (h >>> 15)) >>> 0;
}

/* ---- numbers and words ---- */
const count = (n) => n.toLocaleString("en-US");
const words = (n, one) => `${count(n)} ${one}${n === 1 ? "" : "s"}`;
function duration(ns) {
	for (const [unit, factor] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]])
		if (ns >= factor) return (ns / factor).toPrecision(ns >= 1000 * factor ? 6 : 3).replace(/e.*/, "") + " " + unit;
	return Math.round(ns) + " ns";
}
const percent = (part, whole) => (whole ? 100 * part / whole : 0).toFixed(2) + " %";
function element(tag, className, text) {
	const e = document.createElement(tag);
	if (className) e.className = className;
	if (text !== undefined) e.textContent = text;
	return e;
}
/* The text as it stands, for a regular expression. */
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
/* A regular expression, or where it is none the text as it stands. */
function pattern(text) {
	try {
		return new RegExp(text, "i");
	} catch (e) {
		return new RegExp(literal(text), "i");
	}
}
/* The name as it fits: by arithmetic for ASCII, whose width is known, else by measuring. */
function fit(ctx, name, room) {
	const max = Math.floor(room / CHAR);
	if (/^[\x20-\x7e]*$/.test(name))
		return name.length <= max ? name : max < 3 ? "" : name.slice(0, max - 1) + "…";
	const chars = Array.from(name.slice(0, 2 * max + 2));
	let text = chars.join("");
	if (text.length === name.length && ctx.measureText(text).width <= room) return text;
	let low = 0, high = chars.length;
	while (low < high) {
		const mid = (low + high + 1) >> 1;
		if (ctx.measureText(chars.slice(0, mid).join("") + "…").width <= room) low = mid; else high = mid - 1;
	}
	return low ? chars.slice(0, low).join("") + "…" : "";
}
function placeTip(x, y) {
	const box = $("tip"), w = box.offsetWidth, h = box.offsetHeight;
	box.style.left = Math.max(4, Math.min(x + 14, innerWidth - w - 8)) + "px";
	box.style.top = (y + 18 + h > innerHeight - 4 ? Math.max(4, y - h - 12) : y + 18) + "px";
	box.style.visibility = "visible";
}
function tipRow(table, ...cells) {
	const row = table.insertRow();
	for (const text of cells) row.insertCell().textContent = text;
}

/* Of what does not fit the facts are cut, never what is missing. */
function showTitle(facts, missing) {
	document.title = data.title + " · sonde";
	$("title").textContent = $("title").title = data.title;
	$("subtitle").append(element("span", "facts", facts.filter(Boolean).map((s) => s + " · ").join("")));
	$("subtitle").append(element("span", missing.startsWith("0 ") ? "" : "lost", missing));
	$("subtitle").title = $("subtitle").textContent;
}

/* The page's canvas becomes as large as what scrolls, for content of that height. */
function fitCanvas(content) {
	const ratio = devicePixelRatio || 1;
	height = scroll.clientHeight;
	canvas.style.height = height + "px";
	$("space").style.height = Math.max(content, height) + "px";
	/* Only now, as a scroll bar may have come or gone with the heights. */
	width = scroll.clientWidth;
	canvas.width = Math.round(width * ratio);
	canvas.height = Math.round(height * ratio);
}

/* ---- motion: step(share) from 0 to 1, slower towards the end; another one ends it ---- */
let motion = 0;
function glide(animate, step) {
	const begin = performance.now(), id = ++motion;
	if (!animate || matchMedia("(prefers-reduced-motion: reduce)").matches) {
		step(1);
		return;
	}
	(function frame(now) {
		if (id !== motion) return;
		const t = Math.min(Math.max((now - begin) / 180, 0), 1);
		step(t < 1 ? 1 - Math.pow(1 - t, 3) : 1);
		if (t < 1) requestAnimationFrame(frame);
	})(begin);
}

/* ---- keys: Escape, the search field and arrows are alike everywhere, the rest is the page's ---- */
function onKeys({ canvas, keys, search, nextMatch, escape, walk }) {
	document.addEventListener("keydown", (e) => {
		const field = $("search"), typing = e.target === field;
		if (e.ctrlKey || e.metaKey || e.altKey || ($("help").open && e.key !== "?")) return;
		if (e.key === "Escape") {
			if (typing && field.value) { field.value = ""; search(""); }
			else if (typing) canvas.focus();
			else escape();
		} else if (typing) {
			if (e.key === "Enter") { canvas.focus(); nextMatch(1); }
		} else if (e.target.tagName === "SELECT" || (e.key === "Enter" && e.target.tagName === "BUTTON")) {
			return;
		} else if (e.key.startsWith("Arrow")) {
			e.preventDefault();
			canvas.focus({ preventScroll: true });
			walk(e.key);
		} else if (keys[e.key]) {
			e.preventDefault();
			keys[e.key]();
		}
	});
}

/* ---- the whole state stands in the fragment, so that a link shows what is seen now ---- */
const readFragment = () => new URLSearchParams(location.hash.slice(1));
function writeFragment(state) {
	const q = new URLSearchParams();
	for (const [key, value] of Object.entries(state)) if (value) q.set(key, value);
	const text = q.toString(), url = text ? "#" + text : location.href.replace(/#.*/, "");
	if (location.hash.slice(1) === text) return;
	/* A browser may refuse when asked too often; the next change says it then. */
	try { history.replaceState(null, "", url); } catch (e) { /* as it was */ }
}
async function copyLink() {
	const button = $("link");
	let done = false;
	/* What is seen now may not stand in the address yet. */
	remember();
	try {
		await navigator.clipboard.writeText(location.href);
		done = true;
	} catch (e) {
		const field = element("textarea");
		field.value = location.href;
		document.body.append(field);
		field.select();
		done = document.execCommand("copy");
		field.remove();
	}
	const text = button.textContent;
	button.textContent = done ? "Copied" : "See address";
	setTimeout(() => { button.textContent = text; }, 1200);
}

/* ---- help: of the keys that a page tells of ---- */
function toggleHelp() {
	if ($("help").open) $("help").close(); else $("help").showModal();
}
function helpSetUp(keys) {
	const table = element("table");
	for (const [key, text] of keys) {
		const row = table.insertRow(), cell = row.insertCell();
		key.split(" ").forEach((k) => cell.append(element("kbd", "", k), " "));
		row.insertCell().textContent = text;
	}
	$("help").append(element("h2", "", "Keys and pointer"), table);
	$("help").addEventListener("click", () => $("help").close());
}
