package parts

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Joined is what a join made.
type Joined struct {
	Rows, Missing int
	Attempts      int // that gave rows
	Twice         int // rows that several attempts had
	// Warnings are for a person, such as that the machines' cards differ.
	Warnings []string
}

// MissingError says that a run lacks rows.
type MissingError struct {
	Dir            string
	Rows, Expected int
	Unfinished     []string // the parts that have not ended, and how far each is
}

func (e *MissingError) Error() string {
	text := fmt.Sprintf("%s: %d of %d rows are there", e.Dir, e.Rows, e.Expected)
	const most = 20
	if n := len(e.Unfinished); n > 0 {
		text += "; parts that have not ended:\n  " + strings.Join(e.Unfinished[:min(n, most)], "\n  ")
		if n > most {
			text += fmt.Sprintf("\n  and %d more", n-most)
		}
	} else {
		text += "; every part has ended, so rows were lost after that: run the same parts again, which makes what is missing"
	}
	return text + "\nrun them, or join what is there by --allow-missing"
}

// Join makes one run of a folder's parts, in the folder itself: run.json, results.parquet
// and the summaries. It refuses, and changes nothing, where rows are missing
// (*MissingError, unless missing is allowed), where attempts asked different questions,
// and where two attempts have different answers to one question. Of rows that several
// have it takes one without an error before one with, then the first in the order of
// parts and names.
//
// Several joins at the same time, also on several machines, write the same.
func Join(dir string, allowMissing bool) (Joined, error) {
	f, err := Look(dir)
	if err != nil {
		return Joined{}, err
	}
	if len(f.Attempts) == 0 {
		return Joined{}, fmt.Errorf("%s has no parts to join: a run gets some by --shard I/N", dir)
	}
	run, err := Asked(dir)
	if err != nil {
		return Joined{}, fmt.Errorf("%s: no part has begun: %w", dir, err)
	}
	attempts := slices.Clone(f.Attempts)
	if a, ok, err := own(dir); err != nil {
		return Joined{}, err
	} else if ok {
		attempts = append(attempts, a)
	}
	u := union{at: map[string]int{}}
	for _, a := range attempts {
		if len(a.Run.Question) == 0 {
			continue
		}
		if err := same(a.Dir, a.Run, run); err != nil {
			return Joined{}, err
		}
		if err := u.add(a); err != nil {
			return Joined{}, err
		}
	}
	if err := u.places(); err != nil {
		return Joined{}, err
	}
	expected := run.Expected()
	if len(u.rows) > expected {
		return Joined{}, fmt.Errorf("%s: %d rows, and the question has %d: parts of different versions of snapbench lie together", dir, len(u.rows), expected)
	}
	joined := Joined{Rows: len(u.rows), Missing: expected - len(u.rows), Twice: u.twice}
	if joined.Missing > 0 && !allowMissing {
		return joined, &MissingError{Dir: dir, Rows: len(u.rows), Expected: expected, Unfinished: u.unfinished(f)}
	}
	run.Missing, run.Attempts = joined.Missing, nil
	run.Machine = results.Machine{}
	for i, a := range u.attempts {
		if a.Part == "" && a.Rows == 0 {
			continue // what was joined before
		}
		run.Attempts = append(run.Attempts, a)
		if a.Rows > 0 {
			joined.Attempts++
		}
		if run.Machine.OS == "" && a.Machine.OS != "" {
			run.Machine = a.Machine
		}
		if i == 0 || a.Started.Before(run.Started) {
			run.Started = a.Started
		}
	}
	joined.Warnings = warnings(run)
	return joined, results.Replace(dir, run, u.rows)
}

// JoinLast joins a run unless a part of p's number is not done yet: then it returns one
// of those. It asks the parts after p first and stops at the first that is not done, so
// that hundreds of parts that end together do not read each other's folders.
func JoinLast(dir string, p Part) (open *Part, j Joined, err error) {
	for k := 1; k < p.Count; k++ {
		next := Part{(p.Index + k) % p.Count, p.Count}
		attempts, err := attemptsAt(dir, next)
		if err != nil {
			return nil, j, err
		}
		if !slices.ContainsFunc(attempts, func(a Attempt) bool { return a.Finished }) {
			return &next, j, nil
		}
	}
	j, err = Join(dir, false)
	return nil, j, err
}

