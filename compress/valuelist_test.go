package compress

import (
	"slices"
	"testing"
)

// A list that is typed takes the default's place, and a second one is added; brackets hold
// one entry together.
func TestValueList(t *testing.T) {
	var into []string
	l := NewValueList(&into, "full", "1024")
	if l.String() != "[full,1024]" || (&ValueList{}).String() != "" {
		t.Errorf("default %s, zero %s", l, &ValueList{})
	}
	if err := l.Replace([]string{"full", "64"}); err != nil || !slices.Equal(into, []string{"full", "64"}) {
		t.Errorf("replaced: %q, %v", into, err)
	}
	for _, s := range []string{"full,[64,64,128]", "25%"} {
		if err := l.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"full", "[64,64,128]", "25%"}; !slices.Equal(into, want) || !slices.Equal(l.GetSlice(), want) {
		t.Errorf("%q, want %q", into, want)
	}
	if err := l.Set(""); err != nil || len(into) != 3 {
		t.Errorf("nothing added: %q, %v", into, err)
	}
	a, err := ParseBudget("[64,64,128]")
	if err != nil || a.String() != "64|64|128" {
		t.Errorf("%s, %v", a, err)
	}
}
