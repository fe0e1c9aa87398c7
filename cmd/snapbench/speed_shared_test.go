package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/speed"
)

// TestSpeedShared: many policies and budgets are measured as one run, beside the first
// variant alone, and those that choose on the host are named.
func TestSpeedShared(t *testing.T) {
	args := []string{"speed", "--shared", "--model", "shape:tiny", "--device", "cpu", "--lengths", "300", "--max-new", "2", "--repeat", "1",
		"--policies", "full,recent,random,streaming,snapkv,pyramid,ada,h2o,observed,tova,knorm,keydiff,chunk,lagkv", "--budgets", "full,48,64,96"}
	var out, errors bytes.Buffer
	if status := run(append(args, "--json"), &out, &errors); status != 0 {
		t.Fatalf("status %d: %s", status, errors.String())
	}
	var rows []speed.SharedRow
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if len(rows) != 2 || rows[0].Variants != 1 || rows[1].Variants != 40 || len(rows[0].Host) > 0 {
		t.Fatalf("%+v: want the full cache alone, and all 40 variants", rows)
	}
	for _, r := range rows {
		if r.Prefill <= 0 || r.Decode <= 0 || r.Total < max(r.Prefill, r.Decode) || r.Peak <= 0 || r.Length != 300 {
			t.Errorf("%+v", r)
		}
	}
	if host := rows[1].Host; len(host) != 3 || !strings.HasPrefix(host[0], "lagkv(cap=48") {
		t.Errorf("on the host: %v, want lagkv with each of three budgets", host)
	}
	out.Reset()
	if status := run(args, &out, &errors); status != 0 || !strings.Contains(out.String(), "40 variants take ") ||
		strings.Count(out.String(), "chooses on the host") != 3 {
		t.Errorf("status %d: %s", status, out.String())
	}
}
