package datasets

import (
	"path"
	"strings"
	"testing"
)

// ownFiles are families whose tasks are a file of the user's own: nobody published them.
var ownFiles = []string{"prompts", "questions"}

// Every family says where it is from, under which licence, and what of it is in the program; one whose rows are the
// user's copy says what to pull, and reads it under the option "data".
func TestContractOrigin(t *testing.T) {
	families := map[string]bool{}
	for _, d := range Definitions() {
		families[d.Family] = true
		own := false
		for _, f := range ownFiles {
			own = own || f == d.Family
		}
		if own != (d.Origin == nil) {
			t.Errorf("%s: its Definition has the Origin %+v: want one with source, licence and what is inside, except where the user names the file, as for %q (ownFiles)",
				d.Family, d.Origin, ownFiles)
		}
		if d.Origin == nil {
			continue
		}
		if o := d.Origin; o.Source == "" || o.Licence == "" || o.Inside == "" {
			t.Errorf("%s: %+v: want source, licence and what is inside", d.Family, o)
		}
		c := d.Origin.Copy
		if c == nil {
			continue
		}
		if strings.Count(c.Repo, "/") != 1 || len(c.Files) == 0 || c.Licence == "" || c.About == "" || c.Check == nil {
			t.Errorf("%s: %+v: want a repository, files, licence, a word about the rows, and a check of them", d.Family, c)
		}
		for _, pattern := range c.Files {
			if _, err := path.Match(pattern, "x"); err != nil {
				t.Errorf("%s: pattern %q: %v", d.Family, pattern, err)
			}
		}
		data := false
		for _, o := range OptionsOf(d.Own()) {
			data = data || o.Name == "data" && o.Kind == "text" && !o.List
		}
		if !data {
			t.Errorf("%s: no option data, which names the user's copy", d.Family)
		}
		if _, err := Open(d.Names[0], Options{}); err == nil || !strings.Contains(err.Error(), "data") {
			t.Errorf("%s without data: %v", d.Family, err)
		}
	}
	for family, tables := range published() {
		if !families[family] {
			t.Errorf("published scores of the family %q, which is not registered", family)
		}
		for _, table := range tables {
			if table.Source == "" || len(table.Columns) == 0 || len(table.Rows) == 0 {
				t.Errorf("%s: a published table without source, columns or rows: %+v", family, table)
			}
			for _, row := range table.Rows {
				if row.Model == "" || len(row.Scores) != len(table.Columns) || strings.Join(row.Scores, "") == "" {
					t.Errorf("%s: %q has %d scores in %d columns", family, row.Model, len(row.Scores), len(table.Columns))
				}
			}
		}
	}
}
