package results

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// How a row's Followed says that an instruction is followed.
const (
	FollowedStrictly = "strict" // by the answer as it stands
	FollowedLoosely  = "loose"  // by a form of it alone that the loose reading looks at
	NotFollowed      = "no"
)

var followedHow = []string{FollowedStrictly, FollowedLoosely, NotFollowed}

// Names of lines that stand for more than one instruction.
const (
	anyInstruction  = "instruction level" // IFEval's instruction-level accuracy
	allInstructions = "prompt level"      // its accuracy over prompts, of which all is followed
)

// instructionMark names the passage of a prompt that is all of its instructions; behind a space follows the name of one.
const instructionMark = "instruction"

// FollowedLine is how often an instruction is followed in one task by one variant: of so many times
// that it was given, strictly, and by the loose reading, which allows what is strict.
type FollowedLine struct {
	Task        string `json:"task"`
	Instruction string `json:"instruction"` // "no_comma"; at last "instruction level" and "prompt level"
	Variant     string `json:"variant"`
	Given       int    `json:"given"`
	Strict      int    `json:"strict"`
	Loose       int    `json:"loose"`
	// Kept is the mean share of the instruction's tokens that caches kept, 0 to 1; nil where no evidence was asked for.
	Kept *float64 `json:"kept,omitempty"`

	kept []float64
}

// FollowedBy counts by task, instruction and variant; nothing where rows do not know it. An instruction
// that a prompt has twice counts twice.
func FollowedBy(run Run, rows []Row) []FollowedLine {
	type place struct{ task, instruction, variant string }
	counts := map[place]*FollowedLine{}
	found := map[string]bool{}
	add := func(r *Row, instruction, mark string, strict, loose bool) {
		p := place{r.Task, instruction, r.Variant}
		if counts[p] == nil {
			counts[p] = &FollowedLine{Task: r.Task, Instruction: instruction, Variant: r.Variant}
		}
		l := counts[p]
		l.Given++
		if strict {
			l.Strict++
		}
		if loose {
			l.Loose++
		}
		if kept, err := strconv.ParseFloat(r.MarksKept[mark], 64); err == nil {
			l.kept = append(l.kept, kept)
		}
	}
	for i := range rows {
		r := &rows[i]
		if len(r.Followed) == 0 || r.Error != "" {
			continue
		}
		strict, loose := true, true
		for _, numbered := range slices.Sorted(maps.Keys(r.Followed)) {
			name, how := withoutNumber(numbered), r.Followed[numbered]
			found[name] = true
			s, l := how == FollowedStrictly, how != NotFollowed
			strict, loose = strict && s, loose && l
			mark := instructionMark + " " + numbered
			add(r, name, mark, s, l)
			add(r, anyInstruction, mark, s, l)
		}
		add(r, allInstructions, instructionMark, strict, loose)
	}
	var instructions []string
	for name := range found {
		instructions = append(instructions, name)
	}
	slices.Sort(instructions)
	var list []FollowedLine
	for _, task := range names(rows, func(r *Row) string { return r.Task }, run.Tasks) {
		for _, name := range append(instructions, anyInstruction, allInstructions) {
			for _, v := range names(rows, func(r *Row) string { return r.Variant }, run.Variants) {
				if l := counts[place{task, name, v}]; l != nil {
					if len(l.kept) > 0 {
						l.Kept = new(mean(l.kept))
					}
					l.kept = nil
					list = append(list, *l)
				}
			}
		}
	}
	return list
}

// NumberedInstruction is the name of an instruction that stands n times before in the same prompt.
func NumberedInstruction(name string, n int) string {
	if n == 0 {
		return name
	}
	return fmt.Sprintf("%s #%d", name, n+1)
}

func withoutNumber(name string) string {
	for i, r := range name {
		if r == ' ' {
			return name[:i]
		}
	}
	return name
}

// FollowedGrid lays it out, variants across; ok is false where no row knows it.
func FollowedGrid(run Run, rows []Row) (g Grid, ok bool) {
	list := FollowedBy(run, rows)
	if len(list) == 0 {
		return g, false
	}
	labels := Labels(rows)
	variants := names(rows, func(r *Row) string { return r.Variant }, run.Variants)
	g.Head = []string{"task", "instruction", "given"}
	for _, v := range variants {
		g.Head = append(g.Head, labels[v])
	}
	audited := false
	for len(list) > 0 {
		first, n := list[0], 1
		for n < len(list) && list[n].Task == first.Task && list[n].Instruction == first.Instruction {
			n++
		}
		row := []string{first.Task, first.Instruction, fmt.Sprint(first.Given)}
		for _, v := range variants {
			cell := "n/a"
			for _, l := range list[:n] {
				if l.Variant != v {
					continue
				}
				cell = fmt.Sprintf("%.0f / %.0f", 100*float64(l.Strict)/float64(l.Given), 100*float64(l.Loose)/float64(l.Given))
				if l.Given != first.Given {
					cell += fmt.Sprintf(" (of %d)", l.Given)
				}
				if l.Kept != nil {
					cell += fmt.Sprintf(", %.0f kept", 100**l.Kept)
					audited = true
				}
			}
			row = append(row, cell)
		}
		g.Rows = append(g.Rows, row)
		g.Strong = append(g.Strong, first.Instruction == anyInstruction || first.Instruction == allInstructions)
		list = list[n:]
	}
	g.Notes = []string{"percent followed, strictly / loosely"}
	if audited {
		g.Notes[0] += "; kept: percent of the instruction's tokens that a cache holds, the mean over layers and heads"
	}
	return g, true
}
