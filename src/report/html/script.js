"use strict";
// Everything shown comes in as text (textContent) or as numbers; nothing is parsed as markup.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const state = { search: "", hidden: new Set(), session: "", sort: null, open: new Set() };
  let details = null, sessions = null, rows = [];

  const by = (id) => document.getElementById(id);
  const parsed = (id) => JSON.parse(by(id).textContent);
  function make(name, className, ...children) {
    const element = document.createElement(name);
    if (className) element.className = className;
    element.append(...children);
    return element;
  }
  function draw(name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  const number = (value) => Math.abs(value) >= 1e6 ? value.toPrecision(6) : String(+value.toPrecision(4));
  // These three write as the program does in text.
  const signed = (value) => {
    const text = value.toFixed(Math.abs(value) < 0.995 ? 2 : 1);
    return (/^-?0\.0+$/.test(text) ? "0" : (value > 0 ? "+" : "") + text) + " %";
  };
  const bracket = (lo, hi) => "[" + [lo, hi].map((value) => signed(value).slice(0, -2)).join(", ") + "]";
  function seconds(value) {
    if (value < 59.95) return value.toFixed(value < 9.995 ? 2 : 1) + "s";
    const [whole, units] = value < 3599.5 ? [Math.round(value), "ms"] : [Math.round(value / 60), "hm"];
    return Math.floor(whole / 60) + units[0] + String(whole % 60).padStart(2, "0") + units[1];
  }
  const plural = (count, noun) => count + " " + noun + (count === 1 ? "" : "s");
  const percentOf = (log, direction) => 100 * (direction === "higher" ? Math.expm1(log) : -Math.expm1(-log));

  // --- the table: search, filters, order -------------------------------------------------------

  function start() {
    details = null;
    sessions = parsed("sessions");
    rows = [...document.querySelectorAll("#table > tbody > tr")];
    for (const row of rows) row.firstChild.firstChild.onclick = () => toggle(row);
    const form = document.querySelector(".controls");
    if (form) controls(form);
    for (const svg of document.querySelectorAll("svg.progress")) pointing(svg);
    for (const run of state.open) {
      const row = by("run-" + run);
      if (row) toggle(row, true);
    }
  }

  function controls(form) {
    form.hidden = false;
    form.onsubmit = (event) => event.preventDefault();
    const search = by("search");
    search.value = state.search;
    search.oninput = () => { state.search = search.value; filter(); };
    for (const box of form.querySelectorAll("input[type=checkbox]")) {
      box.checked = !state.hidden.has(box.value);
      box.onchange = () => { state.hidden[box.checked ? "delete" : "add"](box.value); filter(); };
    }
    const session = by("session");
    if (session) {
      session.value = state.session;
      session.onchange = () => { state.session = session.value; filter(); };
    }
    [...document.querySelectorAll("#table > thead th")].forEach((heading, column) => {
      const button = make("button", "sort", heading.textContent);
      button.type = "button";
      button.onclick = () => {
        const again = state.sort && state.sort.column === column;
        state.sort = { column, up: again ? !state.sort.up : true };
        sort();
      };
      heading.replaceChildren(button);
    });
    if (state.sort) sort();
    filter();
  }

  function filter() {
    const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.words ??= row.textContent.toLowerCase();
      row.hidden = state.hidden.has(row.className) || (state.session && row.dataset.session !== state.session)
        || !words.every((word) => row.words.includes(word));
      if (row.below) row.below.hidden = row.hidden;
      shown += !row.hidden;
    }
    by("count").textContent = shown + " of " + rows.length + " runs";
  }

  function sort() {
    const { column, up } = state.sort;
    const key = (row) => {
      const cell = row.cells[column];
      if (column === 0) return +cell.textContent;
      if (cell.dataset.v !== undefined) return +cell.dataset.v;
      return cell.textContent;
    };
    const order = rows.map((row) => [key(row), row]).sort(([a], [b]) => {
      // What has no figure comes last, whichever way round.
      if ((a === "") !== (b === "")) return a === "" ? 1 : -1;
      const less = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
      return up ? less : -less;
    });
    const all = document.createDocumentFragment();
    for (const [, row] of order) {
      all.append(row);
      if (row.below) all.append(row.below);
    }
    document.querySelector("#table > tbody").append(all);
    document.querySelectorAll("#table > thead th").forEach((heading, index) => {
      if (index === column) heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    });
  }

  // --- the details of one run ------------------------------------------------------------------

  function toggle(row, open = !row.below) {
    const button = row.firstChild.firstChild, run = row.id.slice(4);
    button.setAttribute("aria-expanded", String(open));
    if (open && !row.below) {
      details ??= parsed("details");
      const cell = make("td", "", detail(run, row, details[run] || {}));
      cell.colSpan = row.cells.length;
      row.below = make("tr", "detail", cell);
      row.after(row.below);
      state.open.add(run);
    } else if (!open && row.below) {
      row.below.remove();
      row.below = null;
      state.open.delete(run);
    }
  }

  function detail(run, row, data) {
    const direction = sessions[row.dataset.session];
    const box = make("div", "box");
    const part = (title, ...children) => box.append(make("section", "part", make("h3", "", title), ...children));
    box.append(make("h2", "", "Run " + run + ": " + row.querySelector(".what").textContent), make("p", "", data.sentence || ""));
    if (data.detail) box.append(make("pre", "", data.detail));
    for (const difference of data.differences || []) box.append(make("p", "bad", "Does not follow from the pairs: " + difference));
    if (data.notes) part("Hypothesis and notes", list(Object.entries(data.notes).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)])));
    if (data.knobs) part("Knobs", list(Object.entries(data.knobs)));
    if (data.gains) part("Gain by pair", dots(data.gains, direction));
    if (data.evidence) part("Evidence, pair by pair", path(data.evidence));
    if (data.metrics && data.metrics.length) part("Metrics", metrics(data));
    if (data.self_report || data.digests) part("Checks of the measurement", list([["digests", data.digests || ""], ["clocks", data.self_report ? JSON.stringify(data.self_report) : ""]].filter(([, text]) => text)));
    if (data.gate && data.gate.outcome !== "not_run") {
      part("Gate: " + data.gate.outcome + ", " + seconds(data.gate.duration_s), ...(data.gate.output_tail ? [make("pre", "", data.gate.output_tail)] : []));
    }
    if (data.durations) {
      const spent = data.durations;
      part("Time", list([["proposing", spent.propose_s], ["building", spent.build_s], ["measuring", spent.measure_s], ["gate", spent.gate_s], ["in all", spent.total_s]].map(([name, value]) => [name, seconds(value)])));
    }
    if (data.diff) part("Change", diff(data.diff));
    if (data.flamegraph) {
      const image = make("img", "flame");
      image.alt = "flamegraph of run " + run;
      image.src = data.flamegraph;
      part("Profile", image);
    }
    const ids = [["incumbent", data.parent], ["candidate", data.candidate], ["load", data.load === undefined ? "" : number(data.load)]];
    part("Reproduce", list(ids.filter(([, text]) => text)), ...(data.commands ? [make("pre", "", data.commands.join("\n"))] : []));
    return box;
  }

  function list(pairs) {
    const dl = make("dl");
    for (const [name, text] of pairs) dl.append(make("dt", "", name), make("dd", "", text));
    return dl;
  }

  // A name that may go on in the next line after each of its parts.
  const breakable = (name) => name.split(/(?<=[._])/).flatMap((part) => [make("wbr"), part]);

  function table(headings, body) {
    const head = make("tr", "", ...headings.map((text, index) => {
      const heading = make("th", index ? "num" : "", text);
      heading.scope = "col";
      return heading;
    }));
    const records = body.map((cells) => make("tr", "", ...cells.map((text, index) => index ? make("td", "num", text.replace(" %", "\u00a0%")) : make("td", "", ...breakable(text)))));
    return make("div", "scroll", make("table", "", make("thead", "", head), make("tbody", "", ...records)));
  }

  function metrics(data) {
    const guards = new Map((data.guards || []).map((guard) => [guard.name, guard]));
    return table(["metric", "incumbent", "candidate", "change", "guard", "tolerance"], data.metrics.map((metric) => {
      const guard = guards.get(metric.name), before = metric.parent;
      return [
        metric.name,
        before === null ? "" : number(before),
        number(metric.candidate),
        before ? signed(100 * (metric.candidate / before - 1)) : "",
        guard ? guard.outcome + ", gain " + signed(guard.median_percent) : "",
        guard ? guard.tolerance_percent.toFixed(2) + " %" : "",
      ];
    }));
  }

  // One dot a pair, stacked where they fall together; all phases on one scale.
  function dots(gains, direction) {
    const phases = gains.map(({ phase, log, estimate }) => {
      const values = log.filter((value) => value !== null).map((value) => percentOf(value, direction));
      const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
      const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
      const { percent_lo: lo, percent_hi: hi } = estimate || {}, has = typeof lo === "number" && typeof hi === "number";
      // What is claimed of the fresh pairs is their estimate; that need not be their median.
      return { name: phase.replaceAll("_", " "), values, isClaimed: Boolean(estimate), band: has ? [lo, hi] : [], at: estimate ? estimate.percent : median,
        words: estimate ? signed(estimate.percent) + (has ? " " + bracket(lo, hi) : "") : sorted.length ? "median " + signed(median) : "" };
    });
    const all = phases.flatMap(({ values, band, at }) => [...values, ...band, at]).map(Math.abs).filter(Number.isFinite);
    const reach = Math.max(0.01, ...all), bins = 60, tall = 70, x = (value) => 370 + value / reach * 250;
    const svg = draw("svg", { viewBox: "0 0 640 " + (tall * phases.length + 22), role: "img", class: "dots",
      "aria-label": phases.map(({ name, values, words }) => name + ": " + words + "; " + values.map(signed).join(", ")).join("; ") });
    phases.forEach(({ name, values, isClaimed, band, at, words }, index) => {
      const base = tall * (index + 1) - 4, top = base - 40, stacks = new Map();
      for (const value of values) {
        const bin = Math.round(value / reach * bins);
        stacks.set(bin, (stacks.get(bin) || 0) + 1);
      }
      const step = Math.min(7, 34 / Math.max(1, ...stacks.values()));
      svg.append(draw("text", { x: 0, y: base - 24, class: "tick" }, name), draw("text", { x: 0, y: base - 4, class: "tick" }, plural(values.length, "pair")));
      if (band.length) svg.append(draw("rect", { class: "band", x: x(band[0]), y: top, width: x(band[1]) - x(band[0]), height: base - top }));
      svg.append(draw("path", { class: "grid", d: `M110 ${base}H630` }), draw("path", { class: "zero", d: `M370 ${top}V${base}` }));
      for (const [bin, count] of stacks) {
        for (let level = 0; level < count; level++) svg.append(draw("circle", { cx: 370 + bin / bins * 250, cy: base - 4 - level * step, r: 3, class: "dot" }));
      }
      if (words) {
        const place = x(at), anchor = place > 500 ? "end" : place < 240 ? "start" : "middle";
        svg.append(draw("path", { class: isClaimed ? "estimate" : "median", d: `M${place} ${top}V${base}` }), draw("text", { x: place, y: top - 5, class: "tick", "text-anchor": anchor }, words));
      }
    });
    const foot = tall * phases.length + 16;
    svg.append(draw("text", { x: 110, y: foot, class: "tick" }, "worse " + signed(-reach)), draw("text", { x: 370, y: foot, class: "tick", "text-anchor": "middle" }, "0"),
      draw("text", { x: 630, y: foot, class: "tick", "text-anchor": "end" }, "better " + signed(reach)));
    const claimed = phases.find(({ isClaimed }) => isClaimed);
    const key = "One dot a pair; dashed: the median." + (claimed ? " Of the fresh pairs: the estimate" + (claimed.band.length ? " and its 95 % interval." : ".") : "");
    return make("div", "", make("div", "scroll", svg), make("p", "note", key));
  }

  // ln E after each pair; at the upper line the candidate goes to fresh pairs.
  function path(evidence) {
    const values = [0, ...evidence.ln_e], top = Math.max(evidence.keep, ...values) * 1.12, bottom = Math.min(0, ...values);
    const x = (index) => 70 + index / Math.max(1, values.length - 1) * 550, y = (value) => 12 + (top - value) / (top - bottom || 1) * 130;
    const shown = (value) => { const e = Math.exp(value); if (!value) return "1"; return e >= 1e5 || e < 0.01 ? e.toExponential(1) : e >= 10 ? e.toFixed(0) : e.toFixed(2); };
    const last = values[values.length - 1];
    const svg = draw("svg", { viewBox: "0 0 640 172", role: "img", class: "evidence", "aria-label": `E after ${plural(values.length - 1, "pair")}: ${shown(last)}; it goes to fresh pairs at ${shown(evidence.keep)}` });
    for (const [value, name] of [[evidence.keep, "from here on: fresh pairs"], [0, ""]]) {
      svg.append(draw("path", { class: value ? "line" : "grid", d: `M70 ${y(value)}H620` }), draw("text", { x: 64, y: y(value) + 4, class: "tick", "text-anchor": "end" }, shown(value)));
      if (name) svg.append(draw("text", { x: 76, y: y(value) - 4, class: "tick" }, name));
    }
    svg.append(draw("polyline", { class: "path", points: values.map((value, index) => x(index).toFixed(1) + "," + y(value).toFixed(1)).join(" ") }));
    svg.append(draw("circle", { class: "dot", cx: x(values.length - 1), cy: y(last), r: 3.5 }), draw("text", { x: 340, y: 166, class: "tick", "text-anchor": "middle" }, `E after each of ${plural(values.length - 1, "pair")} (log scale); at the end ${shown(last)}`));
    return make("div", "scroll", svg);
  }

  function diff(text) {
    const pre = make("pre", "diff");
    let inHead = true;
    for (const line of text.split("\n")) {
      if (line.startsWith("diff --git")) inHead = true;
      if (line.startsWith("@@")) inHead = false;
      const kind = line.startsWith("@@") ? "hunk" : inHead ? "head" : line[0] === "+" ? "add" : line[0] === "-" ? "del" : "";
      pre.append(make("span", kind, line + "\n"));
    }
    return pre;
  }

  // --- links into the table, and the chart -----------------------------------------------------

  function reveal() {
    const row = /^#run-\d+$/.test(location.hash) && by(location.hash.slice(1));
    if (!row) return;
    row.hidden = false;
    toggle(row, true);
    row.scrollIntoView({ block: "start" });
    row.firstChild.firstChild.focus({ preventScroll: true });
  }

  function pointing(svg) {
    const first = +svg.dataset.first, count = +svg.dataset.count, hover = svg.parentElement.parentElement.querySelector(".hover");
    const at = (event) => {
      const box = svg.getBoundingClientRect(), along = ((event.clientX - box.left) / box.width * 960 - 64) / (960 - 64 - 12);
      return by("run-" + (first + Math.max(0, Math.min(count - 1, Math.round(along * (count - 1))))));
    };
    svg.onmousemove = (event) => {
      const row = at(event);
      if (row) hover.textContent = "run " + [...row.querySelectorAll(".run, .verdict, .gain, .metric, .what")].map((cell) => cell.textContent.trim()).filter(Boolean).join(" · ");
    };
    svg.onclick = (event) => { const row = at(event); if (row) { location.hash = row.id; reveal(); } };
  }

  // --- a page that is served: news from the loop -----------------------------------------------

  async function renew() {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html"), fresh = page.querySelector("main");
    if (!fresh) return;
    document.documentElement.dataset.live = page.documentElement.dataset.live;
    const folded = [...document.querySelectorAll("main details")].map((element) => element.open);
    const focus = document.activeElement && document.activeElement.closest("tr, [id]");
    const inRow = document.activeElement && document.activeElement.closest("#table tr");
    const left = window.scrollY;
    document.querySelector("main").replaceWith(document.adoptNode(fresh));
    document.querySelectorAll("main details").forEach((element, index) => { element.open = Boolean(folded[index]); });
    start();
    window.scrollTo(0, left);
    const target = focus && focus.id && by(focus.id);
    if (target) (inRow ? target.querySelector("button") : target).focus({ preventScroll: true });
  }

  function listen() {
    const events = new EventSource("events");
    events.addEventListener("ledger", (event) => { if (event.data !== document.documentElement.dataset.live) renew(); });
    events.addEventListener("live", (event) => { by("live").textContent = JSON.parse(event.data); });
    events.onerror = () => { by("live").textContent = "no connection to the server; trying again"; };
  }

  start();
  reveal();
  window.addEventListener("hashchange", reveal);
  if (document.documentElement.hasAttribute("data-live")) listen();
})();
