package speed

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
)

// The report's table has no ratio that the terminal's has not: none of steps that vary, none of two lengths.
func TestSectionRatios(t *testing.T) {
	s := madeUp()
	at := slices.IndexFunc(s.Rows, func(r Row) bool { return r.Fits && !r.LargestAsked && r.Variant != "full" })
	ratio := func() string { return s.grid().Rows[at][4] }
	if r := ratio(); !strings.Contains(r, ".") {
		t.Fatalf("a ratio of %q", r)
	}
	full := s.Full(s.Rows[at])
	had := full.StepP90
	full.StepP90 = 2 * full.StepP10
	if r := ratio(); r != "–" || !s.section("x").Paces[0].Unsteady {
		t.Errorf("%q of a full cache whose steps vary", r)
	}
	full.StepP90, s.Rows[at].StepP90 = had, 2*s.Rows[at].StepP10
	if r := ratio(); r != "–" {
		t.Errorf("%q of steps that vary", r)
	}
	s.Rows[at].StepP90 = s.Rows[at].StepP10
	s.Rows[at].LongestAsked, full.LongestAsked = true, true
	s.Rows[at].Length = 4 * full.Length
	if r := ratio(); r != "n/a" {
		t.Errorf("%q of two lengths", r)
	}
}

func TestSplit(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	s := madeUp()
	s.Command, s.Rows[0].Variant = "snapbench speed <script>", "full\x1b[2J"
	for _, name := range []string{"speed", "both"} {
		if err := s.SaveRows(at(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(at("both"), "run.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	runs, speeds, err := Split([]string{at("run"), at("speed"), at("both")})
	if err != nil || !slices.Equal(runs, []string{at("run"), at("both")}) || len(speeds) != 2 {
		t.Fatal(runs, len(speeds), err)
	}
	// Of 60 rows those at the largest batch have no place beside others, and what does not fit has no pace.
	fits := 0
	for _, r := range s.Rows {
		if r.Fits && !r.LargestAsked {
			fits++
		}
	}
	one := speeds[0]
	if len(one.Paces) != fits || fits == 0 || one.Title != "Speed of shape:llama-2-7b" || len(one.Figures) != 7 || len(one.Grids[0].Rows) != len(s.Rows) {
		t.Errorf("%d paces of %d, %q, %d figures", len(one.Paces), fits, one.Title, len(one.Figures))
	}
	var page bytes.Buffer
	if err := plots.Report(&page, []results.Set{}, one); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"does not fit", "needs 129.50 GiB", "Tokens per second against the full cache", "snapbench speed &lt;script&gt;", `full\x1b[2J`} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.ContainsRune(page.String(), '\x1b') {
		t.Error("a control character is in the page")
	}
	if err := os.WriteFile(filepath.Join(at("speed"), "speed.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Split([]string{at("speed")}); err == nil || !strings.Contains(err.Error(), "speed.json") {
		t.Errorf("a damaged file: %v", err)
	}
}
