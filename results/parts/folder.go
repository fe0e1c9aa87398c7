package parts

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/snapbench/snapbench/results"
)

// Folder is what lies in a run's folder.
type Folder struct {
	Dir      string
	Attempts []Attempt // by the number of parts, part, name
}

// Attempt is one process's try at a part.
type Attempt struct {
	Part     Part
	Name     string
	Dir      string
	Run      results.Run // zero where it was killed before it began
	Finished bool        // it ended after its part's last row
}

// RunDir returns the run's folder of an attempt's.
func RunDir(attempt string) string { return filepath.Dir(filepath.Dir(filepath.Dir(attempt))) }

// Has says whether a run in this folder is, or was, made in parts.
func Has(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, results.PartsDir))
	return err == nil && info.IsDir()
}

// Look reads which attempts a folder has, without their rows.
func Look(dir string) (Folder, error) { return look(dir, func(Part) bool { return true }) }

// look is Look for some of the parts. A run of hundreds of parts must not read all of
// them at every part's beginning and end.
func look(dir string, wanted func(Part) bool) (Folder, error) {
	f := Folder{Dir: dir}
	list, err := partsIn(dir)
	if err != nil {
		return f, err
	}
	for _, p := range list {
		if !wanted(p) {
			continue
		}
		attempts, err := attemptsAt(dir, p)
		if err != nil {
			return f, err
		}
		f.Attempts = append(f.Attempts, attempts...)
	}
	return f, nil
}

// partsIn returns the parts that have a folder, by their number and index. What has
// another name is not ours: nothing in it is read.
func partsIn(dir string) ([]Part, error) {
	root := filepath.Join(dir, results.PartsDir)
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, results.Explain(root, err)
	}
	var list []Part
	for _, e := range entries {
		if p, ok := parseFolder(e.Name()); ok && e.IsDir() {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b Part) int { return cmp.Or(cmp.Compare(a.Count, b.Count), cmp.Compare(a.Index, b.Index)) })
	return list, nil
}

// attemptsAt returns the attempts at a part, by name; none where the part has no folder.
func attemptsAt(dir string, p Part) (list []Attempt, err error) {
	path := filepath.Join(dir, results.PartsDir, p.folder())
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return nil, nil // a file under this name is not ours
	}
	names, err := os.ReadDir(path) // sorted
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, results.Explain(path, err)
	}
	for _, n := range names {
		if !n.IsDir() || checkName(n.Name()) != nil {
			continue
		}
		a := Attempt{Part: p, Name: n.Name(), Dir: filepath.Join(path, n.Name())}
		switch a.Run, err = results.ReadRun(a.Dir); {
		case err == nil:
			a.Finished = results.IsFinished(a.Dir)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// Asked returns what a folder's run.json says, or that of any attempt where the run is
// not joined; an error of os.ErrNotExist where there is none.
func Asked(dir string) (results.Run, error) {
	run, err := results.ReadRun(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return run, err
	}
	list, failed := partsIn(dir)
	if failed != nil {
		return run, failed
	}
	for _, p := range list {
		attempts, failed := attemptsAt(dir, p)
		if failed != nil {
			return run, failed
		}
		for _, a := range attempts {
			if len(a.Run.Question) > 0 {
				return a.Run, nil
			}
		}
	}
	return run, err
}

// rows reads an attempt's rows; none where it was killed before it began.
func (a Attempt) rows() ([]results.Row, error) {
	if len(a.Run.Question) == 0 {
		return nil, nil
	}
	set, err := results.Read(a.Dir)
	return set.Rows, err
}

// Count is the number of parts of the latest attempt, 0 where there is none.
func (f Folder) Count() int {
	var latest Attempt
	for _, a := range f.Attempts {
		if latest.Part.IsZero() || a.Run.Started.After(latest.Run.Started) {
			latest = a
		}
	}
	return latest.Part.Count
}

// Ended counts, of n parts, the attempts at each that have ended.
func (f Folder) Ended(n int) map[int]int {
	ended := map[int]int{}
	for _, a := range f.Attempts {
		if a.Part.Count == n && a.Finished {
			ended[a.Part.Index]++
		}
	}
	return ended
}

// Unfinished returns which of n parts have no attempt that ended.
func (f Folder) Unfinished(n int) []int {
	ended := f.Ended(n)
	var list []int
	for i := range n {
		if ended[i] == 0 {
			list = append(list, i)
		}
	}
	return list
}

// Begin opens the folder of an attempt, in which everything counts as finished that
// others of the run have finished: attempts at the same part, attempts of another number
// of parts, and the folder itself. Another question is a *results.OtherQuestionError.
func Begin(dir string, p Part, attempt string, run results.Run) (*results.Journal, error) {
	if err := checkName(attempt); err != nil {
		return nil, fmt.Errorf("attempt %q: %w", attempt, err)
	}
	// The same number's other parts have none of this part's rows.
	f, err := look(dir, func(o Part) bool { return o.Count != p.Count || o.Index == p.Index })
	if err != nil {
		return nil, err
	}
	if had, err := Asked(dir); err == nil {
		if err := same(dir, had, run); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	others := f.Attempts
	if a, ok, err := own(dir); err != nil {
		return nil, err
	} else if ok {
		others = append(others, a)
	}
	run.Machine.Host = results.Host()
	j, err := results.Open(filepath.Join(dir, results.PartsDir, p.folder(), attempt), run)
	if err != nil {
		return nil, err
	}
	for _, a := range others {
		if a.Part == p && a.Name == attempt {
			continue // is this one
		}
		if err := a.skip(j, run); err != nil {
			j.Close()
			return nil, err
		}
	}
	return j, nil
}

// own is the run's own folder as an attempt: what it had before it was in parts, or what
// was joined. ok says whether it has rows.
func own(dir string) (a Attempt, ok bool, err error) {
	if !results.HasRows(dir) {
		return Attempt{}, false, nil
	}
	a = Attempt{Name: "(the run's own folder)", Dir: dir}
	a.Run, err = results.ReadRun(dir)
	return a, true, err
}

// skip makes a journal count an attempt's rows as finished.
func (a Attempt) skip(j *results.Journal, run results.Run) error {
	rows, err := a.rows()
	if err != nil || len(rows) == 0 {
		return err
	}
	if err := same(a.Dir, a.Run, run); err != nil {
		return err
	}
	j.Elsewhere(rows)
	return nil
}

// same is an error where a folder's run has another question.
func same(dir string, had, run results.Run) error {
	diff, err := results.Differs(had.Question, run.Question)
	if err != nil {
		return fmt.Errorf("%s: question: %w", dir, err)
	}
	if len(diff) > 0 {
		return &results.OtherQuestionError{Dir: dir, Fields: diff}
	}
	return nil
}
