package results

import (
	"strings"
	"testing"
)

// What a server printed before it died may be pages: tables show where an error begins and ends,
// rows keep all of it.
func TestLongErrorsAreBrief(t *testing.T) {
	long := "the server ended (exit status 2), its log ends with: " + strings.Repeat("ü usage ", 500) + "invalid choice: 'q9_0'"
	brief := Brief(long)
	if n := len([]rune(brief)); n != mostBrief || !strings.HasPrefix(brief, "the server ended (exit status 2)") || !strings.HasSuffix(brief, "usage invalid choice: 'q9_0'") {
		t.Errorf("%d characters: %s", n, brief)
	}
	if s := long[:mostBrief]; Brief(s) != s {
		t.Errorf("%q", Brief(s))
	}
	rows := someRows(2)
	rows[0].Score, rows[0].Error = nil, long
	for _, s := range Sections(Set{Rows: rows}) {
		if s.Heading != "Rows without a score" {
			continue
		}
		if s.Grid.Rows[0][0] != brief {
			t.Errorf("%q", s.Grid.Rows[0][0])
		}
		if _, first := Unscored(rows); !strings.HasSuffix(first, brief) || rows[0].Error != long {
			t.Errorf("%q", first)
		}
		return
	}
	t.Error("no such section")
}
