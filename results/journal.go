package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/inputs"
)

const (
	journalFile = "journal.jsonl"
	parquetFile = "results.parquet"
	lockFile    = ".lock"
	summaryFile = "summary.json"
	reportFile  = "summary.md"
	// PartsDir is the folder, in a run's folder, of the parts that several processes make (package parts).
	PartsDir = "parts"
)

// runFiles are the files of a run that WriteAtomic writes.
var runFiles = []string{runFile, journalFile, parquetFile, summaryFile, reportFile, loadFile}

// Journal is a run in progress: a folder with run.json, and journal.jsonl to which finished rows are appended.
//
// A line is {"crc32":"…","row":{…}}. Append writes whole lines with one call and syncs them. So a process that is
// killed at any byte leaves complete lines and at most one torn line at the end, which Open cuts off. A damaged line
// anywhere else is an error with file and line, because to skip it would silently lose finished rows.
//
// Finish turns the rows into results.parquet and removes the journal; a folder without a journal continues from its
// parquet. The folder is locked until Close, for one process at a time, and Open removes half-written files of killed
// processes. A Journal is not for concurrent use.
type Journal struct {
	dir  string
	run  Run
	lock *folderLock
	file *os.File // nil until the first Append of a folder that has no journal
	size int64    // bytes of complete lines
	rows []Row
	at   map[string]int // id → index in rows
	// failed are the rows with an error by their places, index in rows.
	failed map[Place]int
	// elsewhere are rows that others have finished: id → with an error.
	elsewhere map[string]bool
}

// Open starts a run in a folder, or continues it: the folder may be absent, empty, or hold a run of the same question.
// If it holds another question, the error is an *OtherQuestionError and nothing is changed; only where nothing of that
// question was answered, as when its server did not start, does the new one take its place.
func Open(dir string, run Run) (_ *Journal, err error) {
	if err := run.fill(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, Explain(dir, err)
	}
	j := &Journal{dir: dir, at: map[string]int{}}
	defer func() {
		if err != nil {
			j.Close()
		}
	}()
	if j.lock, err = lockDir(dir, false); err != nil {
		return nil, err
	}
	switch had, err := ReadRun(dir); {
	case errors.Is(err, fs.ErrNotExist):
		// Without run.json nobody can say what the results are.
		for _, name := range []string{journalFile, parquetFile} {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				return nil, fmt.Errorf("%s has %s but no %s, so nothing says what was asked; choose another folder", dir, name, runFile)
			}
		}
		if err := WriteAtomic(filepath.Join(dir, runFile), run.write); err != nil {
			return nil, err
		}
		j.run = run
	case err != nil:
		return nil, err
	default:
		diff, err := Differs(had.Question, run.Question)
		if err != nil {
			return nil, fmt.Errorf("%s: question: %w", filepath.Join(dir, runFile), err)
		}
		if len(diff) > 0 && !untouched(dir) {
			return nil, &OtherQuestionError{Dir: dir, Fields: diff}
		}
		if len(diff) > 0 {
			if err := WriteAtomic(filepath.Join(dir, runFile), run.write); err != nil {
				return nil, err
			}
			j.run = run
			break
		}
		if had.Schema != Schema {
			return nil, fmt.Errorf("%s holds a run of schema %d, written by an earlier snapbench, and this one adds rows of schema %d: choose another folder, or go on with that version (what is there can be read as it is)", dir, had.Schema, Schema)
		}
		if had.SHA256 == "" { // written before there was a checksum: take from the new run what follows from the question
			had.Name, had.Tasks, had.Variants, had.Groups, had.Ladders = run.Name, run.Tasks, run.Variants, run.Groups, run.Ladders
			if err := WriteAtomic(filepath.Join(dir, runFile), had.write); err != nil {
				return nil, err
			}
		}
		j.run = had
	}
	if err := sweep(dir); err != nil {
		return nil, err
	}
	return j, j.load()
}

// untouched says whether a run's folder has nothing but run.json and what servers printed, so that a run of another
// question loses nothing there.
func untouched(dir string) bool {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if name := e.Name(); name != runFile && name != lockFile && filepath.Ext(name) != ".log" {
			return false
		}
	}
	return err == nil
}

