package datasets

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Catalogue describes families of tasks.
type Catalogue []CatalogueEntry

// CatalogueEntry is one family: what is inside the program, what must be brought, and what is known of its scores.
type CatalogueEntry struct {
	Family    string      `json:"family"`
	Help      string      `json:"help"`
	Tasks     []string    `json:"tasks"`
	Groups    []string    `json:"groups,omitempty"`
	Origin    *Origin     `json:"origin,omitempty"` // none: a file of the user's own
	Published []Published `json:"published,omitempty"`
	// Here is where the rows to bring are on this machine; "": nowhere.
	Here string `json:"here,omitempty"`
	// Sets are the rows that are there, where they were checked.
	Sets Sets `json:"sets,omitempty"`

	Definition Definition `json:"-"`
	full       bool
}

// NewCatalogue describes the families named, in full, or all families in short.
func NewCatalogue(families []string) (Catalogue, error) {
	var list Catalogue
	var have []string
	for _, d := range Definitions() {
		have = append(have, d.Family)
		if len(families) > 0 && !slices.Contains(families, d.Family) {
			continue
		}
		list = append(list, CatalogueEntry{
			Family: d.Family, Help: d.Help, Tasks: d.Names, Groups: slices.Sorted(maps.Keys(d.Groups)), Origin: d.Origin,
			Published: d.Published(), Definition: d, full: len(families) > 0,
		})
	}
	for _, f := range families {
		if !slices.Contains(have, f) {
			return nil, lookup.Unknown("data set", f, have...)
		}
	}
	return list, nil
}

// Check reads every row that is there.
func (e *CatalogueEntry) Check() (err error) {
	e.Sets, err = e.Origin.Copy.Check(e.Here)
	if err == nil && len(e.Sets) == 0 {
		err = fmt.Errorf("%s: none of %s's sets is there", e.Here, e.Family)
	}
	return err
}

// Err joins the errors of all sets.
func (c Catalogue) Err() error {
	var all Sets
	for _, e := range c {
		all = append(all, e.Sets...)
	}
	return all.Err()
}

// Print writes what people read.
func (c Catalogue) Print(w io.Writer) error {
	for i, e := range c {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := e.print(w); err != nil {
			return err
		}
	}
	return nil
}

func (e *CatalogueEntry) print(w io.Writer) (err error) {
	line := func(name, text string) {
		if text != "" {
			_, err = fmt.Fprintf(w, "  %-9s  %s\n", name, text)
		}
	}
	fmt.Fprintf(w, "%s: %s\n", e.Family, e.Help)
	line("tasks", e.tasks())
	line("groups", strings.Join(e.Groups, ", "))
	if e.Origin == nil {
		line("rows", "a file of your own")
		return err
	}
	line("source", e.Origin.Source)
	line("licence", e.Origin.Licence)
	line("inside", e.Origin.Inside)
	line("to fetch", e.Origin.Bring)
	if c := e.Origin.Copy; c == nil && e.Origin.Bring == "" {
		line("to pull", "nothing")
	} else if c != nil {
		line("to pull", fmt.Sprintf("%s (%s): %s", c.Repo, c.Licence, c.About))
		if e.Here == "" {
			line("here", "no: snapbench datasets pull "+e.Family)
		} else {
			line("here", e.Here)
		}
	}
	for _, p := range e.Published {
		line("published", fmt.Sprintf("%d models, %s", len(p.Rows), p.Source))
	}
	if !e.full {
		return err
	}
	for _, p := range e.Published {
		if err := p.print(w); err != nil {
			return err
		}
	}
	if len(e.Sets) > 0 {
		fmt.Fprintln(w)
		return e.Sets.Print(w)
	}
	return err
}

// tasks names the first few.
func (e *CatalogueEntry) tasks() string {
	const most = 6
	if len(e.Tasks) <= most || e.full {
		return strings.Join(e.Tasks, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(e.Tasks[:most], ", "), len(e.Tasks)-most)
}

// print writes the table of scores.
func (p Published) print(w io.Writer) error {
	name := 0
	for _, r := range p.Rows {
		name = max(name, len(r.Model))
	}
	fmt.Fprintf(w, "\npublished: %s\n%-*s", p.Source, name, "model")
	for _, c := range p.Columns {
		fmt.Fprintf(w, "  %*s", max(6, len(c)), c)
	}
	_, err := fmt.Fprintln(w)
	for _, r := range p.Rows {
		fmt.Fprintf(w, "%-*s", name, r.Model)
		for i, s := range r.Scores {
			if s == "" {
				s = "–"
			}
			fmt.Fprintf(w, "  %*s", max(6, len(p.Columns[i])), s)
		}
		_, err = fmt.Fprintln(w)
	}
	return err
}
