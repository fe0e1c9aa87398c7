package plots

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

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

// TestWhatIsMissing: a run that was joined without some rows says so below every table, in the answer, and in pictures.
func TestWhatIsMissing(t *testing.T) {
	set := policySet(64, 256)
	whole := report(t, set)
	set.Run.Missing = 7
	set.Partial = true
	page, want := report(t, set), fmt.Sprintf("7 of %d rows are missing", 7+len(set.Rows))
	for n, table := range strings.Split(page, "<table")[1:] {
		if strings.HasPrefix(table, ` id="`) { // of samples, made by the page's script
			continue
		}
		if _, behind, _ := strings.Cut(table, "</table>"); !strings.Contains(behind[:min(len(behind), 300)], want) {
			t.Errorf("table %d does not say %q: %.200s", n, want, behind)
		}
	}
	if !strings.Contains(page, " But "+want+".") || !strings.Contains(page, "; 7 rows are missing") {
		t.Error("the answer or the pictures do not say it")
	}
	if strings.Contains(whole, "are missing") {
		t.Error("a whole run's says it, too")
	}
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
		if headings := regexp.MustCompile(`<h2>[^<]*, runs/candidate: mistralai`).FindAllString(page, -1); len(headings) != 1 {
			t.Errorf("%s: the second part's heading is the first's, too: %q", what, headings)
		}
	}
	check("the same ids")
	for i := range b.Rows {
		b.Rows[i].ID += "2"
	}
	check("other ids")
}
