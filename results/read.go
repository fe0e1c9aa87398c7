package results

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Set is what Read found: rows, and what was asked where a run.json lies with them.
type Set struct {
	Name string // the path as given
	Run  Run    // zero where the path is a bare parquet file
	Rows []Row
	// Loads are how servers bore what they were asked, by variant.
	Loads []Load
	// Partial says that the run is not finished: its rows come from the journal.
	Partial bool
}

// Read reads the results at a path: a folder of a run (its journal while it is running or was interrupted, else its
// parquet), or a parquet file of its own.
func Read(path string) (Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Set{}, Explain(path, err)
	}
	s := Set{Name: path}
	if !info.IsDir() {
		s.Rows, err = ReadFile(path)
		if err != nil {
			return Set{}, err
		}
		// A run's own file, named directly.
		if run, err := ReadRun(filepath.Dir(path)); err == nil && filepath.Base(path) == parquetFile {
			s.Run = run
			s.Loads, err = readLoads(filepath.Dir(path))
			return s, err
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Set{}, err
		}
		return s, nil
	}
	s.Run, err = ReadRun(path)
	noRun := errors.Is(err, fs.ErrNotExist)
	if err != nil && !noRun {
		return Set{}, err
	}
	if s.Loads, err = readLoads(path); err != nil {
		return Set{}, err
	}
	s.Rows, err = readJournal(filepath.Join(path, journalFile), s.Run)
	if s.Partial = err == nil; s.Partial {
		if s.Run.Schema == 1 {
			findFullCaches(s.Rows)
		}
		s.Run.Sort(s.Rows)
		return s, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Set{}, err
	}
	s.Rows, err = ReadFile(filepath.Join(path, parquetFile))
	if errors.Is(err, fs.ErrNotExist) {
		if noRun {
			return Set{}, fmt.Errorf("%s: not a run: it has none of %s, %s, %s", path, runFile, journalFile, parquetFile)
		}
		s.Partial = true // asked, and nothing finished yet
		return s, nil
	}
	return s, err
}

// Merge puts the rows of several sets together, first set first. The same id twice is one row if the two are equal in
// everything but run, card, times and memory; rows that claim to be the same and differ are an error.
func Merge(sets ...Set) (Set, error) {
	var all Set
	at := map[string]int{}
	from := map[string]string{}
	var sources []string
	for _, s := range sets {
		sources = append(sources, s.Name)
		all.Partial = all.Partial || s.Partial
		all.Run.Tasks = union(all.Run.Tasks, s.Run.Tasks)
		all.Run.Variants = union(all.Run.Variants, s.Run.Variants)
		all.Run.Baseline = cmp.Or(all.Run.Baseline, s.Run.Baseline) // the first's: runs are named in the order in which they are compared
		for _, g := range s.Run.Groups {
			all.Run.addGroup(g)
		}
		for _, r := range s.Rows {
			i, ok := at[r.ID]
			if !ok {
				at[r.ID], from[r.ID] = len(all.Rows), s.Name
				all.Rows = append(all.Rows, r)
				continue
			}
			a, b := all.Rows[i].timeless(), r.timeless()
			for _, c := range columns {
				// Where an earlier version could not say, a later one may.
				if va, vb := c.Value(&a), c.Value(&b); c.late() && (va == nil || vb == nil) {
					c.fill(&all.Rows[i], &r)
				} else if va != vb {
					return Set{}, fmt.Errorf("row %.12s (task %q, sample %q, variant %q) is in %s and in %s with different %s: %s and %s",
						r.ID, r.Task, r.Sample, r.Variant, from[r.ID], s.Name, c.Name, quote(va), quote(vb))
				}
			}
		}
	}
	all.Name = strings.Join(sources, " + ")
	all.Loads = mergeLoads(sets)
	all.Run.Sort(all.Rows)
	return all, nil
}

func quote(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if len(v) > 60 {
			v = v[:57] + "..."
		}
		return strconv.Quote(v)
	}
	return fmt.Sprint(v)
}

// timeless is the row without what differs from one execution to the next. Which of several cards it was does.
func (r Row) timeless() Row {
	r.Run, r.Device = "", r.deviceKind()
	r.PeakBytes, r.PrefillSeconds, r.DecodeSeconds = nil, nil, nil
	r.TTFTSeconds, r.TokenSecondsP50, r.TokenSecondsP95, r.Retries = nil, nil, nil, nil
	return r
}

func union(a, b []string) []string {
	have := map[string]bool{}
	for _, s := range a {
		have[s] = true
	}
	for _, s := range b {
		if !have[s] {
			have[s] = true
			a = append(a, s)
		}
	}
	return a
}

func (run *Run) addGroup(g Group) {
	for i := range run.Groups {
		if run.Groups[i].Name == g.Name {
			run.Groups[i].Tasks = union(append([]string(nil), run.Groups[i].Tasks...), g.Tasks)
			return
		}
	}
	run.Groups = append(run.Groups, g)
}

// Save writes a set as a bare parquet file.
func (s Set) Save(path string) error { return WriteFile(path, s.Rows) }

// ExportCSV writes rows as CSV with a header line. Null is an empty field; times and scores keep every digit.
func ExportCSV(w io.Writer, rows []Row) error {
	return exportCSV(w, rows, func(text string) string { return text })
}

// ExportSpreadsheetCSV is ExportCSV for a spreadsheet, which takes a text that begins with = + - or @ for a formula and
// may run it: such a text gets a ' before it, also where a tab, CR, line feed or a full-width form of these begins it.
func ExportSpreadsheetCSV(w io.Writer, rows []Row) error {
	return exportCSV(w, rows, func(text string) string {
		if r, _ := utf8.DecodeRuneInString(text); strings.ContainsRune("=+-@\t\r\n＝＋－＠", r) {
			return "'" + text
		}
		return text
	})
}

func exportCSV(w io.Writer, rows []Row, cell func(text string) string) error {
	cw := csv.NewWriter(w)
	rec := make([]string, len(columns))
	for i, c := range columns {
		rec[i] = c.Name
	}
	if err := cw.Write(rec); err != nil {
		return err
	}
	for i := range rows {
		for k, c := range columns {
			switch v := c.Value(&rows[i]).(type) {
			case nil:
				rec[k] = ""
			case float64:
				rec[k] = strconv.FormatFloat(v, 'g', -1, 64)
			case string:
				rec[k] = cell(v)
			default:
				rec[k] = fmt.Sprint(v)
			}
		}
		if err := cw.Write(rec); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

// ExportJSONL writes one JSON object a line. Null columns are left out.
func ExportJSONL(w io.Writer, rows []Row) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := range rows {
		if err := enc.Encode(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}
