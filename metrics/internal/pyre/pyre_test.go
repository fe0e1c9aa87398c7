package pyre

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestPython compares with what Python's re found (testdata/cases.py).
func TestPython(t *testing.T) {
	var cases []struct {
		Pattern    string
		IgnoreCase bool `json:"ignore_case"`
		Multiline  bool
		Text       string
		Found      [][2]int
		Groups     int
		Error      bool
	}
	sharedtest.JSON(t, "testdata/cases.json", &cases)
	matched, wrong := 0, 0
	for _, c := range cases {
		p, err := Compile(c.Pattern, Flags{c.IgnoreCase, c.Multiline})
		if (err != nil) != c.Error {
			t.Errorf("pattern %q: error %v, Python's: %v", c.Pattern, err, c.Error)
			continue
		}
		if c.Error {
			wrong++
			continue
		}
		found, err := p.Find([]rune(c.Text))
		if err != nil || !slices.Equal(found, c.Found) || p.Groups() != c.Groups {
			t.Errorf("%q of %q (case %t, lines %t): %v of %d groups, %v, want %v of %d", c.Pattern, c.Text, c.IgnoreCase, c.Multiline,
				found, p.Groups(), err, c.Found, c.Groups)
		}
		if any, err := p.Match([]rune(c.Text)); err != nil || any != (len(c.Found) > 0) {
			t.Errorf("%q is in %q: %v, %v", c.Pattern, c.Text, any, err)
		}
		matched += len(found)
	}
	t.Logf("%d patterns, of which %d are none, and %d matches", len(cases), wrong, matched)
	if matched == 0 || wrong == 0 {
		t.Error("want some of each")
	}
}

func TestUnknown(t *testing.T) {
	for pattern, want := range map[string]string{
		"(?=a)": "the extension (?=a… at character 1 is not known", "(?P<x>a)": "(?P<", `(a)\1`: `the escape \1`, `\x41`: `the escape \x`,
		"a*+": "possessive", strings.Repeat("(", 200): "within each other", "a{2000}": "more than 1000 times", "\xff": "invalid UTF-8",
		strings.Repeat("a", 5000): "5000 bytes: at most 4096",
	} {
		if _, err := Compile(pattern, Flags{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", pattern, err, want)
		}
	}
}

// A pattern that tries every way ends, and so does one that would take all stack.
func TestBounds(t *testing.T) {
	start := time.Now()
	for pattern, text := range map[string]string{"(?:a*)*b": strings.Repeat("a", 5000), "(?:a|b)*c": strings.Repeat("ab", 1_000_000)} {
		p, err := Compile(pattern, Flags{})
		if err == nil {
			_, err = p.Find([]rune(text))
		}
		if !errors.Is(err, ErrSteps) {
			t.Errorf("%q: %v, want %v", pattern, err, ErrSteps)
		}
	}
	if d := time.Since(start); d > 10*time.Minute {
		t.Errorf("it took %v", d)
	}
	if found, err := Must(`(?:a|b)*c`, Flags{}).Find([]rune(strings.Repeat("ab", 20_000) + "c")); err != nil || len(found) != 1 {
		t.Errorf("a long match: %v, %v", found, err)
	}
}

func TestSplit(t *testing.T) {
	parts, err := Must(`\s?\*\*\*\s?`, Flags{}).Split([]rune("a ***\nb***"))
	if err != nil || !slices.Equal(parts, []string{"a", "b", ""}) {
		t.Errorf("%q, %v", parts, err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`^\s*\*[^\*].*$`, "* a\n- b", true, true)
	f.Add(`(?:a|b)*?c{1,3}`, "abcc", false, true)
	f.Fuzz(func(t *testing.T, pattern, text string, cased, lines bool) {
		p, err := Compile(pattern, Flags{cased, lines})
		if err != nil || len(pattern) > 60 || len(text) > 60 {
			return
		}
		runes := []rune(text)
		found, err := p.Find(runes)
		last := 0
		for _, m := range found {
			if m[0] < last || m[1] < m[0] || m[1] > len(runes) {
				t.Fatalf("%q of %q: %v", pattern, text, found)
			}
			last = m[1]
		}
		if err != nil && !errors.Is(err, ErrSteps) {
			t.Fatal(err)
		}
	})
}
