package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners"
)

const secret = "sk-wholly-secret"

// However a key is printed, it is not shown.
func TestKeysArePrintedAsMarks(t *testing.T) {
	o := Options{URL: "http://localhost", Key: Key{secret}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", o.Key, "options", o)
	text, _ := json.Marshal(o.Key)
	for _, s := range []string{fmt.Sprint(o), fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", o), fmt.Sprintf("%x %q %s %d %v", o.Key, o.Key, o.Key, o.Key, &o.Key), string(text), log.String()} {
		if strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
			t.Errorf("the key is shown: %s", s)
		}
	}
}

func TestKeysAreRead(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv(KeyVariable, "from-the-environment")
	if k, err := ReadKey(""); err != nil || k.secret != "from-the-environment" {
		t.Errorf("%q, %v", k.secret, err)
	}
	if k, err := ReadKey(file("good", secret+"\r\n")); err != nil || k.secret != secret {
		t.Errorf("%q, %v", k.secret, err)
	}
	for name, text := range map[string]string{"empty": " \n", "two": secret + "\nanother", "long": strings.Repeat("k", mostKey+1), "odd": secret + "\x00"} {
		if k, err := ReadKey(file(name, text)); err == nil || k.secret != "" || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %q, %v", name, k.secret, err)
		}
	}
	if _, err := ReadKey(filepath.Join(dir, "missing")); err == nil {
		t.Error("a file that is not there")
	}
	t.Setenv(KeyVariable, "")
	if k, err := ReadKey(""); err != nil || k.secret != "" {
		t.Errorf("no key: %q, %v", k.secret, err)
	}
}

// A key is found where it stands by itself; the same letters in a name are none.
func TestKeysInCommands(t *testing.T) {
	k := Key{"secret"}
	for text, want := range map[string]bool{
		"serve --api-key secret": true, "secret": true, "API_KEY=secret serve": true, "'--api-key=secret' x": true, "a,secret": true,
		"http://me:secret@host": true, "models/secret secret": true,
		"serve models/secret": false, "secret-model": false, "secrets": false, "my.secret": false, "secret/a": false, "": false, "serve": false,
	} {
		if k.In(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
	if (Key{}).In("") || (Key{}).In("x") {
		t.Error("no key is found")
	}
}

// Every request to the server has the key, and no error or note has it, even where the
// server says it back.
func TestKeysAreSentAndHidden(t *testing.T) {
	f := newFake(t)
	r := f.open(t, func(o *Options) { o.Key = Key{secret} })
	for _, status := range []int{400, 401, 403, 404, 500} {
		f.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, `{"error":{"message":"Incorrect API key provided: `+secret+`."}}`, status)
			return true
		}
		q := prompt("hello", 5)
		q.Variants = []runners.Variant{r.Variant()}
		out, err := runners.Answer(t.Context(), r, q)
		if err == nil {
			err = out[0][0].Err
		}
		if err == nil || !strings.Contains(err.Error(), mark) || strings.Contains(err.Error(), secret) {
			t.Errorf("%d: %v", status, err)
		}
	}
	f.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool { raw(w, "data: "+secret+"\n\n"); return true }
	if c := ask(t, r, prompt("hello", 5)); c.Err == nil || strings.Contains(c.Err.Error(), secret) {
		t.Errorf("wrong JSON: %v", c.Err)
	}
	for i, k := range f.keys {
		if k != "Bearer "+secret {
			t.Errorf("request %d has the key %q", i, k)
		}
	}
	if d := fmt.Sprintf("%+v %v", r.Describe(), r.Settings()); strings.Contains(d, secret) {
		t.Errorf("the description shows the key: %s", d)
	}
	g := newFake(t)
	g.open(t)
	for _, k := range g.keys {
		if k != "" {
			t.Errorf("without a key %q was sent", k)
		}
	}
}

// A server that wants a key says so before anything runs, and what would help is told.
func TestAKeyIsMissing(t *testing.T) {
	f := newFake(t)
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnauthorized) })
	if _, err := Open(t.Context(), Options{URL: f.URL}); err == nil || !strings.Contains(err.Error(), KeyVariable) {
		t.Errorf("%v", err)
	}
}

// A key does not cross a network in the clear unless that is allowed, and addresses that
// would carry one into the results are refused without being quoted.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		url       string
		key, well bool
		plain     bool
	}{
		{url: "http://example.com/v1", well: true},
		{url: "http://example.com/v1", key: true},
		{url: "http://example.com/v1", key: true, plain: true, well: true},
		{url: "https://example.com/v1", key: true, well: true},
		{url: "http://localhost:8000/v1", key: true, well: true},
		{url: "http://127.0.0.1:8000", key: true, well: true},
		{url: "http://[::1]:8000/v1", key: true, well: true},
		{url: "http://localhost.example.com/v1", key: true},
		{url: "http://127.0.0.1.example.com/v1", key: true},
		{url: "http://10.0.0.7/v1", key: true},
		{url: "http://user:" + secret + "@localhost/v1"},
		{url: "http://localhost/v1?key=" + secret},
		{url: "http://localhost:" + secret + "/v1"},
		{url: "localhost:8000"},
		{url: "ftp://localhost"},
		{url: "http://"},
		{url: ""},
	} {
		o := Options{URL: c.url, PlainKey: c.plain}
		if c.key {
			o.Key = Key{secret}
		}
		_, _, err := o.checked()
		if (err == nil) != c.well || err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q, key %t: %v", c.url, c.key, err)
		}
	}
}

func TestVariants(t *testing.T) {
	for _, c := range []struct {
		label    string
		settings map[string]string
		want     string
	}{
		{"", nil, "server"},
		{"bf16", nil, "server(label=bf16)"},
		{"", map[string]string{"kv": "fp8", "b": "1"}, "server(b=1,kv=fp8)"},
		{"x", map[string]string{"kv": "fp8"}, "server(kv=fp8,label=x)"},
		{"a,b=c", nil, `server(label="a,b=c")`},
		{"", map[string]string{"flag": ""}, `server(flag="")`},
	} {
		v, err := NewVariant(c.label, c.settings)
		if err != nil || v.String() != c.want || v.Policy() != "server" || v.Budget() != "full" {
			t.Errorf("%q %v: %s, %v; want %s", c.label, c.settings, v, err, c.want)
		}
	}
	if v, err := NewVariant("x", map[string]string{"label": "y"}); err == nil {
		t.Errorf("two labels: %s", v)
	}
	if v, err := NewVariant("", map[string]string{"a b": "y"}); err == nil {
		t.Errorf("a name with a space: %s", v)
	}
}
