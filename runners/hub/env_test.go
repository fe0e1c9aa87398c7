package hub

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestParseRepo(t *testing.T) {
	for _, s := range []string{"gpt2", "org/name", "Qwen/Qwen2.5-0.5B_x@main", "a/b@refs/pr/12", "a/b@" + testCommit, "a/b@v1.0+x"} {
		r, err := ParseRepo(Model, s)
		if err != nil || r.String() != s {
			t.Errorf("%q: %v, %v", s, r, err)
		}
	}
	for _, s := range []string{"", "/", "a/", "/a", "a/b/c", "../a", "a/..", "a--b/c", "a b", "a/b@", "a/b@../x", "a/b@/x", "a/b@x/", "a/b@-x", "a/b@x y", "a/b@.x", "a/b.git", "a\\b", "-a/b", "a/b@x..y"} {
		if r, err := ParseRepo(Model, s); err == nil {
			t.Errorf("%q passes as %+v", s, r)
		}
	}
	for _, r := range []Repo{{ID: "a/b"}, {ID: "gpt2"}, {Kind: Dataset, ID: "a/b"}} {
		if got, ok := repoOfFolder(r.folder()); !ok || got != r {
			t.Errorf("%s gives %+v", r.folder(), got)
		}
	}
}

func TestFromEnv(t *testing.T) {
	home := t.TempDir()
	hf := filepath.Join(home, "hf")
	if err := os.MkdirAll(hf, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(hf, "token"), []byte("hf_file\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		env  map[string]string
		want Client
		err  string
	}{
		{map[string]string{"HOME": home}, Client{Endpoint: DefaultEndpoint, Cache: home + "/.cache/huggingface/hub"}, ""},
		{map[string]string{"HOME": home, "XDG_CACHE_HOME": "/x"}, Client{Endpoint: DefaultEndpoint, Cache: "/x/huggingface/hub"}, ""},
		{map[string]string{"HOME": home, "HF_HOME": "~/hf"}, Client{Endpoint: DefaultEndpoint, Cache: hf + "/hub", Token: "hf_file"}, ""},
		{map[string]string{"HF_HOME": hf, "HF_TOKEN": " hf_env ", "HF_HUB_OFFLINE": "yes"}, Client{Endpoint: DefaultEndpoint, Cache: hf + "/hub", Token: "hf_env", Offline: true}, ""},
		{map[string]string{"HF_HOME": hf, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_HUB_OFFLINE": "0"}, Client{Endpoint: DefaultEndpoint, Cache: hf + "/hub"}, ""},
		{map[string]string{"HF_HOME": hf, "HF_HUB_CACHE": "$HF_HOME/elsewhere", "HF_TOKEN_PATH": "/none", "HF_ENDPOINT": "http://mirror:8080/"}, Client{Endpoint: "http://mirror:8080", Cache: hf + "/elsewhere"}, ""},
		{map[string]string{"HF_HOME": hf, "HF_HUB_CACHE": "${HF_HOME}/50$/$none/${none}/a[b", "HF_TOKEN_PATH": "/none"}, Client{Endpoint: DefaultEndpoint, Cache: hf + "/50$/$none/${none}/a[b"}, ""},
		{map[string]string{"HF_HOME": hf, "HF_ENDPOINT": "mirror"}, Client{}, `HF_ENDPOINT: "mirror" is not an endpoint`},
		{map[string]string{"HF_HOME": hf, "HF_TOKEN": "two words"}, Client{}, "hub token"},
		{map[string]string{}, Client{}, "HF_HUB_CACHE, HF_HOME"},
	} {
		got, err := FromEnv(func(k string) string { return c.env[k] })
		if c.err != "" {
			if !mentions(err, c.err) {
				t.Errorf("case %d: %v; want %q", i, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("case %d: %v", i, err)
			continue
		}
		if a, b := fmt.Sprintf("%+v", *got), fmt.Sprintf("%+v", c.want); a != b {
			t.Errorf("case %d: %s\nwant %s", i, a, b)
		}
	}
}
