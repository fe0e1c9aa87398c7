  // What each cache kept of a sample's prompt: its tokens, the darker the more of a layer's heads hold them.
  let keptOf = new Map(); // sample → what is known
  let wanted = { left: "", right: "", layer: "" }; // as chosen, for the next sample too
  const whole = 3000; // a prompt of more tokens is shown in parts

  function loadKept() {
    for (const k of data.kept || []) keptOf.set(data.samples[k.s], k);
  }

  // A layer is base64 of varints: its heads, then for each run of tokens their number and how many heads hold them.
  function readLayer(text, n) {
    const bytes = atob(text), counts = new Uint16Array(n);
    let at = 0, token = 0;
    const next = () => {
      let v = 0, unit = 1;
      for (;;) {
        const b = bytes.charCodeAt(at++);
        v += (b & 127) * unit;
        if (b < 128) return v;
        unit *= 128;
      }
    };
    const heads = next();
    while (at < bytes.length) {
      const run = next(), c = next();
      counts.fill(c, token, token += run);
    }
    return { heads, counts };
  }

  // Of each token the share of heads that hold it, in one layer or in all.
  function sharesOf(k, variant, layer) {
    const n = k.t.length, sum = new Float64Array(n);
    let heads = 0;
    k.r[variant].forEach((text, i) => {
      if (layer !== "" && i !== +layer) return;
      const l = readLayer(text, n);
      heads += l.heads;
      for (let j = 0; j < n; j++) sum[j] += l.counts[j];
    });
    return sum.map(v => heads ? v / heads : 0);
  }

  // What few heads kept shows, too: between nothing and a little is a step.
  const shade = (e, share) => e.style.setProperty("--share", 10 + .9 * share + "%");
  const percent = v => v > 0 && v < .01 ? "< 1 %" : Math.round(100 * v) + " %";
  const within = (spans, j) => (spans || []).some(s => s[0] <= j && j < s[1]);

  // The stretches of a prompt that are shown: all, or of a long one its ends and what is around the needles.
  function stretches(k) {
    const n = k.t.length;
    if (n <= whole || k.open) return [[0, n]];
    const list = [[0, 300], ...[...(k.n || []), ...(k.n ? [] : k.a || [])].map(s => [s[0] - 400, s[1] + 400]), [n - 600, n]]
      .map(([a, b]) => [Math.max(a, 0), Math.min(b, n)]).sort((a, b) => a[0] - b[0]);
    const out = [];
    for (const s of list) {
      const before = out[out.length - 1];
      if (before && s[0] <= before[1]) before[1] = Math.max(before[1], s[1]); else out.push(s);
    }
    return out;
  }

  // The text of tokens, neighbours of one share together.
  function tokenText(k, shares, redraw) {
    const text = make("div", "tokens"), n = k.t.length;
    let last = 0;
    for (const [from, to] of [...stretches(k), [n, n]]) {
      if (from > last) {
        const b = make("button", "cut", `… ${(from - last).toLocaleString("en")} tokens left out: show all …`);
        b.type = "button";
        b.addEventListener("click", () => { k.open = true; redraw(); });
        text.append(b);
      }
      for (let i = from, j; i < to; i = j) {
        const share = Math.round(50 * shares[i]), needle = within(k.n, i), answer = within(k.a, i);
        let words = k.t[i];
        for (j = i + 1; j < to && Math.round(50 * shares[j]) === share && within(k.n, j) === needle && within(k.a, j) === answer; j++) words += k.t[j];
        const e = make("span", share ? "" : "gone", words);
        if (share) shade(e, 2 * share);
        if (answer) e.classList.add("answered"); else if (needle) e.classList.add("needle");
        e.title = (j - i > 1 ? `tokens ${i} to ${j - 1}: ` : `token ${i}: `) + percent(shares[i]) + " of heads";
        text.append(e);
      }
      last = to;
    }
    return text;
  }

  // One variant's side.
  function keptPane(k, variant, layer, redraw) {
    const pane = make("div", "pane"), v = data.variants[variant], shares = sharesOf(k, variant, layer);
    const mean = spans => {
      let sum = 0, n = 0;
      for (const [a, b] of spans || []) for (let j = a; j < b; j++) { sum += shares[j]; n++; }
      return n ? percent(sum / n) : "";
    };
    const facts = ["keeps " + mean([[0, k.t.length]]) + " of the prompt"];
    if (k.n) facts.push(mean(k.n) + " of the needle");
    if (k.a) facts.push(mean(k.a) + " of the answer");
    const title = make("h4", "", v.label);
    title.title = v.name;
    const text = tokenText(k, shares, redraw);
    text.tabIndex = 0;
    text.setAttribute("role", "region");
    text.setAttribute("aria-label", `The prompt as ${v.label} kept it`);
    pane.append(title, make("p", "facts", facts.join(" · ")), text);
    return pane;
  }

  // The panel of a sample; nothing where the page knows of no cache what it kept.
  function keptPanel(s) {
    if (!data.keptof) return null;
    const card = make("div", "card kept"), k = keptOf.get(s), all = data.keptof;
    card.append(make("h4", "", "What the caches kept"));
    const limit = `A page holds at most ${all.most} samples and ${all.bytes / 1048576} MB of kept positions, first those that a cache lost: here ${data.kept ? data.kept.length : 0} of ${all.samples} samples${all.left ? ", without " + all.left + " caches for which there was no room" : ""}.`;
    if (!k) {
      card.append(make("p", "facts", "Not of this sample. " + limit));
      return card;
    }
    const rows = s.r.filter(r => k.r[r.v]), labels = rows.map(r => data.variants[r.v].label);
    const find = label => rows[labels.indexOf(label)];
    const some = rows.filter(r => !data.variants[r.v].base);
    const left = find(wanted.left) || some[0] || rows[0];
    const right = wanted.right === "-" ? null : find(wanted.right) || (innerWidth > 640 ? some.find(r => r !== left) : null);
    const controls = make("div", "controls");
    const select = (name, options, value, set) => {
      const label = make("label", "", name + " "), e = make("select");
      e.append(...options.map(o => new Option(o[1], o[0])));
      e.value = value;
      e.addEventListener("change", () => { set(e.value); draw(); });
      label.append(e);
      controls.append(label);
      return e;
    };
    const options = rows.map(r => [String(r.v), data.variants[r.v].label]);
    const label = v => v === "" ? "-" : data.variants[+v].label;
    const a = select("Variant", options, String(left.v), v => wanted.left = label(v));
    const b = select("beside", [["", "none"], ...options], right ? String(right.v) : "", v => wanted.right = label(v));
    const layers = k.r[left.v].map((_, i) => [String(i), `layer ${i}`]);
    const c = select("in", [["", "all layers"], ...layers], layers[+wanted.layer] && wanted.layer !== "" ? wanted.layer : "", v => wanted.layer = v);
    const key = make("p", "facts keys");
    key.append("share of heads that kept a token: ", make("span", "gone", " 0 "));
    for (const share of [1, 25, 50, 75, 100]) {
      const e = make("span", "", ` ${share} % `);
      shade(e, share);
      key.append(e);
    }
    if (k.n) key.append(" ", make("span", "needle", "needle"));
    if (k.a) key.append(" ", make("span", "answered", "answer"));
    const panes = make("div", "panes");
    card.append(controls, key, panes, make("p", "note", limit));
    function draw() {
      const was = panes.querySelector(".tokens"), at = was ? was.scrollTop : null;
      panes.replaceChildren(...[a.value, b.value].filter(v => v !== "").map(v => keptPane(k, +v, c.value, draw)));
      const texts = [...panes.querySelectorAll(".tokens")];
      for (const t of texts) {
        if (at !== null) t.scrollTop = at;
        // Two sides of one width show the same lines.
        t.addEventListener("scroll", () => { for (const o of texts) if (o !== t && o.scrollTop !== t.scrollTop) o.scrollTop = t.scrollTop; }, { passive: true });
      }
    }
    draw();
    // The needle comes into view when the panel does.
    requestAnimationFrame(() => {
      const t = panes.querySelector(".tokens"), mark = t && t.querySelector(".answered, .needle");
      if (mark) t.scrollTop = Math.max(0, mark.offsetTop - t.clientHeight / 3);
    });
    return card;
  }

  // The part of the prompt around the needle, which rows have without that option.
  function aroundNeedle(text) {
    const pre = make("pre"), from = text.indexOf("⟦"), to = text.lastIndexOf("⟧");
    if (from < 0 || to < from) pre.textContent = text;
    else pre.append(text.slice(0, from), make("mark", "", text.slice(from + 1, to)), text.slice(to + 1));
    return pre;
  }
