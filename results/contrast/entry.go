package contrast

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/results"
)

// group is the entries of one set.
type group struct {
	set     results.Set
	entries []*Entry
}

// enter makes an entry of every variant of every subject of the sets, and names it by the run, where there are several,
// and by the variant, where its run has several.
func (c *Contrast) enter(sets []results.Set) (groups []group, err error) {
	runs := shortNames(sets)
	for k, s := range sets {
		g := group{set: s}
		subjects, parts := results.Subjects(s.Rows)
		for i, rows := range parts {
			labels := results.Labels(rows)
			costs := map[string]results.Cost{}
			for _, x := range results.Costs(s.Run, rows) {
				costs[x.Variant] = x
			}
			evidence := results.Evidences(s.Run, rows)
			for _, v := range s.Run.VariantsOf(rows) {
				sub, cost := subjects[i], costs[v]
				e := &Entry{
					Run: s.Name, Model: sub.Model, Revision: sub.Revision, Rope: sub.Rope, Protocol: sub.Protocol, Device: sub.Device, DType: sub.DType, Variant: v,
					CacheTimesFull: results.Known(cost.Cache.TimesFull), PrefillSeconds: results.Known(cost.PrefillSeconds), TokensPerSec: results.Known(cost.DecodeTokensPerSecond),
					cache: cost.Cache, rows: map[string]map[string]*results.Row{}, label: labels[v], run: runs[k],
				}
				if k := slices.IndexFunc(evidence, func(x results.Evidence) bool { return x.Variant == v }); k >= 0 && evidence[k].Known > 0 {
					e.Evidence = &evidence[k]
				}
				var name []string
				if len(sets) > 1 {
					name = append(name, runs[k])
				}
				if len(parts) > 1 {
					name = append(name, differing(subjects, i))
				}
				if len(labels) > 1 || len(name) == 0 {
					name = append(name, labels[v])
				}
				e.Name = strings.Join(name, ": ")
				for j := range rows {
					if r := &rows[j]; r.Variant == v {
						if e.rows[r.Task] == nil {
							e.rows[r.Task] = map[string]*results.Row{}
						}
						if e.rows[r.Task][r.Sample] != nil {
							return nil, fmt.Errorf("%s: task %q, sample %q is there twice under %s: name the runs one by one", s.Name, r.Task, r.Sample, v)
						}
						e.rows[r.Task][r.Sample] = r
					}
				}
				g.entries = append(g.entries, e)
			}
		}
		if len(g.entries) == 0 {
			return nil, fmt.Errorf("%s has no rows", s.Name)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// shortNames are the last parts of the sets' paths, as many as it takes to tell them apart.
func shortNames(sets []results.Set) []string {
	names := make([]string, len(sets))
	for depth := 1; ; depth++ {
		seen, twice, more := map[string]bool{}, false, false
		for i, s := range sets {
			parts := strings.Split(filepath.ToSlash(filepath.Clean(s.Name)), "/")
			more = more || depth < len(parts)
			names[i] = strings.Join(parts[max(0, len(parts)-depth):], "/")
			twice = twice || seen[names[i]]
			seen[names[i]] = true
		}
		if twice && !more { // the same path again
			for i := range names {
				names[i] = fmt.Sprintf("%s (%d)", names[i], i+1)
			}
		}
		if !twice || !more {
			return names
		}
	}
}

// differing names a subject by what it and its neighbours differ in.
func differing(subjects []results.Subject, at int) string {
	var words []string
	for _, of := range []func(results.Subject) string{
		func(s results.Subject) string { return s.Model },
		func(s results.Subject) string { return s.Revision },
		func(s results.Subject) string { return s.Rope },
		func(s results.Subject) string { return s.Protocol },
		func(s results.Subject) string { return s.Device },
		func(s results.Subject) string { return s.DType },
	} {
		if slices.ContainsFunc(subjects, func(s results.Subject) bool { return of(s) != of(subjects[at]) }) && of(subjects[at]) != "" {
			words = append(words, of(subjects[at]))
		}
	}
	return strings.Join(words, " ")
}

// hold decides what every entry is held against, and puts the reference first.
func (c *Contrast) hold(groups []group, against string) error {
	var all []*Entry
	for _, g := range groups {
		all = append(all, g.entries...)
	}
	if against != "" {
		at := -1
		for _, is := range []func(*Entry) bool{
			func(e *Entry) bool { return e.Name == against },
			func(e *Entry) bool { return e.Variant == against || e.label == against },
		} {
			if at < 0 {
				at = slices.IndexFunc(all, is)
			}
		}
		if at < 0 {
			return &UnknownError{against, all}
		}
		c.reference(all, all[at])
		for _, e := range c.Entries[1:] {
			e.hold(c.Entries[0])
		}
		return c.enough()
	}
	first := groups[0]
	reference := first.entries[0]
	if v := first.set.Run.BaselineOf(first.set.Rows); v != "" {
		reference = first.entries[slices.IndexFunc(first.entries, func(e *Entry) bool { return e.Variant == v })]
	}
	for i, g := range groups {
		held := results.Partners(first.set.Rows, g.set.Rows, first.set.Run.VariantsOf(first.set.Rows), g.set.Run.VariantsOf(g.set.Rows))
		for _, e := range g.entries {
			if e == reference {
				continue
			}
			e.hold(reference)
			if i == 0 {
				continue
			}
			for _, b := range first.entries {
				if held[e.Variant] == b.Variant && (e.against == reference || b.Model == e.Model && b.Device == e.Device && b.DType == e.DType) {
					e.hold(b)
				}
			}
		}
	}
	c.reference(all, reference)
	return c.enough()
}

func (e *Entry) hold(b *Entry) { e.against, e.Against = b, b.Name }

func (c *Contrast) reference(all []*Entry, first *Entry) {
	c.Entries = []*Entry{first}
	for _, e := range all {
		if e != first {
			c.Entries = append(c.Entries, e)
		}
	}
}

func (c *Contrast) enough() error {
	if len(c.Entries) < 2 {
		return fmt.Errorf("%s has one variant, %s, and nothing stands beside it: name another run", c.Entries[0].Run, c.Entries[0].label)
	}
	return nil
}

// UnknownError says that no entry has the name asked for.
type UnknownError struct {
	Name string
	have []*Entry
}

func (e *UnknownError) Error() string {
	var names []string
	for _, x := range e.have {
		names = append(names, x.Name)
	}
	return fmt.Sprintf("nothing is called %q: %shave %s", e.Name, lookup.Offer(e.Name, names), strings.Join(names, ", "))
}
