package plots

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
)

func report(t *testing.T, sets ...results.Set) string {
	t.Helper()
	var b bytes.Buffer
	if err := Report(&b, sets); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// hostile text must stay text.
const hostile = "In the <script>document.body.dataset.hacked=1</script> & </script> of 1999,\naccording to nobody.\u2028"

func reportSets(samples int) (needle, lb results.Set) {
	needle, lb = needleSet(), longbenchSet(samples)
	for i := range lb.Rows {
		if r := &lb.Rows[i]; r.Policy != "full" && r.Sample == "1" {
			r.Prediction = hostile
		}
	}
	return needle, lb
}

func TestReportIsOneFileWithEverything(t *testing.T) {
	needle, lb := reportSets(5)
	needle.Rows[30].Audit = "kept 129, the budget says 128"
	page := report(t, needle, lb)
	for _, want := range []string{
		"SmolLM2-135M-Instruct.Q4_1.gguf", "mistralai/Mistral-7B-Instruct-v0.2", "protocol longbench", "snapbench longbench --model",
		"Drop against the full cache", "Needle depth (%)", "Budget (tokens kept per head)", "Fidelity", "KL divergence", "Speed and memory",
		"kept 129, the budget says 128", "the prompt needs more memory than there is", "Single-document QA", "average of 16",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	// No network: nothing is loaded from anywhere.
	for _, bad := range []string{"src=", "href=\"http", "@import", "url(", "fetch(", "XMLHttpRequest", "<link"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if n := strings.Count(page, "</script>"); n != 2 {
		t.Errorf("%d ends of script elements, want 2: a prediction broke out", n)
	}
	if strings.Contains(page, "#FFFFFF") || strings.Contains(page, "#1A1A1A") {
		t.Error("a picture does not follow the theme")
	}
	data := regexp.MustCompile(`(?s)id="rows">(.*?)</script>`).FindStringSubmatch(page)
	var d reportData
	if err := json.Unmarshal([]byte(data[1]), &d); err != nil {
		t.Fatal(err)
	}
	rows := 0
	found := false
	for _, s := range d.Samples {
		rows += len(s.Rows)
		for _, r := range s.Rows {
			found = found || r.Text == results.VisibleLines(hostile)
		}
	}
	if rows != len(needle.Rows)+len(lb.Rows) || !found {
		t.Errorf("%d rows, want %d; hostile text shown: %v", rows, len(needle.Rows)+len(lb.Rows), found)
	}
	if again := report(t, needle, lb); again != page {
		t.Error("the same rows gave another page")
	}
	if err := Report(&bytes.Buffer{}, nil); err == nil {
		t.Error("no runs: no error")
	}
}

// Two versions of the program give the same rows with other texts: both are shown.
func TestReportOfTwoVersions(t *testing.T) {
	a, b := longbenchSet(3), longbenchSet(3)
	a.Name, b.Name = "runs/main", "runs/candidate"
	for i := range b.Rows {
		b.Rows[i].Prediction += " Or not."
	}
	check := func(what string) {
		page := report(t, a, b)
		for _, want := range []string{"runs/main: mistralai", "runs/candidate: mistralai", "Or not."} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %q", what, want)
			}
		}
	}
	check("the same ids")
	for i := range b.Rows {
		b.Rows[i].ID += "2"
	}
	check("other ids")
}

// TestReportInABrowser opens a report of more than 10,000 rows in headless Chromium, uses it, and reads what is there.
func TestReportInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := findBrowser(t)
	needle, lb := reportSets(70)
	page := report(t, needle, lb)
	const use = `<script>addEventListener("load", () => { const wait = () => {
		if (!document.body.dataset.ready) return setTimeout(wait, 20);
		const $ = id => document.getElementById(id), out = {};
		const set = (id, v) => { $(id).value = v; $(id).dispatchEvent(new Event("change")); };
		out.ready = +document.body.dataset.ready;
		out.drawn = document.querySelectorAll("#window .row").length;
		out.all = $("count").textContent;
		$("list").scrollTop = 1e9;
		setTimeout(() => {
			out.atEnd = document.querySelector("#window .row:last-child").textContent;
			set("show", "failed"); out.failed = $("count").textContent;
			set("show", "changed"); set("task", "trec"); out.changed = $("count").textContent;
			set("variant", "256, k 13"); out.one = document.querySelectorAll("#window .row").length;
			set("show", "all"); set("task", ""); set("variant", "");
			[...$("head").children].find(h => h.textContent === "Score").click();
			out.lowest = document.querySelector("#window .row").children[3].textContent;
			[...$("head").children].find(h => h.textContent.startsWith("Score")).click();
			out.highest = document.querySelector("#window .row").children[3].textContent;
			set("task", "qasper"); set("show", "changed");
			document.querySelector("#window .row").click();
			out.open = $("page").open; out.title = $("pagetitle").textContent;
			out.cards = document.querySelectorAll("#pagebody .cards .card").length;
			out.ins = document.querySelectorAll("#pagebody ins").length; out.del = document.querySelectorAll("#pagebody del").length;
			$("close").click();
			const th = document.querySelector("table.sortable th:nth-child(2)"); th.click();
			out.sorted = th.getAttribute("aria-sort");
			out.theme = (() => { $("theme").click(); const a = getComputedStyle(document.body).backgroundColor; $("theme").click(); return a !== getComputedStyle(document.body).backgroundColor; })();
			out.hacked = document.body.dataset.hacked || "";
			const e = document.createElement("pre"); e.id = "result"; e.textContent = JSON.stringify(out); document.body.append(e);
		}, 100);
	}; wait(); });</script></body>`
	if look := os.Getenv("SNAPBENCH_LOOK"); look != "" {
		if err := os.WriteFile(filepath.Join(look, "report.html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got struct {
		Ready, Drawn, One, Cards, Ins, Del                                  int
		All, AtEnd, Failed, Changed, Lowest, Highest, Title, Sorted, Hacked string
		Open, Theme                                                         bool
	}
	start := time.Now()
	inBrowser(t, browser, strings.Replace(page, "</body>", use, 1), &got)
	t.Logf("%d bytes, read in %v: %+v", len(page), time.Since(start), got)
	total := len(needle.Rows) + len(lb.Rows)
	if got.Ready != total || total < 10_000 || got.Drawn < 15 || got.Drawn > 100 {
		t.Errorf("%d rows of %d, %d in the document: want all, and only those in view", got.Ready, total, got.Drawn)
	}
	if got.AtEnd == "" || !strings.HasPrefix(got.Failed, "50 of ") || !strings.HasPrefix(got.Changed, "8 of ") || got.One != 1 {
		t.Errorf("filters: %+v", got)
	}
	if got.Lowest != "0" || got.Highest != "100" || got.Sorted != "ascending" {
		t.Errorf("sorting: %+v", got)
	}
	if !got.Open || got.Title != "qasper, sample 1" || got.Cards != 9 || got.Ins == 0 || got.Del == 0 {
		t.Errorf("a sample's page: %+v", got)
	}
	if !got.Theme || got.Hacked != "" {
		t.Errorf("theme changes: %v; a prediction ran as a script: %q", got.Theme, got.Hacked)
	}
}
