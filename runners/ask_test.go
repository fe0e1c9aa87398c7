package runners

import "testing"

func TestAround(t *testing.T) {
	for _, c := range []struct{ text, part, want string }{
		{"one two three", "two", "…e ⟦two⟧ t…"},
		{"two three", "two", "⟦two⟧ t…"},
		{"世世 two", "two", "…世 ⟦two⟧"},
		{"two", "two", "⟦two⟧"},
		{"one", "two", ""},
	} {
		if got := around(c.text, c.part, 2); got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.part, c.text, got, c.want)
		}
	}
}
