package console

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"lengths", "length", "limit", "budgets", "out", "on", "json", "max-len", "max-new", "max-drop", "kernels"}
	for typed, want := range map[string]string{
		"lenghts": "lengths", "lengthes": "lengths", "budget": "budgets", "kernel": "kernels", "Budgets": "budgets",
		"jsno": "json", "ou": "out", "max-lne": "max-len",
		"budg": "budgets", "max": "", // one begins with it; three do
		"nosuch": "", "x": "", "": "", "seed": "",
	} {
		if got := Nearest(typed, names); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