// load reads the finished rows, cuts a torn line off the journal and leaves it open for appending.
func (j *Journal) load() error {
	path := filepath.Join(j.dir, journalFile)
	err := inputs.Check(path)
	if errors.Is(err, fs.ErrNotExist) {
		rows, err := ReadFile(filepath.Join(j.dir, parquetFile))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := j.take(r); err != nil {
				return fmt.Errorf("%s: %w", filepath.Join(j.dir, parquetFile), err)
			}
		}
		return nil
	}
	if err != nil {
		return Explain(path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return Explain(path, err)
	}
	j.file = f
	b, err := io.ReadAll(f)
	if err != nil {
		return Explain(path, err)
	}
	complete, err := parseJournal(b, j.take)
	if err != nil {
		return fmt.Errorf("%s%w", path, err)
	}
	j.size = int64(complete)
	if complete < len(b) {
		if err := f.Truncate(j.size); err != nil {
			return Explain(path, err)
		}
		if err := f.Sync(); err != nil {
			return Explain(path, err)
		}
	}
	return nil
}

type journalLine struct {
	CRC32 string          `json:"crc32"` // of the bytes of row, IEEE, eight hex digits
	Row   json.RawMessage `json:"row"`
}

func appendLine(b []byte, r *Row) ([]byte, error) {
	row, err := json.Marshal(r)
	if err != nil {
		return b, err
	}
	b = fmt.Appendf(b, `{"crc32":"%08x","row":`, crc32.ChecksumIEEE(row))
	b = append(b, row...)
	return append(b, '}', '\n'), nil
}

// parseJournal passes every row of a journal's text to take and returns the length of its complete lines. It ignores
// bytes after the last newline, a torn line. Its errors begin with ":LINE: ", to follow a file name.
func parseJournal(b []byte, take func(Row) error) (complete int, err error) {
	for line := 1; ; line++ {
		n := bytes.IndexByte(b[complete:], '\n')
		if n < 0 {
			return complete, nil
		}
		text := b[complete : complete+n]
		var l journalLine
		if err := strictJSON(text, &l); err != nil {
			return complete, fmt.Errorf(":%d: not a line of a journal: %w", line, err)
		}
		if got := fmt.Sprintf("%08x", crc32.ChecksumIEEE(l.Row)); got != l.CRC32 {
			return complete, fmt.Errorf(":%d: damaged: the row's checksum is %s, the line says %q", line, got, l.CRC32)
		}
		r, err := parseRow(l.Row)
		if err != nil {
			return complete, fmt.Errorf(":%d: %w", line, err)
		}
		if err := r.check(); err != nil {
			return complete, fmt.Errorf(":%d: %w", line, err)
		}
		if err := take(r); err != nil {
			return complete, fmt.Errorf(":%d: %w", line, err)
		}
		complete += n + 1
	}
}

func strictJSON(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("unexpected end of JSON")
		}
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}

// Run returns the content of run.json.
func (j *Journal) Run() Run { return j.run }

// Dir returns the folder.
func (j *Journal) Dir() string { return j.dir }

// Finished reports whether there is a row with this id (Row.Key). A row with an error is finished too, because most
// errors come again. For those that may not (memory, a lost device), Failed says which rows to ask again.
func (j *Journal) Finished(id string) bool {
	_, here := j.at[id]
	_, there := j.elsewhere[id]
	return here || there
}

// Failed reports whether the row of an id is there with an error, and without one nowhere.
func (j *Journal) Failed(id string) bool {
	i, here := j.at[id]
	failed, there := j.elsewhere[id]
	return (here || there) && (!here || j.rows[i].Error != "") && (!there || failed)
}

// Elsewhere counts rows as finished that others of the same run have written into folders of their own. They do not
// become this journal's.
func (j *Journal) Elsewhere(rows []Row) {
	if j.elsewhere == nil {
		j.elsewhere = map[string]bool{}
	}
	for i := range rows {
		failed, ok := j.elsewhere[rows[i].ID]
		j.elsewhere[rows[i].ID] = rows[i].Error != "" && (!ok || failed)
	}
}

// Rows returns the finished rows in the order they were finished. The caller must not change them.
func (j *Journal) Rows() []Row { return j.rows }

