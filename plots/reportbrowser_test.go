package plots

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
)

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
		const last = () => document.querySelector("#window .row:last-child").textContent, first = last();
		$("list").scrollTop = 1e9;
		const scrolled = () => {
			if (last() === first) return setTimeout(scrolled, 20);
			out.atEnd = last();
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
			out.buttons = [...document.querySelectorAll("table.sortable th, #head > span")].every(h => h.querySelector("button.sort"));
			out.theme = (() => { $("theme").click(); const a = getComputedStyle(document.body).backgroundColor; $("theme").click(); return a !== getComputedStyle(document.body).backgroundColor; })();
			out.hacked = document.body.dataset.hacked || "";
			const e = document.createElement("pre"); e.id = "result"; e.textContent = JSON.stringify(out); document.body.append(e);
		};
		scrolled();
	}; wait(); });</script></body>`
	if look := os.Getenv("SNAPBENCH_LOOK"); look != "" {
		if err := os.WriteFile(filepath.Join(look, "report.html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var got struct {
		Ready, Drawn, One, Cards, Ins, Del                                  int
		All, AtEnd, Failed, Changed, Lowest, Highest, Title, Sorted, Hacked string
		Open, Theme, Buttons                                                bool
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
	if got.Lowest != "0" || got.Highest != "100" || got.Sorted != "ascending" || !got.Buttons {
		t.Errorf("sorting: %+v", got)
	}
	if !got.Open || got.Title != "qasper, sample 1" || got.Cards != 9 || got.Ins == 0 || got.Del == 0 {
		t.Errorf("a sample's page: %+v", got)
	}
	if !got.Theme || got.Hacked != "" {
		t.Errorf("theme changes: %v; a prediction ran as a script: %q", got.Theme, got.Hacked)
	}
}

// useful is a page's script that runs steps once the page is there, and writes what they put into out. Steps await until for what
// comes later: how long that takes is the machine's affair, and a page that waits at its end is opened again.
func useful(page, steps string) string {
	return strings.Replace(page, "</body>", `<script>addEventListener("load", () => { const wait = async () => {
		if (!document.body.dataset.ready) return setTimeout(wait, 20);
		const $ = id => document.getElementById(id), out = {}, until = async there => { while (!there()) await new Promise(done => setTimeout(done, 20)); };
		try { `+steps+` } catch (e) { out.error = String(e.stack); }
		const e = document.createElement("pre"); e.id = "result"; e.textContent = JSON.stringify(out); document.body.append(e);
	}; wait(); });</script></body>`, 1)
}

// TestCellsLeadToSamples: a heat map's cell says its number with the interval, and leads to its rows, by mouse and by
// keyboard; what is filtered is in the address, and an address brings it back.
func TestCellsLeadToSamples(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := findBrowser(t)
	page := report(t, needleSet())
	var got struct {
		Error, Tip, Count, Hash, Variant, Length, Depth, Brief, Filtered, Sample string
		Rows, Stops, Moved                                                       int
		Open                                                                     bool
	}
	inBrowser(t, browser, useful(page, `
		const svg = document.querySelector('svg[data-name="needle_recalled_all"]'), cells = [...svg.querySelectorAll("a")];
		out.stops = svg.querySelectorAll('.spots [tabindex="0"]').length;
		const cell = cells.find(a => a.getAttribute("aria-label").startsWith("variant 256, k 7, pool max, length 4K, depth 50 %"));
		cell.focus();
		out.tip = $("tip").hidden ? "" : $("tip").textContent;
		cell.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
		out.moved = cells.indexOf(document.activeElement) - cells.indexOf(cell);
		cell.dispatchEvent(new MouseEvent("click", { bubbles: true }));
		await until(() => $("variant").value);
		out.hash = location.hash; out.count = $("count").textContent;
		out.variant = $("variant").value; out.length = $("length").value; out.depth = $("depth").value;
		out.rows = document.querySelectorAll("#window .row").length;
		out.brief = [...document.querySelectorAll("#window .row")].map(r => r.children[1].textContent).join("; ");
		$("list").focus();
		for (const key of ["ArrowDown", "ArrowDown", "Enter"]) $("list").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
		out.open = $("page").open; out.sample = location.hash;
		$("close").click();
		await until(() => !location.hash.includes("sample="));
		$("show").value = "worse"; $("show").dispatchEvent(new Event("change"));
		out.filtered = location.hash;
	`), &got)
	if got.Error != "" || got.Stops != 1 || got.Moved != 1 {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(got.Tip, "length 4K, depth 50 %") || !strings.Contains(got.Tip, "[") || !strings.HasSuffix(got.Tip, "n = 2") {
		t.Errorf("told %q", got.Tip)
	}
	if got.Rows != 2 || got.Variant != "256, k 7, pool max" || got.Length != "4096" || got.Depth != "50" || !strings.HasPrefix(got.Count, "2 of ") {
		t.Errorf("after a click on a cell: %+v", got)
	}
	if !got.Open || !strings.Contains(got.Sample, "&sample=") || !strings.Contains(got.Filtered, "show=worse") || strings.Contains(got.Filtered, "sample=") {
		t.Errorf("address: %+v", got)
	}
	var again struct {
		Error, Show, Variant, Count string
		Open                        bool
	}
	inBrowser(t, browser, useful(page, `out.show = $("show").value; out.variant = $("variant").value; out.count = $("count").textContent; out.open = $("page").open;`), &again, got.Sample+"&show=worse")
	if again.Error != "" || again.Show != "worse" || again.Variant != got.Variant || !again.Open {
		t.Errorf("%q brings back %+v", got.Sample, again)
	}
}

// TestSamplesSayWhatDiffers: of ids that name everything, a list shows what differs.
func TestSamplesSayWhatDiffers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	set := needleSet()
	for i := range set.Rows {
		r := &set.Rows[i]
		trial := r.Sample[len(r.Sample)-1:]
		r.Sample = fmt.Sprintf("length=%d,depth=%g,trial=%s,seed=42", *r.Length, *r.Depth, trial)
	}
	var got struct{ Error, Brief, Whole string }
	inBrowser(t, findBrowser(t), useful(report(t, set), `
		const cell = document.querySelector("#window .row").children[1];
		out.brief = cell.textContent; out.whole = cell.title;`), &got)
	if got.Error != "" || got.Brief != "1K, 0 %, trial 0" || got.Whole != "length=1024,depth=0,trial=0,seed=42" {
		t.Errorf("%+v", got)
	}
}

// TestFiguresCanBeSaved: as SVG with colours that need no page, as PNG, and as numbers.
func TestFiguresCanBeSaved(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	var got struct {
		Error, SVG, CSV, PNG           string
		Width, Shades, Figures, Themed int
	}
	inBrowser(t, findBrowser(t), useful(report(t, policySet(64, 128)), `
		// What is saved is seen where it is made: reading it back takes time that a browser under test does not wait for.
		const made = [], Plain = Blob, png = new Promise(done => {
			HTMLCanvasElement.prototype.toBlob = function(give, type) {
				const drawn = this.getContext("2d").getImageData(0, 0, this.width, this.height).data;
				done({ type, width: this.width, shades: new Set(drawn).size });
			};
		});
		window.Blob = class extends Plain { constructor(parts, o) { super(parts, o); made.push([o.type, parts.join("")]); } };
		URL.createObjectURL = () => "#saved";
		const figure = document.querySelector('svg[data-name="budget_score"]').closest("figure");
		for (const b of figure.querySelectorAll(".tools button")) b.click();
		out.svg = made.find(m => m[0] === "image/svg+xml")[1];
		out.csv = made.find(m => m[0] === "text/csv")[1];
		const picture = await png;
		out.png = picture.type; out.width = picture.width; out.shades = picture.shades;
		made.length = 0;
		for (const b of document.querySelectorAll(".tools button")) if (b.textContent === "SVG") b.click();
		out.figures = made.length;
		out.themed = made.filter(m => m[1].includes("var(")).length;
	`), &got, "--blink-settings=preferredColorScheme=0")
	if got.Error != "" || !strings.Contains(got.SVG, `xmlns="http://www.w3.org/2000/svg"`) || strings.Contains(got.SVG, "var(") || strings.Contains(got.SVG, "spot") {
		t.Errorf("%s\n%.600s", got.Error, got.SVG)
	}
	if got.Figures < 5 || got.Themed != 0 {
		t.Errorf("of %d figures %d keep a colour of the page", got.Figures, got.Themed)
	}
	if got.PNG != "image/png" || got.Width < 900 || got.Shades < 50 {
		t.Errorf("PNG: %q, %d wide, %d shades", got.PNG, got.Width, got.Shades)
	}
	lines := strings.Split(strings.TrimSpace(got.CSV), "\n")
	if lines[0] != "task,variant,budget,value,low,high,n" || len(lines) != 1+4*2+1 { // four policies at two budgets, and the full cache
		t.Errorf("%q", got.CSV)
	}
	for _, line := range lines[1:] {
		if !regexp.MustCompile(`,[\d.]+,[\d.]+,[\d.]+,24$`).MatchString(line) {
			t.Errorf("no value with its interval over 24 samples: %q", line)
		}
	}
}

// TestReportOnAPhone: at 390 pixels nothing sticks out of the page, and no picture shrinks below four fifths.
func TestReportOnAPhone(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	needle, lb := reportSets(2)
	var got struct {
		Error        string
		Page, Window int
		Smallest     float64
		Figures      int
	}
	inBrowser(t, findBrowser(t), useful(report(t, needle, lb), `
		out.page = document.documentElement.scrollWidth; out.window = innerWidth;
		const scales = [...document.querySelectorAll("svg.figure")].map(s => s.getBoundingClientRect().width / (s.viewBox.baseVal.width * 96 / 72));
		out.smallest = Math.min(...scales); out.figures = scales.length;
	`), &got, "--window-size=390,844")
	if got.Error != "" || got.Window > 500 || got.Page > got.Window || got.Smallest < 0.79 || got.Figures < 10 {
		t.Errorf("%+v", got)
	}
}

// withAxe gives a page axe-core, or skips the test.
func withAxe(t *testing.T, page string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	axe, err := os.ReadFile(filepath.Join(cache, "snapbench", "axe.min.js"))
	if err != nil {
		t.Skip("no axe-core here: .ci/axe brings it")
	}
	return strings.Replace(page, "</head>", "<script>"+string(axe)+"</script></head>", 1)
}

// lookWithAxe are the steps of a page that has it.
const lookWithAxe = `const found = await axe.run(document, { resultTypes: ["violations"], preload: false });
		out.found = found.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v => v.id + " " + v.nodes.length + " " + v.nodes[0].html.slice(0, 200) + " " + v.nodes[0].failureSummary);
		out.passes = found.passes.length;`

type axeFindings struct {
	Error  string
	Found  []string
	Passes int
}

// TestReportIsAccessible: axe-core finds nothing serious, in both themes, on a desk and on a phone, with a sample open.
func TestReportIsAccessible(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := findBrowser(t)
	needle := needleSet() // axe takes its time: a few variants have all that a page has
	needle.Rows = slices.DeleteFunc(needle.Rows, func(r results.Row) bool { return r.Params["pool"] == "avg" || r.Budget == "512" })
	page := withAxe(t, report(t, needle, policySet(64, 128)))
	for name, flags := range map[string][]string{
		"light": {"--window-size=1280,900"}, "dark": {"--window-size=1280,900", "--blink-settings=preferredColorScheme=0"},
		"phone": {"--window-size=390,844"}, "sample": {"--window-size=1280,900", "#samples?sample=3"},
	} {
		var got axeFindings
		inBrowser(t, browser, useful(page, lookWithAxe), &got, flags...)
		if got.Error != "" || len(got.Found) > 0 || got.Passes < 10 {
			t.Errorf("%s: %s %d passes, and\n%s", name, got.Error, got.Passes, strings.Join(got.Found, "\n"))
		}
	}
	// On a page that has something serious it says so, so the test can fail.
	var got axeFindings
	inBrowser(t, browser, useful(strings.Replace(page, "<main>", "<main><button></button>", 1), lookWithAxe), &got)
	if len(got.Found) == 0 {
		t.Errorf("a button without a name passes: %+v", got)
	}
}
