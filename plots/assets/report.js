"use strict";
(() => {
  const $ = id => document.getElementById(id);
  const make = (tag, cls, text) => {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = text;
    return e;
  };

  // Light and dark: the system's choice until the button is used.
  const root = document.documentElement;
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  try { const t = localStorage.getItem("snapbench-theme"); if (t) root.dataset.theme = t; } catch { /* files may have no storage */ }
  $("theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("snapbench-theme", root.dataset.theme); } catch { /* as above */ }
  });

  // Tables sort by a click on a column: numbers by their value, text in natural order; averages stay below.
  const natural = new Intl.Collator(undefined, { numeric: true }).compare;
  const units = { "B": 1, "KiB": 1024, "MiB": 1048576, "GiB": 1073741824, "TiB": 1099511627776, "ms": .001, "s": 1, "min": 60 };
  const value = text => {
    const m = /^[-−]?\d[\d.]*(?:e[-+]?\d+)?(?=$|[\s\[])/.exec(text);
    if (!m) return null;
    const unit = text.slice(m[0].length).trim().split(" ")[0];
    return parseFloat(m[0].replace("−", "-")) * (units[unit] || 1);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells], original = [...table.tBodies[0].rows];
    heads.forEach((th, i) => th.addEventListener("click", () => {
      const was = th.getAttribute("aria-sort");
      heads.forEach(h => h.removeAttribute("aria-sort"));
      const rows = original.slice();
      if (was !== "descending") {
        const sign = was === "ascending" ? -1 : 1;
        th.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        rows.sort((a, b) => {
          const strong = a.classList.contains("strong") - b.classList.contains("strong");
          if (strong) return strong;
          const x = a.cells[i].textContent, y = b.cells[i].textContent, p = value(x), q = value(y);
          if (p !== null && q !== null) return sign * (p - q);
          if (p === null && q === null) return sign * natural(x, y);
          return p === null ? 1 : -1;
        });
      }
      table.tBodies[0].append(...rows);
    }));
  }

  // The rows, read when the page has been drawn.
  let data, rows = [], shown = [], order = { key: "", sign: 1 };
  const columns = [
    ["task", "Task", r => r.sample.t], ["sample", "Sample", r => r.sample.s], ["variant", "Variant", r => r.label],
    ["score", "Score", r => r.row.c, 1], ["delta", "Δ baseline", r => r.delta, 1], ["tokens", "Prompt", r => r.sample.n ?? r.sample.l, 1],
    ["text", "Prediction", r => r.row.e ? "✗ " + r.row.e : r.row.y], ["answer", "Answer", r => r.sample.a.join(" | ")],
  ];
  const points = v => v === undefined || v === null ? "" : (100 * v).toFixed(1).replace(/\.0$/, "");

  function load() {
    data = JSON.parse($("rows").textContent);
    data.samples.forEach((s, i) => {
      s.index = i;
      const base = s.r.find(r => data.variants[r.v].base);
      for (const r of s.r) {
        rows.push({
          sample: s, row: r, label: data.variants[r.v].label,
          delta: base && base !== r && r.c !== undefined && base.c !== undefined ? r.c - base.c : undefined,
          changed: !!base && base !== r && r.y !== base.y,
        });
      }
    });
    const fill = (id, all, list) => $(id).replaceChildren(new Option(all, ""), ...list.map(x => new Option(x, x)));
    fill("part", "all", data.parts);
    $("partlabel").hidden = data.parts.length < 2;
    fill("task", "all", [...new Set(data.samples.map(s => s.t))]);
    fill("variant", "all", [...new Set(data.variants.map(v => v.label))]);
    for (const [key, title, , num] of columns) {
      const s = make("span", num ? "num" : "", title);
      s.setAttribute("role", "columnheader");
      s.addEventListener("click", () => {
        order = order.key === key ? (order.sign > 0 ? { key, sign: -1 } : { key: "", sign: 1 }) : { key, sign: 1 };
        for (const h of $("head").children) h.textContent = h.textContent.replace(/ [▲▼]$/, "");
        if (order.key) s.textContent = title + (order.sign > 0 ? " ▲" : " ▼");
        filter();
      });
      $("head").append(s);
    }
    for (const id of ["part", "task", "variant", "show"]) $(id).addEventListener("change", filter);
    let timer;
    $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 120); });
    $("list").addEventListener("scroll", draw, { passive: true });
    addEventListener("resize", draw);
    filter();
    document.body.dataset.ready = rows.length;
    open(location.hash);
  }

  const tests = {
    all: () => true, worse: r => r.delta < -1e-9, better: r => r.delta > 1e-9, changed: r => r.changed,
    zero: r => r.row.c === 0, failed: r => !!r.row.e,
  };

  function filter() {
    const part = $("part").value, task = $("task").value, variant = $("variant").value, test = tests[$("show").value];
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = rows.filter(r => (!part || data.parts[r.sample.p] === part) && (!task || r.sample.t === task) && (!variant || r.label === variant) && test(r) &&
      words.every(w => (r.row.y + "\n" + (r.row.e || "") + "\n" + r.sample.a.join("\n") + "\n" + r.sample.s + "\n" + r.sample.t).toLowerCase().includes(w)));
    if (order.key) {
      const of = columns.find(c => c[0] === order.key)[2];
      shown.sort((a, b) => {
        const x = of(a), y = of(b), noX = x === undefined || x === null, noY = y === undefined || y === null;
        if (noX || noY) return noX - noY; // what has no value comes last either way
        return order.sign * (typeof x === "number" ? x - y : natural(x, y)) || a.sample.index - b.sample.index;
      });
    }
    const samples = new Set(shown.map(r => r.sample)).size;
    $("count").textContent = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows, ${samples.toLocaleString("en")} samples`;
    $("list").scrollTop = 0;
    draw();
  }

  // Only what can be seen is in the document.
  const height = 30;
  function draw() {
    const list = $("list"), first = Math.max(0, Math.floor((list.scrollTop - 32) / height) - 10);
    const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / height) + 20);
    $("body").style.height = Math.max(shown.length * height, 60) + "px";
    const win = $("window");
    win.style.top = first * height + "px";
    win.replaceChildren();
    if (!shown.length) { win.append(make("div", "empty", "No row is like that.")); return; }
    for (let i = first; i < last; i++) {
      const r = shown[i], e = make("div", "row");
      e.setAttribute("role", "row");
      for (const [key, , of, num] of columns) {
        const v = of(r), text = key === "score" || key === "delta" ? points(v) : (v ?? "");
        const cell = make("span", num ? "num" : "", String(text).slice(0, 300));
        if (key === "text" && r.row.e || key === "delta" && v < 0) cell.classList.add("bad");
        e.append(cell);
      }
      e.addEventListener("click", () => show(r.sample));
      win.append(e);
    }
  }

  // A sample's page: the end of the prompt, the answers, and every variant's text with what differs from the baseline.
  const dialog = $("page");
  let current = null;
  function show(s) {
    current = s;
    $("pagetitle").textContent = `${s.t}, sample ${s.s}`;
    const body = $("pagebody");
    body.replaceChildren();
    const facts = [data.parts[s.p], "metric " + s.m];
    if (s.n !== undefined) facts.push(s.n + " prompt tokens");
    if (s.l !== undefined) facts.push("length " + s.l);
    if (s.d !== undefined) facts.push("needle at " + s.d + " %");
    body.append(make("p", "facts", facts.join(" · ")));
    const prompt = make("div", "card");
    prompt.append(make("h4", "", "End of the prompt"), make("pre", "", data.prompts[s.x] || "not recorded"));
    const answers = make("div", "card answers");
    answers.append(make("h4", "", s.a.length === 1 ? "Answer" : "Answers"));
    if (!s.a.length) answers.append(make("p", "facts", "none recorded"));
    for (const a of s.a) answers.append(make("pre", "", a));
    body.append(prompt, answers);
    const cards = make("div", "cards"), base = s.r.find(r => data.variants[r.v].base);
    for (const r of s.r) {
      const v = data.variants[r.v], card = make("div", "card" + (r === base ? " base" : "")), title = make("h4", "", v.label);
      title.title = v.name;
      const facts = [];
      if (r.c !== undefined) facts.push("score " + points(r.c));
      if (r.q !== undefined) facts.push("recalled " + points(r.q));
      if (r.k !== undefined) facts.push("KL " + Number(r.k).toPrecision(3));
      if (r.n !== undefined) facts.push(r.n + " tokens");
      if (base && r !== base) facts.push(r.y === base.y ? "same text as the baseline" : "differs from the baseline");
      card.append(title, make("div", "facts", facts.join(" · ")));
      if (r.o) card.append(make("div", "facts", r.o));
      if (r.e) card.append(make("div", "bad", r.e));
      const pre = make("pre");
      if (base && r !== base && r.y !== base.y) pre.append(...difference(base.y, r.y));
      else pre.textContent = r.y;
      card.append(pre);
      cards.append(card);
    }
    body.append(cards);
    dialog.scrollTop = 0;
    if (!dialog.open) dialog.showModal();
    history.replaceState(null, "", "#sample=" + s.index);
  }

  // Longest common subsequence over words, over characters where the texts are short, as a number is; what only the
  // baseline said is struck out.
  function difference(a, b) {
    const short = a.length <= 40 && b.length <= 40;
    const split = s => short ? [...s] : s.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
    const x = split(a), y = split(b), most = 700;
    if (x.length > most || y.length > most) return [make("ins", "", b)];
    const w = y.length + 1, t = new Uint16Array((x.length + 1) * w);
    for (let i = x.length - 1; i >= 0; i--)
      for (let j = y.length - 1; j >= 0; j--)
        t[i * w + j] = x[i] === y[j] ? t[(i + 1) * w + j + 1] + 1 : Math.max(t[(i + 1) * w + j], t[i * w + j + 1]);
    const out = [];
    const push = (tag, text) => {
      const lastOne = out[out.length - 1];
      if (lastOne && lastOne.tag === tag) lastOne.text += text; else out.push({ tag, text });
    };
    let i = 0, j = 0;
    while (i < x.length || j < y.length) {
      if (i < x.length && j < y.length && x[i] === y[j]) { push("", x[i]); i++; j++; }
      else if (i < x.length && (j === y.length || t[(i + 1) * w + j] >= t[i * w + j + 1])) push("del", x[i++]);
      else push("ins", y[j++]);
    }
    return out.map(o => o.tag ? make(o.tag, "", o.text) : document.createTextNode(o.text));
  }

  function step(by) {
    const list = [...new Set(shown.map(r => r.sample))], at = list.indexOf(current);
    const next = list[at + by] || (at < 0 ? list[0] : null);
    if (next) show(next);
  }
  $("prev").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", e => { if (e.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => history.replaceState(null, "", "#samples"));
  dialog.addEventListener("keydown", e => { if (e.key === "ArrowLeft") step(-1); else if (e.key === "ArrowRight") step(1); });
  function open(hash) {
    const m = /^#sample=(\d+)$/.exec(hash);
    if (m && data.samples[+m[1]]) show(data.samples[+m[1]]);
  }

  requestAnimationFrame(() => setTimeout(load));
})();
