package lookup

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"lengths", "length", "limit", "budgets", "out", "on", "json", "max-len", "max-new", "max-drop", "kernels", "niah", "SmolLM2"}
	for typed, want := range map[string]string{
		"lenghts": "lengths", "lengthes": "lengths", "budget": "budgets", "kernel": "kernels", "Budgets": "budgets",
		"jsno": "json", "ou": "out", "max-lne": "max-len",
		"budg": "budgets", "max": "", // one begins with it; three do
		"drop": "max-drop", "max-d": "max-drop", "new": "max-new", "ax-": "", "ma": "", // one has it; three do
		"NIAH": "niah", "smollm3": "SmolLM2", "SMOL": "SmolLM2",
		"nosuch": "", "x": "", "": "", "seed": "",
	} {
		if got := Nearest(typed, names); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
