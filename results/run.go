package results

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/inputs"
)

// Run is the content of run.json: what was asked, and with which program on which machine. Only Question decides
// whether a run may be continued in its folder.
type Run struct {
	Schema  int       `json:"schema"`
	Name    string    `json:"name"`              // empty: the first twelve hex digits of the question's sha256
	Command string    `json:"command,omitempty"` // as typed
	Version string    `json:"version,omitempty"` // of snapbench
	Started time.Time `json:"started"`
	Machine Machine   `json:"machine"`

	// Question is everything that was asked, as any JSON value: model, tasks, variants, seeds, limits, with defaults
	// filled in. Only the same question can continue in the same folder.
	Question json.RawMessage `json:"question"`

	// Tasks and Variants give the order of rows and tables; those that are not listed follow by name.
	Tasks    []string `json:"tasks,omitempty"`
	Variants []string `json:"variants,omitempty"`
	// Groups gives tasks an average of their own in tables, such as LongBench's six categories.
	Groups []Group `json:"groups,omitempty"`
	// Ladders are tasks that tables show by length.
	Ladders []Ladder `json:"ladders,omitempty"`
	// Baseline is the variant that tables, pictures and the gate compare the others with if there is no full cache, such
	// as the first of several servers.
	Baseline string `json:"baseline,omitempty"`

	// Samples counts each task's samples; with the variants it says how many rows a finished run has. Files of before
	// it was there have none.
	Samples []int `json:"samples,omitempty"`
	// Attempts are the processes that made the run, where it was made in parts (package parts), and Missing counts the
	// rows that it lacks where it was joined without them.
	Attempts []Attempt `json:"attempts,omitempty"`
	Missing  int       `json:"missing,omitempty"`

	// SHA256 is of the file's own text without spacing, this one empty. Files of before it was there have none.
	SHA256 string `json:"sha256,omitempty"`
}

// Group is a named set of tasks whose average is a line of its own.
type Group struct {
	Name  string   `json:"name"`
	Tasks []string `json:"tasks"`
}

// Attempt is one process's share of a run that was made in parts.
type Attempt struct {
	Part    string    `json:"part,omitempty"` // as 3/16; empty for rows that the run had before
	Name    string    `json:"name"`
	Rows    int       `json:"rows"` // that the run has from it
	Started time.Time `json:"started"`
	Machine Machine   `json:"machine"`
}

// Machine is what ran it.
type Machine struct {
	Host    string   `json:"host,omitempty"` // only of a run in parts
	OS      string   `json:"os,omitempty"`
	Arch    string   `json:"arch,omitempty"`
	CPU     string   `json:"cpu,omitempty"`
	Threads int      `json:"threads,omitempty"`
	Memory  int64    `json:"memory,omitempty"` // bytes
	Devices []string `json:"devices,omitempty"`
}

const runFile = "run.json"

// Expected is how many rows the run has when it is finished, 0 where its run.json does not say.
func (run Run) Expected() int {
	n := 0
	for _, samples := range run.Samples {
		n += samples * len(run.Variants)
	}
	return n
}

// Ask encodes a question for Run.Question.
func Ask(question any) (json.RawMessage, error) {
	b, err := json.Marshal(question)
	if err != nil {
		return nil, fmt.Errorf("run.json: the question cannot be written as JSON: %w", err)
	}
	return b, nil
}

// ReadRun reads DIR/run.json. If there is none, the error is an fs.ErrNotExist.
func ReadRun(dir string) (Run, error) {
	path := filepath.Join(dir, runFile)
	b, err := inputs.ReadFile(path)
	if err != nil {
		return Run{}, Explain(path, err)
	}
	run, err := parseRun(b)
	if err != nil {
		return Run{}, fmt.Errorf("%s%w", path, err)
	}
	return run, nil
}

// parseRun reads the text of run.json. Its errors begin with ":LINE: " or ": ", to follow a file name.
func parseRun(b []byte) (Run, error) {
	var run Run
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&run); err != nil {
		return Run{}, fmt.Errorf(":%d: %w", lineOf(b, jsonOffset(err, dec.InputOffset())), err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Run{}, fmt.Errorf(":%d: more than one JSON value", lineOf(b, dec.InputOffset()))
	}
	if run.Schema < 1 || run.Schema > Schema {
		return Run{}, fmt.Errorf(": schema %d: this snapbench reads 1 to %d", run.Schema, Schema)
	}
	if len(run.Question) == 0 || string(run.Question) == "null" {
		return Run{}, errors.New(": no question")
	}
	if _, err := flatten(run.Question); err != nil {
		return Run{}, fmt.Errorf(": question: %w", err)
	}
	if run.SHA256 != "" {
		got, err := runDigest(b, run.SHA256)
		if err != nil {
			return Run{}, fmt.Errorf(": %w", err)
		}
		if got != run.SHA256 {
			return Run{}, fmt.Errorf(": damaged: its sha256 is %s, it says %.64q", got, run.SHA256)
		}
	}
	return run, nil
}

