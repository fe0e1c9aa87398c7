package process

import (
	"reflect"
	"strings"
	"testing"
)

func TestTemplate(t *testing.T) {
	values := map[string]string{"port": "8123", "kv": "a 'b' $c", "n": "3"}
	for _, c := range []struct {
		command     string
		places      []string
		words       []string
		environment int
	}{
		{"vllm serve M --port {port} --kv-cache-dtype {kv}", []string{"port", "kv"}, []string{"vllm", "serve", "M", "--port", "8123", "--kv-cache-dtype", "a 'b' $c"}, 0},
		{`A=1 B={n} "my server" 'a  b'\ c "" --x={kv}{n}`, []string{"n", "kv"}, []string{"A=1", "B=3", "my server", "a  b c", "", "--x=a 'b' $c3"}, 2},
		{`s --json '{"kv_connector": "X", "n": {n}}'`, []string{"n"}, []string{"s", "--json", `{"kv_connector": "X", "n": 3}`}, 0},
		{`sh -c 'exec s | tee $HOME/x' "a\"b\c"`, nil, []string{"sh", "-c", "exec s | tee $HOME/x", `a"b\c`}, 0},
	} {
		p, err := ParseTemplate(c.command)
		if err != nil {
			t.Errorf("%s: %v", c.command, err)
			continue
		}
		words, environment, err := p.fill(values)
		if err != nil || !reflect.DeepEqual(words, c.words) || environment != c.environment || !reflect.DeepEqual(p.Places(), c.places) {
			t.Errorf("%s: %q, %d, %q, %v", c.command, words, environment, p.Places(), err)
		}
	}
	for command, want := range map[string]string{
		"":                  "names no program",
		"A=1 ":              "names no program",
		"vllm 'serve":       `quote '\'' is not closed`,
		`vllm \`:            "at the end",
		"a | b":             `'|' means something to a shell`,
		"a $HOME":           `'$' means`,
		"a >log":            `'>' means`,
		"vllm --port {prt}": "", // whoever has the names knows
	} {
		_, err := ParseTemplate(command)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", command, err, want)
		}
	}
	p, err := ParseTemplate("vllm {prt}")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.fill(values); err == nil || !strings.Contains(err.Error(), "{prt}") {
		t.Errorf("%v", err)
	}
}

// Whatever is typed is split or refused, and what is quoted comes back.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"a b", `a 'b c' "d\"e" \f`, "A=b c {port}", "'", `\`, "{a}{b}", "é ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ParseTemplate(s)
		if strings.ContainsRune(s, '\'') || !valid(s) {
			return
		}
		words, err := Words("'" + s + "' x")
		if err != nil || len(words) != 2 || words[0] != s {
			t.Errorf("%q: %q, %v", s, words, err)
		}
	})
}

func valid(s string) bool { return strings.ToValidUTF8(s, "") == s }
