package results

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	for _, c := range []struct{ in, want, lines string }{
		{"plain, é, 漢字, 👩‍🔬", "plain, é, 漢字, 👩‍🔬", "plain, é, 漢字, 👩‍🔬"},
		{"\x1b[2Jgone", `\x1b[2Jgone`, `\x1b[2Jgone`},
		{"a\ab\x00\x7f", `a\x07b\x00\u007f`, `a\x07b\x00\u007f`},
		{"a\r\n\tb", `a\r\n\tb`, "a\\r\n\tb"},
		{"\u009b31m\u0085", `\u009b31m\u0085`, `\u009b31m\u0085`},
		{"\x9b31m", `\x9b31m`, `\x9b31m`},
		{"user\u202etxt.exe\u2066\u2069\u200f\u061c", `user\u202etxt.exe\u2066\u2069\u200f\u061c`, `user\u202etxt.exe\u2066\u2069\u200f\u061c`},
		{"a\u2028b\u2029", `a\u2028b\u2029`, `a\u2028b\u2029`},
		{"the sign \uFFFD itself", "the sign \uFFFD itself", "the sign \uFFFD itself"},
		{"", "", ""},
	} {
		if got := Visible(c.in); got != c.want {
			t.Errorf("Visible(%q) = %q, want %q", c.in, got, c.want)
		}
		if got := VisibleLines(c.in); got != c.lines {
			t.Errorf("VisibleLines(%q) = %q, want %q", c.in, got, c.lines)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\x1b[31mb\u202e\x9b\n\u0085")
	f.Fuzz(func(t *testing.T, s string) {
		got := Visible(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, steers) {
			t.Fatalf("%q became %q", s, got)
		}
		if again := Visible(got); again != got {
			t.Fatalf("%q became %q and then %q", s, got, again)
		}
		if !strings.ContainsFunc(s, steers) && utf8.ValidString(s) && got != s {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

// TestTablesShowControlCharacters: tables, summaries and verdicts escape names and errors.
func TestTablesShowControlCharacters(t *testing.T) {
	const evil, shown = "evil\x1b[2J\a\u202e\u009b1m", `evil\x1b[2J\x07\u202e\u009b1m`
	set := grid([]string{evil, "b"}, []string{"full", "64" + evil, "128"}, 4, func(_, v string, i int) float64 { return 0.5 })
	set.Run.Name, set.Run.Command, set.Name = evil, "snapbench needle --model "+evil, evil
	for i := range set.Rows {
		r := &set.Rows[i]
		r.Model, r.Protocol, r.Device, r.DType = evil, evil, evil, evil
		if r.Task == "b" && r.Sample == "3" {
			r.Score, r.Error, r.Audit = nil, evil+"\nanother line", evil
		}
	}
	check := func(what, text string) {
		for _, r := range text {
			if steers(r) && r != '\n' {
				t.Fatalf("%s has %q:\n%q", what, r, text)
			}
		}
		if !strings.Contains(text, shown) {
			t.Errorf("%s does not show the name as text:\n%s", what, text)
		}
	}
	for _, s := range Sections(set) {
		check(s.Heading, s.Grid.Text(100))
	}
	check("summary.md", Markdown(set))
}

// TestSetVisible: Visible escapes every text of a set, and does not change the set itself.
func TestSetVisible(t *testing.T) {
	const evil, shown = "a\u202eb\n", `a\u202eb` + "\n"
	set := grid([]string{evil}, []string{"full", evil}, 2, func(string, string, int) float64 { return 0.5 })
	set.Name, set.Run.Groups, set.Run.Machine.Devices = evil, []Group{{evil, []string{evil}}}, []string{evil}
	set.Run.Question = json.RawMessage("{\"x\":\"\u202e\"}")
	answers := []string{evil, "c\x1b", "[d\a"}
	set.Rows[0].SetAnswers(answers)
	set.Rows[1].SetAnswers(answers[2:])
	before := fmt.Sprintf("%+v", set)
	got := set.Visible()
	if fmt.Sprintf("%+v", set) != before {
		t.Error("the set itself was changed")
	}
	for what, text := range map[string]string{
		"name": got.Name, "task of a row": got.Rows[0].Task, "variant of the run": got.Run.Variants[1], "task of the run": got.Run.Tasks[0],
		"group": got.Run.Groups[0].Name, "task of a group": got.Run.Groups[0].Tasks[0], "device": got.Run.Machine.Devices[0],
	} {
		if text != shown {
			t.Errorf("%s: %q, want %q", what, text, shown)
		}
	}
	for i, want := range [][]string{{shown, `c\x1b`, `[d\x07`}, {`[d\x07`}, nil} {
		if list := got.Rows[i].Answers(); !slices.Equal(list, want) {
			t.Errorf("answers %q, want %q", list, want)
		}
	}
	if string(got.Run.Question) != `{"x":"\u202e"}` || *got.Rows[0].Score != 0.5 || len(got.Rows) != len(set.Rows) {
		t.Errorf("question %s, row %+v", got.Run.Question, got.Rows[0])
	}
}
