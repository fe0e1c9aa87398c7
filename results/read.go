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
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Set is what Read found: rows, and the run that they belong to if there is a run.json.
type Set struct {
	Name string // the path as given
	Run  Run    // zero if the path is a parquet file without a run.json
	Rows []Row
	// Loads are how servers bore what they were asked, by variant.
	Loads []Load
	// Partial says that the run is not finished: its rows come from the journal, or from parts of which some are missing.
	Partial bool
}

// Read reads the results at a path: the folder of a run (its journal if it is running or was interrupted, else its
// parquet), or a parquet file.
func Read(path string) (Set, error) {
	info, err := os.Stat(path)
	if near := lookup.NearPath(path); errors.Is(err, fs.ErrNotExist) && near != "" {
		return Set{}, fmt.Errorf("%w: did you mean %s?", err, near)
	}
	if err != nil {
		return Set{}, err
	}
	s := Set{Name: path}
	if !info.IsDir() {
		s.Rows, err = ReadFile(path)
		if err != nil {
			return Set{}, err
		}
		// The path may be the parquet file in a run's folder.
		if run, err := ReadRun(filepath.Dir(path)); err == nil && filepath.Base(path) == parquetFile {
			s.Run, s.Partial = run, run.Missing > 0
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
		if _, err := os.Stat(filepath.Join(path, PartsDir)); err == nil {
			return Set{}, fmt.Errorf("%s: a run in parts that are not joined yet: snapbench results join %s says what is missing", path, path)
		}
		if noRun {
			return Set{}, fmt.Errorf("%s: not a run: it has none of %s, %s, %s", path, runFile, journalFile, parquetFile)
		}
		s.Partial = true // the run was started, but no row is finished
		return s, nil
	}
	s.Partial = s.Run.Missing > 0
	return s, err
}

// Merge joins the rows of several sets. Two rows of the same id become one if they differ at most in run, card, times
// and memory; if they differ in anything else, that is an error.
func Merge(sets ...Set) (Set, error) {
	var all Set
	at := map[string]int{}
	from := map[string]string{}
	var sources []string
	for _, s := range sets {
		sources = append(sources, s.Name)
		all.Partial = all.Partial || s.Partial
		all.Run.Missing += s.Run.Missing
		all.Run.Tasks = union(all.Run.Tasks, s.Run.Tasks)
		all.Run.Variants = union(all.Run.Variants, s.Run.Variants)
		all.Run.Baseline = cmp.Or(all.Run.Baseline, s.Run.Baseline) // that of the first run: the user names it first to compare the others with it
		for _, g := range s.Run.Groups {
			all.Run.addGroup(g)
		}
		for _, l := range s.Run.Ladders {
			if !slices.ContainsFunc(all.Run.Ladders, func(have Ladder) bool { return have.Name == l.Name }) {
				all.Run.Ladders = append(all.Run.Ladders, l)
			}
		}
		for _, r := range s.Rows {
			i, ok := at[r.ID]
			if !ok {
				at[r.ID], from[r.ID] = len(all.Rows), s.Name
				all.Rows = append(all.Rows, r)
				continue
			}
			if diff := all.Rows[i].Agree(&r); diff != "" {
				return Set{}, fmt.Errorf("row %.12s (task %q, sample %q, variant %q) is in %s and in %s with different %s",
					r.ID, r.Task, r.Sample, r.Variant, from[r.ID], s.Name, diff)
			}
		}
	}
	all.Name = strings.Join(sources, " + ")
	all.Loads = mergeLoads(sets)
	all.Run.Sort(all.Rows)
	return all, nil
}

// Agree fills what a row of an earlier version could not say from another of the same id, and returns the first column in which
// the two differ, with both values: "score: 1 and 0.5". Run, card, times and memory play no part.
func (r *Row) Agree(other *Row) (diff string) {
	a, b := r.timeless(), other.timeless()
	for _, c := range columns {
		if va, vb := c.Value(&a), c.Value(&b); c.late() && (va == nil || vb == nil) {
			c.fill(r, other)
		} else if va != vb {
			return fmt.Sprintf("%s: %s and %s", c.Name, quote(va), quote(vb))
		}
	}
	return ""
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

// timeless is the row without the values that differ from one execution to the next, such as the number of the card.
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

// Save writes the rows of a set as a parquet file, without a run.json.
func (s Set) Save(path string) error { return WriteFile(path, s.Rows) }

// ExportCSV writes rows as CSV with a header line. Null is an empty field; times and scores keep every digit.
func ExportCSV(w io.Writer, rows []Row) error {
	return exportCSV(w, rows, func(text string) string { return text })
}

// ExportSpreadsheetCSV is ExportCSV for a spreadsheet. A spreadsheet takes a text that begins with = + - or @ for a
// formula and may run it, so such a text gets a ' in front; so does one that begins with a tab, CR, line feed or a
// full-width form of these characters.
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

// ExportJSONL writes one JSON object per line. Null columns are left out.
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

// ReadEach reads the results at some paths.
func ReadEach(paths []string) (sets []Set, err error) {
	for _, path := range paths {
		set, err := Read(path)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}
