package results

import (
	"fmt"
	"math"
	"slices"
)

// Ladder is tasks that are asked at several lengths, of which tables tell each.
type Ladder struct {
	Name  string   `json:"name"`
	Tasks []string `json:"tasks"`
	// Enough is the average in points from which a length counts as one that is of use, such as
	// RULER's 85.6. The longest such is a variant's effective length.
	Enough float64 `json:"enough"`
}

// LengthTable is the scores of a ladder's tasks by length, for rows that differ in nothing else. An
// average weighs every task the same.
type LengthTable struct {
	Title    string // what the rows have in common: model, protocol, device
	Ladder   Ladder // its Tasks are those that there are rows of
	Of       int    // how many tasks the ladder has
	Lengths  []int
	Variants []string
	Labels   []string
	Lines    []LengthLine
}

// LengthLine is one variant's scores.
type LengthLine struct {
	Cells   [][]Cell // by task and length
	Average []Cell   // over the tasks, by length
	// Effective is the longest length with an average that is enough, 0 where none is.
	Effective int
}

// LengthTables makes the tables by length of every subject of a set.
func LengthTables(set Set) (list []LengthTable) {
	subjects, parts := Subjects(set.Rows)
	for i, rows := range parts {
		for _, t := range lengthTables(set.Run, rows) {
			t.Title = subjects[i].String()
			list = append(list, t)
		}
	}
	return list
}

// lengthTables makes the tables of a run's ladders from the rows of one subject.
func lengthTables(run Run, rows []Row) []LengthTable {
	var list []LengthTable
	for _, ladder := range run.Ladders {
		if t, ok := newLengthTable(run, ladder, rows); ok {
			list = append(list, t)
		}
	}
	return list
}

func newLengthTable(run Run, ladder Ladder, rows []Row) (LengthTable, bool) {
	t := LengthTable{Ladder: ladder, Of: len(ladder.Tasks)}
	at := map[int][]Row{}
	var all []Row
	for _, r := range rows {
		if r.Length != nil && slices.Contains(ladder.Tasks, r.Task) {
			at[*r.Length] = append(at[*r.Length], r)
			all = append(all, r)
		}
	}
	for length := range at {
		t.Lengths = append(t.Lengths, length)
	}
	slices.Sort(t.Lengths)
	t.Ladder.Tasks = names(all, func(r *Row) string { return r.Task }, run.Tasks)
	t.Variants = names(all, func(r *Row) string { return r.Variant }, run.Variants)
	labels := Labels(all)
	for _, v := range t.Variants {
		t.Labels = append(t.Labels, labels[v])
		t.Lines = append(t.Lines, LengthLine{Cells: make([][]Cell, len(t.Ladder.Tasks))})
	}
	run.Groups = nil
	for _, length := range t.Lengths {
		table, _ := newTable(run, at[length], Measures()[0], false)
		for k, v := range t.Variants {
			line := &t.Lines[k]
			average := noCell
			for i, task := range t.Ladder.Tasks {
				line.Cells[i] = append(line.Cells[i], table.cell(task, v))
			}
			if n := len(table.Lines); n == len(t.Ladder.Tasks) && n == 1 || n == len(t.Ladder.Tasks)+1 {
				average = table.cell(table.Lines[n-1].Name, v)
			}
			if line.Average = append(line.Average, average); 100*average.Mean > t.Ladder.Enough-1e-9 {
				line.Effective = length
			}
		}
	}
	return t, len(t.Lengths) > 0
}

// noCell is a cell of no samples.
var noCell = Cell{Interval: Interval{Mean: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}}

// cell is a line's cell of a variant.
func (t Table) cell(line, variant string) Cell {
	for _, l := range t.Lines {
		if k := slices.Index(t.Variants, variant); l.Name == line && k >= 0 {
			return l.Cells[k]
		}
	}
	return noCell
}