// runDigest is the sha256 of a run.json whose sha256 field has the text said, as if that field were empty.
func runDigest(text []byte, said string) (string, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return "", err
	}
	sum := sha256.Sum256(setDigest(compact.Bytes(), `"sha256":"`, said, ""))
	return hex.EncodeToString(sum[:]), nil
}

// setDigest replaces the digest of a run.json. It is the last field of this name; a question may have others.
func setDigest(text []byte, name, from, to string) []byte {
	at := bytes.LastIndex(text, []byte(name+from+`"`))
	if at < 0 {
		return text
	}
	at += len(name)
	return slices.Concat(text[:at], []byte(to), text[at+len(from):])
}

// write writes run.json.
func (run Run) write(w io.Writer) error {
	const empty = "-" // in place of the digest, until it is known
	run.SHA256 = empty
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(run); err != nil {
		return err
	}
	digest, err := runDigest(text.Bytes(), empty)
	if err != nil {
		return err
	}
	_, err = w.Write(setDigest(text.Bytes(), `"sha256": "`, empty, digest))
	return err
}

func jsonOffset(err error, at int64) int64 {
	var se *json.SyntaxError
	var te *json.UnmarshalTypeError
	switch {
	case errors.As(err, &se):
		return se.Offset
	case errors.As(err, &te):
		return te.Offset
	}
	return at
}

func lineOf(b []byte, offset int64) int {
	return 1 + bytes.Count(b[:min(max(offset, 0), int64(len(b)))], []byte("\n"))
}

// fill completes a run that is about to be written.
func (run *Run) fill() error {
	if len(run.Question) == 0 {
		return errors.New("run.json: no question")
	}
	flat, err := flatten(run.Question)
	if err != nil {
		return fmt.Errorf("run.json: question: %w", err)
	}
	run.Schema = Schema
	if run.Name == "" {
		h := sha256.New()
		for _, k := range slices.Sorted(maps.Keys(flat)) {
			fmt.Fprintf(h, "%d:%s=%d:%s,", len(k), k, len(flat[k]), flat[k])
		}
		run.Name = hex.EncodeToString(h.Sum(nil))[:12]
	}
	return nil
}

// Differs lists the fields in which two questions differ, each as "field: had X, now Y". Order and spacing of the JSON
// make no difference.
func Differs(had, now json.RawMessage) ([]string, error) {
	a, err := flatten(had)
	if err != nil {
		return nil, err
	}
	b, err := flatten(now)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for k := range a {
		all[k] = ""
	}
	for k := range b {
		all[k] = ""
	}
	show := func(m map[string]string, k string) string {
		v, ok := m[k]
		if !ok {
			return "nothing"
		}
		if len(v) > 80 {
			v = v[:77] + "..."
		}
		return v
	}
	var diff []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		va, oka := a[k]
		vb, okb := b[k]
		if oka != okb || va != vb {
			diff = append(diff, fmt.Sprintf("%s: had %s, now %s", k, show(a, k), show(b, k)))
		}
	}
	return diff, nil
}

// flatten turns a JSON value into its leaves: path → literal. A list of plain values is one leaf, so that a message
// says "budgets: had [full 512]" and not "budgets[1]".
func flatten(raw json.RawMessage) (map[string]string, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // a seed above 2^53 must not be rounded
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	flat := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				p := k
				if path != "" {
					p = path + "." + k
				}
				walk(p, e)
			}
			if len(v) == 0 {
				flat[path] = "{}"
			}
		case []any:
			plain := true
			for _, e := range v {
				switch e.(type) {
				case map[string]any, []any:
					plain = false
				}
			}
			if plain {
				b, _ := json.Marshal(v)
				flat[path] = string(b)
				return
			}
			for i, e := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), e)
			}
		default:
			b, _ := json.Marshal(v)
			flat[path] = string(b)
		}
	}
	walk("", v)
	if v, ok := flat[""]; ok {
		delete(flat, "")
		flat["question"] = v
	}
	return flat, nil
}

// OtherQuestionError is the error for a folder that holds the run of another question.
type OtherQuestionError struct {
	Dir    string
	Fields []string // "field: had X, now Y"
}

func (e *OtherQuestionError) Error() string {
	return fmt.Sprintf("%s holds another run; what differs:\n  %s\nchoose another folder, or ask the same question to continue", e.Dir, strings.Join(e.Fields, "\n  "))
}
