package tokenizer

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// pipelines are small tokenizers with what the reference library gives; testdata/make.py makes them.
func pipelines(t testing.TB) []pipeline {
	var p []pipeline
	readJSONFile(t, filepath.Join("testdata", "pipelines.json"), &p)
	if len(p) == 0 {
		t.Fatal("no pipelines")
	}
	return p
}

type pipeline struct {
	Name      string          `json:"name"`
	Tokenizer json.RawMessage `json:"tokenizer"`
	Cases     []vector        `json:"cases"`
}

func TestPipelines(t *testing.T) {
	for _, p := range pipelines(t) {
		t.Run(p.Name, func(t *testing.T) {
			tok, err := FromJSON(p.Tokenizer)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range p.Cases {
				if err := v.check(tok); err != nil {
					t.Errorf("%q: %v", v.Text, err)
				}
			}
		})
	}
}
