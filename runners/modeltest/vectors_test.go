package modeltest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// unrecorded are the policies without recorded cases, and why. All others are held to
// positions that the originals kept.
var unrecorded = map[string]string{
	"full":   "it keeps everything: every checkpoint's own logits are its record",
	"recent": "the last positions need no record: compress holds them to its contract",
	"random": "it is the project's own: compress holds its draws to numbers worked out apart from it",
}

// Every registered policy has recorded cases, or a reason to have none.
func TestEveryPolicyIsRecorded(t *testing.T) {
	var all recordedPolicies
	data, err := os.ReadFile(filepath.Join(sharedtest.Path(t, "policies"), "policies.json"))
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]int{}
	for _, family := range all.Families {
		for name, own := range family.Cases {
			c := all.Cases[name]
			for key, value := range own.Params {
				c.Params[key] = value
			}
			text, err := c.variant(all.Length)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			v, err := compress.Parse(text)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for _, policy := range strings.FieldsFunc(v.Policy(), func(r rune) bool { return strings.ContainsRune("(,)", r) }) {
				cases[policy]++ // those that it is built on, too
			}
		}
	}
	for _, policy := range compress.Names() {
		switch reason := unrecorded[policy]; {
		case cases[policy] == 0 && reason == "":
			t.Errorf("%s: no case of the originals is recorded, and no reason is given here", policy)
		case cases[policy] > 0 && reason != "":
			t.Errorf("%s has %d recorded cases, and a reason to have none: %s", policy, cases[policy], reason)
		}
	}
	for policy := range unrecorded {
		if _, err := compress.Define(policy); err != nil {
			t.Errorf("a reason for no policy: %v", err)
		}
	}
}

// Every registered family has a checkpoint whose activations and answers are recorded.
func TestEveryFamilyIsRecorded(t *testing.T) {
	seen := map[string]bool{}
	for _, dir := range goldens(t) {
		c, err := models.ReadConfig(dir)
		if err != nil {
			t.Error(err)
			continue
		}
		seen[c.Family] = true
	}
	for _, family := range models.Names() {
		if !seen[family] {
			t.Errorf("%s: no checkpoint of this family is recorded", family)
		}
	}
}