// Sections lays the table out: the averages and effective lengths of all variants, then the tasks of
// each variant.
func (t LengthTable) Sections() []Section {
	score := Table{Measure: Measures()[0]}
	heading := "Score by length, " + t.Ladder.Name
	var lengths []string
	for _, n := range t.Lengths {
		lengths = append(lengths, Tokens(n))
	}
	average := Grid{Head: slices.Concat([]string{"variant"}, lengths, []string{"effective length"})}
	average.Notes = []string{fmt.Sprintf("score, 0 to 100, as the plain average of %s, with 95 %% intervals over samples; the effective length is the longest one asked with an average of %g or more",
		t.tasks(), t.Ladder.Enough)}
	list := []Section{{heading, average}}
	for k, label := range t.Labels {
		row := []string{label}
		for _, c := range t.Lines[k].Average {
			row = append(row, score.cellText(c))
		}
		average.Rows, average.Strong = append(average.Rows, append(row, t.effective(k))), append(average.Strong, false)

		g := Grid{Head: append([]string{"task"}, lengths...)}
		for i, task := range t.Ladder.Tasks {
			row := []string{task}
			for _, c := range t.Lines[k].Cells[i] {
				row = append(row, score.cellText(c))
			}
			g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
		}
		list = append(list, Section{heading + ", " + label, g})
	}
	list[0].Grid = average
	return list
}

// tasks says which tasks the averages are of.
func (t LengthTable) tasks() string {
	if n := len(t.Ladder.Tasks); n < t.Of {
		return fmt.Sprintf("%d of its %d tasks", n, t.Of)
	}
	return fmt.Sprintf("its %d tasks", t.Of)
}

// effective is a variant's effective length, as far as was asked and answered.
func (t LengthTable) effective(k int) string {
	var known []int // lengths with an average: of others nothing can be said
	for i, c := range t.Lines[k].Average {
		if c.N > 0 {
			known = append(known, t.Lengths[i])
		}
	}
	switch n := t.Lines[k].Effective; {
	case known == nil:
		return "n/a"
	case n == 0:
		return "below " + Tokens(known[0])
	case n == known[len(known)-1]:
		return Tokens(n) + " or more"
	default:
		return Tokens(n)
	}
}

// LadderSummary is a LengthTable with nulls.
type LadderSummary struct {
	Name    string          `json:"name"`
	Enough  float64         `json:"enough"`
	Tasks   int             `json:"tasks"`    // that there are scores of
	Of      int             `json:"of_tasks"` // that it has
	Lengths []LengthSummary `json:"lengths"`
	// Effective is each variant's effective length, null where no length is enough.
	Effective []EffectiveSummary `json:"effective_lengths"`
}

// LengthSummary is one task's score, or the average's, at a length. Scores are 0 to 100.
type LengthSummary struct {
	Task    string   `json:"task,omitempty"`
	Average bool     `json:"average,omitempty"`
	Variant string   `json:"variant"`
	Length  int      `json:"length"`
	Samples int      `json:"samples"`
	Failed  int      `json:"failed"`
	Mean    *float64 `json:"mean"`
	Lo      *float64 `json:"lo"`
	Hi      *float64 `json:"hi"`
}

// EffectiveSummary is a variant's effective length.
type EffectiveSummary struct {
	Variant string `json:"variant"`
	Length  *int   `json:"length"`
}

func (t LengthTable) summary() LadderSummary {
	s := LadderSummary{Name: t.Ladder.Name, Enough: t.Ladder.Enough, Tasks: len(t.Ladder.Tasks), Of: t.Of}
	for k, v := range t.Variants {
		add := func(task string, cells []Cell) {
			for i, c := range cells {
				s.Lengths = append(s.Lengths, LengthSummary{
					Task: task, Average: task == "", Variant: v, Length: t.Lengths[i], Samples: c.N, Failed: c.Failed,
					Mean: known(100 * c.Mean), Lo: known(100 * c.Lo), Hi: known(100 * c.Hi),
				})
			}
		}
		for i, task := range t.Ladder.Tasks {
			add(task, t.Lines[k].Cells[i])
		}
		add("", t.Lines[k].Average)
		e := EffectiveSummary{Variant: v}
		if n := t.Lines[k].Effective; n > 0 {
			e.Length = &n
		}
		s.Effective = append(s.Effective, e)
	}
	return s
}
