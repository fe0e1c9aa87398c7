package plots

import (
	"maps"
	"slices"
	"strings"
)

// pen is what tells a line from others: its colour and its mark, by their numbers.
type pen struct{ hue, mark int }

// crossing is many lines that are policies in formats of the cache, each in several: one of the two has the colours, the
// other the marks, and a legend names each policy and each format once.
type crossing struct {
	hues, marks []string
	pens        []pen // of the lines
}

// cross finds the crossing of kinds, to which the full cache of the device's own type is added if baseline is set. It is
// nil where a colour for each line does, or marks do not do for policies and formats either.
func cross(kinds []kind, baseline bool) *crossing {
	var policies, formats []string
	var at [][2]int // policy and format of a line
	add := func(policy, format string) {
		at = append(at, [2]int{indexOf(&policies, policy), indexOf(&formats, format)})
	}
	for _, k := range kinds {
		if k.row.Cache == "" {
			add(k.label, nativeFormat)
		} else {
			add(strings.Replace(k.label, "+"+k.row.Cache, "", 1), k.row.Cache)
		}
	}
	if baseline {
		add("full", nativeFormat)
	}
	swap := len(formats) > len(policies) // more are told by colours than by marks
	x := crossing{hues: policies, marks: formats}
	if swap {
		x.hues, x.marks = formats, policies
	}
	if len(at) <= len(series) || len(policies) < 2 || len(formats) < 2 || len(x.marks) > markShapes {
		return nil
	}
	for _, a := range at {
		p := pen{a[0], a[1]}
		if swap {
			p = pen{a[1], a[0]}
		}
		if slices.Contains(x.pens, p) {
			return nil
		}
		x.pens = append(x.pens, p)
	}
	return &x
}

// nativeFormat is what --cache calls the device's own type.
const nativeFormat = "native"

func indexOf(list *[]string, s string) int {
	i := slices.Index(*list, s)
	if i < 0 {
		i = len(*list)
		*list = append(*list, s)
	}
	return i
}

// underFull gives each kind the full cache in its own format as the budget "full", in place of a kind of its own that
// has no other budget. Without formats kinds stay as they are.
func (g group) underFull(kinds []kind) []kind {
	of := map[string]string{} // format → variant
	for _, k := range kinds {
		if k.wholeIn() {
			of[k.row.Cache] = k.variants["full"]
		}
	}
	if len(of) == 0 {
		return kinds
	}
	for i := range g.rows {
		if r := &g.rows[i]; r.Variant == g.baseline && r.Policy == "full" {
			of[""] = r.Variant
		}
	}
	used := map[string]bool{}
	var list []kind
	for _, k := range kinds {
		if v, ok := of[k.row.Cache]; ok && !k.wholeIn() {
			k.variants = maps.Clone(k.variants)
			k.variants["full"], used[v] = v, true
		}
		list = append(list, k)
	}
	return slices.DeleteFunc(list, func(k kind) bool { return k.wholeIn() && used[k.variants["full"]] })
}

// wholeIn reports whether a kind is the full cache in a format.
func (k kind) wholeIn() bool { return k.row.Cache != "" && k.row.Policy == "full+"+k.row.Cache }

// fullName names the baseline in a picture that has other full caches, in formats, beside it.
func (g group) fullName() string {
	format, others := nativeFormat, false
	for i := range g.rows {
		switch r := &g.rows[i]; {
		case r.Variant != g.baseline:
			others = others || r.Cache != ""
		case r.Cache != "":
			format = r.Cache
		}
	}
	if others {
		return "full, " + format
	}
	return "full"
}
