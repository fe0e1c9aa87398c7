package configs

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestPresetsParse(t *testing.T) {
	if len(Names()) < 4 {
		t.Fatalf("presets %v", Names())
	}
	for _, name := range Names() {
		if p, err := Open(name); err != nil || p.Command == "" || len(p.Flags) == 0 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// TestFilesAndPresets: a file has priority over a preset of its name, a folder does not.
func TestFilesAndPresets(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, d := range []string{"quickstart", "mine"} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := Open("quickstart"); err != nil || p.Source != "preset quickstart" {
		t.Errorf("beside a folder of its name: %+v, %v", p, err)
	}
	if _, err := Open("mine"); err == nil || !strings.Contains(err.Error(), `"mine" is neither a file nor a preset: have `) {
		t.Errorf("a folder: %v", err)
	}
	if err := os.WriteFile("ci", []byte("command: needle\nseed: 7\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if p, err := Open("ci"); err != nil || p.Source != "ci" {
		t.Errorf("a file: %+v, %v", p, err)
	}
	if p, err := Shipped("ci"); err != nil || p.Source != "preset ci" {
		t.Errorf("the preset itself: %+v, %v", p, err)
	}
}

func TestParse(t *testing.T) {
	p, err := Parse("a.yaml", []byte("# a comment\ncommand: needle\nlengths: [1k, 2048]\nbudgets:\n  - full\n  - 25%\nseed: 7\nfidelity: true\nvariants: 'full;snapkv(cap=64)'\n"))
	want := []Flag{{"lengths", []string{"1k", "2048"}, 3}, {"budgets", []string{"full", "25%"}, 4}, {"seed", []string{"7"}, 7}, {"fidelity", []string{"true"}, 8}, {"variants", []string{"full;snapkv(cap=64)"}, 9}}
	if err != nil || p.Command != "needle" || !reflect.DeepEqual(p.Flags, want) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestErrors(t *testing.T) {
	for in, want := range map[string]string{
		"lengths: 1k\n":                       "a.yaml: no command",
		"command: needle\nseed: 1\nseed: 2\n": "a.yaml",
		"command: [a, b]\n":                   "a.yaml:1: command: want one name",
		"command: needle\nlengths: {a: b}\n":  "a.yaml:2: lengths: want a value or a list",
		"- a\n- b\n":                          "a.yaml:1: want a mapping",
		"":                                    "a.yaml: want one document",
		"command: 'needle\n":                  "a.yaml",
		"command: needle\nlengths:\n":         "a.yaml:2: lengths",
	} {
		if p, err := Parse("a.yaml", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want an error with %q", in, p, err, want)
		}
	}
	if _, err := Open("nosuch"); err == nil || !strings.Contains(err.Error(), "have ") {
		t.Errorf("unknown preset: %v", err)
	}
	path := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(path, []byte("command: speed\nbatch: 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p, err := Open(path); err != nil || p.Command != "speed" || p.Source != path {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestNesting: deeply nested YAML is refused cheaply before it is parsed, with its line.
func TestNesting(t *testing.T) {
	for _, n := range []int{1000, 50000, 100000} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Parse("a.yaml", []byte("command: needle\nlengths: "+strings.Repeat("[", n)))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(err.Error(), "a.yaml:") || !strings.Contains(err.Error(), map[bool]string{true: ":2: lists and mappings more than ", false: ": longer than "}[n < 60000]) {
			t.Errorf("%d brackets: %v", n, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
			t.Errorf("%d brackets: %d MB", n, got>>20)
		}
	}
	path := filepath.Join(t.TempDir(), "long.yaml")
	if err := os.WriteFile(path, []byte(strings.Repeat("[", 1<<20)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.HasPrefix(err.Error(), path+": longer than ") {
		t.Errorf("a file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := presets.ReadFile(name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, s := range []string{"command: x\na: [[[[[{b: [{c: d}]}]]]]]\n", "- - ? - a: b\n", "command: x\n<<: {a: 1}\n", "command: needle\nlengths: [1k]\n", "a: &x [*x]\n", "? a\n: b\n", "command: !!binary aa\n", "{command: x, b: [c, {d: e}]}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("f", data)
		if err == nil && p.Command == "" {
			t.Error("no command and no error")
		}
	})
}
