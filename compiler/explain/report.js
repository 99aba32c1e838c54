// report.js - draws the map of memory from the data in the page.  Only text is
// put into the page, never markup: names come from files.
"use strict";
(function () {
var d = JSON.parse(document.getElementById("data").textContent);
var canvas = document.getElementById("map");
var about = document.getElementById("about");
var find = document.getElementById("find");
var pen = canvas.getContext("2d");
var LEFT = canvas.clientWidth < 600 ? 58 : 76, TOP = 36, CURVE = 80, GAP = 20, STRIP = 12;
var depth = d.groups.reduce(function (n, g) { return Math.max(n, g[6] + 1); }, 0);
// the part that is shown: time in kernels, addresses in bytes
var whole = {x0: 0, x1: d.end, y0: 0, y1: d.bytes * 1.02};
var view = Object.assign({}, whole);
var size, hover = -1, pinned = -1, drag = null, wanted = "";

function name(n) { return d.names[n]; }
function begins(i) { return i < d.code.length ? d.code[i][2] : d.end; }
function bytes(b) {
	var units = ["B", "KiB", "MiB", "GiB", "TiB"], u = 0;
	while (b >= 1024 && u < units.length - 1) { b /= 1024; u++; }
	return (u ? b.toFixed(b < 9.995 ? 2 : 1) : b) + " " + units[u];
}
// the colours of the page, which follow the reader's choice of light and dark
var ink = {};
function colours() {
	var style = getComputedStyle(document.documentElement);
	["text", "soft", "grid", "curve", "slices", "red", "blue", "back"].forEach(
		function (n) { ink[n] = style.getPropertyValue("--" + n).trim(); });
}
// a step of 1, 2 or 5 times a power of `base` below which are about n in a span
function roundStep(span, n, base) {
	var rough = span / n, unit = Math.pow(base, Math.floor(
		Math.log(rough) / Math.log(base) + 1e-9));
	var times = (base === 10 ? [1, 2, 5, 10]
		: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
		.filter(function (t) { return t * unit >= rough; })[0];
	return Math.max(times * unit, 1);
}
// "1.5 GiB": no digits that are zero
function tick(b) {
	return bytes(b).replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " ");
}
function insn(i) {
	return i >= d.code.length ? "the end" : i + " " + d.ops[d.code[i][0]]
		+ " " + name(d.code[i][1]);
}

// ---- from data to the canvas and back ----
function px(x) { return LEFT + (x - view.x0) / (view.x1 - view.x0) * size.w; }
function py(y) { return TOP + size.h - (y - view.y0) / (view.y1 - view.y0) * size.h; }
function timeAt(px) {
	return view.x0 + (px - LEFT) / size.w * (view.x1 - view.x0);
}
function addressAt(py) {
	return view.y0 + (TOP + size.h - py) / size.h * (view.y1 - view.y0);
}
// the instruction that runs at a time
function insnAt(x) {
	var lo = 0, hi = d.code.length - 1;
	while (lo < hi) {
		var mid = (lo + hi + 1) >> 1;
		if (d.code[mid][2] <= x) lo = mid; else hi = mid - 1;
	}
	return lo;
}
function bufferAt(x, y) {
	var i = insnAt(x);
	for (var k = d.buffers.length - 1; k >= 0; k--) {
		var b = d.buffers[k];
		if (b[3] <= i && b[4] >= i && y >= b[1] && y < b[1] + b[2])
			return k;
	}
	return -1;
}

// ---- drawing ----
function measure() {
	var scale = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
	canvas.width = Math.round(box.width * scale);
	canvas.height = Math.round(box.height * scale);
	pen.setTransform(scale, 0, 0, scale, 0, 0);
	size = {w: box.width - LEFT - 4,
		h: box.height - TOP - GAP - CURVE - 8 - STRIP * depth};
}
function line(x0, y0, x1, y1, colour, width) {
	pen.strokeStyle = colour;
	pen.lineWidth = width || 1;
	pen.beginPath();
	pen.moveTo(x0, y0);
	pen.lineTo(x1, y1);
	pen.stroke();
}
function drawGrid() {
	pen.textAlign = "right";
	pen.fillStyle = ink.soft;
	var step = roundStep(view.y1 - view.y0, 5, 1024);
	for (var y = Math.ceil(view.y0 / step) * step; y <= view.y1; y += step) {
		line(LEFT, py(y), LEFT + size.w, py(y), ink.grid);
		pen.fillText(tick(y), LEFT - 6, py(y) + 4);
	}
}
// the numbers of the instructions, below the map
function drawAxis() {
	var from = insnAt(view.x0), to = insnAt(view.x1), until = -1;
	var step = roundStep(Math.max(to - from, 1), size.w / 90, 10);
	pen.fillStyle = ink.soft;
	pen.textAlign = "center";
	for (var i = Math.ceil(from / step) * step; i <= to; i += step) {
		var x = px(begins(i));
		if (x < LEFT || x > LEFT + size.w || x < until) continue;
		line(x, TOP + size.h, x, TOP + size.h + 3, ink.soft);
		pen.fillText(i, x, TOP + size.h + 13);
		until = x + 8 * String(i).length + 12;
	}
	pen.textAlign = "right";
	pen.fillText(LEFT < 70 ? "instr." : "instruction", LEFT - 6,
		TOP + size.h + 13);
}
// the start of a text that has room
function fit(text, room) {
	var n = Math.floor(room / pen.measureText("0").width);
	return text.length > n ? text.slice(0, Math.max(n - 1, 0)) + "\u2026" : text;
}
function drawBuffer(k) {
	var b = d.buffers[k];
	var x = px(begins(b[3])), w = px(begins(b[4] + 1)) - x;
	var y = py(b[1] + b[2]), h = py(b[1]) - y;
	if (x > LEFT + size.w || x + w < LEFT || y > TOP + size.h || y + h < TOP)
		return;
	var other = wanted && name(b[0]).toLowerCase().indexOf(wanted) < 0;
	pen.globalAlpha = other ? 0.15 : 1;
	pen.fillStyle = d.roles[b[5]][1];
	pen.fillRect(x, y, Math.max(w, 0.5), Math.max(h, 0.5));
	if (w > 3 && h > 3) {
		pen.strokeStyle = "#fff";
		pen.lineWidth = 0.5;
		pen.strokeRect(x, y, w, h);
	}
	var from = Math.max(x, LEFT), room = Math.min(x + w, LEFT + size.w) - from;
	if (h > 11 && room > 60) {
		var text = name(b[0]);
		var fits = Math.floor((room - 6) / pen.measureText("0").width);
		pen.fillStyle = "#222";
		pen.textAlign = "left";
		pen.fillText(text.length > fits ? "\u2026" + text.slice(1 - fits)
			: text, from + 3, Math.min(y + h, TOP + size.h) - 3);
	}
	pen.globalAlpha = 1;
}
function drawCurve() {
	var top = TOP + size.h + GAP, scale = CURVE / (d.bytes || 1);
	line(LEFT, top, LEFT + size.w, top, ink.red, 0.7);
	pen.beginPath();
	pen.moveTo(LEFT, top + CURVE);
	for (var i = insnAt(view.x0); i < d.code.length; i++) {
		var y = top + CURVE - d.code[i][3] * scale;
		pen.lineTo(Math.max(px(begins(i)), LEFT), y);
		pen.lineTo(Math.min(px(begins(i + 1)), LEFT + size.w), y);
		if (begins(i) > view.x1) break;
	}
	pen.lineTo(LEFT + size.w, top + CURVE);
	pen.fillStyle = ink.curve;
	pen.fill();
	pen.textAlign = "right";
	pen.fillStyle = ink.soft;
	pen.fillText("in use", LEFT - 6, top + CURVE / 2 + 4);
}
function drawGroups() {
	var top = TOP + size.h + GAP + CURVE + 6;
	d.groups.forEach(function (g) {
		var x = px(begins(g[1])), w = px(begins(g[2] + 1)) - x;
		var text = name(g[3]) + " " + g[4] + "\u00d7" + g[5];
		pen.fillStyle = ink.slices;
		pen.fillRect(x, top + STRIP * g[6], Math.max(w - 0.6, 0.5), STRIP - 1);
		if (w > text.length * 6) {
			pen.fillStyle = ink.text;
			pen.textAlign = "left";
			pen.fillText(text, Math.max(x, LEFT) + 3,
				top + STRIP * g[6] + STRIP - 3);
		}
	});
	if (depth) {
		pen.clearRect(0, top - 2, LEFT, STRIP * depth + 4);
		pen.textAlign = "right";
		pen.fillStyle = ink.soft;
		pen.fillText("slices", LEFT - 6, top + STRIP - 3);
	}
}
function drawPhases() {
	var until = LEFT;
	d.phases.forEach(function (f) {
		var x = px(begins(f[1])), text = name(f[0]) + " " + bytes(f[3]);
		if (x < LEFT - 1 || x > LEFT + size.w) return;
		line(x, TOP - 18, x, TOP + size.h + GAP + CURVE, ink.soft);
		pen.fillStyle = ink.text;
		var fits = x + 3 + text.length * 6 < LEFT + size.w;
		pen.textAlign = fits ? "left" : "right";
		if (x >= until || !fits)
			pen.fillText(text, fits ? x + 3 : x - 3, TOP - 8);
		until = x + text.length * 6 + 8;
	});
}
// what the pointer does; within the map
function drawPointer() {
	if (hover >= 0) {
		var b = d.buffers[hover], y = py(b[1] + b[2]);
		pen.strokeStyle = ink.text;
		pen.lineWidth = 1.5;
		pen.strokeRect(px(begins(b[3])), y,
			Math.max(px(begins(b[4] + 1)) - px(begins(b[3])), 1),
			Math.max(py(b[1]) - y, 1));
	}
	if (drag && drag.moved) {
		pen.fillStyle = "rgba(0,80,176,0.15)";
		pen.fillRect(drag.x, drag.y, drag.toX - drag.x, drag.toY - drag.y);
	}
}
function drawMarks() {
	var x = px((begins(d.peak) + begins(d.peak + 1)) / 2);
	if (x >= LEFT && x <= LEFT + size.w) {
		line(x, TOP - 30, x, TOP + size.h + GAP + CURVE, ink.red);
		pen.fillStyle = ink.red;
		var right = x > LEFT + size.w / 2;
		var room = (right ? x - 4 : size.w + LEFT - x - 4);
		pen.textAlign = right ? "right" : "left";
		pen.fillText(fit("most in use: " + insn(d.peak), room),
			x + (right ? -4 : 4), TOP - 24);
	}
	line(LEFT, py(d.bytes), LEFT + size.w, py(d.bytes), ink.red, 0.7);
	if (pinned >= 0)
		line(px(begins(pinned)), TOP, px(begins(pinned)),
			TOP + size.h + GAP + CURVE, ink.blue, 1.5);
}
function draw() {
	colours();
	pen.clearRect(0, 0, canvas.width, canvas.height);
	pen.font = "10.5px system-ui, sans-serif";
	drawGrid();
	pen.save();
	pen.beginPath();
	pen.rect(LEFT, TOP - 0.5, size.w, size.h + 1);
	pen.clip();
	for (var k = 0; k < d.buffers.length; k++)
		drawBuffer(k);
	drawPointer();
	pen.restore();
	drawAxis();
	drawCurve();
	drawGroups();
	drawPhases();
	drawMarks();
}

// ---- what is under the pointer, what lives at a time ----
function tell(x, y) {
	var i = insnAt(x), text = "";
	hover = bufferAt(x, y);
	if (hover >= 0) {
		var b = d.buffers[hover];
		text = name(b[0]) + "\n" + d.roles[b[5]][0] + " " + b[6] + ", "
			+ bytes(b[2]) + " (" + b[2] + " bytes) at " + b[1]
			+ "; lives from " + insn(b[3]) + " to " + insn(b[4]);
	}
	text += (text ? "\n" : "") + "now: " + insn(i) + "; "
		+ bytes(d.code[i][3]) + " in use";
	about.textContent = text;
}
// the text stands beside the pointer, within the window
function tellAt(e) {
	var box = canvas.parentNode.getBoundingClientRect();
	var w = about.offsetWidth, h = about.offsetHeight;
	var x = e.clientX - box.left + 14, y = e.clientY - box.top + 16;
	if (x + w > box.width) x = Math.max(e.clientX - box.left - w - 10, 0);
	if (e.clientY + 16 + h > window.innerHeight) y -= h + 26;
	about.style.left = x + "px";
	about.style.top = y + "px";
}
function cell(row, text, number) {
	var c = row.insertCell();
	c.textContent = text;
	if (number) c.className = "n";
	return c;
}
function listLive(i) {
	var box = document.getElementById("live"), table = document.createElement("table");
	var live = [], sums = d.roles.map(function () { return 0; });
	d.buffers.forEach(function (b) {
		if (b[3] > i || b[4] < i) return;
		live.push(b);
	});
	// what two of them share (in place) counts once
	live.sort(function (a, b) { return a[1] - b[1]; });
	live.reduce(function (top, b) {
		sums[b[5]] += Math.max(b[1] + b[2] - Math.max(top, b[1]), 0);
		return Math.max(top, b[1] + b[2]);
	}, 0);
	live.sort(function (a, b) { return b[2] - a[2]; });
	var title = document.createElement("p");
	title.textContent = "At " + insn(i) + " " + live.length + " buffers live, "
		+ bytes(d.code[i][3]) + " in use: " + d.roles.map(function (r, k) {
			return r[0] + " " + bytes(sums[k]);
		}).filter(function (t, k) { return sums[k]; }).join(", ")
		+ ". Left and right arrow: the instruction before and after.";
	live.slice(0, 20).forEach(function (b) {
		var row = table.insertRow(), kind;
		cell(row, bytes(b[2]), true).title = b[2] + " bytes";
		kind = cell(row, d.roles[b[5]][0]);
		kind.insertBefore(document.createElement("b"), kind.firstChild)
			.style.background = d.roles[b[5]][1];
		cell(row, name(b[0]));
		cell(row, b[3] + " to " + b[4], true);
	});
	box.replaceChildren(title, table);
}
function pin(i) {
	pinned = Math.max(0, Math.min(i, d.code.length - 1));
	listLive(pinned);
	draw();
}
function show(x0, x1, y0, y1) {
	view = {x0: x0, x1: x1, y0: y0, y1: y1};
	draw();
}

// ---- events ----
function place(e) {
	var box = canvas.getBoundingClientRect();
	return {x: e.clientX - box.left, y: e.clientY - box.top};
}
canvas.addEventListener("mousemove", function (e) {
	var p = place(e);
	if (drag) {
		drag.toX = p.x;
		drag.toY = p.y;
		drag.moved = drag.moved || Math.abs(p.x - drag.x) > 4
			|| Math.abs(p.y - drag.y) > 4;
	}
	about.hidden = p.x < LEFT || (drag && drag.moved);
	if (p.x >= LEFT) {
		tell(timeAt(p.x), addressAt(p.y));
		tellAt(e);
	}
	draw();
});
canvas.addEventListener("mousedown", function (e) {
	drag = place(e);
	drag.toX = drag.x;
	drag.toY = drag.y;
});
window.addEventListener("mouseup", function () {
	var g = drag;
	drag = null;
	if (!g) return;
	if (!g.moved) {
		if (g.x >= LEFT) pin(insnAt(timeAt(g.x)));
		return;
	}
	var x = [timeAt(Math.min(g.x, g.toX)), timeAt(Math.max(g.x, g.toX))];
	var y = [addressAt(Math.max(g.y, g.toY)), addressAt(Math.min(g.y, g.toY))];
	// a flat drag enlarges time alone
	if (Math.abs(g.toY - g.y) < 8) y = [view.y0, view.y1];
	x = [Math.max(x[0], 0), Math.min(x[1], d.end)];
	y = [Math.max(y[0], 0), Math.min(y[1], whole.y1)];
	if (x[1] - x[0] > 0.05 && y[1] - y[0] >= 256)
		show(x[0], x[1], y[0], y[1]);
	else
		draw();
});
canvas.addEventListener("mouseleave", function () {
	hover = -1;
	about.hidden = true;
	draw();
});
// ---- zoom and pan: the part shown stays within the whole ----
function span(from, length, least, end) {
	length = Math.min(Math.max(length, least), end);
	from = Math.min(Math.max(from, 0), end - length);
	return [from, from + length];
}
function move(x, y) {
	var w = view.x1 - view.x0, h = view.y1 - view.y0;
	var xs = span(view.x0 + x * w, w, w, whole.x1);
	var ys = span(view.y0 + y * h, h, h, whole.y1);
	show(xs[0], xs[1], ys[0], ys[1]);
}
// by a factor, (x, y) stays where it is
function zoom(x, y, byX, byY) {
	var xs = span(x - (x - view.x0) * byX, (view.x1 - view.x0) * byX,
		Math.min(1, whole.x1), whole.x1);
	var ys = span(y - (y - view.y0) * byY, (view.y1 - view.y0) * byY,
		Math.min(256, whole.y1), whole.y1);
	show(xs[0], xs[1], ys[0], ys[1]);
}
// the wheel enlarges time, with Shift addresses; sideways it moves.  The page
// scrolls under a map that has not been clicked
canvas.addEventListener("wheel", function (e) {
	var p = place(e), by = Math.exp(Math.max(-60, Math.min(e.deltaY, 60)) * 0.004);
	if (document.activeElement !== canvas || p.x < LEFT) return;
	e.preventDefault();
	if (Math.abs(e.deltaX) > Math.abs(e.deltaY) && !e.shiftKey)
		move(e.deltaX / size.w, 0);
	else if (e.shiftKey)
		zoom(timeAt(p.x), addressAt(p.y), 1, Math.exp((e.deltaY || e.deltaX) * 0.004));
	else
		zoom(timeAt(p.x), addressAt(p.y), by, 1);
}, {passive: false});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
function showWhole() { show(whole.x0, whole.x1, whole.y0, whole.y1); }
canvas.addEventListener("dblclick", showWhole);
document.getElementById("whole").addEventListener("click", showWhole);
canvas.addEventListener("keydown", function (e) {
	var step = {ArrowRight: 1, ArrowLeft: -1}[e.key];
	var by = {"+": 0.7, "=": 0.7, "-": 1 / 0.7}[e.key];
	if (e.ctrlKey || e.metaKey || e.altKey) return;
	if (step && e.shiftKey) move(step * 0.2, 0);
	else if (step) pin((pinned < 0 ? d.peak : pinned) + step);
	else if (e.key === "ArrowUp") move(0, 0.2);
	else if (e.key === "ArrowDown") move(0, -0.2);
	else if (by) zoom(begins(pinned < 0 ? d.peak : pinned),
		(view.y0 + view.y1) / 2, by, by);
	else if (e.key === "0" || e.key === "Escape") showWhole();
	else return;
	e.preventDefault();
});
find.addEventListener("input", function () {
	wanted = find.value.toLowerCase();
	var n = 0, sum = 0;
	d.buffers.forEach(function (b) {
		if (name(b[0]).toLowerCase().indexOf(wanted) < 0) return;
		n++;
		sum += b[2];
	});
	document.getElementById("found").textContent = wanted
		? n + " buffers, " + bytes(sum) + " in all" : "";
	draw();
});
document.querySelectorAll("tr[data-from]").forEach(function (row) {
	row.addEventListener("click", function () {
		var x0 = begins(+row.dataset.from), x1 = begins(+row.dataset.to + 1);
		var room = (x1 - x0) * 0.5;
		show(Math.max(x0 - room, 0), Math.min(x1 + room, d.end),
			whole.y0, whole.y1);
		canvas.scrollIntoView({block: "center"});
	});
});
window.addEventListener("resize", function () {
	LEFT = canvas.clientWidth < 600 ? 58 : 76;
	measure();
	draw();
});
canvas.style.height = 480 + STRIP * depth + CURVE + "px";
about.hidden = true;
measure();
pin(d.peak);
}());
