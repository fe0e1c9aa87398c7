package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/results"
)

// Across names what two runs may differ in and be compared all the same.
type Across []string

// Difference is something that two runs differ in, and were allowed to.
type Difference struct {
	What      string `json:"what"`
	Baseline  string `json:"baseline"`
	Candidate string `json:"candidate"`
}

func (d Difference) String() string {
	return fmt.Sprintf("ACROSS %s: baseline %q, candidate %q", d.What, d.Baseline, d.Candidate)
}

// What runs may differ in, and what each allows.
const (
	acrossModel    = "model"    // and its revision
	acrossRevision = "revision" // of one model
	acrossRope     = "rope"     // the rotation's scaling, as --rope set it
	acrossProtocol = "protocol"
	acrossDevice   = "device"
	acrossDType    = "dtype"
	acrossEngine   = "engine" // of servers: vllm, sglang; versions of one engine need no leave
	acrossLabel    = "label"  // of servers: several of each run, paired in their order
	acrossPrompt   = "prompt" // samples of one id whose prompts differ, as under two tokenizers
)

var acrossNames = []string{acrossModel, acrossRevision, acrossRope, acrossProtocol, acrossDevice, acrossDType, acrossEngine, acrossLabel, acrossPrompt}

// AcrossNames lists what two runs may be allowed to differ in.
func AcrossNames() []string { return slices.Clone(acrossNames) }

// ParseAcross reads names with commas between them.
func ParseAcross(names ...string) (Across, error) {
	var a Across
	for _, n := range names {
		n = strings.TrimSpace(n)
		if !slices.Contains(acrossNames, n) {
			return nil, fmt.Errorf("across %q: nothing of that name: %shave %s", n, lookup.Offer(n, acrossNames), strings.Join(acrossNames, ", "))
		}
		if !a.has(n) {
			a = append(a, n)
		}
	}
	return a, nil
}

func (a Across) has(name string) bool { return slices.Contains(a, name) }

// part is a field of a subject that runs may differ in.
type part struct {
	name string
	of   func(results.Subject) string
}

var fields = []part{
	{acrossModel, func(s results.Subject) string { return s.Model }},
	{acrossRevision, func(s results.Subject) string { return s.Revision }},
	{acrossRope, func(s results.Subject) string { return s.Rope }},
	{acrossProtocol, func(s results.Subject) string { return s.Protocol }},
	{acrossDevice, func(s results.Subject) string { return s.Device }},
	{acrossDType, func(s results.Subject) string { return s.DType }},
}

// differences are those of two subjects: the allowed ones, and for the others why the two are not compared.
func (a Across) differences(base, cand results.Subject) (allowed []Difference, reasons []string) {
	for _, f := range fields {
		x, y := f.of(base), f.of(cand)
		switch {
		case x == y:
		case f.name == acrossRevision && base.Model != cand.Model: // another model has another
		case a.has(f.name):
			allowed = append(allowed, Difference{f.name, x, y})
		default:
			reasons = append(reasons, refuse(f.name, x, y))
		}
	}
	return allowed, reasons
}

func refuse(what, base, cand string) string {
	return fmt.Sprintf("%s: baseline %q, candidate %q (--across %s compares them all the same)", what, base, cand, what)
}

// key is what two subjects must share to be held against each other. Where each ran decides nothing yet.
func (a Across) key(s results.Subject) results.Subject {
	k := model(s)
	if a.has(acrossModel) {
		k.Model, k.Revision = "", ""
	}
	if a.has(acrossRevision) {
		k.Revision = ""
	}
	if a.has(acrossRope) {
		k.Rope = ""
	}
	if a.has(acrossProtocol) {
		k.Protocol = ""
	}
	return k
}

// partner finds the baseline's subject that a candidate's is held against: the same one, else the one of the same
// device, else any with the same key; -1 without one. Two models that could both be meant are a reason to refuse.
func (a Across) partner(cand results.Subject, base []results.Subject) (at int, reason string) {
	at = -1
	rank := func(b results.Subject) int {
		switch {
		case b == cand:
			return 3
		case model(b) == model(cand):
			return 2
		case b.Device == cand.Device && b.DType == cand.DType:
			return 1
		}
		return 0
	}
	for k, b := range base {
		switch {
		case a.key(b) != a.key(cand):
		case at < 0 || rank(b) > rank(base[at]):
			at = k
		}
	}
	if at < 0 || model(base[at]) == model(cand) {
		return at, ""
	}
	for k, b := range base {
		if k != at && a.key(b) == a.key(cand) && rank(b) == rank(base[at]) {
			return -1, fmt.Sprintf("%s could be held against %s and against %s: give a baseline with one of them", cand, base[at], b)
		}
	}
	return at, ""
}

// differ notes differences, each once.
func (p *pairing) differ(list ...Difference) {
	for _, d := range list {
		if !slices.Contains(p.across, d) {
			p.across = append(p.across, d)
		}
	}
}

// engine is the name and the version of what a server's rows say answered: "vllm", "0.9.1".
func engine(rows []results.Row) (name, version string) {
	for i := range rows {
		if r := &rows[i]; r.Policy == "server" && r.Revision != "" {
			name, version, _ = strings.Cut(r.Revision, " ")
			return name, version
		}
	}
	return "", ""
}

// engines holds two servers' engines against each other. Another version is what such a gate is for, and is said.
func (p *pairing) engines(base, cand []results.Row, a Across) {
	b, bv := engine(base)
	c, cv := engine(cand)
	switch {
	case b == "" || c == "":
	case b != c && a.has(acrossEngine):
		p.differ(Difference{acrossEngine, b + " " + bv, c + " " + cv})
	case b != c:
		p.reasons = append(p.reasons, refuse(acrossEngine, b+" "+bv, c+" "+cv))
	case bv != cv:
		p.note("%s: the baseline is of version %s, the candidate of %s", b, bv, cv)
	}
}

func (p *pairing) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(p.notes, n) {
		p.notes = append(p.notes, n)
	}
}
