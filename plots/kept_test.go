package plots

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/kept"
)

// keptSet is rows with what their caches kept of the first two samples: a prompt whose tokens are hostile, and one of
// 128K tokens. Layer 0 of the full cache holds all, of others every fifth token, layer 1 nothing but the needle.
func keptSet(t *testing.T) (results.Set, *kept.Index) {
	t.Helper()
	set, dir := policySet(64, 128), t.TempDir()
	w, err := kept.NewWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	place := func(r *results.Row) string { return r.Task + "\n" + r.Sample }
	samples := distinctInOrder(set.Rows, place)
	for i, n := range []int{400, 131072} {
		tokens := make([]string, n)
		for j := range tokens {
			tokens[j] = fmt.Sprintf(" w%d", j)
		}
		for j, text := range payloads {
			tokens[20+j] = text
		}
		tokens[60], tokens[n/2-1], tokens[n/2], tokens[n/2+1] = "\u202e", " the number is", " 7841256", "."
		b := kept.Batch{Prompt: kept.NewPrompt(tokens, []string{" the number is 7841256."}, []string{"7841256"})}
		b.Key = b.Prompt.Key()
		var all, some []int32
		for j := range int32(n) {
			if all = append(all, j); j%5 == 0 {
				some = append(some, j)
			}
		}
		needle := []int32{int32(n/2 - 1), int32(n / 2), int32(n/2 + 1)}
		for k := range set.Rows {
			r := &set.Rows[k]
			if r.NeedleText = "before <b>" + results.NeedleBegins + "the number" + results.NeedleEnds + "after"; place(r) != samples[i] {
				continue
			}
			layers := [][][]int32{{some, some, {}, {}}, {needle, {}, {}, {}}}
			if r.Policy == "full" {
				layers[0] = [][]int32{all, all, all, all}
			}
			row, err := kept.RowOf(r.ID, b.Key, layers, n)
			if err != nil {
				t.Fatal(err)
			}
			b.Rows = append(b.Rows, row)
		}
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	x, err := kept.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return set, x
}

func keptReport(t *testing.T) string {
	t.Helper()
	set, x := keptSet(t)
	var b bytes.Buffer
	if err := ReportKept(&b, []results.Set{set}, x); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// keptSamples returns the numbers of the two samples in the page.
func keptSamples(t *testing.T) (short, long int) {
	t.Helper()
	set, x := keptSet(t)
	var d reportData
	d.add("", set)
	if err := d.keep(x); err != nil {
		t.Fatal(err)
	}
	if len(d.Kept[0].Tokens) > len(d.Kept[1].Tokens) {
		return d.Kept[1].Sample, d.Kept[0].Sample
	}
	return d.Kept[0].Sample, d.Kept[1].Sample
}

// A page has room for so much, and says of how many samples something is known.
func TestReportKeepsToItsRoom(t *testing.T) {
	set, x := keptSet(t)
	var d reportData
	d.add("", set)
	if err := d.keep(x); err != nil {
		t.Fatal(err)
	}
	if len(d.Kept) != 2 || d.KeptOf.Samples != 2 {
		t.Fatalf("%d samples of %+v", len(d.Kept), d.KeptOf)
	}
	long := slices.IndexFunc(d.Kept, func(k reportKept) bool { return len(k.Tokens) > 1000 })
	room := 1_700_000 // of the long one's tokens and one or two variants
	k, err := d.keptOf(x, d.Kept[long].Sample, &room)
	if err != nil || len(k.Rows) == 0 || len(k.Rows) == len(d.Kept[long].Rows) || room < 0 || d.KeptOf.Left == 0 {
		t.Errorf("%d variants in 1.7 MB, %d left out, room %d: %v", len(k.Rows), d.KeptOf.Left, room, err)
	}
	room = 1000
	if k, err := d.keptOf(x, d.Kept[long].Sample, &room); err != nil || len(k.Rows) != 0 || room != 1000 {
		t.Errorf("%d variants in 1 KB, room %d: %v", len(k.Rows), room, err)
	}
}

// The page of a sample: two variants side by side, layer by layer, by keyboard, with texts that stay texts.
func TestKeptInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	var got struct {
		Error, Around, Facts, Needle, Answer, Bidi, Zero, Some, Full, Title, Absent, Hacked, Note, Cut string
		Panes, Layers, Spans, Long, LongAll, Same                                                      int
		Stayed                                                                                         bool
	}
	short, long := keptSamples(t)
	none := 0
	for none == short || none == long {
		none++
	}
	inBrowser(t, findBrowser(t), useful(keptReport(t), fmt.Sprintf("const short = %d, long = %d, none = %d;", short, long, none)+`
		const card = () => document.querySelector(".kept"), texts = () => [...document.querySelectorAll(".kept .tokens")];
		const pick = (n, label) => { const s = card().querySelectorAll("select")[n]; s.value = [...s.options].find(o => o.textContent === label).value; s.dispatchEvent(new Event("change")); };
		const span = (text, word) => [...text.querySelectorAll("span")].find(s => s.textContent.includes(word));
		location.hash = "#samples?sample=" + short; await until(() => $("page").open);
		out.around = document.querySelector("#pagebody mark").textContent;
		out.panes = texts().length; out.layers = card().querySelectorAll("select")[2].options.length;
		out.facts = card().querySelector(".pane .facts").textContent;
		out.needle = texts()[0].querySelector(".needle").textContent; out.answer = texts()[0].querySelector(".answered").textContent;
		out.same = texts()[0].textContent === texts()[1].textContent ? 1 : 0;
		out.bidi = span(texts()[0], "u202e") ? "shown" : texts()[0].textContent.includes("\u202e") ? "raw" : "lost";
		out.zero = span(texts()[0], " w51").className; out.some = span(texts()[0], " w50").style.getPropertyValue("--share");
		pick(0, "full"); pick(2, "layer 0");
		out.full = span(texts()[0], " w51").style.getPropertyValue("--share"); out.title = span(texts()[0], " w51").title;
		pick(1, "none"); out.spans = texts().length;
		const title = $("pagetitle").textContent;
		card().querySelector("select").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
		texts()[0].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
		out.stayed = title === $("pagetitle").textContent;
		out.note = card().querySelector(".note").textContent;
		$("close").click(); await until(() => !location.hash.includes("sample="));
		location.hash = "#samples?sample=" + long; await until(() => $("page").open);
		out.long = texts()[0].textContent.length; out.cut = texts()[0].querySelector(".cut").textContent;
		pick(1, "none"); pick(0, [...card().querySelector("select").options].find(o => o.textContent !== "full").textContent);
		texts()[0].querySelector(".cut").click();
		out.longall = texts()[0].textContent.length;
		$("close").click(); await until(() => !location.hash.includes("sample="));
		location.hash = "#samples?sample=" + none; await until(() => $("page").open);
		out.absent = card().textContent;
		out.hacked = document.documentElement.dataset.hacked || document.body.dataset.hacked || "";
	`), &got, "--window-size=1280,900")
	if got.Error != "" || got.Around != "the number" || got.Panes != 2 || got.Layers != 3 || got.Same != 1 {
		t.Errorf("%+v", got)
	}
	if got.Needle != " the number is" || got.Answer != " 7841256" || got.Facts != "keeps 5 % of the prompt · 21 % of the needle · 38 % of the answer" {
		t.Errorf("marks: %q, %q; %q", got.Needle, got.Answer, got.Facts)
	}
	if got.Zero != "gone" || !strings.HasPrefix(got.Some, "33.4") || got.Full != "100%" || !strings.HasSuffix(got.Title, ": 100 % of heads") {
		t.Errorf("shares: none %q, two heads of eight %q, all %q, %q", got.Zero, got.Some, got.Full, got.Title)
	}
	if got.Bidi != "shown" || got.Hacked != "" {
		t.Errorf("hostile texts: %q, %q", got.Bidi, got.Hacked)
	}
	if got.Spans != 1 || !got.Stayed || !strings.Contains(got.Note, "here 2 of 2 samples") || !strings.Contains(got.Absent, "Not of this sample") {
		t.Errorf("%+v", got)
	}
	if got.Long > 40_000 || !strings.Contains(got.Cut, "tokens left out") || got.LongAll < 700_000 {
		t.Errorf("128K tokens: %d characters at first, then %d; %q", got.Long, got.LongAll, got.Cut)
	}
}

// On a phone nothing sticks out of a sample's page.
func TestKeptOnAPhone(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	var got struct {
		Error       string
		Panes       int
		Wide, There float64
	}
	inBrowser(t, findBrowser(t), useful(keptReport(t), `
		if (top !== window) return; // this page within itself
		const frame = document.createElement("iframe");
		frame.style.cssText = "width: 390px; height: 844px"; frame.src = location.href;
		document.body.append(frame);
		await until(() => frame.contentDocument && frame.contentDocument.body && frame.contentDocument.body.dataset.ready);
		const inner = frame.contentDocument;
		inner.querySelector("#window .row").click();
		await until(() => inner.querySelector(".kept .tokens"));
		out.panes = inner.querySelectorAll(".kept .tokens").length;
		const page = inner.getElementById("page");
		out.wide = page.scrollWidth - page.clientWidth;
		out.there = page.clientWidth;
	`), &got, "--allow-file-access-from-files")
	if got.Error != "" || got.Panes != 1 || got.Wide > 0 || got.There > 390 || got.There < 300 {
		t.Errorf("%+v", got)
	}
}

// TestKeptIsAccessible: axe-core finds nothing serious in a sample's page, in both themes.
func TestKeptIsAccessible(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser, page := findBrowser(t), withAxe(t, keptReport(t))
	short, _ := keptSamples(t)
	for name, flags := range map[string][]string{"light": nil, "dark": {"--blink-settings=preferredColorScheme=0"}} {
		var got axeFindings
		look := strings.Replace(lookWithAxe, "axe.run(document", `axe.run(document.querySelector(".kept")`, 1)
		inBrowser(t, browser, useful(page, `await until(() => $("page").open);`+look), &got, append(flags, fmt.Sprintf("#samples?sample=%d", short), "--window-size=1280,900")...)
		if got.Error != "" || len(got.Found) > 0 || got.Passes < 5 {
			t.Errorf("%s: %s %d passes, and\n%s", name, got.Error, got.Passes, strings.Join(got.Found, "\n"))
		}
	}
}
