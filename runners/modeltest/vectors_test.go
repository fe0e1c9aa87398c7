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

// unrecorded lists the policies without recorded cases, and the reasons. All others are
// compared with the positions that the originals kept.
var unrecorded = map[string]string{
	"full":   "it keeps everything: the recorded logits of every checkpoint are its cases",
	"recent": "it keeps the last positions: the contract tests of compress check them",
	"random": "it is the project's own: compress compares its draws with numbers computed independently",
}

// TestEveryPolicyIsRecorded: every policy has recorded cases, or a reason to have none.
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
				cases[policy]++ // counts inner policies, too
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
			t.Errorf("a reason for an unknown policy: %v", err)
		}
	}
}

// TestEveryFamilyIsRecorded: every family has a checkpoint with recorded activations and answers.
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
		if !seen[family] && nestedFamilies[family] == "" {
			t.Errorf("%s: no checkpoint of this family is recorded", family)
		}
	}
}
