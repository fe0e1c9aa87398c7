package sweep

import (
	"strings"
	"testing"
)

// Every combination is a setting, those of the first place together, and an error says
// which place is wrong.
func TestCombine(t *testing.T) {
	list, err := Combine("new", []Axis{{"kv", []string{"auto", "fp8"}}, {"size", []string{"1", "2"}}, {"flag", nil}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		got = append(got, s.Variant.String()+" "+s.Values["kv"]+s.Values["size"]+s.Values["flag"])
	}
	want := `server(flag="",kv=auto,label=new,size=1) auto1
server(flag="",kv=auto,label=new,size=2) auto2
server(flag="",kv=fp8,label=new,size=1) fp81
server(flag="",kv=fp8,label=new,size=2) fp82`
	if strings.Join(got, "\n") != want {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if one, err := Combine("", nil); err != nil || len(one) != 1 || one[0].Variant.String() != "server" {
		t.Errorf("without places: %v, %v", one, err)
	}
	for want, axes := range map[string][]Axis{
		"{port} is taken":           {{"port", []string{"1"}}},
		"kv is there already":       {{"kv", []string{"a"}}, {"kv", []string{"b"}}},
		"server(kv=a) twice":        {{"kv", []string{"a", "b", "a"}}},
		`setting "k v": want a nam`: {{"k v", []string{"a"}}},
	} {
		if _, err := Combine("", axes); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q in it", axes, err, want)
		}
	}
}

// A command has a value for each of its places, and one way to know where it listens.
func TestCommand(t *testing.T) {
	kv := []Axis{{"kv", []string{"a"}}}
	for _, c := range []struct {
		text    string
		axes    []Axis
		address string
		wrong   string // empty: nothing
	}{
		{"serve --port {port} --kv {kv}", kv, "", ""},
		{"serve --kv {kv}", kv, "http://localhost:8000/v1", ""},
		{"serve --port {port} --kv {kv}", nil, "", "no value for {kv}: add --set kv=…"},
		{"serve --port {port}", kv, "", "the command has no {kv}"},
		{"serve --kv {kv}", kv, "", "the command has no {port}"},
		{"serve --port {port} --kv {kv}", kv, "http://localhost:8000/v1", "leave one of them away"},
		{"serve 'never closed {port}", nil, "", "'"},
	} {
		_, err := Command(c.text, c.axes, c.address)
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: %v, want %q", c.text, err, c.wrong)
		}
	}
}

// A log's name is a file name, whatever a setting is.
func TestLogName(t *testing.T) {
	list, err := Combine("", []Axis{{"m", []string{"org/a b", "../" + strings.Repeat("é", 200)}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := logName(list[0].Variant); got != "server-m=-org-a-b.log" {
		t.Errorf("%q", got)
	}
	if got := logName(list[1].Variant); len(got) > 104 || strings.ContainsAny(got, "/é") {
		t.Errorf("%q", got)
	}
}
