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
    if (s.w) {
      const needle = make("div", "card");
      needle.append(make("h4", "", "Around the needle"), aroundNeedle(s.w));
      body.append(needle);
    }
    body.append(prompt, answers);
    const panel = keptPanel(s);
    if (panel) body.append(panel);
    const cards = make("div", "cards"), base = s.r.find(r => data.variants[r.v].base);
    for (const r of s.r) {
      const v = data.variants[r.v], card = make("div", "card" + (r === base ? " base" : "")), title = make("h4", "", v.label);
      title.title = v.name;
      const facts = [];
      if (r.c !== undefined) facts.push("score " + points(r.c));
      if (r.q !== undefined) facts.push("recalled " + points(r.q));
      if (r.k !== undefined) facts.push("KL " + Number(r.k).toPrecision(3));
      if (r.n !== undefined) facts.push(r.n + " tokens");
      if (r.h !== undefined) facts.push((r.l ? "evidence " + r.l + ", " : "") + "least ρ " + r.h.toFixed(2));
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
    history.replaceState(null, "", address(state()));
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
  dialog.addEventListener("close", () => history.replaceState(null, "", address(state())));
  dialog.addEventListener("keydown", e => {
    if (e.target.closest("select, .tokens")) return; // these have a use for the arrows
    if (e.key === "ArrowLeft") step(-1); else if (e.key === "ArrowRight") step(1);
  });

  requestAnimationFrame(() => setTimeout(load));