// IsJoined says whether a folder has a run that was joined without a row missing, and
// after its last attempt ended.
func IsJoined(f Folder) (bool, error) {
	run, err := results.ReadRun(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || run.Missing > 0 || !results.IsFinished(f.Dir) {
		return false, err
	}
	joined, err := results.Ended(f.Dir)
	if err != nil {
		return false, err
	}
	for _, a := range f.Attempts {
		if !a.Finished {
			continue
		}
		ended, err := results.Ended(a.Dir)
		if err != nil || ended.After(joined) {
			return false, err
		}
	}
	return true, nil
}

// union is the rows of several attempts, each once.
type union struct {
	rows     []results.Row
	of       []int // rows[i] is of attempts[of[i]]
	at       map[string]int
	attempts []results.Attempt
	dirs     []string
	had      []int // rows that each attempt has, of others too
	twice    int
}

// add adds an attempt's rows.
func (u *union) add(a Attempt) error {
	rows, err := a.rows()
	if err != nil {
		return err
	}
	me := len(u.attempts)
	about := results.Attempt{Name: a.Name, Started: a.Run.Started, Machine: a.Run.Machine}
	if !a.Part.IsZero() {
		about.Part = a.Part.String()
	}
	u.attempts, u.dirs, u.had = append(u.attempts, about), append(u.dirs, a.Dir), append(u.had, len(rows))
	for i := range rows {
		r := rows[i]
		k, ok := u.at[r.ID]
		if !ok {
			u.at[r.ID] = len(u.rows)
			u.rows, u.of = append(u.rows, r), append(u.of, me)
			u.attempts[me].Rows++
			continue
		}
		had := &u.rows[k]
		if !a.Part.IsZero() { // the run's own folder has joined rows again
			u.twice++
		}
		switch {
		case r.Error != "": // the first stays, with an error or without
		case had.Error != "":
			u.attempts[u.of[k]].Rows--
			u.attempts[me].Rows++
			u.rows[k], u.of[k] = r, me
		default:
			if diff := had.Agree(&r); diff != "" {
				return fmt.Errorf("row %.12s (task %q, sample %q, variant %q) is in %s and in %s with different %s: move one of the two folders away, and join again",
					r.ID, r.Task, r.Sample, r.Variant, u.dirs[u.of[k]], a.Dir, diff)
			}
		}
	}
	return nil
}

// places refuses two answers of one place in the run: they are answers to different prompts or settings. An error beside another
// row is left out: what failed had no prompt yet, and was made again.
func (u *union) places() error {
	at := make(map[results.Place]int, len(u.rows))
	beaten := map[int]bool{}
	for i := range u.rows {
		r := &u.rows[i]
		k, ok := at[r.Place()]
		switch {
		case !ok:
			at[r.Place()] = i
		case r.Error != "":
			beaten[i] = true
		case u.rows[k].Error != "":
			beaten[k], at[r.Place()] = true, i
		default:
			return fmt.Errorf("task %q, sample %q, variant %q is in %s and in %s as answers to different prompts or settings: move one of the two folders away, and join again",
				r.Task, r.Sample, r.Variant, u.dirs[u.of[k]], u.dirs[u.of[i]])
		}
	}
	var left []results.Row
	for i, r := range u.rows {
		if beaten[i] {
			u.attempts[u.of[i]].Rows--
		} else {
			left = append(left, r)
		}
	}
	u.rows = left // nothing is added behind this
	return nil
}

// unfinished describes the parts that have not ended, of the latest number of parts.
func (u *union) unfinished(f Folder) (list []string) {
	n := f.Count()
	for _, i := range f.Unfinished(n) {
		p := Part{i, n}
		var tries []string
		for k, a := range u.attempts {
			if a.Part == p.String() {
				tries = append(tries, fmt.Sprintf("%s on %s with %d rows, begun %s", a.Name, a.Machine.Host, u.had[k], a.Started.Format("2006-01-02 15:04:05 MST")))
			}
		}
		if len(tries) == 0 {
			tries = []string{"never begun"}
		}
		list = append(list, p.String()+": "+strings.Join(tries, "; "))
	}
	return list
}

// warnings says what a reader of a joined run should know.
func warnings(run results.Run) (list []string) {
	kinds := map[string][]string{}
	for _, a := range run.Attempts {
		if a.Rows == 0 {
			continue
		}
		var cards []string
		for _, d := range a.Machine.Devices { // "cuda:0: NVIDIA H200, …": which of several it was plays no part
			_, about, _ := strings.Cut(d, ": ")
			if !slices.Contains(cards, about) {
				cards = append(cards, about)
			}
		}
		kind := strings.Join(cards, " and ")
		if host := a.Machine.Host; host != "" && !slices.Contains(kinds[kind], host) {
			kinds[kind] = append(kinds[kind], host)
		}
	}
	if len(kinds) > 1 {
		var each []string
		for kind, hosts := range kinds {
			each = append(each, fmt.Sprintf("%s (%s)", kind, some(hosts)))
		}
		slices.Sort(each)
		list = append(list, "devices differ: times and peak memory are not of one kind of machine: "+strings.Join(each, "; "))
	}
	if run.Missing > 0 {
		list = append(list, fmt.Sprintf("%d of %d rows are missing", run.Missing, run.Expected()))
	}
	return list
}

// some names a few of many.
func some(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
