package plots

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// payloads run as a script if a page takes them for anything but text.
var payloads = []string{
	`<script>document.documentElement.dataset.hacked="script"</script>`,
	`</script><script>document.documentElement.dataset.hacked="end of script"</script>`,
	`</style><script>document.documentElement.dataset.hacked="end of style"</script>`,
	`</title></textarea></pre></svg></text></math><script>document.documentElement.dataset.hacked="end of element"</script>`,
	`<img src=x onerror='document.documentElement.dataset.hacked="img"'>`,
	`<svg onload='document.documentElement.dataset.hacked="svg"'></svg>`,
	`"><svg/onload=document.documentElement.dataset.hacked=1>`,
	`'><svg/onload=document.documentElement.dataset.hacked=1>`,
	`" autofocus tabindex=0 onfocus="document.documentElement.dataset.hacked=1`,
	`<iframe srcdoc="<script>parent.document.documentElement.dataset.hacked=1</script>"></iframe>`,
	`<a href="javascript:document.documentElement.dataset.hacked=1">a</a>`,
	`javascript:document.documentElement.dataset.hacked=1`,
	`--><script>document.documentElement.dataset.hacked="comment"</script><!--`,
	`]]><script>document.documentElement.dataset.hacked="cdata"</script>`,
	`"rows go here"`,
	`\u003cscript\u003edocument.documentElement.dataset.hacked=1\u003c/script\u003e`,
	"\u2028document.documentElement.dataset.hacked=1\u2029//",
	`{{.JS}}${document.documentElement.dataset.hacked=1}`,
	`&lt;script&gt;document.documentElement.dataset.hacked=1&lt;/script&gt;`,
	"<\x00script>document.documentElement.dataset.hacked=1</script>\x1b[2J\u202e",
}

// TestHostileReportInABrowser: in a real browser, a report in which every text is
// hostile, also names, commands and labels of pictures, shows all texts and runs none.
func TestHostileReportInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := findBrowser(t)
	set := hostileSet()
	page := report(t, set)
	const use = `<script>addEventListener("load", () => { const wait = () => {
		if (!document.body.dataset.ready) return setTimeout(wait, 20);
		const $ = id => document.getElementById(id), out = { opened: 0, texts: 0 };
		const set = (id, v) => { $(id).value = v; $(id).dispatchEvent(new Event("change")); };
		for (const id of ["part", "task", "variant", "show"]) {
			for (const o of [...$(id).options]) set(id, o.value);
			set(id, id === "show" ? "all" : "");
		}
		for (const h of [...$("head").children]) h.click();
		for (const th of document.querySelectorAll("table.sortable th")) th.click();
		for (const row of [...document.querySelectorAll("#window .row")].slice(0, 24)) {
			row.click(); out.opened++;
			out.texts += [...document.querySelectorAll("#pagebody pre")].filter(e => e.textContent.includes("hacked")).length;
			$("next").click(); $("close").click();
		}
		document.querySelectorAll("[tabindex], a, .spot").forEach(e => {
			const to = e.href && String(e.href.baseVal ?? e.href);
			if (!to || !to.startsWith("http")) { e.focus(); e.dispatchEvent(new MouseEvent("click", { bubbles: true })); }
		});
		setTimeout(() => {
			out.hacked = document.documentElement.dataset.hacked || "";
			out.made = document.querySelectorAll("img, iframe, object, embed, base, form:not(#filters), [onload], [onerror], [onfocus], a[href^='javascript']").length;
			out.scripts = document.scripts.length;
			out.turned = document.documentElement.textContent.includes(String.fromCharCode(0x202e));
			const e = document.createElement("pre"); e.id = "result"; e.textContent = JSON.stringify(out); document.body.append(e);
		}, 200);
	}; wait(); });</script></body>`
	var got struct {
		Hacked                       string
		Opened, Texts, Made, Scripts int
		Turned                       bool
	}
	inBrowser(t, browser, strings.Replace(page, "</body>", use, 1), &got)
	t.Logf("%d payloads in %d rows: %+v", len(payloads), len(set.Rows), got)
	if got.Hacked != "" || got.Made != 0 || got.Scripts != 3 {
		t.Errorf("a text became part of the page: %+v", got)
	}
	if got.Turned {
		t.Error("a text turns the numbers behind it around")
	}
	if got.Opened < len(payloads) || got.Texts < got.Opened {
		t.Errorf("the texts were not looked at: %+v", got)
	}
	if look := os.Getenv("SNAPBENCH_LOOK"); look != "" {
		if err := os.WriteFile(filepath.Join(look, "hostile.html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	// In a page that takes the texts for HTML they do run, so the test can fail.
	inBrowser(t, browser, "<!doctype html><html><body>"+payloads[4]+`<script>addEventListener("load", () => { const wait = () => {
		if (!document.documentElement.dataset.hacked) return setTimeout(wait, 20);
		const e = document.createElement("pre"); e.id = "result"; e.textContent = JSON.stringify({ hacked: document.documentElement.dataset.hacked }); document.body.append(e);
	}; wait(); });</script></body></html>`, &got)
	if got.Hacked != "img" {
		t.Errorf("a page that runs its texts: %q: this test would see nothing", got.Hacked)
	}
}

// hostileSet is rows in which every text is a payload.
func hostileSet() results.Set {
	all := strings.Join(payloads, " ")
	s := results.Set{Name: all, Run: results.Run{Name: all, Command: "snapbench " + all, Version: all, Machine: results.Machine{
		OS: payloads[0], Arch: payloads[1], CPU: payloads[2], Devices: payloads,
	}}}
	question, err := json.Marshal(map[string]string{all: all})
	if err != nil {
		panic(err)
	}
	s.Run.Question = question
	for i, text := range payloads {
		for _, v := range []string{"full", text + "1", text + "2"} {
			r := results.Row{
				Schema: results.Schema, Run: all, Model: all, Revision: text, Task: text, TaskVersion: 1, Sample: fmt.Sprint(i, text), Protocol: payloads[2],
				Variant: v, Policy: text, Budget: v, Params: map[string]string{"pool": text, text: text}, Device: payloads[3], DType: payloads[4], Metric: text, MetricVersion: 1,
				PromptTail: text, Prediction: text + v, Note: text, Score: new(0.5), Recalled: new(0.25),
				PromptTokens: new(1000), NewTokens: new(3), Length: new(1024), Depth: new(50.0), KLMean: new(0.5), Top1Agreement: new(0.5),
				PrefillSeconds: new(1.0), DecodeSeconds: new(1.0), KeptMean: new(64.0), PeakBytes: new(int64(1 << 20)),
			}
			if v == "full" {
				r.Policy = "full"
			} else {
				r.Capacity = new(64)
			}
			if i%5 == 4 {
				r.Score, r.Error, r.Audit = nil, text, text
			}
			r.SetAnswers([]string{text, all})
			r.Revision = "" // one model, so that its rows share the tables
			r.ID = r.Key()
			s.Rows = append(s.Rows, r)
		}
	}
	return s
}