// Append adds finished rows and returns when they are on the disk: all of them or, with an error, none. It sets
// Schema and, if empty, Run. In text that is not UTF-8 it stores the replacement character, as every reader of JSON and
// parquet would. A row replaces that of an earlier attempt that failed.
func (j *Journal) Append(rows ...Row) error {
	path := filepath.Join(j.dir, journalFile)
	batch := map[string]bool{}
	var buf []byte
	var err error
	rows = append([]Row(nil), rows...)
	for i := range rows {
		r := &rows[i]
		r.Schema = Schema
		if r.Run == "" {
			r.Run = j.run.Name
		}
		r.validUTF8()
		if r.Run != j.run.Name {
			return fmt.Errorf("%s: row %.12s is of the run %q, not of this one, %q", path, r.ID, r.Run, j.run.Name)
		}
		if err := r.check(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if at, ok := j.at[r.ID]; batch[r.ID] || ok && j.rows[at].Error == "" {
			return fmt.Errorf("%s: row %.12s (task %q, sample %q, variant %q) is finished already", path, r.ID, r.Task, r.Sample, r.Variant)
		}
		batch[r.ID] = true
		if buf, err = appendLine(buf, r); err != nil {
			return fmt.Errorf("%s: row %.12s: %w", path, r.ID, err)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if j.file == nil {
		if err := j.create(path); err != nil {
			return err
		}
	}
	if _, err = j.file.Write(buf); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// Remove the part of the batch that was written, so that the file has only whole lines if the process continues.
		if terr := j.file.Truncate(j.size); terr != nil {
			err = errors.Join(err, terr)
		}
		return fmt.Errorf("%w (the %d rows before it are safe: once this is fixed, the same command continues)", Explain(path, err), len(j.rows))
	}
	j.size += int64(len(buf))
	for _, r := range rows {
		if err := j.take(r); err != nil {
			panic("results: " + err.Error()) // checked above
		}
	}
	return nil
}

// create makes the journal of a folder that has none, and writes the rows of its parquet into it.
func (j *Journal) create(path string) error {
	var buf []byte
	var err error
	for i := range j.rows {
		if buf, err = appendLine(buf, &j.rows[i]); err != nil {
			return fmt.Errorf("%s: row %.12s: %w", path, j.rows[i].ID, err)
		}
	}
	err = WriteAtomic(path, func(w io.Writer) error { _, err := w.Write(buf); return err })
	if err != nil {
		return err
	}
	j.size = int64(len(buf))
	if j.file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0); err != nil {
		return Explain(path, err)
	}
	return nil
}

// Finish writes results.parquet, summary.json and summary.md, in this order, and then removes the journal. The rows of
// the parquet are in the run's order of tasks and variants, so two runs of the same question give the same files except
// for times.
func (j *Journal) Finish() error {
	rows, err := j.writeRows()
	if err != nil {
		return err
	}
	if err := WriteSummary(j.dir, j.run, rows); err != nil {
		return err
	}
	return j.remove()
}

// FinishPart is Finish without the summaries: a part's would be of a part.
func (j *Journal) FinishPart() error {
	if _, err := j.writeRows(); err != nil {
		return err
	}
	return j.remove()
}

// writeRows writes results.parquet and returns its rows.
func (j *Journal) writeRows() ([]Row, error) {
	rows := append([]Row(nil), j.rows...)
	j.run.Sort(rows)
	if err := WriteFile(filepath.Join(j.dir, parquetFile), rows); err != nil {
		return nil, fmt.Errorf("%w (the journal holds all %d rows: with the cause removed, the same command continues)", err, len(rows))
	}
	return rows, nil
}

// remove removes the journal.
func (j *Journal) remove() error {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	path := filepath.Join(j.dir, journalFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Explain(path, err)
	}
	return nil
}

// Close releases the folder. Appended rows stay.
func (j *Journal) Close() error {
	var err error
	if j.file != nil {
		err = j.file.Close()
		j.file = nil
	}
	if j.lock != nil {
		err = errors.Join(err, j.lock.Close())
		j.lock = nil
	}
	return err
}

// readJournal reads a run's journal and never changes it, even if its last line is torn. Without run.json, run is zero.
func readJournal(path string, run Run) ([]Row, error) {
	b, err := inputs.ReadFile(path)
	if err != nil {
		return nil, Explain(path, err)
	}
	j := Journal{run: run, at: map[string]int{}}
	if _, err := parseJournal(b, j.take); err != nil {
		return nil, fmt.Errorf("%s%w", path, err)
	}
	return j.rows, nil
}

func (r *Row) validUTF8() {
	for _, s := range []*string{
		&r.Model, &r.Revision, &r.Rope, &r.Task, &r.Sample, &r.Protocol, &r.Variant, &r.PromptTail, &r.NeedleText, &r.Prediction,
		&r.Error, &r.Note, &r.Audit, &r.Answer,
	} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	if r.Params != nil {
		valid := make(map[string]string, len(r.Params)) // a copy: rows may share a map
		for name, text := range r.Params {
			valid[strings.ToValidUTF8(name, "\uFFFD")] = strings.ToValidUTF8(text, "\uFFFD")
		}
		r.Params = valid
	}
}
