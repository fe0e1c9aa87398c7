  // The rows, read when the page has been drawn.
  let data, rows = [], shown = [], order = { key: "", sign: 1 };
  let columns = [
    ["task", "Task", r => r.sample.t], ["sample", "Sample", r => r.sample.brief], ["variant", "Variant", r => r.label],
    ["score", "Score", r => r.row.c, 1], ["delta", "Δ baseline", r => r.delta, 1], ["tokens", "Prompt", r => r.sample.n ?? r.sample.l, 1],
    ["evidence", "Evidence, ρ", r => evidence(r.row)],
    ["text", "Prediction", r => r.row.e ? "✗ " + r.row.e : r.row.y], ["answer", "Answer", r => r.sample.a.join(" | ")],
  ];
  const points = v => v === undefined || v === null ? "" : (100 * v).toFixed(1).replace(/\.0$/, "");

  // Why an answer was lost, and the number behind it: sorted as text, labels stand together, and within one the lowest first.
  const evidence = r => r.h === undefined ? undefined : (r.l ? r.l + ", " : "") + r.h.toFixed(2);

  const meaning = {
    "evicted": "The full cache finds the answer. Here the heads that read its passage have lost at least one token of it: least ρ below 0.5.",
    "thinned": "The full cache finds the answer. Here some of the heads that read its passage have lost a token of it: least ρ from 0.5 to 0.7.",
    "kept but unused": "The full cache finds the answer. Here most heads that read its passage still have it, and the answer is lost all the same: least ρ from 0.7 on.",
  };

  function load() {
    data = JSON.parse($("rows").textContent);
    const audited = data.samples.some(s => s.r.some(r => r.h !== undefined));
    if (!audited) columns = columns.filter(c => c[0] !== "evidence");
    $("list").classList.toggle("audited", audited);
    $("labellabel").hidden = !audited;
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
    nameSamples();
    loadKept();
    const fill = (id, list, hide) => {
      $(id).replaceChildren(new Option("all", ""), ...list.map(x => Array.isArray(x) ? new Option(x[1], x[0]) : new Option(x, x)));
      if (hide) $(id + "label").hidden = list.length < 2;
    };
    const values = key => [...new Set(data.samples.map(s => s[key]).filter(v => v !== undefined))].sort((a, b) => a - b);
    fill("part", data.parts, true);
    fill("task", [...new Set(data.samples.map(s => s.t))]);
    fill("variant", [...new Set(data.variants.map(v => v.label))]);
    fill("length", values("l").length > 60 ? [] : values("l").map(n => [n, tokens(n)]), true);
    fill("depth", values("d").length > 60 ? [] : values("d").map(d => [d, depth(d)]), true);
    for (const [key, title, , num] of columns) {
      const s = make("span", num ? "num" : "", title);
      s.setAttribute("role", "columnheader");
      asButton(s);
      s.addEventListener("click", () => {
        order = order.key === key ? (order.sign > 0 ? { key, sign: -1 } : { key: "", sign: 1 }) : { key, sign: 1 };
        filter();
      });
      $("head").append(s);
    }
    for (const id of selects) $(id).addEventListener("change", filter);
    let timer;
    $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(filter, 120); });
    $("reset").addEventListener("click", () => { read(new URLSearchParams()); filter(); });
    $("list").addEventListener("scroll", draw, { passive: true });
    $("list").addEventListener("keydown", choose);
    addEventListener("resize", draw);
    addEventListener("hashchange", follow);
    furnishFigures();
    if (!follow()) { read(new URLSearchParams()); filter(true); }
    document.body.dataset.ready = rows.length;
  }

  // A sample's id names all that it is of, "length=1024,depth=50,trial=1"; a list shows what differs within its task.
  function nameSamples() {
    const tasks = new Map();
    for (const s of data.samples) {
      s.brief = s.s;
      const key = s.p + "\n" + s.t, words = s.s.split(",").map(w => w.split("="));
      if (!tasks.has(key)) tasks.set(key, { named: true, samples: [], values: new Map() });
      const task = tasks.get(key);
      task.samples.push([s, words]);
      task.named = task.named && words.every(w => w.length === 2 && /^[a-z_]+$/.test(w[0]));
      for (const [name, value] of words) task.values.set(name, (task.values.get(name) || new Set()).add(value));
    }
    for (const task of tasks.values()) {
      if (!task.named) continue;
      for (const [s, words] of task.samples) {
        const differ = words.filter(w => task.values.get(w[0]).size > 1);
        if (differ.length) s.brief = differ.map(([name, v]) => name === "length" ? tokens(+v) : name === "depth" ? depth(+v) : name + " " + v).join(", ");
      }
    }
  }
  const tokens = n => n >= 1048576 && n % 1048576 === 0 ? n / 1048576 + "M" : n >= 1024 && n % 1024 === 0 ? n / 1024 + "K" : String(n);
  const depth = d => Math.round(10 * d) / 10 + " %";

  // What is filtered is in the address, so that it can be sent to someone: #samples?variant=…&show=worse&sample=3.
  const selects = ["part", "task", "variant", "length", "depth", "show", "label"];
  const address = f => {
    const q = new URLSearchParams(Object.entries(f).filter(([, v]) => v !== "" && v !== undefined && v !== null)).toString();
    return "#samples" + (q ? "?" + q : "");
  };
  function state() {
    const f = {};
    for (const id of selects) f[id] = id === "show" && $(id).value === "all" ? "" : $(id).value;
    f.q = $("search").value;
    f.sort = order.key ? (order.sign < 0 ? "-" : "") + order.key : "";
    f.sample = dialog.open && current ? current.index : "";
    return f;
  }
  function read(q) {
    for (const id of selects) {
      const v = q.get(id) || (id === "show" ? "all" : "");
      $(id).value = [...$(id).options].some(o => o.value === v) ? v : id === "show" ? "all" : "";
    }
    $("search").value = q.get("q") || "";
    const sort = q.get("sort") || "", key = sort.replace(/^-/, "");
    order = columns.some(c => c[0] === key) ? { key, sign: sort.startsWith("-") ? -1 : 1 } : { key: "", sign: 1 };
  }
  function follow() {
    const m = /^#samples(?:\?(.*))?$/.exec(location.hash), old = /^#sample=(\d+)$/.exec(location.hash);
    if (!m && !old) return false;
    const q = new URLSearchParams(old ? "sample=" + old[1] : m[1] || "");
    read(q);
    filter(true);
    $("samples").scrollIntoView();
    const s = /^\d+$/.test(q.get("sample") || "") && data.samples[+q.get("sample")];
    if (s) show(s); else if (dialog.open) dialog.close();
    return true;
  }

  const tests = {
    all: () => true, worse: r => r.delta < -1e-9, better: r => r.delta > 1e-9, changed: r => r.changed,
    zero: r => r.row.c === 0, failed: r => !!r.row.e,
  };

  function filter(quiet) {
    const part = $("part").value, task = $("task").value, variant = $("variant").value, test = tests[$("show").value];
    const length = $("length").value, deep = $("depth").value;
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const label = $("label").value;
    shown = rows.filter(r => (!label || r.row.l === label || label === "any" && !!r.row.l) && (!part || data.parts[r.sample.p] === part) && (!task || r.sample.t === task) && (!variant || r.label === variant) &&
      (!length || String(r.sample.l) === length) && (!deep || String(r.sample.d) === deep) && test(r) &&
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
    [...$("head").children].forEach((h, i) => {
      if (columns[i][0] === order.key) h.setAttribute("aria-sort", order.sign > 0 ? "ascending" : "descending");
      else h.removeAttribute("aria-sort");
    });
    $("list").setAttribute("aria-rowcount", shown.length + 1);
    $("list").scrollTop = 0;
    active = -1;
    draw();
    if (quiet !== true) history.replaceState(null, "", address(state()));
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
    $("list").removeAttribute("aria-activedescendant");
    if (!shown.length) {
      const e = make("div", "empty"), cell = make("span", "", "No row is like that.");
      e.setAttribute("role", "row");
      cell.setAttribute("role", "gridcell");
      e.append(cell);
      win.append(e);
      return;
    }
    for (let i = first; i < last; i++) {
      const r = shown[i], e = make("div", "row");
      e.setAttribute("role", "row");
      e.setAttribute("aria-rowindex", i + 2);
      e.id = "row" + i;
      if (i === active) { e.classList.add("active"); e.setAttribute("aria-selected", "true"); $("list").setAttribute("aria-activedescendant", e.id); }
      for (const [key, , of, num] of columns) {
        const v = of(r), text = key === "score" || key === "delta" ? points(v) : (v ?? "");
        const cell = make("span", num ? "num" : "", String(text).slice(0, 300));
        cell.setAttribute("role", "gridcell");
        if (key === "evidence" && r.row.l) { cell.title = meaning[r.row.l]; cell.classList.add("bad"); }
        if (key === "sample" && text !== r.sample.s) cell.title = r.sample.s;
        if (key === "text" && r.row.e || key === "delta" && v < 0) cell.classList.add("bad");
        e.append(cell);
      }
      e.addEventListener("click", () => show(r.sample));
      win.append(e);
    }
  }

  // The list by keyboard: arrows and page keys choose a row, Enter opens its sample.
  let active = -1;
  function choose(e) {
    if (e.target !== $("list")) return;
    const page = Math.max(1, Math.floor($("list").clientHeight / height) - 2), last = shown.length - 1;
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: last }[e.key];
    if (to !== undefined && last >= 0) {
      e.preventDefault();
      active = Math.min(Math.max(to, 0), last);
      const top = active * height, list = $("list");
      if (top < list.scrollTop) list.scrollTop = top;
      else if (top + height + 32 > list.scrollTop + list.clientHeight) list.scrollTop = top + height + 32 - list.clientHeight;
      draw();
    } else if (e.key === "Enter" && active >= 0) {
      e.preventDefault();
      show(shown[active].sample);
    }
  }
